// clang-format off: one line for scripts/native-test.sh
// Sources: native/model/chrome_trace.cc native/model/iaa_crypto.cc native/model/idxd.cc native/model/kernel.cc native/model/memcg.cc native/model/scheduler.cc native/model/swap_area.cc native/model/zsmalloc.cc
// clang-format on
//
// The mechanisms of the model one by one.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "test/check.h"
#include "test/model_configs.h"

namespace iaa_zswap {
namespace {

using model::Co;
using model::Config;
using model::Counters;
using model::Mode;
using model::Time;
using test::check;
using test::check_equal;
using test::is_near;

// --- The event core

void events_go_by_time_priority_and_arrival() {
  model::EventQueue queue;
  std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
  std::vector<std::tuple<Time, int, int>> names(3000);
  std::vector<std::tuple<Time, int, int>> seen;
  Time now = 0;
  const auto nothing = [](void*) {};
  for (int i = 0; i < 3000; ++i) {
    const Time time = now + static_cast<Time>(random() % 50);
    const int priority = static_cast<int>(random() % 3);
    names[static_cast<std::size_t>(i)] = {time, priority, i};
    queue.push(time, static_cast<model::Priority>(priority), nothing,
               &names[static_cast<std::size_t>(i)]);
    // Two pushed for one popped at first, then the queue runs dry.
    if (i % 2 == 0) continue;
    check(!queue.empty());
    check_equal(queue.next_time(),
                std::get<0>(*std::ranges::min_element(
                    names.begin(), names.begin() + i + 1, {}, [&](const auto& name) {
                      const bool gone = std::ranges::find(seen, name) != seen.end();
                      return gone ? std::tuple(model::kNever, 0, 0) : name;
                    })));
    const model::Event event = queue.pop();
    seen.push_back(*static_cast<std::tuple<Time, int, int>*>(event.subject));
    now = event.time;
  }
  while (!queue.empty()) {
    seen.push_back(*static_cast<std::tuple<Time, int, int>*>(queue.pop().subject));
  }
  check_equal(seen.size(), names.size());
  std::ranges::sort(names);
  check(std::ranges::is_sorted(std::vector(seen.end() - 1500, seen.end())));
  std::ranges::sort(seen);
  check(seen == names, "events were lost or doubled");
}

/** A place for tasks of a test. */
struct Bench {
  explicit Bench(Config made = {}) : config(std::move(made)) {
    config.constants.jitter_permille = 0;
    if (config.iaa.mappings.front().cpus.empty() && !config.iaa.wqs.empty()) {
      config.iaa.mappings = {
          test::all_to_all(8, static_cast<std::uint32_t>(config.iaa.wqs.size()))};
    }
    scheduler = std::make_unique<model::Scheduler>(&simulation, 8, 0);
    idxd = std::make_unique<model::Idxd>(&simulation, config.iaa, config.constants, &trace);
    iaa = std::make_unique<model::IaaCrypto>(&simulation, scheduler.get(), idxd.get(), config.iaa,
                                             config.kernel, config.constants, &counters);
  }

  model::FramePool& frame_pool() { return simulation.frame_pool(); }
  [[nodiscard]] model::Task* task(std::uint32_t cpu) const { return scheduler->add_task(cpu, 1); }

