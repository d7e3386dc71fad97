#include <algorithm>
#include <string>

#include "model/config.h"

namespace iaa_zswap::model {
namespace {

using Why = std::optional<std::string>;

/** Most records of folios and pages: their numbers have 32 bits. */
constexpr std::uint64_t kMostFolios = std::uint64_t{1} << 31U;
/** Most pages of a machine: numbers of swap clusters have 32 bits. */
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 40U;
constexpr std::int64_t kLargestConstant = 1'000'000'000'000;
constexpr std::uint32_t kMillion = 1'000'000;

std::string numbered(const char* what, std::size_t number) {
  return std::string(what) + " " + std::to_string(number);
}

Why check_constants(const Constants& constants) {
  for (const Constant& constant : all_constants()) {
    const std::int64_t value = constants.*constant.value;
    if (value < 0 || value > kLargestConstant) {
      return "constant " + std::string(constant.name) + " must be from 0 to 10^12";
    }
  }
  if (constants.jitter_permille >= 1000) return "constant jitter_permille must be below 1000";
  if (constants.iaa_descriptor_retry == 0 || constants.iaa_service == 0) {
    return "constants iaa_descriptor_retry and iaa_service must be above 0";
  }
  if (constants.build_units == 0 || constants.build_unit_pages < 16) {
    return "there must be build_units, of at least 16 build_unit_pages";
  }
  for (const std::int64_t bytes :
       {constants.counter_bytes_iaa, constants.counter_bytes_zstd, constants.program_bytes_iaa,
        constants.program_bytes_zstd, constants.program_bytes_lzo, constants.program_bytes_lz4,
        constants.program_bytes_deflate}) {
    if (bytes < 1 || bytes > kPageBytes) return "a compressed size must be from 1 to 4096";
  }
  return std::nullopt;
}

Why check_wq(const IaaConfig& iaa, std::size_t number) {
  const WqConfig& wq = iaa.wqs[number];
  const std::string name = numbered("WQ", number);
  if (wq.device >= iaa.devices.size()) return name + " is of no device";
  const std::vector<std::uint32_t>& groups = iaa.devices[wq.device].group_engines;
  if (wq.group >= groups.size()) return name + " is in no group";
  if (groups[wq.group] == 0) return name + ": its group has no engine";
  if (wq.size == 0) return name + ": its size is 0";
  if (wq.priority == 0 || wq.priority > 15) return name + ": its priority is not from 1 to 15";
  if (wq.shared && (wq.threshold == 0 || wq.threshold > wq.size)) {
    return name + ": its threshold is not from 1 to its size";
  }
  return std::nullopt;
}

Why check_mapping(const Mapping& mapping, const Config& config) {
  for (const std::vector<std::uint32_t>& table : mapping.tables) {
    const bool known =
        std::ranges::all_of(table, [&](std::uint32_t wq) { return wq < config.iaa.wqs.size(); });
    if (!known) return "a mapping names a WQ that is not there";
  }
  if (!mapping.cpus.empty() && mapping.cpus.size() != config.machine.cpus) {
    return "a mapping must have an entry for each CPU, or none";
  }
  const auto fits = [&](std::uint32_t table, std::uint32_t first) {
    return table < mapping.tables.size() && (first == 0 || first < mapping.tables[table].size());
  };
  for (const CpuWqs& cpu : mapping.cpus) {
    if (!fits(cpu.compress_table, cpu.compress_first) ||
        !fits(cpu.decompress_table, cpu.decompress_first)) {
      return "a CPU's tables or where it begins in them are not there";
    }
  }
  return std::nullopt;
}

Why check_iaa(const Config& config) {
  for (std::size_t i = 0; i < config.iaa.wqs.size(); ++i) {
    if (Why why = check_wq(config.iaa, i)) return why;
  }
  if (config.iaa.mappings.empty()) return "there must be a mapping, if only an empty one";
  for (const Mapping& mapping : config.iaa.mappings) {
    if (Why why = check_mapping(mapping, config)) return why;
  }
  return std::nullopt;
}

Why check_zswap(const ZswapConfig& zswap) {
  if (zswap.classes.empty() || zswap.classes.size() > 256) {
    return "there must be from 1 to 256 zsmalloc classes";
  }
  std::uint32_t before = 0;
  for (const ZsmallocClass& each : zswap.classes) {
    if (each.bytes <= before) return "zsmalloc classes must ascend";
    if (each.zspage_pages == 0 || each.zspage_objects == 0) return "a zspage must hold something";
    before = each.bytes;
  }
  if (before != kPageBytes) return "the last zsmalloc class must be of a page";
  return std::nullopt;
}

Why check_content(const ContentConfig& content) {
  const bool can_be = content.ratio >= 1 && content.ratio <= 16;
  if (content.kind == ContentKind::kRatio && !can_be) {
    return "the content's ratio must be from 1 to 16";
  }
  const bool whole = !content.corpus.empty() && content.corpus.size() % kPageBytes == 0;
  if (content.kind == ContentKind::kCorpus && !whole) return "the corpus must be of whole pages";
  if (content.kind == ContentKind::kProgram && (content.exact || !content.calibrated)) {
    return "of programs only the calibrated sizes are known";
  }
  if (content.incompressible_per_million > kMillion) {
    return "incompressible pages must be at most a million in a million";
  }
  return std::nullopt;
}

Why check_memory(std::uint64_t owners, std::uint64_t pages, std::uint32_t order) {
  if (owners == 0 || owners > 65'536) return "there must be from 1 to 65,536 tasks";
  if (pages == 0 || pages > kMostPages) return "a task must have from 1 to 2^40 pages";
  // Twice: a slot may be split into pages.
  if (owners * ((pages >> order) + 1) > kMostFolios / 2) return "that is too much memory";
  return std::nullopt;
}

struct CheckWorkload {
  const Config* config;

  Why operator()(const UsememConfig& usemem) const {
    if (Why why = check_memory(usemem.tasks, usemem.task_pages, config->thp.order)) return why;
    if (usemem.unit_pages == 0 || usemem.unit_pages > usemem.task_pages) {
      return "usemem's unit must be from a page to its size";
    }
    if (usemem.step_bytes < 8 || usemem.step_bytes % 8 != 0) {
      return "usemem's step must be a multiple of 8 bytes";
    }
    if (usemem.sleep < 0) return "usemem cannot sleep for less than nothing";
    return std::nullopt;
  }
  Why operator()(const BuildConfig& build) const {
    if (build.part_per_million == 0 || build.part_per_million > kMillion) {
      return "the part of the build must be from 1 to a million in a million";
    }
    const Constants& constants = config->constants;
    const std::int64_t pages =
        std::max(constants.build_unit_pages * 2, constants.build_linker_pages);
    return check_memory(build.workers, static_cast<std::uint64_t>(pages), config->thp.order);
  }
  Why operator()(const TraceConfig& trace) const {
    if (Why why = check_memory(trace.tasks, trace.task_pages, 0)) return why;
    for (const Access& access : trace.accesses) {
      if (access.task >= trace.tasks || access.page >= trace.task_pages || access.time < 0) {
        return "an access is of no task, of no page or before the start";
      }
    }
    return std::nullopt;
  }
};

/** What an event speaks of: how many there are of it, and of what it is set to. */
struct Range {
  std::uint64_t subjects;
  std::uint64_t values;
};

Range range_of(OutsideKind kind, const Config& config) {
  switch (kind) {
    case OutsideKind::kCpuOffline:
    case OutsideKind::kCpuOnline:
      return {.subjects = config.machine.cpus, .values = kUnlimited};
    case OutsideKind::kWqUnbind:
    case OutsideKind::kWqBind:
      return {.subjects = config.iaa.wqs.size(), .values = config.iaa.mappings.size()};
    case OutsideKind::kDeviceLoss:
      return {.subjects = config.iaa.devices.size(), .values = kUnlimited};
    case OutsideKind::kCompressor:
      return {.subjects = kUnlimited, .values = kCompressors};
    case OutsideKind::kZswapEnabled:
      return {.subjects = kUnlimited, .values = 2};
    case OutsideKind::kMaxPoolPercent:
    case OutsideKind::kAcceptThreshold:
      return {.subjects = kUnlimited, .values = std::uint64_t{1} << 32U};
    default:
      return {.subjects = kUnlimited, .values = kUnlimited};
  }
}

Why check_events(const Config& config) {
  for (std::size_t i = 0; i < config.events.size(); ++i) {
    const OutsideEvent& event = config.events[i];
    const Range range = range_of(event.kind, config);
    const bool fits = event.subject < range.subjects &&
                      (event.value < range.values || range.values == kUnlimited);
    if (event.time < 0 || !fits) return numbered("event", i) + " speaks of what is not there";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> why_not(const Config& config) {
  if (config.machine.cpus == 0 || config.machine.cpus > 8192) {
    return "a machine has from 1 to 8192 CPUs";
  }
  if (config.machine.memory_pages > kMostPages || config.machine.swap_pages > kMostPages) {
    return "memory and swap are at most 2^40 pages";
  }
  if (config.machine.page_cluster > 31) return "page-cluster is at most 31";
  // There is no anonymous folio of two pages.
  if (config.thp.order == 1 || config.thp.order > kPmdOrder)
    return "a folio's order is 0 or 2 to 9";
  if (config.sample_interval < 0) return "samples cannot be taken backwards";
  for (const std::uint32_t failures :
       {config.failures.zswap_entry, config.failures.zsmalloc, config.failures.xarray}) {
    if (failures > kMillion) return "failures must be at most a million in a million";
  }
  if (Why why = check_constants(config.constants)) return why;
  if (Why why = check_iaa(config)) return why;
  if (Why why = check_zswap(config.zswap)) return why;
  if (Why why = check_content(config.content)) return why;
  if (Why why = std::visit(CheckWorkload{&config}, config.workload)) return why;
  return check_events(config);
}

}  // namespace iaa_zswap::model
