#ifndef IAA_ZSWAP_MODEL_MACHINE_H_
#define IAA_ZSWAP_MODEL_MACHINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "model/chrome_trace.h"
#include "model/config.h"
#include "model/counters.h"
#include "model/folio_table.h"
#include "model/folio_waiters.h"
#include "model/iaa_crypto.h"
#include "model/idxd.h"
#include "model/memcg.h"
#include "model/memory.h"
#include "model/page_content.h"
#include "model/page_witness.h"
#include "model/scheduler.h"
#include "model/simulation.h"
#include "model/swap_area.h"
#include "model/workload.h"
#include "model/zswap.h"

namespace iaa_zswap::model {

/** The counters at a time. */
struct Sample {
  Time time = 0;
  Counters counters;
};

/**
 * A machine with a workload on it. Time passes when run_until() lets it, and counters can be read
 * in between. The same configuration always gives the same numbers.
 */
class Machine {
 public:
  /** `config` is one that why_not() has nothing against; a compressor may still be missing. */
  static std::variant<std::unique_ptr<Machine>, std::string> create(Config config,
                                                                    PageWitness* witness = nullptr);

  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() = default;

  /**
   * Lets time pass up to `limit`, or to the end of the workload; true at its end, or when nothing
   * will ever happen any more because what is left of it hangs.
   */
  bool run_until(Time limit);

  [[nodiscard]] Time now() const { return simulation_.now(); }
  [[nodiscard]] Counters counters() const;
  [[nodiscard]] std::span<const WqCounters> wq_counters() const { return iaa_->wq_counters(); }
  /** What was kept every sample interval since they were last taken. */
  std::vector<Sample> take_samples() { return std::exchange(samples_, {}); }
  [[nodiscard]] const std::vector<TaskResult>& results() const { return workload_->results(); }
  [[nodiscard]] std::uint64_t events() const { return simulation_.events(); }
  [[nodiscard]] std::string trace() const { return trace_.json(); }

  /** The workload is done, and not hanging. */
  [[nodiscard]] bool is_done() const { return workload_->is_done(); }
  /** Something that the parts of the machine do not agree about, for tests; nothing usually. */
  [[nodiscard]] std::optional<std::string> inconsistency() const;

 private:
  Machine(Config config, std::unique_ptr<PageContent> content, PageWitness* witness);

  /** An event from outside, as the simulation knows it. */
  struct Outside {
    Machine* machine = nullptr;
    OutsideEvent event;
  };

  void apply(const OutsideEvent& event);
  void set_zswap(const OutsideEvent& event);
  static void do_sample(void* subject);

  Config config_;
  // Everything below points into what is above it; coroutines, which are last, into all.
  Simulation simulation_;
  Counters counters_;
  ChromeTrace trace_;
  std::unique_ptr<PageContent> content_;
  Scheduler scheduler_;
  Idxd idxd_;
  std::unique_ptr<IaaCrypto> iaa_;
  FolioTable folios_;
  FolioWaiters waiters_;
  Memcg memcg_;
  SwapArea swap_;
  Server swap_device_;
  Server contended_;
  std::unique_ptr<CompressedStore> store_;
  /** The store, unless it is zram. */
  Zswap* zswap_ = nullptr;
  std::unique_ptr<Memory> memory_;
  std::vector<Outside> outside_;
  std::vector<Sample> samples_;
  std::unique_ptr<Workload> workload_;
  Co<> zswap_worker_;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_MACHINE_H_
