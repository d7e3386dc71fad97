#include "model/zswap.h"

#include <algorithm>
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
    : parts_(parts),
      config_(config.zswap),
      features_(config.kernel),
      constants_(config.constants),
      failures_(config.failures),
      memory_pages_(config.machine.memory_pages),
      may_fail_(failures_.zswap_entry + failures_.zsmalloc + failures_.xarray > 0),
      failing_(config.seed, UINT32_MAX) {
  make_current(config_.compressor);
}

// --- Pools and contexts

void Zswap::make_current(Compressor compressor) {
  std::uint32_t number = kPools;
  for (std::uint32_t i = kPools; i > 0; --i) {
    if (pools_.at(i - 1) == nullptr) number = i - 1;
  }
  if (number == kPools) return;  // so many are never kept; the kernel would go on
  const std::uint32_t requests =
      compressor == Compressor::kDeflateIaa ? parts_.iaa->batch_size() : 1;
  auto pool = std::make_unique<Pool>(
      Pool{.compressor = compressor,
           .uniform_bytes = parts_.content->uniform_bytes(compressor).value_or(0),
           .zsmalloc = Zsmalloc(config_.classes),
           .requests = std::min(requests, kMaxBatch),
           .contexts = std::vector<Context>(parts_.scheduler->cpus())});
  for (std::uint32_t cpu = 0; cpu < pool->contexts.size(); ++cpu) {
    pool->contexts[cpu].ready = parts_.scheduler->is_online(cpu);
  }
  pools_.at(number) = std::move(pool);
  const std::uint32_t old = std::exchange(current_, number);
  if (old != number) put_pool(old);
}

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

void Zswap::put_pool(std::uint32_t number) {
  const Pool* pool = pools_.at(number).get();
  if (pool == nullptr || number == current_ || pool->users > 0) return;
  if (pool->zsmalloc.objects() == 0) pools_.at(number).reset();
}

void Zswap::set_cpu_online(std::uint32_t cpu, bool online) {
  for (const std::unique_ptr<Pool>& pool : pools_) {
    if (pool == nullptr) continue;
    Context& context = pool->contexts[cpu];
    if (online || !features_.contexts_live_with_pool) context.ready = online;
  }
}

Zswap::Context* Zswap::try_lock(Task* task, Pool* pool) {
  Context& context = pool->contexts[task->cpu];
  return context.ready && context.mutex.try_lock(task) ? &context : nullptr;
}

Co<Zswap::Context*> Zswap::lock(Task* task, Pool* pool) {
  for (;;) {
    Context* context = &pool->contexts[task->cpu];
    co_await context->mutex.lock(parts_.scheduler, task);
    if (context->ready) co_return context;
    // The CPU went down meanwhile; the task is moved, and tries again where it is then.
    unlock(context);
    co_await parts_.scheduler->run(task, 1, Mode::kSystem);
  }
}

// --- Sizes and times

bool Zswap::keeps_incompressible() const {
  return features_.stores_incompressible && parts_.memcg->limits().zswap_writeback;
}

std::uint32_t Zswap::content_bytes(const Pool& pool, FolioId id, std::uint32_t page) const {
  if (pool.uniform_bytes != 0) return pool.uniform_bytes;
  return parts_.content->bytes(pool.compressor, parts_.folios->task_of(id),
                               parts_.folios->first_page(id) + page);
}

std::uint32_t Zswap::regular_bytes(const Pool& pool, FolioId id, std::uint32_t page) const {
  return std::min(content_bytes(pool, id, page), kPageBytes);
}

Time Zswap::software_time(Compressor compressor, bool compress) const {
  const auto of_zstd = [&](std::int64_t permille) {
    return constants_.zstd_compress * permille / 1000;
  };
  switch (compressor) {
    case Compressor::kLzo:
      return of_zstd(compress ? constants_.lzo_compress_permille
                              : constants_.lzo_decompress_permille);
    case Compressor::kLz4:
      return of_zstd(compress ? constants_.lz4_compress_permille
                              : constants_.lz4_decompress_permille);
    case Compressor::kDeflate:
      return of_zstd(compress ? constants_.deflate_compress_permille
                              : constants_.deflate_decompress_permille);
    default:
      return of_zstd(compress ? 1000 : constants_.zstd_decompress_permille);
  }
}

