#include "model/zswap.h"

#include <cerrno>
#include <utility>

namespace iaa_zswap::model {
namespace {

/** MAX_RECLAIM_RETRIES: failures after which the worker gives up. */
constexpr std::uint32_t kWorkerFailures = 16;

/** struct crypto_acomp_ctx (mm/zswap.c): three pointers, crypto_wait of 40, mutex of 32, a bool. */
constexpr std::uint64_t kContextBytes = 104;
/** struct acomp_req of 6.14; iaa_crypto adds nothing to it, algorithms in software a pointer. */
constexpr std::uint64_t kRequestBytes = 80;
constexpr std::uint64_t kPointerBytes = 8;
/** zswap_cpu_comp_prepare(): a buffer of two pages for each request. */
constexpr std::uint64_t kBufferBytes = std::uint64_t{2} * kPageBytes;

}  // namespace

Zswap::Zswap(const Parts& parts, const Config& config)
    : CompressedStore(parts, config,
                      {.copies_whole = config.kernel.stores_incompressible,
                       .charged = true,
                       .may_fail = config.failures.zswap_entry + config.failures.zsmalloc +
                                       config.failures.xarray >
                                   0}),
      config_(config.zswap),
      failures_(config.failures),
      memory_pages_(config.machine.memory_pages),
      failing_(config.seed, UINT32_MAX) {}

void Zswap::set_compressor(Compressor compressor) {
  // zswap_pool_find_get(): an old pool that is still there is taken again.
  for (std::uint32_t i = 0; i < kPools; ++i) {
    if (pools_.at(i) == nullptr || pools_.at(i)->compressor != compressor) continue;
    const std::uint32_t old = std::exchange(current_, i);
    if (old != i) put_pool(old);
    return;
  }
  make_current(compressor);
}

// --- Limits

std::uint64_t Zswap::max_pages() const { return memory_pages_ * config_.max_pool_percent / 100; }

std::uint64_t Zswap::accept_pages() const {
  return max_pages() * config_.accept_threshold_percent / 100;
}

bool Zswap::is_full() {
  const std::uint64_t pages = total_pages();
  if (pages >= max_pages()) {
    ++parts_.counters->pool_limit_hit;
    reached_full_ = true;
  } else if (reached_full_ && pages <= accept_pages()) {
    reached_full_ = false;
  }
  return reached_full_;
}

Co<bool> Zswap::admit(Task* task, FolioId id, PageWork work) {
  const std::uint32_t pages = parts_.folios->pages_of(id);
  bool may = config_.enabled && (pages == 1 || features_.large_folios);
  // obj_cgroup_may_zswap(), then shrink_memcg(): one page for each folio that comes.
  const std::uint64_t limit = parts_.memcg->limits().zswap_max;
  if (may && limit != kUnlimited && stored_bytes() / kPageBytes >= limit) {
    may = false;
    if (limit > 0) may = co_await write_back_one(task);
  }
  if (may && is_full()) {
    wake_worker();
    may = false;
  }
  if (!may) co_await parts_.scheduler->work(task, work.alone * pages, Mode::kSystem);
  co_return may;
}

// --- What is kept, and what is counted

bool Zswap::keeps_incompressible() const {
  return features_.stores_incompressible && parts_.memcg->limits().zswap_writeback;
}

Time Zswap::entry_time() const {
  return features_.batched_store ? constants_.zswap_entry_v9 : constants_.zswap_entry_mainline;
}

bool Zswap::refuses_in_batch(int /*error*/) {
  if (keeps_incompressible()) return false;
  ++parts_.counters->reject_compress_fail;
  return true;
}

std::optional<std::uint32_t> Zswap::kept_bytes(std::uint32_t bytes, int error) {
  Counters& counters = *parts_.counters;
  if (failing_.happens(failures_.zswap_entry)) {
    ++counters.reject_kmemcache_fail;
    return std::nullopt;
  }
  if (error != 0) {
    if (!keeps_incompressible()) {
      ++(error == -ENOSPC ? counters.reject_compress_poor : counters.reject_compress_fail);
      return std::nullopt;
    }
    bytes = kPageBytes;
  }
  if (failing_.happens(failures_.zsmalloc) || failing_.happens(failures_.xarray)) {
    ++counters.reject_alloc_fail;
    return std::nullopt;
  }
  return bytes;
}

void Zswap::note_stored(std::uint32_t pages) {
  parts_.counters->zswpout += pages;
  if (pages > 1) ++parts_.counters->folio_zswpout;
}

void Zswap::note_refused() {
  if (reached_full_) wake_worker();
}

void Zswap::count(Counters* counters) const {
  counters->zswap = stored_bytes();
  counters->zswapped = stored_pages() * kPageBytes;
  counters->pool_total_size = total_pages() * kPageBytes;
  counters->stored_pages = stored_pages();
  counters->stored_incompressible_pages = copied_pages();
  counters->zswap_pools = pools();
  counters->context_bytes = context_bytes();
}

std::uint64_t Zswap::context_bytes(const Pool& pool) const {
  std::uint64_t request = kRequestBytes + kBufferBytes;
  if (pool.compressor != Compressor::kDeflateIaa) request += kPointerBytes;
  // reqs and buffers are arrays since v9.
  if (features_.batched_store) request += 2 * kPointerBytes;
  return kContextBytes + pool.requests * request;
}

std::uint64_t Zswap::context_bytes() const {
  std::uint64_t bytes = 0;
  for (const std::unique_ptr<Pool>& pool : pools_) {
    if (pool == nullptr) continue;
    // The worker's is on some CPU and counted there.
    for (std::uint32_t cpu = 0; cpu < parts_.scheduler->worker_cpu(); ++cpu) {
      if (pool->contexts[cpu].ready) bytes += context_bytes(*pool);
    }
  }
  return bytes;
}

// --- Writeback

FolioId Zswap::oldest_unreferenced() {
  FolioTable& folios = *parts_.folios;
  for (;;) {
    const FolioId id = lru_.last;
    if (id == kNoFolio) return kNoFolio;
    if (folios.pages_of(id) > 1) {
      split(id);
    } else if (folios[id].young != 0) {
      folios[id].young = 0;
      folios.remove(lru_, id);
      folios.push_first(lru_, id);
    } else {
      return id;
    }
  }
}

Co<bool> Zswap::write_back_one(Task* task) {
  if (!parts_.memcg->limits().zswap_writeback) co_return false;
  const FolioId id = oldest_unreferenced();
  if (id == kNoFolio) co_return false;
  FolioTable& folios = *parts_.folios;
  folios.remove(lru_, id);
  folios[id].set(Place::kStoring);
  Pool* pool = pools_.at(folios[id].pool).get();
  ++pool->users;
  const int error = co_await decompress(task, pool, folios[id].bytes, constants_.swap_in_page);
  --pool->users;
  Counters& counters = *parts_.counters;
  if (error != 0) {
    ++counters.reject_reclaim_fail;
    ++counters.decompress_fail;
    folios[id].set(Place::kStored);
    folios.push_first(lru_, id);
  } else {
    if (parts_.witness != nullptr) {
      parts_.witness->written_back(folios.task_of(id), folios.first_page(id));
    }
    free_entries(task->cpu, id);
    folios[id].set(Place::kSwap);
    parts_.swap_device->serve(parts_.simulation->now(), constants_.swap_write_page);
    ++counters.written_back_pages;
    ++counters.zswpwb;
    ++counters.pswpout;
  }
  folios[id].wanted = 0;
  if (folios[id].orphan != 0) forget_orphan(task->cpu, id);
  parts_.waiters->unlock(id);
  co_return error == 0;
}

void Zswap::forget_orphan(std::uint32_t cpu, FolioId id) {
  FolioTable& folios = *parts_.folios;
  if (folios[id].place() == Place::kStored) invalidate(cpu, id);
  parts_.swap->release(folios[id].where, 1);
  folios[id] = Folio{};
  if (parts_.witness != nullptr) {
    parts_.witness->freed(folios.task_of(id), folios.first_page(id));
  }
}

void Zswap::wake_worker() {
  worker_wanted_ = true;
  if (!worker_sleeps_) return;
  worker_sleeps_ = false;
  parts_.scheduler->wake(worker_);
}

Co<> Zswap::run_worker(Task* worker) {
  worker_ = worker;
  for (;;) {
    if (!worker_wanted_) {
      worker_sleeps_ = true;
      co_await parts_.scheduler->block(worker);
    }
    worker_wanted_ = false;
    std::uint32_t failures = 0;
    while (failures < kWorkerFailures && total_pages() > accept_pages()) {
      const bool written = co_await write_back_one(worker);
      if (!written) ++failures;
    }
  }
}

}  // namespace iaa_zswap::model
