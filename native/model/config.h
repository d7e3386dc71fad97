#ifndef IAA_ZSWAP_MODEL_CONFIG_H_
#define IAA_ZSWAP_MODEL_CONFIG_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/constants.h"
#include "model/event_queue.h"
#include "model/kernel.h"

namespace iaa_zswap::model {

inline constexpr std::uint32_t kPageBytes = 4096;
/** Order of a folio that fills a page-table entry of the second level: 2 MiB. */
inline constexpr std::uint32_t kPmdOrder = 9;
/** Pages that one page table maps. */
inline constexpr std::uint32_t kPmdPages = 1U << kPmdOrder;

/** A limit that is not set. */
inline constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

enum class Compressor : std::uint8_t { kDeflateIaa, kZstd, kLzo, kLz4, kDeflate };
inline constexpr std::uint32_t kCompressors = 5;

struct MachineConfig {
  std::uint32_t cpus = 1;
  std::uint64_t memory_pages = 0;
  /** 0: no swap area. */
  std::uint64_t swap_pages = 0;
  /** vm.page-cluster, which only swapin_batching looks at. */
  std::uint32_t page_cluster = 3;
};

/** A work queue; its number is its place in IaaConfig::wqs. */
struct WqConfig {
  std::uint32_t device = 0;
  std::uint32_t group = 0;
  std::uint32_t size = 0;
  /** Of a shared queue; a dedicated one has as many descriptors as entries. */
  std::uint32_t threshold = 0;
  std::uint32_t priority = 1;
  bool shared = false;
  /** Entries of a shared queue that other clients keep filled. */
  std::uint32_t foreign = 0;
};

struct DeviceConfig {
  /** Engines of each of its groups. */
  std::vector<std::uint32_t> group_engines;
};

/** What the driver gives to a CPU: indices of Mapping::tables, and where in them it begins. */
struct CpuWqs {
  std::uint32_t compress_table = 0;
  std::uint32_t compress_first = 0;
  std::uint32_t decompress_table = 0;
  std::uint32_t decompress_first = 0;
};

/**
 * The driver's tables, as src/kernel/iaa-mapping.ts computes them: one entry for each CPU, or none
 * at all when no queue is bound.
 */
struct Mapping {
  std::vector<std::vector<std::uint32_t>> tables;
  std::vector<CpuWqs> cpus;
};

enum class SyncMode : std::uint8_t { kSync, kAsync, kAsyncIrq };

struct IaaConfig {
  std::vector<DeviceConfig> devices;
  std::vector<WqConfig> wqs;
  bool verify_compress = false;
  SyncMode sync_mode = SyncMode::kSync;
  /** The first holds at the start; outside events name others. */
  std::vector<Mapping> mappings = {{}};
};

/** A class of zsmalloc: objects of up to `bytes` with their handle, so many in a zspage. */
struct ZsmallocClass {
  std::uint32_t bytes = 0;
  std::uint32_t zspage_pages = 0;
  std::uint32_t zspage_objects = 0;
};

struct ZswapConfig {
  bool enabled = true;
  Compressor compressor = Compressor::kZstd;
  std::uint32_t max_pool_percent = 20;
  std::uint32_t accept_threshold_percent = 90;
  /** Ascending, the last of a whole page. */
  std::vector<ZsmallocClass> classes;
};

/** Limits of the cgroup, in pages. */
struct MemcgConfig {
  std::uint64_t high = kUnlimited;
  std::uint64_t max = kUnlimited;
  std::uint64_t swap_max = kUnlimited;
  std::uint64_t zswap_max = kUnlimited;
  bool zswap_writeback = true;
};

/** transparent_hugepage/defrag, as it is for memory without madvise. */
enum class Defrag : std::uint8_t { kNoReclaim, kWakeKswapd, kDirectReclaim };

struct ThpConfig {
  /** Order of the one folio size that is `always`; 0: none. */
  std::uint32_t order = 0;
  Defrag defrag = Defrag::kNoReclaim;
};

enum class ContentKind : std::uint8_t { kCounter, kRandom, kZero, kRatio, kProgram, kCorpus };

/** What the pages hold, and hence how well they compress. */
struct ContentConfig {
  ContentKind kind = ContentKind::kCounter;
  double ratio = 1;
  std::uint64_t seed = 0;
  /** Of kCorpus: whole pages. */
  std::vector<std::byte> corpus;
  /** The letter's sizes (constants counter_bytes_*, program_bytes_*) where there are any. */
  bool calibrated = true;
  /** So many pages in a million do not compress at all. */
  std::uint32_t incompressible_per_million = 0;
  /** Every page is encoded when it is stored; else sizes come from a table. */
  bool exact = false;
};

/** usemem's command line (docs/usemem.md). */
struct UsememConfig {
  std::uint32_t tasks = 1;
  /** -b; 0: tasks go where the scheduler puts them. */
  std::uint32_t bind_interval = 0;
  std::uint64_t task_pages = 0;
  /** -u */
  std::uint64_t unit_pages = 0;
  /** -j */
  std::uint64_t step_bytes = 8;
  /** -s */
  Time sleep = 0;
};

/** A kernel build: compilers side by side, then one linker; sizes are constants build_*. */
struct BuildConfig {
  std::uint32_t workers = 32;
  /** Of build_units and all that goes with them, so many in a million. */
  std::uint32_t part_per_million = 1'000'000;
};

enum class AccessKind : std::uint8_t { kRead, kWrite, kExit };

/** One access of a recorded trace. */
struct Access {
  /** Not before. */
  Time time = 0;
  std::uint32_t task = 0;
  std::uint32_t page = 0;
  AccessKind kind = AccessKind::kWrite;
};

/** A recorded trace of page accesses; each task does its own in order. */
struct TraceConfig {
  std::uint32_t tasks = 1;
  std::uint32_t task_pages = 0;
  std::vector<Access> accesses;
};

using WorkloadConfig = std::variant<UsememConfig, BuildConfig, TraceConfig>;

enum class OutsideKind : std::uint8_t {
  kCpuOffline,       // subject: CPU
  kCpuOnline,        // subject: CPU
  kWqUnbind,         // subject: WQ, value: mapping
  kWqBind,           // subject: WQ, value: mapping
  kDeviceLoss,       // subject: device; it completes nothing any more
  kCompressor,       // value: Compressor
  kZswapEnabled,     // value: 0 or 1
  kMaxPoolPercent,   // value
  kAcceptThreshold,  // value: percent
  kMemoryHigh,       // value: pages
  kMemoryMax,        // value: pages
  kSwapMax,          // value: pages
  kZswapMax,         // value: pages
};

/** Something that is done to the machine from outside. */
struct OutsideEvent {
  Time time = 0;
  OutsideKind kind = OutsideKind::kCpuOffline;
  std::uint32_t subject = 0;
  std::uint64_t value = 0;
};

/** Allocations that fail, so many in a million. */
struct FailureConfig {
  std::uint32_t zswap_entry = 0;
  std::uint32_t zsmalloc = 0;
  std::uint32_t xarray = 0;
};

struct TraceOptions {
  /** Most spans that are kept; 0: no trace. */
  std::uint64_t spans = 0;
};

/** One run of a workload on a machine: all that the model needs to know. */
struct Config {
  std::uint64_t seed = 1;
  KernelFeatures kernel;
  Constants constants;
  MachineConfig machine;
  IaaConfig iaa;
  ZswapConfig zswap;
  MemcgConfig memcg;
  ThpConfig thp;
  ContentConfig content;
  WorkloadConfig workload;
  std::vector<OutsideEvent> events;
  FailureConfig failures;
  /** Counters are kept every so often; 0: never. */
  Time sample_interval = 0;
  TraceOptions trace;
};

/** Why this cannot be run, in one line; nothing when it can. */
std::optional<std::string> why_not(const Config& config);

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_CONFIG_H_