// --- Limits

std::uint64_t Zswap::total_pages() const {
  std::uint64_t pages = 0;
  for (const std::unique_ptr<Pool>& pool : pools_) {
    if (pool != nullptr) pages += pool->zsmalloc.pages();
  }
  return pages;
}

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
  if (may && limit != kUnlimited && stored_bytes_ / kPageBytes >= limit) {
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

// --- Store

Co<bool> Zswap::store(Task* task, FolioId id, PageWork work) {
  const bool may = co_await admit(task, id, work);
  if (!may) co_return false;
  const std::uint32_t number = current_;
  Pool* pool = pools_.at(number).get();
  ++pool->users;
  Progress progress;
  progress.failed = !co_await store_pages(task, id, pool, work, &progress);
  const bool stored = conclude(task, id, number, progress);
  --pool->users;
  put_pool(number);
  co_return stored;
}

bool Zswap::conclude(Task* task, FolioId id, std::uint32_t pool, const Progress& progress) {
  if (!progress.failed) {
    finish(id, pool, progress);
  } else {
    forget(task->cpu, id, pools_.at(pool).get(), progress);
    if (reached_full_) wake_worker();
  }
  return !progress.failed;
}

Time Zswap::entry_time() const {
  return features_.batched_store ? constants_.zswap_entry_v9 : constants_.zswap_entry_mainline;
}

Co<> Zswap::store_together(Task* task, std::span<Storing> folios) {
  const std::uint32_t number = current_;
  Pool* pool = pools_.at(number).get();
  if (pool->requests == 1) {
    for (Storing& folio : folios) folio.stored = co_await store(task, folio.id, folio.work);
    co_return;
  }
  ++pool->users;
  std::array<Progress, kSwapClusterMax> progress{};
  std::array<bool, kSwapClusterMax> admitted{};
  for (std::size_t i = 0; i < folios.size(); ++i) {
    admitted.at(i) = co_await admit(task, folios[i].id, folios[i].work);
    progress.at(i).failed = !admitted.at(i);
  }
  std::size_t folio = 0;
  std::uint32_t page = 0;
  for (;;) {
    std::array<BatchPage, kMaxBatch> batch{};
    std::array<Time, kMaxBatch> contended{};
    std::uint32_t count = 0;
    Time alone = 0;
    while (count < kMaxBatch && folio < folios.size()) {
      const Storing& from = folios[folio];
      if (progress.at(folio).failed || page == parts_.folios->pages_of(from.id)) {
        ++folio;
        page = 0;
        continue;
      }
      batch.at(count) = {.id = from.id, .page = page, .progress = &progress.at(folio)};
      contended.at(count) = from.work.contended;
      alone += from.work.alone + entry_time();
      ++count;
      ++page;
    }
    if (count == 0) break;
    co_await store_batch(task, pool, std::span(batch).first(count), alone);
    Time stored = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!batch.at(i).progress->failed) stored += contended.at(i);
    }
    co_await parts_.scheduler->spin_until(
        task, parts_.contended->serve(parts_.simulation->now(), stored));
  }
  for (std::size_t i = 0; i < folios.size(); ++i) {
    if (admitted.at(i)) folios[i].stored = conclude(task, folios[i].id, number, progress.at(i));
  }
  --pool->users;
  put_pool(number);
}

Co<bool> Zswap::store_pages(Task* task, FolioId id, Pool* pool, PageWork work, Progress* progress) {
  const std::uint32_t all = parts_.folios->pages_of(id);
  const Time alone = work.alone + entry_time();
  for (std::uint32_t begin = 0; begin < all; begin += kMaxBatch) {
    const std::uint32_t pages = std::min(kMaxBatch, all - begin);
    bool stored = false;
    if (pool->compressor != Compressor::kDeflateIaa) {
      stored = co_await store_by_software(task, id, pool, pages, alone, progress);
    } else if (pool->requests == 1 || pages == 1) {
      stored = co_await store_by_device(task, id, pool, pages, alone, progress);
    } else {
      std::array<BatchPage, kMaxBatch> batch{};
      for (std::uint32_t i = 0; i < pages; ++i) {
        batch.at(i) = {.id = id, .page = begin + i, .progress = progress};
      }
      co_await store_batch(task, pool, std::span(batch).first(pages), alone * pages);
      stored = !progress->failed;
    }
    if (!stored) co_return false;
    co_await parts_.scheduler->spin_until(
        task, parts_.contended->serve(parts_.simulation->now(), work.contended * pages));
  }
  co_return true;
}

