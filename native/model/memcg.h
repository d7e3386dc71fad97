#ifndef IAA_ZSWAP_MODEL_MEMCG_H_
#define IAA_ZSWAP_MODEL_MEMCG_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/counters.h"
#include "model/scheduler.h"

namespace iaa_zswap::model {

/** MEMCG_CHARGE_BATCH, SWAP_CLUSTER_MAX: pages. */
inline constexpr std::uint32_t kChargeBatch = 64;
inline constexpr std::uint32_t kSwapClusterMax = 32;

/** What an allocation may do to get memory, as far as charging looks at it. */
enum class Gfp : std::uint8_t {
  kNoReclaim,   // GFP_TRANSHUGE_LIGHT: a large folio's, with defrag at its default
  kWakeKswapd,  // the same with __GFP_KSWAPD_RECLAIM
  kReclaim,     // GFP_KERNEL, GFP_HIGHUSER_MOVABLE
  kNeverFails,  // any, within reclaim (PF_MEMALLOC)
};

enum class Charge : std::uint8_t { kDone, kNeedsReclaim, kRefused };

/**
 * The charging of mm/memcontrol.c: one counter, and on each CPU a stock of pages that are charged
 * already, and of bytes of such pages for objects.
 */
class Memcg {
 public:
  Memcg(const MemcgConfig& config, bool exact_charge, std::uint32_t cpus, Counters* counters)
      : config_(config), exact_charge_(exact_charge), stocks_(cpus), counters_(counters) {}

  MemcgConfig& limits() { return config_; }
  [[nodiscard]] const MemcgConfig& limits() const { return config_; }
  [[nodiscard]] std::uint64_t usage() const { return usage_; }
  [[nodiscard]] std::uint64_t peak() const { return peak_; }
  [[nodiscard]] bool is_over_high() const { return usage_ > config_.high; }
  /** Pages that fit below memory.max. */
  [[nodiscard]] std::uint64_t margin() const {
    return usage_ < config_.max ? config_.max - usage_ : 0;
  }

  /** A single page can be charged without reclaim. */
  [[nodiscard]] bool has_room(const Task* task) const {
    return stocks_[task->cpu].pages > 0 || margin() > 0;
  }
  /** try_charge_memcg() up to where it would reclaim. */
  Charge try_charge(Task* task, Gfp gfp, std::uint32_t pages);
  /** Folios that are freed go off the counter itself, not into a stock. */
  void uncharge(std::uint64_t pages) { usage_ -= pages; }

  /** Pages of the kernel's own, as page tables, go through the stock. */
  void uncharge_kernel_page(std::uint32_t cpu) { refill(stocks_[cpu], 1); }
  /** Pages that the workload has from the start, as files in memory. */
  void charge_fixed(std::uint64_t pages) { add(pages); }

  /** obj_cgroup_charge_zswap(): within reclaim, so it never fails. */
  void charge_object(Task* task, std::uint32_t bytes);
  /** obj_cgroup_uncharge_zswap(). */
  void uncharge_objects(std::uint32_t cpu, std::uint64_t bytes);

  /** Gives back what a CPU has in stock: it went offline, or somebody reached memory.max. */
  void drain(std::uint32_t cpu);
  void drain_all() {
    for (std::uint32_t cpu = 0; cpu < stocks_.size(); ++cpu) drain(cpu);
  }

  /** Pages on the counter that stand for nothing yet: stocks, and the open parts of pages. */
  [[nodiscard]] std::uint64_t stocked_pages() const;
  [[nodiscard]] std::uint64_t stocked_bytes() const;

 private:
  struct Stock {
    std::uint32_t pages = 0;
    std::uint32_t bytes = 0;
  };

  void add(std::uint64_t pages) {
    usage_ += pages;
    peak_ = std::max(peak_, usage_);
  }
  void refill(Stock& stock, std::uint32_t pages) {
    stock.pages += pages;
    if (stock.pages <= kChargeBatch) return;
    uncharge(stock.pages);
    stock.pages = 0;
  }

  MemcgConfig config_;
  bool exact_charge_;
  std::vector<Stock> stocks_;
  Counters* counters_;
  std::uint64_t usage_ = 0;
  std::uint64_t peak_ = 0;
  /** objcg->nr_charged_bytes: what was left of a page when stocks were drained. */
  std::uint32_t open_bytes_ = 0;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_MEMCG_H_
