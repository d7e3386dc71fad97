// clang-format off: one line for scripts/native-test.sh
// Sources: native/model/chrome_trace.cc native/model/compressed_store.cc native/model/constants.cc native/model/counters.cc native/model/folio_table.cc native/model/iaa_crypto.cc native/model/idxd.cc native/model/kernel.cc native/model/machine.cc native/model/memcg.cc native/model/memory.cc native/model/memory_faults.cc native/model/memory_reclaim.cc native/model/page_content.cc native/model/scheduler.cc native/model/swap_area.cc native/model/validate.cc native/model/workload.cc native/model/zram.cc native/model/zsmalloc.cc native/model/zswap.cc native/usemem/content.cc native/codec/block_avx2.cc native/codec/block_portable.cc native/codec/completion.cc native/codec/compressor.cc native/codec/crc.cc native/codec/decoder.cc native/codec/dynamic_header.cc native/codec/encoder.cc native/codec/fixed_loop_avx2.cc
// Libraries: dl
// clang-format on
//
// Random scripts on small machines: tasks that read and write pages and exit, CPUs that come and
// go,
// queues unbound and bound, devices lost, compressors changed, limits moved, allocations that fail.
// A witness carries each page's content where the model says that it goes: no page may be lost,
// doubled or changed but by a loss that the model counts, as the kernel would lose it. The number
// of scripts is the first argument (default 400), the first seed the second.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include "codec/compressor.h"
#include "test/check.h"
#include "test/codec_pages.h"
#include "test/model_configs.h"

namespace iaa_zswap {
namespace {

using model::Config;
using model::Counters;
using model::OutsideKind;
using Bytes = std::vector<std::uint8_t>;

/** What a page holds: whose it is, and how often it was written. */
struct Stamp {
  std::uint32_t task = 0;
  std::uint64_t page = 0;
  std::uint64_t version = 0;
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

Bytes content_of(const Stamp& stamp) {
  return test::generated_page(std::uint64_t{stamp.task} * 1'000'003 + stamp.page * 1'009 +
                              stamp.version);
}

/** A page in zswap: its stamp, and where contents are real, its bytes as the codec left them. */
struct Copy {
  Stamp stamp;
  model::Compressor compressor;
  std::optional<Bytes> compressed;
};

class Witness final : public model::PageWitness {
 public:
  Witness(std::uint64_t seed, bool real_contents) : seed_(seed), real_contents_(real_contents) {}

  void wrote(std::uint32_t task, std::uint64_t page) override {
    Page& found = touched(task, page);
    Stamp stamp = test::present(found.expected);
    ++stamp.version;
    found.expected = stamp;
    found.memory = stamp;
  }
  void read(std::uint32_t task, std::uint64_t page) override { touched(task, page); }

  void stored(std::uint32_t task, std::uint64_t page, model::Compressor compressor,
              bool as_it_is) override {
    Page& found = resident(task, page);
    expect(!found.zswap && !found.swap, "a page is in two places", task, page);
    Copy copy{.stamp = test::present(found.memory), .compressor = compressor, .compressed = {}};
    if (real_contents_ && !as_it_is) compress(copy);
    found.zswap = std::move(copy);
  }
  void loaded(std::uint32_t task, std::uint64_t page) override {
    Page& found = at(task, page);
    expect(found.zswap.has_value(), "what is loaded was not stored", task, page);
    expect(!found.memory, "what is loaded is in memory", task, page);
    found.memory = decompressed(test::present(std::exchange(found.zswap, std::nullopt)));
  }
  void written_back(std::uint32_t task, std::uint64_t page) override {
    Page& found = at(task, page);
    expect(found.zswap.has_value(), "what is written back was not stored", task, page);
    found.swap = decompressed(test::present(std::exchange(found.zswap, std::nullopt)));
  }
  void swapped_out(std::uint32_t task, std::uint64_t page) override {
    Page& found = resident(task, page);
    expect(!found.zswap && !found.swap, "a page is in two places", task, page);
    found.swap = found.memory;
  }
  void swapped_in(std::uint32_t task, std::uint64_t page) override {
    Page& found = at(task, page);
    expect(found.swap.has_value(), "what is read was not written", task, page);
    found.memory = std::exchange(found.swap, std::nullopt);
  }
  void dropped(std::uint32_t task, std::uint64_t page) override {
    Page& found = at(task, page);
    expect(found.zswap || found.swap, "what is dropped was not stored", task, page);
    found.zswap.reset();
    found.swap.reset();
  }
  void reclaimed(std::uint32_t task, std::uint64_t page) override {
    Page& found = at(task, page);
    expect(found.zswap || found.swap, "a page is gone", task, page);
    found.memory.reset();
  }
  void freed(std::uint32_t task, std::uint64_t page) override {
    Page& found = at(task, page);
    expect(!found.zswap, "zswap keeps what was freed", task, page);
    found = Page{};
  }