Co<> Zswap::store_batch(Task* task, Pool* pool, std::span<const BatchPage> pages, Time work) {
  std::array<std::uint32_t, kMaxBatch> bytes{};
  std::array<int, kMaxBatch> errors{};
  for (std::size_t i = 0; i < pages.size(); ++i) {
    bytes.at(i) = content_bytes(*pool, pages[i].id, pages[i].page);
  }
  Context* context = try_lock(task, pool);
  if (context == nullptr) context = co_await lock(task, pool);
  const bool done = co_await parts_.iaa->compress_batch(task, std::span(bytes).first(pages.size()),
                                                        std::span(errors).first(pages.size()));
  co_await parts_.scheduler->work(task, work, Mode::kSystem);
  unlock(context);
  if (!done && !keeps_incompressible()) {
    for (std::size_t i = 0; i < pages.size(); ++i) {
      if (errors.at(i) == 0) continue;
      ++parts_.counters->reject_compress_fail;
      pages[i].progress->failed = true;
    }
  }
  for (std::size_t i = 0; i < pages.size(); ++i) {
    Progress* progress = pages[i].progress;
    if (progress->failed) continue;
    progress->failed = !keep_page(task, pool, bytes.at(i), errors.at(i), progress);
  }
}

Co<bool> Zswap::store_by_device(Task* task, FolioId id, Pool* pool, std::uint32_t pages, Time work,
                                Progress* progress) {
  for (std::uint32_t i = 0; i < pages; ++i) {
    Context* context = try_lock(task, pool);
    if (context == nullptr) context = co_await lock(task, pool);
    const std::uint32_t bytes = content_bytes(*pool, id, progress->pages);
    const int error = co_await parts_.iaa->compress(task, bytes, work);
    unlock(context);
    if (!keep_page(task, pool, bytes, error, progress)) co_return false;
  }
  co_return true;
}

Co<bool> Zswap::store_by_software(Task* task, FolioId id, Pool* pool, std::uint32_t pages,
                                  Time work, Progress* progress) {
  const Time time = software_time(pool->compressor, true) + work;
  // v9 holds the lock for a batch. Before, others could have it between two pages, which makes no
  // difference where there are none.
  const bool together = features_.batched_store || parts_.scheduler->is_alone(task);
  const std::uint32_t step = together ? pages : 1;
  for (std::uint32_t i = 0; i < pages; i += step) {
    Context* context = try_lock(task, pool);
    if (context == nullptr) context = co_await lock(task, pool);
    co_await parts_.scheduler->work(task, time * step, Mode::kSystem);
    unlock(context);
    if (!keep_software_pages(task, id, pool, step, progress)) co_return false;
  }
  co_return true;
}

bool Zswap::keep_software_pages(Task* task, FolioId id, Pool* pool, std::uint32_t pages,
                                Progress* progress) {
  for (std::uint32_t i = 0; i < pages; ++i) {
    const std::uint32_t bytes = content_bytes(*pool, id, progress->pages);
    const int error = bytes <= kPageBytes ? 0 : -ENOSPC;
    if (!keep_page(task, pool, bytes, error, progress)) return false;
  }
  return true;
}

