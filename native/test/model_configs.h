#ifndef IAA_ZSWAP_TEST_MODEL_CONFIGS_H_
#define IAA_ZSWAP_TEST_MODEL_CONFIGS_H_

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/machine.h"
#include "test/check.h"

namespace iaa_zswap::test {

/** What is there; where nothing is the test fails. */
template <typename T>
T present(std::optional<T> held, std::source_location where = std::source_location::current()) {
  if (held) return std::move(*held);
  check(false, "there is nothing", where);
  std::abort();
}

/** Whether a value is off by at most this part of what it should be. */
inline bool is_near(double actual, double expected, double part) {
  return std::abs(actual / expected - 1) <= part;
}

/** Some of zsmalloc's classes: enough to tell sizes apart. */
inline std::vector<model::ZsmallocClass> few_classes() {
  return {{.bytes = 512, .zspage_pages = 1, .zspage_objects = 8},
          {.bytes = 1024, .zspage_pages = 1, .zspage_objects = 4},
          {.bytes = 1632, .zspage_pages = 2, .zspage_objects = 5},
          {.bytes = 2048, .zspage_pages = 1, .zspage_objects = 2},
          {.bytes = 3264, .zspage_pages = 4, .zspage_objects = 5},
          {.bytes = 4096, .zspage_pages = 1, .zspage_objects = 1}};
}

/** So many devices with a WQ of all 128 entries and eight engines each. */
inline model::IaaConfig devices(std::uint32_t count) {
  model::IaaConfig iaa;
  for (std::uint32_t i = 0; i < count; ++i) {
    iaa.devices.push_back({.group_engines = {8}});
    iaa.wqs.push_back({.device = i, .size = 128});
  }
  iaa.sync_mode = model::SyncMode::kAsync;
  return iaa;
}

/** Every CPU goes round all WQs. */
inline model::Mapping all_to_all(std::uint32_t cpus, std::uint32_t wqs) {
  model::Mapping mapping;
  mapping.tables.emplace_back();
  for (std::uint32_t i = 0; i < wqs; ++i) mapping.tables.front().push_back(i);
  for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) {
    const std::uint32_t first = cpu % wqs;
    mapping.cpus.push_back({.compress_first = first, .decompress_first = first});
  }
  return mapping;
}

/** So many CPUs in a row to each WQ, as the driver's mapping by nodes has it. */
inline model::Mapping in_blocks(std::uint32_t cpus, std::uint32_t wqs, std::uint32_t cpus_per_wq) {
  model::Mapping mapping;
  for (std::uint32_t i = 0; i < wqs; ++i) mapping.tables.push_back({i});
  for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) {
    const std::uint32_t table = std::min(cpu / cpus_per_wq, wqs - 1);
    mapping.cpus.push_back({.compress_table = table, .decompress_table = table});
  }
  return mapping;
}

/** The letter's usemem30 in so many times smaller: 10 GiB for each of 30 under 150 GiB. */
inline model::Config usemem30(const char* kernel, model::Compressor compressor, std::uint32_t order,
                              std::uint32_t smaller) {
  model::Config config;
  config.kernel = present(model::kernel_features(kernel));
  config.machine = {.cpus = 56, .memory_pages = 503ULL << 18U, .swap_pages = 525ULL << 18U};
  config.zswap.compressor = compressor;
  config.zswap.max_pool_percent = 50;
  config.zswap.classes = few_classes();
  config.thp.order = order;
  config.iaa = devices(4);
  config.iaa.mappings = {config.kernel.batched_store ? all_to_all(56, 4) : in_blocks(56, 4, 28)};
  config.memcg.high = (150ULL << 18U) / smaller;
  const std::uint64_t pages = (10ULL << 18U) / smaller;
  config.workload = model::UsememConfig{.tasks = 30,
                                        .bind_interval = 1,
                                        .task_pages = pages,
                                        .unit_pages = pages,
                                        .sleep = 10'000'000'000 / smaller};
  return config;
}

/** Makes the machine; the configuration has to be a good one. */
inline std::unique_ptr<model::Machine> machine_of(model::Config config,
                                                  model::PageWitness* witness = nullptr) {
  const auto why = model::why_not(config);
  check(!why, why.value_or(""));
  auto made = model::Machine::create(std::move(config), witness);
  if (const auto* missing = std::get_if<std::string>(&made)) check(false, *missing);
  return std::move(*std::get_if<std::unique_ptr<model::Machine>>(&made));
}

/** The counters at the end of a run, which has to come. */
inline model::Counters run_to_end(model::Machine& machine) {
  check(machine.run_until(model::kNever));
  check(machine.is_done(), "a task hangs");
  const auto wrong = machine.inconsistency();
  check(!wrong, wrong.value_or(""));
  return machine.counters();
}

inline model::Counters run(model::Config config) {
  return run_to_end(*machine_of(std::move(config)));
}

}  // namespace iaa_zswap::test

#endif  // IAA_ZSWAP_TEST_MODEL_CONFIGS_H_