 private:
  struct Page {
    /** What the task wrote last; of a page that it never touched nothing. */
    std::optional<Stamp> expected;
    std::optional<Stamp> memory;
    std::optional<Copy> zswap;
    std::optional<Stamp> swap;
  };

  Page& at(std::uint32_t task, std::uint64_t page) { return pages_[{task, page}]; }

  /** A page in memory; one that was never touched came with its folio, empty. */
  Page& resident(std::uint32_t task, std::uint64_t page) {
    Page& found = at(task, page);
    if (!found.expected) {
      found.expected = Stamp{.task = task, .page = page, .version = 0};
      found.memory = found.expected;
    }
    expect(found.memory.has_value(), "a page that is used is not in memory", task, page);
    return found;
  }
  Page& touched(std::uint32_t task, std::uint64_t page) {
    Page& found = resident(task, page);
    expect(found.memory == found.expected, "a page holds something else", task, page);
    expect(!found.zswap && !found.swap, "an old copy is left", task, page);
    return found;
  }

  static void compress(Copy& copy) {
    Bytes out(2 * std::size_t{model::kPageBytes});
    const codec::Outcome size = codec(copy.compressor).compress(content_of(copy.stamp), out);
    // The model's sizes are of other contents; one of these may not compress where it says so.
    if (size <= 0) return;
    out.resize(static_cast<std::size_t>(size));
    copy.compressed = std::move(out);
  }
  static Stamp decompressed(const Copy& copy) {
    if (!copy.compressed) return copy.stamp;
    Bytes out(model::kPageBytes);
    const codec::Outcome size = codec(copy.compressor).decompress(*copy.compressed, out);
    test::check(size == static_cast<codec::Outcome>(model::kPageBytes));
    test::check(out == content_of(copy.stamp), "a page was changed by its compressor");
    return copy.stamp;
  }
  static codec::Compressor& codec(model::Compressor compressor) {
    auto& found = codecs_.at(static_cast<std::size_t>(compressor));
    if (found == nullptr) {
      auto opened = codec::open_compressor(model::compressor_name(compressor));
      auto* made = std::get_if<std::unique_ptr<codec::Compressor>>(&opened);
      test::check(made != nullptr, "a compressor is missing");
      found = std::move(*made);
    }
    return *found;
  }

  void expect(bool holds, const char* what, std::uint32_t task, std::uint64_t page) const {
    if (holds) return;
    std::cerr << "script " << seed_ << ": page " << page << " of task " << task << ": " << what
              << '\n';
    std::exit(1);
  }

