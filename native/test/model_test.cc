// clang-format off: one line for scripts/native-test.sh
// Sources: native/model/chrome_trace.cc native/model/compressed_store.cc native/model/constants.cc native/model/counters.cc native/model/folio_table.cc native/model/iaa_crypto.cc native/model/idxd.cc native/model/kernel.cc native/model/machine.cc native/model/memcg.cc native/model/memory.cc native/model/memory_faults.cc native/model/memory_reclaim.cc native/model/page_content.cc native/model/scheduler.cc native/model/swap_area.cc native/model/validate.cc native/model/workload.cc native/model/zram.cc native/model/zsmalloc.cc native/model/zswap.cc native/usemem/content.cc native/codec/block_avx2.cc native/codec/block_portable.cc native/codec/completion.cc native/codec/compressor.cc native/codec/crc.cc native/codec/decoder.cc native/codec/dynamic_header.cc native/codec/encoder.cc native/codec/fixed_loop_avx2.cc
// Libraries: dl
// clang-format on
//
// Whole machines of the model: what follows from its mechanisms together, usemem30 above all.

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <variant>

#include "test/check.h"
#include "test/model_configs.h"

namespace iaa_zswap {
namespace {

using model::Compressor;
using model::Config;
using model::Counters;
using model::Time;
using test::check;
using test::check_equal;
using test::is_near;

// --- usemem30

constexpr std::uint32_t kSmaller = 64;

void sequential_stores_less_since_some_exit_early() {
  Config config = test::usemem30("mm-unstable-4-21-2025", Compressor::kDeflateIaa, 4, kSmaller);
  const Counters sequential = test::run(config);
  config.iaa.mappings = {test::all_to_all(56, 4)};
  const Counters unmapped = test::run(config);
  const Counters batched = test::run(test::usemem30("v9", Compressor::kDeflateIaa, 4, kSmaller));
  check(is_near(static_cast<double>(sequential.zswpout),
                0.92 * static_cast<double>(batched.zswpout), 0.03));
  check(
      is_near(static_cast<double>(unmapped.zswpout), static_cast<double>(batched.zswpout), 0.005));
  // Without a sleep before the exit they end earlier still.
  std::get<model::UsememConfig>(config.workload).sleep = 0;
  config.iaa.mappings = {test::in_blocks(56, 4, 28)};
  check(test::run(config).zswpout < sequential.zswpout);
}

/** T + PT - H pages have to go, and each leaves its compressed size behind. */
void what_is_stored_follows_from_the_sizes() {
  for (const auto& [compressor, bytes] :
       {std::pair{Compressor::kDeflateIaa, 1590.0}, std::pair{Compressor::kZstd, 782.0}}) {
    const Config config = test::usemem30("v9", compressor, 4, kSmaller);
    const Counters counters = test::run(config);
    const double pages = 78'643'200.0 / kSmaller;
    const double expected = (pages + pages / 512 - static_cast<double>(config.memcg.high)) /
                            (1 - bytes / model::kPageBytes);
    check(is_near(static_cast<double>(counters.zswpout), expected, 0.002));
    check_equal(counters.folio_zswpout * 16, counters.zswpout);
    check_equal(counters.zswpin, 0U);
    check_equal(counters.pswpout, 0U);
    check(counters.memory_peak > config.memcg.high * model::kPageBytes);
  }
}

/** What the rows of the letter's tables have to do with each other. */
void the_letters_rows_fit_together() {
  std::uint64_t fallbacks = 0;
  for (const char* kernel : {"mm-unstable-4-21-2025", "v9"}) {
    for (const Compressor compressor : {Compressor::kDeflateIaa, Compressor::kZstd}) {
      for (const std::uint32_t order : {4U, 9U}) {
        Config config = test::usemem30(kernel, compressor, order, 256);
        const Counters ample = test::run(config);
        check_equal(ample.folio_swpout_fallback, 0U);
        // As much swap as that took, and little more: CPUs keep clusters that they fill, and runs
        // become rare towards the end.
        config.machine.swap_pages = ample.zswpout + 30 * std::uint64_t{64};
        const Counters tight = test::run(config);
        fallbacks += tight.folio_swpout_fallback;
        for (const Counters& counters : {ample, tight}) {
          const std::uint64_t whole =
              counters.folio_zswpout + counters.folio_swpout + counters.folio_swpout_fallback;
          check(is_near(static_cast<double>(whole << order),
                        static_cast<double>(counters.zswpout + counters.pswpout), 0.001));
          check_equal(counters.swap_fail, counters.folio_swpout_fallback);
          check_equal(counters.thp_swpout_fallback,
                      order == 9 ? counters.folio_swpout_fallback : 0);
          check_equal(counters.pgsteal, counters.zswpout + counters.pswpout);
          check_equal(counters.zswpin + counters.pswpin, counters.pgmajfault);
        }
      }
    }
  }
  check(fallbacks > 0, "every folio found its run");
}

void events_reclaim_what_the_kernel_charges() {
  const auto pages_an_event = [](const char* kernel, std::uint32_t order) {
    const Counters counters =
        test::run(test::usemem30(kernel, Compressor::kDeflateIaa, order, kSmaller));
    return static_cast<double>(counters.zswpout) / static_cast<double>(counters.memory_high);
  };
  check(is_near(pages_an_event("v9", 4), 46, 0.03));
  check(is_near(pages_an_event("v9", 9), 515, 0.03));
  // A kernel that charges batches of 64 for any folio, as 7.3 in the guest.
  check(is_near(pages_an_event("mainline 7.3", 4), 64, 0.03));
  check(is_near(pages_an_event("v9", 0), 64, 0.03));
}

void the_same_seed_gives_the_same_run() {
  Config config = test::usemem30("v9", Compressor::kDeflateIaa, 4, 256);
  config.sample_interval = 10'000'000;
  config.trace.spans = 1000;
  const auto run_once = [](const Config& with) {
    const auto machine = test::machine_of(with);
    test::run_to_end(*machine);
    std::string all = machine->trace() + std::to_string(machine->events());
    for (const model::Sample& sample : machine->take_samples()) {
      for (const model::CounterName& name : model::all_counters()) {
        all += ' ' + std::to_string(sample.counters.*name.value);
      }
    }
    return all;
  };
  const std::string first = run_once(config);
  check(first == run_once(config), "two runs differ");
  config.seed = 2;
  check(first != run_once(config), "the seed has no effect");
}

void a_run_can_be_stepped() {
  const Config config = test::usemem30("v9", Compressor::kZstd, 4, 256);
  const Counters whole = test::run(config);
  const auto machine = test::machine_of(config);
  std::uint64_t before = 0;
  Time now = 0;
  while (!machine->run_until(now)) {
    check_equal(machine->now(), now);
    check(machine->counters().zswpout >= before);
    before = machine->counters().zswpout;
    now += 7'000'000;
  }
  const Counters stepped = machine->counters();
  for (const model::CounterName& name : model::all_counters()) {
    check_equal(stepped.*name.value, whole.*name.value);
  }
}

void incompressible_pages_go_where_the_kernel_sends_them() {
  Config config = test::usemem30("v9", Compressor::kDeflateIaa, 4, 256);
  config.content.incompressible_per_million = 50'000;
  const Counters unwound = test::run(config);
  // A folio of 16 with one such page among them goes to the swap device whole: 56% of all.
  const double folios = static_cast<double>(unwound.folio_swpout) /
                        static_cast<double>(unwound.folio_swpout + unwound.folio_zswpout);
  check(is_near(folios, 1 - std::pow(0.95, 16), 0.03));
  check(unwound.reject_compress_fail >= unwound.folio_swpout);
  check_equal(unwound.pswpout, unwound.folio_swpout * 16);

  config.kernel = test::present(model::kernel_features("mainline 7.3"));
  config.iaa.mappings = {test::in_blocks(56, 4, 28)};
  const auto machine = test::machine_of(config);
  machine->run_until(100'000'000);
  const Counters kept = machine->counters();
  check(is_near(static_cast<double>(kept.stored_incompressible_pages),
                0.05 * static_cast<double>(kept.stored_pages), 0.1));
  check_equal(kept.pswpout, 0U);
  test::run_to_end(*machine);
}

void old_kernels_swap_large_folios_to_the_device() {
  const Counters counters = test::run(test::usemem30("mainline 6.12", Compressor::kZstd, 4, 256));
  check_equal(counters.zswpout, 0U);
  check(counters.folio_swpout > 0);
}

void a_small_swap_area_splits_folios() {
  Config config = test::usemem30("v9", Compressor::kZstd, 4, 256);
  // Less than has to go. Single pages find the last of it, in the clusters that other CPUs fill.
  config.machine.swap_pages = 100'000;
  std::get<model::UsememConfig>(config.workload).tasks = 24;
  const auto machine = test::machine_of(config);
  machine->run_until(model::kNever);
  const Counters counters = machine->counters();
  check(counters.folio_swpout_fallback > 0);
  check(counters.swap_fail >= counters.folio_swpout_fallback);
  check(counters.swap_current / model::kPageBytes <= config.machine.swap_pages);
}

void a_full_pool_is_written_back() {
  Config config = test::usemem30("v9", Compressor::kZstd, 4, 256);
  config.machine.memory_pages = 200'000;
  config.zswap.max_pool_percent = 10;
  const Counters counters = test::run(config);
  check(counters.pool_limit_hit > 0);
  check(counters.written_back_pages > 0);
  check_equal(counters.zswpwb, counters.written_back_pages);
  check_equal(counters.pswpout, counters.written_back_pages + 16 * counters.folio_swpout);
}

void an_old_pool_goes_when_it_is_empty() {
  Config config = test::usemem30("v9", Compressor::kDeflateIaa, 4, 256);
  config.events = {{.time = 60'000'000,
                    .kind = model::OutsideKind::kCompressor,
                    .value = static_cast<std::uint64_t>(Compressor::kZstd)}};
  const auto machine = test::machine_of(config);
  machine->run_until(59'000'000);
  const Counters before = machine->counters();
  machine->run_until(90'000'000);
  const Counters after = machine->counters();
  check_equal(before.zswap_pools, 1U);
  check_equal(after.zswap_pools, 2U);
  // A CPU's contexts: 64.85 KiB with eight requests and 8.20 with one; the letter: 64.8 and 8.2 KB.
  check_equal(before.context_bytes, std::uint64_t{56} * 66'408);
  check_equal(after.context_bytes, std::uint64_t{56} * (66'408 + 8'400));
  check_equal(test::run_to_end(*machine).zswap_pools, 1U);
}

void memory_max_leaves_large_folios_little_room() {
  Config config = test::usemem30("mm-unstable-4-21-2025", Compressor::kZstd, 9, 256);
  config.content.kind = model::ContentKind::kProgram;
  config.memcg.max = config.memcg.high;
  config.memcg.high = model::kUnlimited;
  const Counters counters = test::run(config);
  check_equal(counters.memory_high, 0U);
  check(counters.memory_max > 0);
  check(counters.thp_fault_fallback_charge > 0);
  check_equal(counters.memory_oom_kill, 0U);
}

// --- The letter's roadmap

/** A run with a mechanism and one without it. */
struct Pair {
  Counters off;
  Counters on;
  /** Elapsed time. */
  double off_time = 0;
  double on_time = 0;
};

Pair with_and_without(Config config, bool model::KernelFeatures::* feature) {
  Pair pair;
  for (const bool on : {false, true}) {
    config.kernel.*feature = on;
    const auto machine = test::machine_of(config);
    (on ? pair.on : pair.off) = test::run_to_end(*machine);
    (on ? pair.on_time : pair.off_time) = static_cast<double>(machine->now());
  }
  return pair;
}

void reclaim_batching_helps_small_folios() {
  const auto gain = [](std::uint32_t order, std::uint32_t tasks) {
    Config config = test::usemem30("v9", Compressor::kDeflateIaa, order, 256);
    config.memcg.high = config.memcg.high * tasks / 30;
    std::get<model::UsememConfig>(config.workload).tasks = tasks;
    const Pair pair = with_and_without(config, &model::KernelFeatures::reclaim_batching);
    check(
        is_near(static_cast<double>(pair.on.zswpout), static_cast<double>(pair.off.zswpout), 0.01));
    check_equal(pair.on.total_comp_calls, pair.on.zswpout);
    check_equal(pair.on.pgsteal, pair.on.zswpout);
    check_equal(pair.on.folio_zswpout << order, order == 0 ? 0 : pair.on.zswpout);
    return pair.off_time / pair.on_time;
  };
  // Single pages are compressed one after the other without it, 16 KiB folios in half a batch.
  check(gain(0, 4) > 1.1);
  check(gain(2, 4) > 1.01 && gain(2, 4) < gain(0, 4));
  // 30 tasks wait for other things.
  check(gain(0, 30) > 1.01 && gain(0, 30) < gain(0, 4));
  // Two 64 KiB folios are four whole batches either way.
  check(gain(4, 4) == 1.0);
}

void reclaim_batching_fails_folios_one_by_one() {
  Config config = test::usemem30("v9", Compressor::kDeflateIaa, 0, 256);
  config.content.incompressible_per_million = 50'000;
  const Pair pair = with_and_without(config, &model::KernelFeatures::reclaim_batching);
  for (const Counters& counters : {pair.off, pair.on}) {
    check(is_near(static_cast<double>(counters.pswpout),
                  0.05 * static_cast<double>(counters.pswpout + counters.zswpout), 0.05));
  }
}

/** Tasks that write twice what fits, and then read it from its begin to its end. */
Config written_then_read(std::uint32_t order = 0) {
  constexpr std::uint32_t kTasks = 4;
  constexpr std::uint32_t kPages = 2048;
  Config config = test::usemem30("v9", Compressor::kDeflateIaa, order, 256);
  config.memcg.high = std::uint64_t{kTasks} * kPages / 2;
  model::TraceConfig trace{.tasks = kTasks, .task_pages = kPages, .accesses = {}};
  for (const model::AccessKind kind : {model::AccessKind::kWrite, model::AccessKind::kRead}) {
    for (std::uint32_t task = 0; task < kTasks; ++task) {
      for (std::uint32_t page = 0; page < kPages; ++page) {
        trace.accesses.push_back({.time = 0, .task = task, .page = page, .kind = kind});
      }
    }
  }
  config.workload = trace;
  return config;
}

void swapin_batching_takes_a_fault_for_eight_pages() {
  Config config = written_then_read();
  const Pair pair = with_and_without(config, &model::KernelFeatures::swapin_batching);
  check(pair.off.zswpin > 4000);
  check_equal(pair.off.pgmajfault, pair.off.zswpin);
  check(is_near(static_cast<double>(pair.on.zswpin), static_cast<double>(pair.off.zswpin), 0.1));
  check(is_near(static_cast<double>(pair.on.zswpin), 8 * static_cast<double>(pair.on.pgmajfault),
                0.05));
  check_equal(pair.on.total_decomp_calls, pair.on.zswpin);
  check(pair.on_time < 0.95 * pair.off_time);

  // Without batches in the driver the window comes page by page: that is slower.
  config.kernel.batched_store = false;
  const Pair single = with_and_without(config, &model::KernelFeatures::swapin_batching);
  check(single.on_time > pair.on_time);
  // The window is of 2^page-cluster pages.
  config.kernel.batched_store = true;
  config.machine.page_cluster = 1;
  const Pair small = with_and_without(config, &model::KernelFeatures::swapin_batching);
  check(is_near(static_cast<double>(small.on.zswpin), 2 * static_cast<double>(small.on.pgmajfault),
                0.05));
  check(small.on_time > pair.on_time);
  // Who has no such mechanism does not look at it, and a window of one page is none.
  check_equal(small.off.system_time, pair.off.system_time);
  config.machine.page_cluster = 0;
  const Pair none = with_and_without(config, &model::KernelFeatures::swapin_batching);
  check_equal(none.on.system_time, pair.off.system_time);
}

void zram_is_a_swap_device() {
  Config config = test::usemem30("v9", Compressor::kDeflateIaa, 4, 256);
  const Pair pair = with_and_without(config, &model::KernelFeatures::zram);
  check_equal(pair.on.zswpout + pair.on.zswpin + pair.on.zswap + pair.on.zswap_pools, 0U);
  check_equal(pair.on.pswpout, pair.on.pgsteal);
  check_equal(pair.on.pswpout, pair.on.folio_swpout * 16);
  check_equal(pair.on.pswpout, pair.on.total_comp_calls);
  // What it holds is charged to nobody, so that there is less to reclaim.
  check(pair.on.pswpout < pair.off.zswpout * 3 / 4);
  check(pair.on_time < pair.off_time);
  check_equal(pair.on.zram_orig_data_size + pair.on.zram_mem_used_total, 0U);

  // Its folios go to the compressor in batches, too.
  std::get<model::UsememConfig>(config.workload).tasks = 4;
  config.memcg.high = config.memcg.high * 4 / 30;
  config.kernel.zram = true;
  const Pair batched = with_and_without(config, &model::KernelFeatures::batched_store);
  check(batched.on_time < batched.off_time);

  const auto machine = test::machine_of(config);
  machine->run_until(static_cast<model::Time>(batched.on_time / 2));
  const Counters half = machine->counters();
  check(half.zram_orig_data_size > 0);
  check_equal(half.zram_compr_data_size,
              half.zram_orig_data_size / model::kPageBytes *
                  static_cast<std::uint64_t>(config.constants.counter_bytes_iaa));
  check(half.zram_mem_used_total >= half.zram_compr_data_size);
  check_equal(half.zram_orig_data_size, half.swap_current);
}

void zram_reads_folios_whole() {
  Config config = written_then_read(4);
  config.kernel.zram = true;
  const auto whole = test::machine_of(config);
  const Counters counters = test::run_to_end(*whole);
  check(counters.pswpin > 4000);
  check_equal(counters.pswpin, 16 * counters.pgmajfault);
  check_equal(counters.total_decomp_calls, counters.pswpin);
  // Without batches the same pages come one after the other.
  config.kernel.batched_store = false;
  const auto single = test::machine_of(config);
  check(is_near(static_cast<double>(test::run_to_end(*single).pswpin),
                static_cast<double>(counters.pswpin), 0.1));
  check(single->now() > whole->now());
  // zswap splits them: a fault for each page.
  config.kernel.zram = false;
  const Counters split = test::run(config);
  check_equal(split.pgmajfault, split.zswpin);
}

void zram_keeps_pages_that_do_not_compress() {
  Config config = test::usemem30("v9", Compressor::kDeflateIaa, 4, 256);
  config.content.incompressible_per_million = 50'000;
  config.kernel.zram = true;
  const auto machine = test::machine_of(config);
  machine->run_until(150'000'000);
  const Counters running = machine->counters();
  check(is_near(static_cast<double>(running.zram_huge_pages * model::kPageBytes),
                0.05 * static_cast<double>(running.zram_orig_data_size), 0.1));
  const Counters ended = test::run_to_end(*machine);
  check_equal(ended.zram_failed_writes, 0U);
  check_equal(ended.folio_split, 0U);

  // From zs_huge_class_size() on nothing is saved: here 3264 - 7 bytes.
  config.content.incompressible_per_million = 0;
  for (const std::int64_t bytes : {3256, 3257}) {
    config.constants.counter_bytes_iaa = bytes;
    const auto near = test::machine_of(config);
    near->run_until(150'000'000);
    const Counters counters = near->counters();
    const std::uint64_t all = counters.zram_orig_data_size / model::kPageBytes;
    check(all > 0);
    check_equal(counters.zram_huge_pages, bytes < 3257 ? 0 : all);
    check_equal(test::run_to_end(*near).zram_mem_used_total, 0U);
  }
}

void zram_has_nowhere_else_to_write() {
  Config config = test::usemem30("v9", Compressor::kDeflateIaa, 4, 4096);
  config.kernel.zram = true;
  config.memcg.max = std::exchange(config.memcg.high, model::kUnlimited);
  // Every queue goes: nothing can be compressed any more, and what is compressed is read by
  // software.
  config.iaa.mappings.emplace_back();
  for (std::uint32_t i = 0; i < config.iaa.wqs.size(); ++i) {
    config.events.push_back({.time = 4'000'000,
                             .kind = model::OutsideKind::kWqUnbind,
                             .subject = i,
                             .value = config.iaa.mappings.size() - 1});
  }
  const auto machine = test::machine_of(config);
  const Counters counters = test::run_to_end(*machine);
  check(counters.zram_failed_writes > 0);
  check_equal(counters.folio_swpout * 16, counters.pswpout);
  check(counters.memory_oom_kill > 0);
  check(!machine->inconsistency());
}

// --- Bad configurations

void bad_configurations_are_told() {
  const Config good = test::usemem30("v9", Compressor::kDeflateIaa, 4, 256);
  check(!model::why_not(good));
  const auto refuses = [&](const std::function<void(Config&)>& spoil) {
    Config config = good;
    spoil(config);
    check(model::why_not(config).has_value(), "a bad configuration is taken");
  };
  refuses([](Config& config) { config.machine.cpus = 0; });
  refuses([](Config& config) { config.machine.cpus = 57; });
  refuses([](Config& config) { config.machine.page_cluster = 32; });
  refuses([](Config& config) { config.thp.order = 1; });
  refuses([](Config& config) { config.thp.order = 10; });
  refuses([](Config& config) { config.iaa.wqs[0].device = 4; });
  refuses([](Config& config) { config.iaa.wqs[0].group = 1; });
  refuses([](Config& config) { config.iaa.wqs[0].size = 0; });
  refuses([](Config& config) { config.iaa.wqs[0].priority = 16; });
  refuses([](Config& config) { config.iaa.wqs[0].shared = true; });
  refuses([](Config& config) { config.iaa.devices[0].group_engines = {0}; });
  refuses([](Config& config) { config.iaa.mappings.clear(); });
  refuses([](Config& config) { config.iaa.mappings[0].tables[0][0] = 4; });
  refuses([](Config& config) { config.iaa.mappings[0].cpus[3].compress_table = 1; });
  refuses([](Config& config) { config.iaa.mappings[0].cpus[3].decompress_first = 4; });
  refuses([](Config& config) { config.zswap.classes.clear(); });
  refuses([](Config& config) { config.zswap.classes.pop_back(); });
  refuses([](Config& config) { config.zswap.classes[1].bytes = 100; });
  refuses([](Config& config) { config.zswap.classes[1].zspage_objects = 0; });
  refuses([](Config& config) { config.content.kind = model::ContentKind::kCorpus; });
  refuses([](Config& config) {
    config.content.kind = model::ContentKind::kRatio;
    config.content.ratio = std::nan("");
  });
  refuses([](Config& config) {
    config.content.kind = model::ContentKind::kProgram;
    config.content.exact = true;
  });
  refuses([](Config& config) { config.constants.fault = -1; });
  refuses([](Config& config) { config.constants.counter_bytes_iaa = 4097; });
  refuses([](Config& config) { config.constants.jitter_permille = 1000; });
  refuses([](Config& config) { config.failures.xarray = 1'000'001; });
  refuses([](Config& config) { config.sample_interval = -1; });
  refuses([](Config& config) { std::get<model::UsememConfig>(config.workload).tasks = 0; });
  refuses([](Config& config) { std::get<model::UsememConfig>(config.workload).unit_pages = 0; });
  refuses([](Config& config) { std::get<model::UsememConfig>(config.workload).step_bytes = 12; });
  refuses([](Config& config) {
    std::get<model::UsememConfig>(config.workload).task_pages = 1ULL << 41U;
  });
  refuses([](Config& config) { config.workload = model::BuildConfig{.part_per_million = 0}; });
  refuses([](Config& config) {
    config.workload = model::TraceConfig{
        .tasks = 1, .task_pages = 4, .accesses = {{.time = 0, .task = 0, .page = 4}}};
  });
  refuses([](Config& config) {
    config.events = {{.kind = model::OutsideKind::kCpuOffline, .subject = 56}};
  });
  refuses([](Config& config) {
    config.events = {{.kind = model::OutsideKind::kWqUnbind, .subject = 0, .value = 1}};
  });
  refuses([](Config& config) {
    config.events = {{.time = -1, .kind = model::OutsideKind::kMemoryHigh}};
  });
}

}  // namespace
}  // namespace iaa_zswap

int main() {
  iaa_zswap::sequential_stores_less_since_some_exit_early();
  iaa_zswap::what_is_stored_follows_from_the_sizes();
  iaa_zswap::the_letters_rows_fit_together();
  iaa_zswap::events_reclaim_what_the_kernel_charges();
  iaa_zswap::the_same_seed_gives_the_same_run();
  iaa_zswap::a_run_can_be_stepped();
  iaa_zswap::incompressible_pages_go_where_the_kernel_sends_them();
  iaa_zswap::old_kernels_swap_large_folios_to_the_device();
  iaa_zswap::a_small_swap_area_splits_folios();
  iaa_zswap::a_full_pool_is_written_back();
  iaa_zswap::an_old_pool_goes_when_it_is_empty();
  iaa_zswap::memory_max_leaves_large_folios_little_room();
  iaa_zswap::reclaim_batching_helps_small_folios();
  iaa_zswap::reclaim_batching_fails_folios_one_by_one();
  iaa_zswap::swapin_batching_takes_a_fault_for_eight_pages();
  iaa_zswap::zram_is_a_swap_device();
  iaa_zswap::zram_reads_folios_whole();
  iaa_zswap::zram_keeps_pages_that_do_not_compress();
  iaa_zswap::zram_has_nowhere_else_to_write();
  iaa_zswap::bad_configurations_are_told();
}
