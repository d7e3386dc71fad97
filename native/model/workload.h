#ifndef IAA_ZSWAP_MODEL_WORKLOAD_H_
#define IAA_ZSWAP_MODEL_WORKLOAD_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "model/config.h"
#include "model/coroutine.h"
#include "model/memory.h"
#include "model/scheduler.h"

namespace iaa_zswap::model {

/** How one task of a workload fared; times since the start of the run. */
struct TaskResult {
  /** Its work was done; kNever: it never was. */
  Time worked = kNever;
  Time freeing_began = kNever;
  Time freed = kNever;
  Death death = Death::kNone;
  std::uint64_t max_resident_pages = 0;
};

/** What runs on the machine. */
class Workload {
 public:
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;
  virtual ~Workload() = default;

  [[nodiscard]] bool is_done() const { return running_ == 0; }
  [[nodiscard]] const std::vector<TaskResult>& results() const { return results_; }

  [[nodiscard]] FramePool& frame_pool() const { return simulation_->frame_pool(); }

 protected:
  Workload(Simulation* simulation, Scheduler* scheduler, Memory* memory, std::uint32_t tasks)
      : simulation_(simulation),
        scheduler_(scheduler),
        memory_(memory),
        running_(tasks),
        results_(tasks) {}

  /** A task's last act. */
  void end(Task* task, std::uint32_t number) {
    results_[number].death = task->death;
    results_[number].max_resident_pages = memory_->max_resident(number);
    scheduler_->exit(task);
    --running_;
    if (running_ == 0) simulation_->stop();
  }
  Co<> free_memory(Task* task, std::uint32_t number);

  Simulation* simulation_;
  Scheduler* scheduler_;
  Memory* memory_;
  std::uint32_t running_;
  std::vector<TaskResult> results_;
  std::vector<Co<>> coroutines_;
};

/** How many tasks own memory, and how many pages of it each can have. */
struct Owners {
  std::uint32_t count;
  std::uint64_t pages;
};
Owners owners_of(const Config& config);

/** Starts the workload of a configuration. */
std::unique_ptr<Workload> start_workload(const Config& config, Simulation* simulation,
                                         Scheduler* scheduler, Memory* memory);

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_WORKLOAD_H_