bool Zswap::keep_page(Task* task, Pool* pool, std::uint32_t bytes, int error, Progress* progress) {
  Counters& counters = *parts_.counters;
  if (may_fail_ && failing_.happens(failures_.zswap_entry)) {
    ++counters.reject_kmemcache_fail;
    return false;
  }
  if (error != 0) {
    if (!keeps_incompressible()) {
      ++(error == -ENOSPC ? counters.reject_compress_poor : counters.reject_compress_fail);
      return false;
    }
    if (bytes < kPageBytes) progress->irregular.set(progress->pages);
    bytes = kPageBytes;
  }
  if (may_fail_ && (failing_.happens(failures_.zsmalloc) || failing_.happens(failures_.xarray))) {
    ++counters.reject_alloc_fail;
    return false;
  }
  pool->zsmalloc.add(bytes);
  parts_.memcg->charge_object(task, bytes);
  if (features_.stores_incompressible && bytes == kPageBytes) ++incompressible_pages_;
  stored_bytes_ += bytes;
  ++stored_pages_;
  progress->bytes += bytes;
  ++progress->pages;
  return true;
}

void Zswap::finish(FolioId id, std::uint32_t pool, const Progress& progress) {
  FolioTable& folios = *parts_.folios;
  const std::uint32_t pages = progress.pages;
  folios[id].pool = pool & (kPools - 1);
  folios[id].bytes = progress.bytes & 0x3fffffU;
  parts_.counters->zswpout += pages;
  if (pages > 1) ++parts_.counters->folio_zswpout;
  if (parts_.witness != nullptr) {
    for (std::uint32_t i = 0; i < pages; ++i) {
      const bool as_it_is =
          progress.irregular.test(i) || content_bytes(*pools_.at(pool), id, i) >= kPageBytes;
      parts_.witness->stored(folios.task_of(id), folios.first_page(id) + i,
                             pools_.at(pool)->compressor, as_it_is);
    }
  }
  if (pages == 1 || progress.irregular.none()) return;
  parts_.swap->mix(folios[id].where);
  folios.split(id);
  for (std::uint32_t i = 0; i < pages; ++i) {
    const FolioId page = folios.page(id, i);
    folios[page].bytes = progress.irregular.test(i)
                             ? kPageBytes
                             : regular_bytes(*pools_.at(pool), page, 0) & 0x3fffffU;
  }
}

void Zswap::free_entry(Pool* pool, std::uint32_t bytes) {
  pool->zsmalloc.remove(bytes, 1);
  if (features_.stores_incompressible && bytes == kPageBytes) --incompressible_pages_;
  stored_bytes_ -= bytes;
  --stored_pages_;
}

void Zswap::forget(std::uint32_t cpu, FolioId id, Pool* pool, const Progress& progress) {
  for (std::uint32_t i = 0; i < progress.pages; ++i) {
    free_entry(pool, progress.irregular.test(i) ? kPageBytes : regular_bytes(*pool, id, i));
  }
  parts_.memcg->uncharge_objects(cpu, progress.bytes);
}

void Zswap::free_entries(std::uint32_t cpu, FolioId id) {
  Folio& folio = (*parts_.folios)[id];
  Pool* pool = pools_.at(folio.pool).get();
  const std::uint32_t pages = parts_.folios->pages_of(id);
  if (pages == 1) {
    free_entry(pool, folio.bytes);
  } else if (pool->uniform_bytes != 0) {
    pool->zsmalloc.remove(pool->uniform_bytes, pages);
    stored_bytes_ -= folio.bytes;
    stored_pages_ -= pages;
  } else {
    for (std::uint32_t i = 0; i < pages; ++i) free_entry(pool, regular_bytes(*pool, id, i));
  }
  parts_.memcg->uncharge_objects(cpu, folio.bytes);
  folio.bytes = 0;
  put_pool(folio.pool);
}

void Zswap::drop(std::uint32_t cpu, FolioId id) {
  free_entries(cpu, id);
  if (parts_.witness == nullptr) return;
  const FolioTable& folios = *parts_.folios;
  for (std::uint32_t i = 0; i < folios.pages_of(id); ++i) {
    parts_.witness->dropped(folios.task_of(id), folios.first_page(id) + i);
  }
}

void Zswap::split(FolioId slot) {
  FolioTable& folios = *parts_.folios;
  const Folio whole = folios[slot];
  const Pool& pool = *pools_.at(whole.pool);
  folios.remove(lru_, slot);
  parts_.swap->mix(whole.where);
  folios.split(slot);
  for (std::uint32_t i = folios.slot_pages(); i > 0; --i) {
    const FolioId page = folios.page(slot, i - 1);
    folios[page].bytes = regular_bytes(pool, page, 0) & 0x3fffffU;
    folios.insert(lru_, page, whole.next);
  }
}

