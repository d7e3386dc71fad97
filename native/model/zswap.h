#ifndef IAA_ZSWAP_MODEL_ZSWAP_H_
#define IAA_ZSWAP_MODEL_ZSWAP_H_

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/config.h"
#include "model/coroutine.h"
#include "model/counters.h"
#include "model/folio_table.h"
#include "model/folio_waiters.h"
#include "model/iaa_crypto.h"
#include "model/memcg.h"
#include "model/page_content.h"
#include "model/page_witness.h"
#include "model/scheduler.h"
#include "model/swap_area.h"
#include "model/zsmalloc.h"

namespace iaa_zswap::model {

/** The parts of a machine that work on its memory together. */
struct Parts {
  Simulation* simulation;
  Scheduler* scheduler;
  FolioTable* folios;
  FolioWaiters* waiters;
  Memcg* memcg;
  SwapArea* swap;
  Server* swap_device;
  /** The locks and counters that all tasks go through, one page at a time. */
  Server* contended;
  PageContent* content;
  IaaCrypto* iaa;
  Counters* counters;
  ChromeTrace* trace;
  /** Of a test; usually none. */
  PageWitness* witness;
};

/** Reclaim's work on each page of a folio. */
struct PageWork {
  Time alone;
  Time contended;
};

/** mm/zswap.c: pools and their change, store, load, invalidate, limits and writeback. */
class Zswap {
 public:
  Zswap(const Parts& parts, const Config& config);

  [[nodiscard]] FramePool& frame_pool() const { return parts_.simulation->frame_pool(); }

  /**
   * zswap_store() of a folio that reclaim holds; `work` is reclaim's own, done meanwhile. When it
   * gives true, all pages are in zswap, but on no list yet; the slot is split then if some were
   * kept as they are for another reason than their content.
   */
  Co<bool> store(Task* task, FolioId id, PageWork work);
  /** A folio that is stored with others. */
  struct Storing {
    FolioId id = kNoFolio;
    PageWork work{};
    /** What store() would give. */
    bool stored = false;
  };
  /** The same for up to 32 folios, whose pages share the batches of a compressor that has them. */
  Co<> store_together(Task* task, std::span<Storing> folios);
  /** Stored pages become candidates of writeback. */
  void add_to_lru(FolioId id) { parts_.folios->push_first(lru_, id); }

  /**
   * zswap_load() of one page, with the fault's own work before it. Its entry is gone when it gives
   * true, and still there otherwise.
   */
  Co<bool> load(Task* task, FolioId page, Time page_work);
  /** The same for several of one pool, in a batch where its compressor has them. */
  Co<> load_together(Task* task, std::span<const FolioId> pages, Time page_work,
                     std::span<bool> loaded);

  /** zswap_invalidate() for all pages of a record that is in zswap. */
  void invalidate(std::uint32_t cpu, FolioId id) {
    parts_.folios->remove(lru_, id);
    drop(cpu, id);
  }
  /** The same for one that is on no list yet. */
  void drop(std::uint32_t cpu, FolioId id);

  /** Gives each page of a stored folio a record and a place on the list of its own. */
  void split(FolioId slot);

  /** The worker that writes pages back when the pool is full; it runs to the end. */
  Co<> run_worker(Task* worker);

  // From outside.
  void set_enabled(bool enabled) { config_.enabled = enabled; }
  void set_compressor(Compressor compressor);
  void set_max_pool_percent(std::uint32_t percent) { config_.max_pool_percent = percent; }
  void set_accept_threshold(std::uint32_t percent) { config_.accept_threshold_percent = percent; }
  void set_cpu_online(std::uint32_t cpu, bool online);

  /** A store, load or writeback is under way. */
  [[nodiscard]] bool is_busy() const;

  // For the counters.
  [[nodiscard]] std::uint64_t total_pages() const;
  [[nodiscard]] std::uint64_t stored_pages() const { return stored_pages_; }
  [[nodiscard]] std::uint64_t stored_bytes() const { return stored_bytes_; }
  [[nodiscard]] std::uint64_t incompressible_pages() const { return incompressible_pages_; }
  [[nodiscard]] std::uint32_t pools() const;
  [[nodiscard]] std::uint64_t context_bytes() const;

 private:
  static constexpr std::uint32_t kPools = 16;

  /** struct crypto_acomp_ctx of one CPU. */
  struct Context {
    Mutex mutex;
    bool ready = true;
  };

