#ifndef IAA_ZSWAP_MODEL_IDXD_H_
#define IAA_ZSWAP_MODEL_IDXD_H_

#include <coroutine>
#include <cstdint>
#include <deque>
#include <vector>

#include "model/chrome_trace.h"
#include "model/config.h"
#include "model/scheduler.h"

namespace iaa_zswap::model {

/** What a descriptor asks for. */
enum class Operation : std::uint8_t { kCompress, kDecompress };

/** Who gives a descriptor back when its work is done. */
enum class Release : std::uint8_t {
  kAtCompletion,  // the submitter polls for nothing else
  kByCaller,      // release()
};

/** Descriptors that one task has submitted and waits for. */
struct Batch {
  /** Submitted, and when they complete is not known yet. */
  std::uint32_t open = 0;
  /** When the last of the others completes; kNever when its device is lost. */
  Time done = 0;
  /** Resumed when all is known and done. */
  std::coroutine_handle<> waiter;
};

/**
 * The devices: work queues with so many descriptors, groups, engines, and the pipe that the engines
 * of a device share. In a group whose queues have the same priority descriptors are served as they
 * come, and when one completes is known as soon as it is submitted. Where priorities differ, a free
 * engine chooses what it takes next.
 */
class Idxd {
 public:
  Idxd(Simulation* simulation, const IaaConfig& config, const Constants& constants,
       ChromeTrace* trace);

  [[nodiscard]] std::uint32_t wqs() const { return static_cast<std::uint32_t>(wqs_.size()); }

  /** A descriptor of the queue is taken (idxd_alloc_desc); false when all are in use. */
  bool allocate(std::uint32_t wq) {
    Wq& found = wqs_[wq];
    if (found.taken == found.descriptors) settle(found);
    if (found.taken == found.descriptors) return false;
    ++found.taken;
    return true;
  }
  void release(std::uint32_t wq) { --wqs_[wq].taken; }
  /** When a descriptor will be free, as far as that is known; kNever when it is not. */
  [[nodiscard]] Time next_free(std::uint32_t wq) const {
    const Wq& found = wqs_[wq];
    return found.completions.empty() ? kNever : found.completions.front();
  }

  /** A dedicated queue always takes what has a descriptor, a shared one while others leave room. */
  [[nodiscard]] bool accepts(std::uint32_t number);

  /** Submits what has a descriptor; it is in the queue at `arrival`, now or shortly after. */
  void submit(std::uint32_t number, Operation operation, Time arrival, Release release,
              Batch* batch);

  /** The device completes nothing any more, not even what it works on. */
  void lose(std::uint32_t number);
  /** Whether what would complete at `done` on the queue's device does. */
  [[nodiscard]] bool completes(std::uint32_t wq, Time done) const {
    return done < devices_[wqs_[wq].config.device].lost_at;
  }

 private:
  struct Waiting {
    Operation operation;
    Release release;
    Time arrival;
    Batch* batch;
  };

  struct Wq {
    WqConfig config;
    std::uint32_t descriptors = 0;
    std::uint32_t taken = 0;
    /** When those that nobody else releases are free again, ascending. */
    std::deque<Time> completions;
    /** Of a group that chooses: what no engine has taken yet. */
    std::deque<Waiting> waiting;
    /** Of a group that chooses: what it has had so far, in relation to its priority. */
    std::uint64_t share = 0;
  };

  struct Group {
    Idxd* idxd = nullptr;
    std::uint32_t device = 0;
    std::vector<Time> engines;
    std::uint32_t next_engine = 0;
    std::vector<std::uint32_t> wqs;
    bool chooses = false;
    /** Share of the queue that was chosen last. */
    std::uint64_t share = 0;
  };

  struct Device {
    std::vector<Group> groups;
    Server pipe;
    Time lost_at = kNever;
  };

  void settle(Wq& wq);
  Time serve(Group& group, std::uint32_t engine, Operation operation, Time arrival);
  static void complete(Wq& wq, Release release, Time done, Batch* batch);
  void tell(Batch* batch);
  void choose(Group& group);
  static void choose_again(void* subject);

  Simulation* simulation_;
  Constants constants_;
  ChromeTrace* trace_;
  std::vector<Device> devices_;
  std::vector<Wq> wqs_;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_IDXD_H_