  // What tasks do, each to its end. Not const, though they could be: the frame is taken from the
  // object's own pool.
  // NOLINTBEGIN(readability-make-member-function-const)
  Co<> compute(model::Task* task, int pieces, Time piece, std::vector<Time>* ends) {
    for (int i = 0; i < pieces; ++i) co_await scheduler->run(task, piece, Mode::kUser);
    ends->push_back(simulation.now());
    scheduler->exit(task);
  }
  Co<> hold(model::Mutex* mutex, model::Task* task, Time start, std::vector<int>* order) {
    co_await scheduler->sleep_until(task, start);
    co_await mutex->lock(scheduler.get(), task);
    co_await scheduler->run(task, 10'000, Mode::kSystem);
    order->push_back(static_cast<int>(task->number));
    mutex->unlock(scheduler.get());
    scheduler->exit(task);
  }
  Co<> compress_pages(model::Task* task, int pages, std::vector<int>* errors) {
    for (int i = 0; i < pages; ++i) {
      const int error = co_await iaa->compress(task, 1590, 0);
      errors->push_back(error);
    }
    scheduler->exit(task);
  }
  Co<> compress_batch(model::Task* task, std::vector<std::uint32_t> bytes,
                      std::vector<int>* errors) {
    errors->resize(bytes.size());
    co_await iaa->compress_batch(task, bytes, *errors);
    scheduler->exit(task);
  }
  Co<> decompress_page(model::Task* task, int* error) {
    *error = co_await iaa->decompress(task, 1590);
    scheduler->exit(task);
  }
  // NOLINTEND(readability-make-member-function-const)

  Config config;
  model::Simulation simulation;
  Counters counters;
  model::ChromeTrace trace{0};
  std::unique_ptr<model::Scheduler> scheduler;
  std::unique_ptr<model::Idxd> idxd;
  std::unique_ptr<model::IaaCrypto> iaa;
};

void tasks_share_a_cpu_by_slices() {
  Bench bench;
  std::vector<Time> ends;
  const Co<> one = bench.compute(bench.task(0), 100, 1'000'000, &ends);
  const Co<> two = bench.compute(bench.task(0), 100, 1'000'000, &ends);
  const Co<> alone = bench.compute(bench.task(1), 100, 1'000'000, &ends);
  bench.simulation.run_until(model::kNever);
  check_equal(ends.size(), 3U);
  check_equal(ends[0], 100'000'000);
  // A slice of 3 ms each in turn: the first ends a slice before the second.
  check(ends[1] >= 196'000'000 && ends[1] <= 199'000'000);
  check_equal(ends[2], 200'000'000);
}

void tasks_leave_a_cpu_that_goes_down() {
  Bench bench;
  std::vector<Time> ends;
  model::Task* task = bench.task(0);
  const Co<> work = bench.compute(task, 10, 1'000, &ends);
  bench.simulation.at(
      2'500, model::Priority::kOutside,
      [](void* scheduler) {
        check(static_cast<model::Scheduler*>(scheduler)->set_online(0, false));
      },
      bench.scheduler.get());
  bench.simulation.run_until(model::kNever);
  check_equal(ends.at(0), 10'000);
  check_equal(task->cpu, 1U);
  for (std::uint32_t cpu = 1; cpu < 7; ++cpu) check(bench.scheduler->set_online(cpu, false));
  check(!bench.scheduler->set_online(7, false), "the last CPU went");
}

void a_mutex_is_given_in_the_order_of_arrival() {
  Bench bench;
  model::Mutex mutex;
  std::vector<int> order;
  std::vector<Co<>> holders;
  for (const Time start : {400, 100, 300, 200}) {
    holders.push_back(
        bench.hold(&mutex, bench.task(static_cast<std::uint32_t>(holders.size())), start, &order));
  }
  bench.simulation.run_until(model::kNever);
  check(order == std::vector{1, 3, 2, 0});
  check_equal(bench.simulation.now(), 40'100);
}

// --- memcg

struct Charging {
  explicit Charging(const char* kernel, std::uint64_t high)
      : memcg({.high = high}, test::present(model::kernel_features(kernel)).exact_charge, 2,
              &counters) {}

  Counters counters;
  model::Memcg memcg;
  model::Task task;
};

void charges_are_as_large_as_the_kernel_makes_them() {
  using model::Charge;
  using model::Gfp;
  Charging exact("v9", 1000);
  check(exact.memcg.try_charge(&exact.task, Gfp::kNoReclaim, 16) == Charge::kDone);
  check_equal(exact.memcg.usage(), 16U);
  check(exact.memcg.try_charge(&exact.task, Gfp::kReclaim, 1) == Charge::kDone);
  check_equal(exact.memcg.usage(), 16U + 64U);
  // The stock of 63 serves three more folios, and the fourth is charged by itself again.
  for (int i = 0; i < 4; ++i) exact.memcg.try_charge(&exact.task, Gfp::kNoReclaim, 16);
  check_equal(exact.memcg.usage(), 16U + 64U + 16U);
  exact.memcg.drain(0);
  check_equal(exact.memcg.usage(), 16U + 1U + 64U);

  Charging batched("mainline 7.3", 1000);
  batched.memcg.try_charge(&batched.task, Gfp::kNoReclaim, 16);
  check_equal(batched.memcg.usage(), 64U);
  batched.memcg.try_charge(&batched.task, Gfp::kNoReclaim, 512);
  check_equal(batched.memcg.usage(), 64U + 512U);
  check_equal(batched.task.pages_over_high, 0U);
}

void what_is_over_high_is_noted_with_its_batch() {
  Charging charging("v9", 100);
  charging.memcg.try_charge(&charging.task, model::Gfp::kNoReclaim, 512);
  check_equal(charging.task.pages_over_high, 512U);
  charging.memcg.charge_object(&charging.task, 1590);
  check_equal(charging.task.pages_over_high, 512U + 64U);
}

void objects_share_pages() {
  Charging charging("v9", model::kUnlimited);
  for (int i = 0; i < 1000; ++i) charging.memcg.charge_object(&charging.task, 1590);
  // What a page leaves over serves the next objects: 1000 objects are 388.2 pages.
  const std::uint64_t used = charging.memcg.usage() * model::kPageBytes -
                             charging.memcg.stocked_bytes() -
                             charging.memcg.stocked_pages() * model::kPageBytes;
  check_equal(used, 1'590'000U);
  check(charging.memcg.usage() >= 389 && charging.memcg.usage() <= 389 + 64);
  charging.memcg.uncharge_objects(1, 1'590'000);
  check_equal(charging.memcg.usage() * model::kPageBytes,
              charging.memcg.stocked_pages() * model::kPageBytes + charging.memcg.stocked_bytes());
  check(charging.memcg.stocked_pages() <= 128);
  charging.memcg.drain_all();
  check_equal(charging.memcg.usage(), 0U);
}

void memory_max_refuses_or_asks_for_reclaim() {
  using model::Charge;
  using model::Gfp;
  Counters counters;
  model::Memcg memcg({.max = 70}, true, 1, &counters);
  model::Task task;
  check(memcg.try_charge(&task, Gfp::kReclaim, 1) == Charge::kDone);
  check_equal(memcg.usage(), 64U);
  check(memcg.try_charge(&task, Gfp::kNoReclaim, 16) == Charge::kDone);  // from the stock
  check(memcg.try_charge(&task, Gfp::kNoReclaim, 64) == Charge::kRefused);
  check_equal(counters.memory_max, 0U);
  check(memcg.try_charge(&task, Gfp::kReclaim, 64) == Charge::kNeedsReclaim);
  check_equal(counters.memory_max, 1U);
  check(memcg.try_charge(&task, Gfp::kNeverFails, 64) == Charge::kDone);
  check_equal(memcg.usage(), 128U);
}

// --- Swap entries, zsmalloc

void large_folios_need_runs_of_swap_entries() {
  model::SwapArea swap(3 * 512 + 100, 4, 2);
  check_equal(swap.free_pages(), 3U * 512U);
  std::vector<std::uint32_t> large(64);
  for (std::uint32_t& cluster : large) cluster = test::present(swap.allocate(true, 0));
  const std::uint32_t single = test::present(swap.allocate(false, 0));
  check(!swap.allocate(true, 0), "a run was found in the cluster of single pages");
  swap.release(large[40], 16);
  check(swap.allocate(true, 1).has_value(), "a run that is free was not found");
  // Once its entries are freed one by one a cluster has no runs any more.
  swap.mix(large[0]);
  swap.release(large[0], 1);
  check(!swap.allocate(true, 0));
  for (int i = 0; i < 511 + 1; ++i) check(swap.allocate(false, 0).has_value());
  check_equal(swap.free_pages(), 0U);
  check(!swap.allocate(false, 1));
  swap.release(single, 1);
  check(swap.allocate(false, 1).has_value());
}

void an_emptied_cluster_serves_any_folio() {
  model::SwapArea swap(1024, 9, 1);
  const std::uint32_t first = test::present(swap.allocate(false, 0));
  check(swap.allocate(true, 0).has_value());
  check(!swap.allocate(true, 0));
  swap.release(first, 1);
  check(!swap.allocate(true, 0), "the CPU still fills that cluster with single pages");
}

void objects_fill_zspages() {
  const auto classes = test::few_classes();
  model::Zsmalloc pool(classes);
  for (int i = 0; i < 5; ++i) pool.add(1590);
  check_equal(pool.pages(), 2U);
  pool.add(1590);
  check_equal(pool.pages(), 4U);
  pool.add(4096);
  check_equal(pool.pages(), 5U);
  // With its handle an object of 504 bytes fills its class.
  pool.add(504);
  check_equal(pool.pages(), 6U);
  pool.add(505);
  check_equal(pool.pages(), 7U);
  pool.remove(1590, 6);
  check_equal(pool.pages(), 3U);
  check_equal(pool.objects(), 3U);
}

// --- iaa_crypto and idxd

Config with_devices(const char* kernel, std::uint32_t devices) {
  Config config;
  config.kernel = test::present(model::kernel_features(kernel));
  config.iaa = test::devices(devices);
  return config;
}

/** The latencies that the patches' author gives for a page of a 64 KiB folio, in ns. */
void latencies_are_the_published_ones() {
  std::vector<int> errors;
  Bench sequential(with_devices("v9", 4));
  const Co<> one = sequential.compress_pages(sequential.task(0), 10, &errors);
  sequential.simulation.run_until(model::kNever);
  check(is_near(static_cast<double>(sequential.simulation.now()) / 10, 3503, 0.01));

  Bench mapped(with_devices("v9", 1));
  const Co<> two = mapped.compress_batch(mapped.task(0), std::vector(8, 1590U), &errors);
  mapped.simulation.run_until(model::kNever);
  check(is_near(static_cast<double>(mapped.simulation.now()) / 8, 1356, 0.01));

  Bench distributed(with_devices("v9", 4));
  const Co<> three =
      distributed.compress_batch(distributed.task(0), std::vector(8, 1590U), &errors);
  distributed.simulation.run_until(model::kNever);
  check(is_near(static_cast<double>(distributed.simulation.now()) / 8, 706, 0.01));
  check(std::ranges::all_of(errors, [](int error) { return error == 0; }));
  check_equal(distributed.counters.total_comp_calls, 8U);
  check_equal(distributed.counters.total_comp_bytes_out, 8U * 1590U);
  for (const model::WqCounters& wq : distributed.iaa->wq_counters()) check_equal(wq.comp_calls, 2U);
}

void one_engine_is_slower_than_eight() {
  const auto time_with = [](std::uint32_t engines) {
    Config config = with_devices("v9", 1);
    config.iaa.devices[0].group_engines = {engines};
    Bench bench(std::move(config));
    std::vector<int> errors;
    const Co<> work = bench.compress_batch(bench.task(0), std::vector(8, 1590U), &errors);
    bench.simulation.run_until(model::kNever);
    return bench.simulation.now();
  };
  check(time_with(1) > time_with(8) * 3 / 2);
}

void one_page_that_does_not_fit_fails_its_batch() {
  Bench bench(with_devices("v9", 1));
  std::vector<int> errors;
  const Co<> work = bench.compress_batch(bench.task(0), {1590, 4097, 4096}, &errors);
  bench.simulation.run_until(model::kNever);
  check(errors == std::vector{0, -E2BIG, 0});
  check_equal(bench.counters.total_completion_comp_buf_overflow_errors, 1U);
}

void a_queue_without_descriptors_times_out() {
  Config config = with_devices("v9", 1);
  config.iaa.wqs[0].size = 4;
  Bench bench(std::move(config));
  std::vector<int> errors;
  // A batch keeps its descriptors until all are submitted: it waits for itself.
  const Co<> work = bench.compress_batch(bench.task(0), std::vector(6, 1590U), &errors);
  bench.simulation.run_until(model::kNever);
  check(errors == std::vector{0, 0, 0, 0, -EINVAL, -EINVAL});
  check_equal(bench.counters.compress_descriptor_timeouts, 2U);
  check(bench.simulation.now() > 2'000 * bench.config.constants.iaa_descriptor_retry);
}

void mainline_waits_for_a_descriptor() {
  Config config = with_devices("mm-unstable-4-21-2025", 1);
  config.iaa.wqs[0].size = 1;
  Bench bench(std::move(config));
  std::vector<int> errors;
  std::vector<Co<>> tasks;
  tasks.reserve(5);
  for (std::uint32_t cpu = 0; cpu < 5; ++cpu) {
    tasks.push_back(bench.compress_pages(bench.task(cpu), 4, &errors));
  }
  bench.simulation.run_until(model::kNever);
  check(errors == std::vector<int>(20, 0));
  check_equal(bench.counters.compress_descriptor_timeouts, 0U);
}

void a_lost_device_disables_the_driver() {
  Bench bench(with_devices("mm-unstable-4-21-2025", 1));
  bench.iaa->lose_device(0);
  std::vector<int> errors;
  const Co<> work = bench.compress_pages(bench.task(0), 2, &errors);
  bench.simulation.run_until(model::kNever);
  check(errors == std::vector{-ETIMEDOUT, -ENODEV});
  check(!bench.iaa->is_enabled());
  check_equal(bench.counters.total_completion_timeout_errors, 1U);
  check(bench.simulation.now() >= 1'000'000 * bench.config.constants.iaa_poll);
}

void v9_decompresses_in_software_instead() {
  Bench bench(with_devices("v9", 1));
  bench.iaa->lose_device(0);
  int error = 1;
  const Co<> first = bench.decompress_page(bench.task(0), &error);
  bench.simulation.run_until(model::kNever);
  check_equal(error, 0);
  check_equal(bench.counters.total_sw_decomp_calls, 1U);
  // Not when the driver is disabled, as it is now.
  const Co<> second = bench.decompress_page(bench.task(0), &error);
  bench.simulation.run_until(model::kNever);
  check_equal(error, -ENODEV);
}

void v9_polls_a_lost_device_for_ever() {
  Bench bench(with_devices("v9", 1));
  bench.iaa->lose_device(0);
  std::vector<int> errors;
  model::Task* task = bench.task(0);
  const Co<> work = bench.compress_batch(task, {1590, 1590}, &errors);
  bench.simulation.run_until(model::kNever);
  check(task->hung);
  check(!work.done());
}

void v9_batches_need_the_mode_async() {
  Config config = with_devices("v9", 1);
  config.iaa.sync_mode = model::SyncMode::kSync;
  Bench sync(config);
  std::vector<int> errors;
  const Co<> first = sync.compress_batch(sync.task(0), {1590, 1590}, &errors);
  sync.simulation.run_until(model::kNever);
  check(errors == std::vector{-EINVAL, -EINVAL});

  config.iaa.sync_mode = model::SyncMode::kAsyncIrq;
  Bench interrupts(config);
  model::Task* task = interrupts.task(0);
  const Co<> second = interrupts.compress_batch(task, {1590, 1590}, &errors);
  interrupts.simulation.run_until(model::kNever);
  check(task->hung);
}

void interrupts_take_longer_and_leave_the_cpu() {
  Config config = with_devices("mm-unstable-4-21-2025", 1);
  config.iaa.sync_mode = model::SyncMode::kAsyncIrq;
  Bench bench(std::move(config));
  std::vector<int> errors;
  std::vector<Time> ends;
  const Co<> one = bench.compress_pages(bench.task(0), 100, &errors);
  const Co<> two = bench.compute(bench.task(0), 100, 1'000, &ends);
  bench.simulation.run_until(model::kNever);
  check(ends.at(0) < 150'000, "the other task did not get the CPU");
  check(bench.simulation.now() > 100 * (3'503 + bench.config.constants.iaa_interrupt) * 99 / 100);
}

void verification_is_a_second_descriptor() {
  Config config = with_devices("v9", 1);
  config.iaa.verify_compress = true;
  Bench bench(std::move(config));
  std::vector<int> errors;
  const Co<> work = bench.compress_pages(bench.task(0), 10, &errors);
  bench.simulation.run_until(model::kNever);
  check(is_near(static_cast<double>(bench.simulation.now()) / 10, 2 * 3503, 0.01));
  check_equal(bench.counters.total_decomp_calls, 0U);
}

void unbound_queues_are_not_used() {
  Config config = with_devices("v9", 2);
  config.iaa.mappings = {test::all_to_all(8, 2), test::all_to_all(8, 1), {}};
  Bench bench(std::move(config));
  std::vector<int> errors;
  bench.iaa->bind(1, false, 1);
  const Co<> first = bench.compress_pages(bench.task(0), 4, &errors);
  bench.simulation.run_until(model::kNever);
  check(errors == std::vector<int>(4, 0));
  check_equal(bench.iaa->wq_counters()[1].comp_calls, 0U);
  // A queue that is gone but still in a table is an error.
  bench.iaa->bind(1, false, 0);
  errors.clear();
  const Co<> second = bench.compress_pages(bench.task(0), 4, &errors);
  bench.simulation.run_until(model::kNever);
  check_equal(std::ranges::count(errors, -ENODEV), 2);
  bench.iaa->bind(0, false, 2);
  check(!bench.iaa->is_enabled());
  bench.iaa->bind(0, true, 1);
  check(bench.iaa->is_enabled());
}

void engines_favour_the_queue_of_higher_priority() {
  Config config;
  config.kernel = test::present(model::kernel_features("v9"));
  config.iaa = test::devices(1);
  // With eight engines for eight tasks nothing would ever wait in a queue.
  config.iaa.devices[0].group_engines = {1};
  config.iaa.wqs = {{.size = 64, .priority = 12}, {.size = 64, .priority = 3}};
  config.iaa.mappings = {test::in_blocks(8, 2, 4)};
  Bench bench(std::move(config));
  std::array<std::vector<int>, 2> errors;
  std::vector<Co<>> tasks;
  tasks.reserve(8);
  for (std::uint32_t cpu = 0; cpu < 8; ++cpu) {
    tasks.push_back(bench.compress_pages(bench.task(cpu), 500, &errors.at(cpu / 4)));
  }
  while (errors[0].size() < 1000) bench.simulation.run_until(bench.simulation.now() + 100'000);
  check(is_near(static_cast<double>(errors[0].size()), 4.0 * static_cast<double>(errors[1].size()),
                0.1));
  bench.simulation.run_until(model::kNever);
  check_equal(errors[0].size() + errors[1].size(), 8U * 500U);
}

void a_shared_queue_that_others_fill_refuses() {
  Config config = with_devices("v9", 1);
  config.iaa.wqs[0] = {.size = 16, .threshold = 8, .shared = true, .foreign = 8};
  Bench bench(std::move(config));
  std::vector<int> errors;
  const Co<> work = bench.compress_pages(bench.task(0), 1, &errors);
  bench.simulation.run_until(model::kNever);
  check(errors == std::vector{-EAGAIN});
  check_equal(bench.simulation.now(), 32 * bench.config.constants.iaa_enqcmds_retry);
}

}  // namespace
}  // namespace iaa_zswap

int main() {
  iaa_zswap::events_go_by_time_priority_and_arrival();
  iaa_zswap::tasks_share_a_cpu_by_slices();
  iaa_zswap::tasks_leave_a_cpu_that_goes_down();
  iaa_zswap::a_mutex_is_given_in_the_order_of_arrival();
  iaa_zswap::charges_are_as_large_as_the_kernel_makes_them();
  iaa_zswap::what_is_over_high_is_noted_with_its_batch();
  iaa_zswap::objects_share_pages();
  iaa_zswap::memory_max_refuses_or_asks_for_reclaim();
  iaa_zswap::large_folios_need_runs_of_swap_entries();
  iaa_zswap::an_emptied_cluster_serves_any_folio();
  iaa_zswap::objects_fill_zspages();
  iaa_zswap::latencies_are_the_published_ones();
  iaa_zswap::one_engine_is_slower_than_eight();
  iaa_zswap::one_page_that_does_not_fit_fails_its_batch();
  iaa_zswap::a_queue_without_descriptors_times_out();
  iaa_zswap::mainline_waits_for_a_descriptor();
  iaa_zswap::a_lost_device_disables_the_driver();
  iaa_zswap::v9_decompresses_in_software_instead();
  iaa_zswap::v9_polls_a_lost_device_for_ever();
  iaa_zswap::v9_batches_need_the_mode_async();
  iaa_zswap::interrupts_take_longer_and_leave_the_cpu();
  iaa_zswap::verification_is_a_second_descriptor();
  iaa_zswap::unbound_queues_are_not_used();
  iaa_zswap::engines_favour_the_queue_of_higher_priority();
  iaa_zswap::a_shared_queue_that_others_fill_refuses();
}
