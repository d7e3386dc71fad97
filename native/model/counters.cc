#include "model/counters.h"

#include <array>

#include "model/config.h"

namespace iaa_zswap::model {
namespace {

constexpr CounterName counter(std::string_view name, std::uint64_t Counters::* value) {
  return {.name = name, .value = value};
}

constexpr std::array kCounters = {
    counter("vmstat.pgfault", &Counters::pgfault),
    counter("vmstat.pgmajfault", &Counters::pgmajfault),
    counter("vmstat.pgscan_anon", &Counters::pgscan),
    counter("vmstat.pgsteal_anon", &Counters::pgsteal),
    counter("vmstat.zswpin", &Counters::zswpin),
    counter("vmstat.zswpout", &Counters::zswpout),
    counter("vmstat.zswpwb", &Counters::zswpwb),
    counter("vmstat.pswpin", &Counters::pswpin),
    counter("vmstat.pswpout", &Counters::pswpout),
    counter("vmstat.swpin_zero", &Counters::swpin_zero),
    counter("vmstat.swpout_zero", &Counters::swpout_zero),
    counter("vmstat.thp_fault_alloc", &Counters::thp_fault_alloc),
    counter("vmstat.thp_fault_fallback", &Counters::thp_fault_fallback),
    counter("vmstat.thp_fault_fallback_charge", &Counters::thp_fault_fallback_charge),
    counter("vmstat.thp_swpout", &Counters::thp_swpout),
    counter("vmstat.thp_swpout_fallback", &Counters::thp_swpout_fallback),
    counter("vmstat.thp_split_page", &Counters::thp_split_page),
    counter("memory.events.high", &Counters::memory_high),
    counter("memory.events.max", &Counters::memory_max),
    counter("memory.events.oom", &Counters::memory_oom),
    counter("memory.events.oom_kill", &Counters::memory_oom_kill),
    counter("memory.swap.events.max", &Counters::swap_max),
    counter("memory.swap.events.fail", &Counters::swap_fail),
    counter("memory.current", &Counters::memory_current),
    counter("memory.peak", &Counters::memory_peak),
    counter("memory.swap.current", &Counters::swap_current),
    counter("memory.stat.anon", &Counters::anon),
    counter("memory.stat.pagetables", &Counters::pagetables),
    counter("memory.stat.zswap", &Counters::zswap),
    counter("memory.stat.zswapped", &Counters::zswapped),
    counter("hugepages.anon_fault_alloc", &Counters::anon_fault_alloc),
    counter("hugepages.anon_fault_fallback", &Counters::anon_fault_fallback),
    counter("hugepages.anon_fault_fallback_charge", &Counters::anon_fault_fallback_charge),
    counter("hugepages.zswpout", &Counters::folio_zswpout),
    counter("hugepages.swpout", &Counters::folio_swpout),
    counter("hugepages.swpout_fallback", &Counters::folio_swpout_fallback),
    counter("hugepages.split", &Counters::folio_split),
    counter("hugepages.nr_anon", &Counters::nr_anon),
    counter("zswap.pool_limit_hit", &Counters::pool_limit_hit),
    counter("zswap.pool_total_size", &Counters::pool_total_size),
    counter("zswap.reject_alloc_fail", &Counters::reject_alloc_fail),
    counter("zswap.reject_compress_fail", &Counters::reject_compress_fail),
    counter("zswap.reject_compress_poor", &Counters::reject_compress_poor),
    counter("zswap.reject_kmemcache_fail", &Counters::reject_kmemcache_fail),
    counter("zswap.reject_reclaim_fail", &Counters::reject_reclaim_fail),
    counter("zswap.stored_pages", &Counters::stored_pages),
    counter("zswap.stored_incompressible_pages", &Counters::stored_incompressible_pages),
    counter("zswap.written_back_pages", &Counters::written_back_pages),
    counter("zswap.decompress_fail", &Counters::decompress_fail),
    counter("iaa_crypto.total_comp_calls", &Counters::total_comp_calls),
    counter("iaa_crypto.total_decomp_calls", &Counters::total_decomp_calls),
    counter("iaa_crypto.total_sw_decomp_calls", &Counters::total_sw_decomp_calls),
    counter("iaa_crypto.total_comp_bytes_out", &Counters::total_comp_bytes_out),
    counter("iaa_crypto.total_decomp_bytes_in", &Counters::total_decomp_bytes_in),
    counter("iaa_crypto.total_completion_einval_errors", &Counters::total_completion_einval_errors),
    counter("iaa_crypto.total_completion_timeout_errors",
            &Counters::total_completion_timeout_errors),
    counter("iaa_crypto.total_completion_comp_buf_overflow_errors",
            &Counters::total_completion_comp_buf_overflow_errors),
    counter("zram.orig_data_size", &Counters::zram_orig_data_size),
    counter("zram.compr_data_size", &Counters::zram_compr_data_size),
    counter("zram.mem_used_total", &Counters::zram_mem_used_total),
    counter("zram.huge_pages", &Counters::zram_huge_pages),
    counter("zram.failed_writes", &Counters::zram_failed_writes),
    counter("cpu.user_ns", &Counters::user_time),
    counter("cpu.system_ns", &Counters::system_time),
    counter("model.pages_lost", &Counters::pages_lost),
    counter("model.tasks_bus_error", &Counters::tasks_bus_error),
    counter("model.tasks_hung", &Counters::tasks_hung),
    counter("model.driver_disabled", &Counters::driver_disabled),
    counter("model.compress_descriptor_timeouts", &Counters::compress_descriptor_timeouts),
    counter("model.decompress_descriptor_timeouts", &Counters::decompress_descriptor_timeouts),
    counter("model.zswap_pools", &Counters::zswap_pools),
    counter("model.context_bytes", &Counters::context_bytes),
    counter("model.worker_ns", &Counters::worker_time),
};

}  // namespace

void Counters::count_swapped_out(std::uint32_t pages) {
  pswpout += pages;
  if (pages > 1) ++folio_swpout;
  if (pages == kPmdPages) ++thp_swpout;
}

std::span<const CounterName> all_counters() { return kCounters; }

}  // namespace iaa_zswap::model
