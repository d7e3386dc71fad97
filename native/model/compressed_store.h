#ifndef IAA_ZSWAP_MODEL_COMPRESSED_STORE_H_
#define IAA_ZSWAP_MODEL_COMPRESSED_STORE_H_

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
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

/**
 * Where reclaim keeps pages in compressed form: what mm/zswap.c and drivers/block/zram share. A
 * pool has a compressor with a context on each CPU, and zsmalloc; folios go to the compressor page
 * by page or in batches. What a store takes, keeps, charges and counts is its own.
 */
class CompressedStore {
 public:
  CompressedStore(const CompressedStore&) = delete;
  CompressedStore& operator=(const CompressedStore&) = delete;
  virtual ~CompressedStore() = default;

  [[nodiscard]] FramePool& frame_pool() const { return parts_.simulation->frame_pool(); }

  /**
   * A folio that reclaim holds; `work` is reclaim's own, done meanwhile. When it gives true, all
   * pages are in the store, but on no list yet; the slot is split then if some were kept as they
   * are for another reason than their content.
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
  /** Stored pages become the youngest there are. */
  void add_to_lru(FolioId id) { parts_.folios->push_first(lru_, id); }

  /**
   * All pages of a record come into memory, with the fault's own work on each before. They are gone
   * from the store when it gives true, and all still there otherwise.
   */
  Co<bool> load(Task* task, FolioId id, Time page_work);
  /** The same for several pages of one pool, in a batch where its compressor has them. */
  Co<> load_together(Task* task, std::span<const FolioId> pages, Time page_work,
                     std::span<bool> loaded);

  /** All pages of a record that is in the store are not wanted any more. */
  void invalidate(std::uint32_t cpu, FolioId id) {
    parts_.folios->remove(lru_, id);
    drop(cpu, id);
  }
  /** The same for one that is on no list yet. */
  void drop(std::uint32_t cpu, FolioId id);

  /** Gives each page of a stored folio a record and a place on the list of its own. */
  void split(FolioId slot);

  /** The store is the swap device: what it refuses has nowhere else to go. */
  [[nodiscard]] virtual bool is_swap_device() const = 0;
  /** Its own work on a page, when stored and when freed. */
  [[nodiscard]] virtual Time entry_time() const = 0;

  void set_cpu_online(std::uint32_t cpu, bool online);

  /** A store, load or writeback is under way. */
  [[nodiscard]] bool is_busy() const;

  [[nodiscard]] std::uint64_t total_pages() const;
  [[nodiscard]] std::uint64_t stored_pages() const { return stored_pages_; }
  [[nodiscard]] std::uint64_t stored_bytes() const { return stored_bytes_; }
  [[nodiscard]] std::uint64_t copied_pages() const { return copied_pages_; }
  [[nodiscard]] std::uint32_t pools() const;
  /** Sets what this kind of store counts. */
  virtual void count(Counters* counters) const = 0;

 protected:
  static constexpr std::uint32_t kPools = 16;

  /** What a page is kept as. */
  struct Keeping {
    /** From so many bytes on a page takes a whole one. */
    std::uint32_t whole_bytes = kPageBytes;
    /** Whole pages are copied, both ways, without the compressor. */
    bool copies_whole = false;
    /** The cgroup is charged for it. */
    bool charged = false;
    /** Its allocations fail now and then (FailureConfig). */
    bool may_fail = false;
  };

  /** struct crypto_acomp_ctx, struct zcomp_strm of one CPU. */
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

  CompressedStore(const Parts& parts, const Config& config, Keeping keeping);

  /** The folio may come; where it may not, reclaim's work on it is done. */
  virtual Co<bool> admit(Task* task, FolioId id, PageWork work) = 0;
  /**
   * What a page takes that came out of the compressor with `bytes` or an error; nothing, and
   * counted, when it is refused. Without an error it is asked only where allocations may fail.
   */
  virtual std::optional<std::uint32_t> kept_bytes(std::uint32_t bytes, int error) = 0;
  /** A page that failed in a batch has its folio refused, before any page of it is kept; counted.
   */
  virtual bool refuses_in_batch(int error) = 0;
  /** A folio of so many pages was stored. */
  virtual void note_stored(std::uint32_t pages) = 0;
  /** One was refused, by its content or by a failure. */
  virtual void note_refused() = 0;
  virtual void note_loaded(std::uint32_t pages) = 0;
  virtual void note_load_failed() = 0;

  /** What a page takes that comes out of the compressor with so many bytes. */
  [[nodiscard]] std::uint32_t regular(std::uint32_t bytes) const {
    return bytes < keeping_.whole_bytes ? bytes : kPageBytes;
  }

  void make_current(Compressor compressor);
  void put_pool(std::uint32_t number);
  Co<int> decompress(Task* task, Pool* pool, std::uint32_t bytes, Time work);
  void free_entries(std::uint32_t cpu, FolioId id);

  Parts parts_;
  KernelFeatures features_;
  Constants constants_;
  std::array<std::unique_ptr<Pool>, kPools> pools_;
  std::uint32_t current_ = 0;
  /** What is stored, oldest last. */
  FolioList lru_;

 private:
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

  static Context* try_lock(Task* task, Pool* pool);
  Co<Context*> lock(Task* task, Pool* pool);
  void unlock(Context* context) const { context->mutex.unlock(parts_.scheduler); }

  /** Compressed bytes of a page of a record, above kPageBytes when it does not compress. */
  [[nodiscard]] std::uint32_t content_bytes(const Pool& pool, FolioId id, std::uint32_t page) const;
  /** What the page takes when nothing goes wrong. */
  [[nodiscard]] std::uint32_t regular_bytes(const Pool& pool, FolioId id, std::uint32_t page) const;
  [[nodiscard]] Time software_time(Compressor compressor, bool compress) const;

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
  void uncharge(std::uint32_t cpu, std::uint64_t bytes) const {
    if (keeping_.charged) parts_.memcg->uncharge_objects(cpu, bytes);
  }
  void forget(std::uint32_t cpu, FolioId id, Pool* pool, const Progress& progress);
  void free_objects(Pool* pool, std::uint32_t bytes, std::uint32_t pages);

  Co<> decompress_batch(Task* task, Pool* pool, std::span<const std::uint32_t> bytes, Time work,
                        std::span<int> errors);
  Co<> decompress_all(Task* task, Pool* pool, std::span<const std::uint32_t> bytes, Time page_work,
                      std::span<int> errors);
  Co<int> decompress_folio(Task* task, FolioId id, Pool* pool, Time page_work);
  [[nodiscard]] bool is_copied(std::uint32_t bytes) const {
    return bytes == kPageBytes && keeping_.copies_whole;
  }
  bool conclude_load(Task* task, FolioId id, int error);

  Keeping keeping_;
  std::vector<ZsmallocClass> classes_;
  std::uint64_t stored_pages_ = 0;
  std::uint64_t stored_bytes_ = 0;
  /** Of stored_pages_: those that are as they were. */
  std::uint64_t copied_pages_ = 0;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_COMPRESSED_STORE_H_