  struct Pool {
    Compressor compressor;
    /** What every page takes; 0 where they differ. */
    std::uint32_t uniform_bytes;
    Zsmalloc zsmalloc;
    /** Requests of each context: as many pages go to the compressor at once. */
    std::uint32_t requests;
    std::vector<Context> contexts;
    /** Stores under way. */
    std::uint32_t users = 0;
  };

  /** What is stored of a folio so far. */
  struct Progress {
    std::uint32_t pages = 0;
    std::uint32_t bytes = 0;
    /** Kept as they are although they would compress: the compressor failed. */
    std::bitset<kPmdPages> irregular;
    bool failed = false;
  };

  /** A page that goes to the compressor with others. */
  struct BatchPage {
    FolioId id = kNoFolio;
    std::uint32_t page = 0;
    /** Of its folio. */
    Progress* progress = nullptr;
  };

  bool is_full();
  [[nodiscard]] std::uint64_t max_pages() const;
  [[nodiscard]] std::uint64_t accept_pages() const;
  Co<bool> admit(Task* task, FolioId id, PageWork work);

  void make_current(Compressor compressor);
  void put_pool(std::uint32_t number);
  static Context* try_lock(Task* task, Pool* pool);
  Co<Context*> lock(Task* task, Pool* pool);
  void unlock(Context* context) const { context->mutex.unlock(parts_.scheduler); }

  /** Compressed bytes of a page of a record, above kPageBytes when it does not compress. */
  [[nodiscard]] std::uint32_t content_bytes(const Pool& pool, FolioId id, std::uint32_t page) const;
  /** What the page takes when nothing goes wrong. */
  [[nodiscard]] std::uint32_t regular_bytes(const Pool& pool, FolioId id, std::uint32_t page) const;
  [[nodiscard]] Time software_time(Compressor compressor, bool compress) const;
  [[nodiscard]] Time entry_time() const;
  [[nodiscard]] bool keeps_incompressible() const;
  /** Of one CPU. */
  [[nodiscard]] std::uint64_t context_bytes(const Pool& pool) const;

  Co<bool> store_pages(Task* task, FolioId id, Pool* pool, PageWork work, Progress* progress);
  Co<> store_batch(Task* task, Pool* pool, std::span<const BatchPage> pages, Time work);
  Co<bool> store_by_device(Task* task, FolioId id, Pool* pool, std::uint32_t pages, Time work,
                           Progress* progress);
  Co<bool> store_by_software(Task* task, FolioId id, Pool* pool, std::uint32_t pages, Time work,
                             Progress* progress);
  bool keep_page(Task* task, Pool* pool, std::uint32_t bytes, int error, Progress* progress);
  bool keep_software_pages(Task* task, FolioId id, Pool* pool, std::uint32_t pages,
                           Progress* progress);
  bool conclude(Task* task, FolioId id, std::uint32_t pool, const Progress& progress);
  void finish(FolioId id, std::uint32_t pool, const Progress& progress);
  void forget(std::uint32_t cpu, FolioId id, Pool* pool, const Progress& progress);
  void free_entries(std::uint32_t cpu, FolioId id);
  void free_entry(Pool* pool, std::uint32_t bytes);

  Co<int> decompress(Task* task, Pool* pool, std::uint32_t bytes, Time work);
  Co<> decompress_batch(Task* task, Pool* pool, std::span<const FolioId> pages, Time work,
                        std::span<int> errors);
  [[nodiscard]] bool is_copied(std::uint32_t bytes) const;
  bool conclude_load(Task* task, FolioId page, int error);
  Co<bool> write_back_one(Task* task);
  FolioId oldest_unreferenced();
  void forget_orphan(std::uint32_t cpu, FolioId id);
  void wake_worker();

  Parts parts_;
  ZswapConfig config_;
  KernelFeatures features_;
  Constants constants_;
  FailureConfig failures_;
  std::uint64_t memory_pages_;
  bool may_fail_;
  Random failing_;
  std::array<std::unique_ptr<Pool>, kPools> pools_;
  std::uint32_t current_ = 0;
  FolioList lru_;
  bool reached_full_ = false;
  Task* worker_ = nullptr;
  bool worker_sleeps_ = false;
  bool worker_wanted_ = false;
  std::uint64_t stored_pages_ = 0;
  std::uint64_t stored_bytes_ = 0;
  std::uint64_t incompressible_pages_ = 0;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_ZSWAP_H_