// --- Load and writeback

bool Zswap::is_copied(std::uint32_t bytes) const {
  return bytes == kPageBytes && features_.stores_incompressible;
}

Co<int> Zswap::decompress(Task* task, Pool* pool, std::uint32_t bytes, Time work) {
  Context* context = try_lock(task, pool);
  if (context == nullptr) context = co_await lock(task, pool);
  int error = 0;
  const bool copied = is_copied(bytes);
  const bool by_device = !copied && pool->compressor == Compressor::kDeflateIaa;
  const Time time = copied || by_device ? 0 : software_time(pool->compressor, false);
  co_await parts_.scheduler->work(task, work + time, Mode::kSystem);
  if (by_device) error = co_await parts_.iaa->decompress(task, bytes);
  unlock(context);
  co_return error;
}

Co<> Zswap::decompress_batch(Task* task, Pool* pool, std::span<const FolioId> pages, Time work,
                             std::span<int> errors) {
  std::array<std::uint32_t, kMaxBatch> bytes{};
  std::array<int, kMaxBatch> found{};
  std::uint32_t count = 0;
  for (const FolioId page : pages) {
    const std::uint32_t size = (*parts_.folios)[page].bytes;
    if (!is_copied(size)) bytes.at(count++) = size;
  }
  Context* context = try_lock(task, pool);
  if (context == nullptr) context = co_await lock(task, pool);
  co_await parts_.scheduler->work(task, work * static_cast<Time>(pages.size()), Mode::kSystem);
  co_await parts_.iaa->decompress_batch(task, std::span(bytes).first(count),
                                        std::span(found).first(count));
  unlock(context);
  count = 0;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    errors[i] = is_copied((*parts_.folios)[pages[i]].bytes) ? 0 : found.at(count++);
  }
}

bool Zswap::conclude_load(Task* task, FolioId page, int error) {
  FolioTable& folios = *parts_.folios;
  if (error != 0) {
    ++parts_.counters->decompress_fail;
    folios.push_first(lru_, page);
    return false;
  }
  ++parts_.counters->zswpin;
  if (parts_.witness != nullptr) {
    parts_.witness->loaded(folios.task_of(page), folios.first_page(page));
  }
  free_entries(task->cpu, page);
  return true;
}

Co<bool> Zswap::load(Task* task, FolioId page, Time page_work) {
  FolioTable& folios = *parts_.folios;
  // Not to be written back meanwhile.
  folios.remove(lru_, page);
  const std::uint32_t number = folios[page].pool;
  Pool* pool = pools_.at(number).get();
  ++pool->users;
  const int error = co_await decompress(task, pool, folios[page].bytes, page_work);
  --pool->users;
  co_return conclude_load(task, page, error);
}

Co<> Zswap::load_together(Task* task, std::span<const FolioId> pages, Time page_work,
                          std::span<bool> loaded) {
  FolioTable& folios = *parts_.folios;
  for (const FolioId page : pages) folios.remove(lru_, page);
  Pool* pool = pools_.at(folios[pages.front()].pool).get();
  ++pool->users;
  std::array<int, kMaxBatch> errors{};
  if (pool->requests > 1 && pages.size() > 1) {
    co_await decompress_batch(task, pool, pages, page_work, std::span(errors).first(pages.size()));
  } else {
    for (std::size_t i = 0; i < pages.size(); ++i) {
      errors.at(i) = co_await decompress(task, pool, folios[pages[i]].bytes, page_work);
    }
  }
  --pool->users;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    loaded[i] = conclude_load(task, pages[i], errors.at(i));
  }
}

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
    folios[id].set(Place::kZswap);
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
  if (folios[id].place() == Place::kZswap) invalidate(cpu, id);
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

// --- For the counters

bool Zswap::is_busy() const {
  return std::ranges::any_of(pools_,
                             [](const auto& pool) { return pool != nullptr && pool->users > 0; });
}

std::uint32_t Zswap::pools() const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(pools_, [](const auto& pool) { return pool != nullptr; }));
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

}  // namespace iaa_zswap::model