  std::uint64_t seed_;
  bool real_contents_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, Page> pages_;
  static inline std::array<std::unique_ptr<codec::Compressor>, model::kCompressors> codecs_;
};

/** Makes a script from its number. */
class Script {
 public:
  explicit Script(std::uint64_t seed) : random_(seed) {
    constexpr std::array kKernels = {"mainline 6.12", "mm-unstable-4-21-2025", "mainline 6.18",
                                     "mainline 7.3", "v9"};
    config_.seed = seed;
    config_.kernel = test::present(model::kernel_features(kKernels.at(below(kKernels.size()))));
    if (chance(4)) config_.kernel.batched_store = chance(2);
    config_.kernel.reclaim_batching = chance(3);
    config_.kernel.swapin_batching = chance(3);
    config_.kernel.zram = seed % 4 == 3;
    config_.machine.page_cluster = below(5);
    config_.machine.cpus = 1 + below(5);
    config_.thp.order = std::array{0U, 2U, 4U}.at(below(3));
    config_.thp.defrag = static_cast<model::Defrag>(below(3));
    make_workload();
    make_limits();
    make_iaa();
    make_content();
    make_events();
  }

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] bool real_contents() const { return real_contents_; }

 private:
  std::uint32_t below(std::size_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
  bool chance(std::uint32_t one_in) { return below(one_in) == 0; }

  void make_workload() {
    model::TraceConfig trace;
    trace.tasks = 1 + below(4);
    trace.task_pages = 20 + below(150);
    model::Time time = 0;
    const std::uint32_t accesses = 100 + below(500);
    // Some go through their memory, some stay in a part of it.
    const std::uint32_t spread = 1 + below(trace.task_pages);
    for (std::uint32_t i = 0; i < accesses; ++i) {
      time += model::Time{5'000} * below(4);
      const std::uint32_t page =
          chance(3) ? below(trace.task_pages) : (i / 3 + below(spread)) % trace.task_pages;
      const std::uint32_t task = below(trace.tasks);
      auto kind = chance(3) ? model::AccessKind::kRead : model::AccessKind::kWrite;
      if (chance(200)) kind = model::AccessKind::kExit;
      trace.accesses.push_back({.time = time, .task = task, .page = page, .kind = kind});
    }
    end_ = time;
    pages_ = trace.tasks * trace.task_pages;
    config_.workload = std::move(trace);
  }

  void make_limits() {
    config_.machine.memory_pages = std::uint64_t{pages_} * (1 + below(4));
    config_.machine.swap_pages = std::uint64_t{512} * (chance(5) ? below(3) : 64);
    if (!chance(4)) config_.memcg.high = 8 + below(pages_);
    if (chance(2)) config_.memcg.max = 40 + below(pages_);
    if (chance(8)) config_.memcg.swap_max = below(pages_);
    if (chance(6)) config_.memcg.zswap_max = below(20);
    config_.memcg.zswap_writeback = !chance(8);
    config_.zswap.classes = test::few_classes();
    config_.zswap.max_pool_percent = chance(3) ? 1 + below(20) : 50;
    config_.zswap.accept_threshold_percent = 50 + below(51);
    if (chance(4)) {
      config_.failures = {
          .zswap_entry = below(20'000), .zsmalloc = below(20'000), .xarray = below(20'000)};
    }
  }

  void make_iaa() {
    model::IaaConfig& iaa = config_.iaa;
    const std::uint32_t devices = 1 + below(3);
    for (std::uint32_t i = 0; i < devices; ++i) {
      iaa.devices.push_back({.group_engines = {1 + below(8)}});
      const std::uint32_t wqs = 1 + below(2);
      for (std::uint32_t k = 0; k < wqs; ++k) {
        const std::uint32_t size = 1 + below(chance(2) ? 4 : 64);
        iaa.wqs.push_back({.device = i,
                           .size = size,
                           .threshold = 1 + below(size),
                           .priority = chance(3) ? 1 + below(15) : 10,
                           .shared = chance(4),
                           .foreign = chance(3) ? below(4) : 0});
      }
    }
    iaa.verify_compress = chance(4);
    iaa.sync_mode = chance(2) ? model::SyncMode::kAsync : static_cast<model::SyncMode>(below(3));
    iaa.mappings.clear();
    for (std::uint32_t i = 0; i < 3; ++i) iaa.mappings.push_back(make_mapping());
  }

  model::Mapping make_mapping() {
    model::Mapping mapping;
    if (chance(12)) return mapping;
    for (std::uint32_t i = 0; i < 1 + below(3); ++i) {
      mapping.tables.emplace_back();
      for (std::uint32_t k = below(4); k > 0; --k) {
        mapping.tables.back().push_back(below(config_.iaa.wqs.size()));
      }
    }
    const auto first_of = [&](std::uint32_t table) {
      return below(std::max<std::size_t>(1, mapping.tables[table].size()));
    };
    for (std::uint32_t cpu = 0; cpu < config_.machine.cpus; ++cpu) {
      const std::uint32_t compress = below(mapping.tables.size());
      const std::uint32_t decompress = below(mapping.tables.size());
      mapping.cpus.push_back({.compress_table = compress,
                              .compress_first = first_of(compress),
                              .decompress_table = decompress,
                              .decompress_first = first_of(decompress)});
    }
    return mapping;
  }

  void make_content() {
    const bool only_ours = chance(2);
    software_ = !only_ours;
    real_contents_ = only_ours && chance(3);
    config_.zswap.compressor = some_compressor();
    config_.content.kind =
        only_ours && chance(4) ? model::ContentKind::kZero : model::ContentKind::kProgram;
    if (only_ours && chance(2)) {
      config_.content.kind = model::ContentKind::kCorpus;
      for (std::uint32_t i = 0; i < 10; ++i) {
        for (const std::uint8_t byte : test::generated_page(random_())) {
          config_.content.corpus.push_back(std::byte{byte});
        }
      }
      config_.content.exact = chance(4);
    }
    if (chance(3)) config_.content.incompressible_per_million = below(200'000);
  }

  /** What is in a library cannot be loaded under ASan: of those only the named sizes are used. */
  model::Compressor some_compressor() {
    if (!software_ || !chance(3)) return model::Compressor::kDeflateIaa;
    return std::array{model::Compressor::kZstd, model::Compressor::kLzo, model::Compressor::kLz4,
                      model::Compressor::kDeflate}
        .at(below(4));
  }

  void make_events() {
    for (std::uint32_t i = below(10); i > 0; --i) {
      model::OutsideEvent event;
      event.time = static_cast<model::Time>(random_() % static_cast<std::uint64_t>(end_ + 1));
      event.kind = static_cast<OutsideKind>(below(13));
      switch (event.kind) {
        case OutsideKind::kCpuOffline:
        case OutsideKind::kCpuOnline:
          event.subject = below(config_.machine.cpus);
          break;
        case OutsideKind::kWqUnbind:
        case OutsideKind::kWqBind:
          event.subject = below(config_.iaa.wqs.size());
          event.value = below(config_.iaa.mappings.size());
          break;
        case OutsideKind::kDeviceLoss:
          if (!chance(3)) continue;
          event.subject = below(config_.iaa.devices.size());
          break;
        case OutsideKind::kCompressor:
          event.value = static_cast<std::uint64_t>(some_compressor());
          break;
        case OutsideKind::kZswapEnabled:
          event.value = below(2);
          break;
        case OutsideKind::kMaxPoolPercent:
        case OutsideKind::kAcceptThreshold:
          event.value = below(101);
          break;
        default:
          event.value = 8 + below(pages_);
          break;
      }
      config_.events.push_back(event);
    }
  }

  std::mt19937_64 random_;
  Config config_;
  model::Time end_ = 0;
  std::uint32_t pages_ = 0;
  bool real_contents_ = false;
  bool software_ = false;
};

/** What became of all scripts: that each kind of trouble really came. */
struct Sum {
  std::uint64_t stored = 0;
  std::uint64_t loaded = 0;
  std::uint64_t written_back = 0;
  std::uint64_t rejected = 0;
  std::uint64_t as_they_are = 0;
  std::uint64_t swapped = 0;
  std::uint64_t lost = 0;
  std::uint64_t hung = 0;
  std::uint64_t killed = 0;
  std::uint64_t disabled = 0;
  std::uint64_t fallbacks = 0;
};

void check_counters(const Counters& counters, const Config& config) {
  const std::uint64_t folio = 1ULL << config.thp.order;
  test::check(counters.folio_zswpout * folio <= counters.zswpout, "ZSWPOUT");
  test::check(counters.zswpin + counters.written_back_pages <= counters.zswpout, "zswpin");
  test::check(counters.zswpwb == counters.written_back_pages, "zswpwb");
  test::check(counters.pswpin <= counters.pswpout, "pswpin");
  test::check(counters.folio_swpout * folio <= counters.pswpout, "SWPOUT");
  test::check(counters.pgmajfault <= counters.pgfault, "pgmajfault");
  test::check(counters.pgsteal <= counters.pgscan, "pgsteal");
  test::check(counters.memory_current <= counters.memory_peak, "memory.peak");
  test::check(counters.stored_pages * model::kPageBytes == counters.zswapped, "zswapped");
  test::check(counters.folio_swpout_fallback <= counters.swap_fail, "swap_fail");
  test::check(counters.zswap <= counters.pool_total_size, "pool_total_size");
}

void run_script(std::uint64_t seed, Sum& sum) {
  const Script script(seed);
  Witness witness(seed, script.real_contents());
  const auto machine = test::machine_of(script.config(), &witness);
  bool ended = false;
  for (model::Time limit = 0; !ended; limit += 3'000'000) {
    ended = machine->run_until(limit);
    if (limit > 600'000'000) ended = machine->run_until(model::kNever);
    const auto wrong = machine->inconsistency();
    if (wrong) std::cerr << "script " << seed << '\n';
    test::check(!wrong, wrong.value_or(""));
    check_counters(machine->counters(), script.config());
  }
  const Counters counters = machine->counters();
  if (!machine->is_done()) test::check(counters.tasks_hung > 0, "it does not end");
  sum.stored += counters.zswpout;
  sum.loaded += counters.zswpin;
  sum.written_back += counters.written_back_pages;
  sum.rejected += counters.reject_compress_fail + counters.reject_compress_poor +
                  counters.reject_alloc_fail + counters.reject_kmemcache_fail;
  sum.as_they_are += counters.stored_incompressible_pages;
  sum.swapped += counters.pswpin;
  sum.lost += counters.pages_lost;
  sum.hung += counters.tasks_hung;
  sum.killed += counters.memory_oom_kill;
  sum.disabled += counters.driver_disabled;
  sum.fallbacks += counters.folio_swpout_fallback;
}

void all(std::uint64_t scripts, std::uint64_t first) {
  Sum sum;
  for (std::uint64_t seed = first; seed < first + scripts; ++seed) run_script(seed, sum);
  std::cout << scripts << " scripts: stored " << sum.stored << ", loaded " << sum.loaded
            << ", written back " << sum.written_back << ", rejected " << sum.rejected
            << ", swapped in " << sum.swapped << ", folios split " << sum.fallbacks << ", lost "
            << sum.lost << ", tasks hung " << sum.hung << ", killed " << sum.killed
            << ", driver disabled " << sum.disabled << '\n';
  if (scripts < 300) return;
  for (const std::uint64_t count :
       {sum.stored, sum.loaded, sum.written_back, sum.rejected, sum.swapped, sum.lost, sum.hung,
        sum.killed, sum.disabled, sum.fallbacks}) {
    test::check(count > 0, "the scripts do not try everything");
  }
}

}  // namespace
}  // namespace iaa_zswap

int main(int argc, char** argv) {
  const std::uint64_t scripts = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 400;
  const std::uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  iaa_zswap::all(scripts, first);
}
