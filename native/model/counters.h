#ifndef IAA_ZSWAP_MODEL_COUNTERS_H_
#define IAA_ZSWAP_MODEL_COUNTERS_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace iaa_zswap::model {

/** What the kernel would count, from 0 at the start of the run; the names are the kernel's. */
struct Counters {
  // /proc/vmstat
  std::uint64_t pgfault = 0;
  std::uint64_t pgmajfault = 0;
  std::uint64_t pgscan = 0;
  std::uint64_t pgsteal = 0;
  std::uint64_t zswpin = 0;
  std::uint64_t zswpout = 0;
  std::uint64_t zswpwb = 0;
  std::uint64_t pswpin = 0;
  std::uint64_t pswpout = 0;
  std::uint64_t swpin_zero = 0;
  std::uint64_t swpout_zero = 0;
  std::uint64_t thp_fault_alloc = 0;
  std::uint64_t thp_fault_fallback = 0;
  std::uint64_t thp_fault_fallback_charge = 0;
  std::uint64_t thp_swpout = 0;
  std::uint64_t thp_swpout_fallback = 0;
  std::uint64_t thp_split_page = 0;

  // memory.events, memory.swap.events
  std::uint64_t memory_high = 0;
  std::uint64_t memory_max = 0;
  std::uint64_t memory_oom = 0;
  std::uint64_t memory_oom_kill = 0;
  std::uint64_t swap_max = 0;
  std::uint64_t swap_fail = 0;

  // memory.current, memory.peak, memory.swap.current, memory.stat; bytes
  std::uint64_t memory_current = 0;
  std::uint64_t memory_peak = 0;
  std::uint64_t swap_current = 0;
  std::uint64_t anon = 0;
  std::uint64_t pagetables = 0;
  std::uint64_t zswap = 0;
  std::uint64_t zswapped = 0;

  // hugepages-*kB/stats of the folio size that is enabled
  std::uint64_t anon_fault_alloc = 0;
  std::uint64_t anon_fault_fallback = 0;
  std::uint64_t anon_fault_fallback_charge = 0;
  std::uint64_t folio_zswpout = 0;
  std::uint64_t folio_swpout = 0;
  std::uint64_t folio_swpout_fallback = 0;
  std::uint64_t folio_split = 0;
  std::uint64_t nr_anon = 0;

  // debugfs zswap
  std::uint64_t pool_limit_hit = 0;
  std::uint64_t pool_total_size = 0;
  std::uint64_t reject_alloc_fail = 0;
  std::uint64_t reject_compress_fail = 0;
  std::uint64_t reject_compress_poor = 0;
  std::uint64_t reject_kmemcache_fail = 0;
  std::uint64_t reject_reclaim_fail = 0;
  std::uint64_t stored_pages = 0;
  std::uint64_t stored_incompressible_pages = 0;
  std::uint64_t written_back_pages = 0;
  std::uint64_t decompress_fail = 0;

  // debugfs iaa_crypto, global_stats
  std::uint64_t total_comp_calls = 0;
  std::uint64_t total_decomp_calls = 0;
  std::uint64_t total_sw_decomp_calls = 0;
  std::uint64_t total_comp_bytes_out = 0;
  std::uint64_t total_decomp_bytes_in = 0;
  std::uint64_t total_completion_einval_errors = 0;
  std::uint64_t total_completion_timeout_errors = 0;
  std::uint64_t total_completion_comp_buf_overflow_errors = 0;

  // /sys/block/zram0: mm_stat, io_stat
  std::uint64_t zram_orig_data_size = 0;
  std::uint64_t zram_compr_data_size = 0;
  std::uint64_t zram_mem_used_total = 0;
  std::uint64_t zram_huge_pages = 0;
  std::uint64_t zram_failed_writes = 0;

  // cpu.stat, nanoseconds
  std::uint64_t user_time = 0;
  std::uint64_t system_time = 0;

  // What a kernel counts nowhere.
  std::uint64_t pages_lost = 0;
  std::uint64_t tasks_bus_error = 0;
  std::uint64_t tasks_hung = 0;
  std::uint64_t driver_disabled = 0;
  std::uint64_t compress_descriptor_timeouts = 0;
  std::uint64_t decompress_descriptor_timeouts = 0;
  std::uint64_t zswap_pools = 0;
  std::uint64_t context_bytes = 0;
  std::uint64_t worker_time = 0;

  /** A folio of so many pages went to the swap device (count_swpout_vm_event()). */
  void count_swapped_out(std::uint32_t pages);
};

/** debugfs iaa_crypto, wq_stats, of one WQ. */
struct WqCounters {
  std::uint64_t comp_calls = 0;
  std::uint64_t comp_bytes = 0;
  std::uint64_t decomp_calls = 0;
  std::uint64_t decomp_bytes = 0;
};

/** A counter by its name, as `vmstat.zswpout`: the file, then the key in it. */
struct CounterName {
  std::string_view name;
  std::uint64_t Counters::* value;
};

std::span<const CounterName> all_counters();

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_COUNTERS_H_
