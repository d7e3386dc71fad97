#include "model/compressed_store.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace iaa_zswap::model {

CompressedStore::CompressedStore(const Parts& parts, const Config& config, Keeping keeping)
    : parts_(parts),
      features_(config.kernel),
      constants_(config.constants),
      keeping_(keeping),
      classes_(config.zswap.classes) {
  make_current(config.zswap.compressor);
}

// --- Pools and contexts

void CompressedStore::make_current(Compressor compressor) {
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
           .zsmalloc = Zsmalloc(classes_),
           .requests = std::min(requests, kMaxBatch),
           .contexts = std::vector<Context>(parts_.scheduler->cpus())});
  for (std::uint32_t cpu = 0; cpu < pool->contexts.size(); ++cpu) {
    pool->contexts[cpu].ready = parts_.scheduler->is_online(cpu);
  }
  pools_.at(number) = std::move(pool);
  const std::uint32_t old = std::exchange(current_, number);
  if (old != number) put_pool(old);
}

void CompressedStore::put_pool(std::uint32_t number) {
  const Pool* pool = pools_.at(number).get();
  if (pool == nullptr || number == current_ || pool->users > 0) return;
  if (pool->zsmalloc.objects() == 0) pools_.at(number).reset();
}

void CompressedStore::set_cpu_online(std::uint32_t cpu, bool online) {
  for (const std::unique_ptr<Pool>& pool : pools_) {
    if (pool == nullptr) continue;
    Context& context = pool->contexts[cpu];
    if (online || !features_.contexts_live_with_pool) context.ready = online;
  }
}

CompressedStore::Context* CompressedStore::try_lock(Task* task, Pool* pool) {
  Context& context = pool->contexts[task->cpu];
  return context.ready && context.mutex.try_lock(task) ? &context : nullptr;
}

Co<CompressedStore::Context*> CompressedStore::lock(Task* task, Pool* pool) {
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

std::uint32_t CompressedStore::content_bytes(const Pool& pool, FolioId id,
                                             std::uint32_t page) const {
  if (pool.uniform_bytes != 0) return pool.uniform_bytes;
  return parts_.content->bytes(pool.compressor, parts_.folios->task_of(id),
                               parts_.folios->first_page(id) + page);
}

std::uint32_t CompressedStore::regular_bytes(const Pool& pool, FolioId id,
                                             std::uint32_t page) const {
  return regular(content_bytes(pool, id, page));
}

Time CompressedStore::software_time(Compressor compressor, bool compress) const {
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

// --- Store

Co<bool> CompressedStore::store(Task* task, FolioId id, PageWork work) {
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

bool CompressedStore::conclude(Task* task, FolioId id, std::uint32_t pool,
                               const Progress& progress) {
  if (!progress.failed) {
    finish(id, pool, progress);
  } else {
    forget(task->cpu, id, pools_.at(pool).get(), progress);
    note_refused();
  }
  return !progress.failed;
}

Co<> CompressedStore::store_together(Task* task, std::span<Storing> folios) {
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

Co<bool> CompressedStore::store_pages(Task* task, FolioId id, Pool* pool, PageWork work,
                                      Progress* progress) {
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

Co<> CompressedStore::store_batch(Task* task, Pool* pool, std::span<const BatchPage> pages,
                                  Time work) {
  std::array<std::uint32_t, kMaxBatch> bytes{};
  std::array<int, kMaxBatch> errors{};
  for (std::size_t i = 0; i < pages.size(); ++i) {
    bytes.at(i) = content_bytes(*pool, pages[i].id, pages[i].page);
  }
  Context* context = try_lock(task, pool);
  if (context == nullptr) context = co_await lock(task, pool);
  co_await parts_.iaa->compress_batch(task, std::span(bytes).first(pages.size()),
                                      std::span(errors).first(pages.size()));
  co_await parts_.scheduler->work(task, work, Mode::kSystem);
  unlock(context);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (errors.at(i) != 0 && refuses_in_batch(errors.at(i))) pages[i].progress->failed = true;
  }
  for (std::size_t i = 0; i < pages.size(); ++i) {
    Progress* progress = pages[i].progress;
    if (progress->failed) continue;
    progress->failed = !keep_page(task, pool, bytes.at(i), errors.at(i), progress);
  }
}

Co<bool> CompressedStore::store_by_device(Task* task, FolioId id, Pool* pool, std::uint32_t pages,
                                          Time work, Progress* progress) {
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

Co<bool> CompressedStore::store_by_software(Task* task, FolioId id, Pool* pool, std::uint32_t pages,
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

bool CompressedStore::keep_software_pages(Task* task, FolioId id, Pool* pool, std::uint32_t pages,
                                          Progress* progress) {
  for (std::uint32_t i = 0; i < pages; ++i) {
    const std::uint32_t bytes = content_bytes(*pool, id, progress->pages);
    const int error = bytes <= kPageBytes ? 0 : -ENOSPC;
    if (!keep_page(task, pool, bytes, error, progress)) return false;
  }
  return true;
}

bool CompressedStore::keep_page(Task* task, Pool* pool, std::uint32_t bytes, int error,
                                Progress* progress) {
  std::optional<std::uint32_t> kept = regular(bytes);
  if (error != 0 || keeping_.may_fail) kept = kept_bytes(bytes, error);
  if (!kept) return false;
  if (*kept != regular(bytes)) progress->irregular.set(progress->pages);
  pool->zsmalloc.add(*kept);
  if (keeping_.charged) parts_.memcg->charge_object(task, *kept);
  if (is_copied(*kept)) ++copied_pages_;
  stored_bytes_ += *kept;
  ++stored_pages_;
  progress->bytes += *kept;
  ++progress->pages;
  return true;
}

void CompressedStore::finish(FolioId id, std::uint32_t pool, const Progress& progress) {
  FolioTable& folios = *parts_.folios;
  const std::uint32_t pages = progress.pages;
  folios[id].pool = pool & (kPools - 1);
  folios[id].bytes = progress.bytes & 0x3fffffU;
  note_stored(pages);
  if (parts_.witness != nullptr) {
    for (std::uint32_t i = 0; i < pages; ++i) {
      const bool as_it_is =
          progress.irregular.test(i) || regular_bytes(*pools_.at(pool), id, i) == kPageBytes;
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

void CompressedStore::free_objects(Pool* pool, std::uint32_t bytes, std::uint32_t pages) {
  pool->zsmalloc.remove(bytes, pages);
  if (is_copied(bytes)) copied_pages_ -= pages;
  stored_bytes_ -= std::uint64_t{bytes} * pages;
  stored_pages_ -= pages;
}

void CompressedStore::forget(std::uint32_t cpu, FolioId id, Pool* pool, const Progress& progress) {
  for (std::uint32_t i = 0; i < progress.pages; ++i) {
    const bool irregular = progress.irregular.test(i);
    free_objects(pool, irregular ? kPageBytes : regular_bytes(*pool, id, i), 1);
  }
  uncharge(cpu, progress.bytes);
}

void CompressedStore::free_entries(std::uint32_t cpu, FolioId id) {
  Folio& folio = (*parts_.folios)[id];
  Pool* pool = pools_.at(folio.pool).get();
  const std::uint32_t pages = parts_.folios->pages_of(id);
  if (pages == 1) {
    free_objects(pool, folio.bytes, 1);
  } else if (pool->uniform_bytes != 0) {
    free_objects(pool, regular(pool->uniform_bytes), pages);
  } else {
    for (std::uint32_t i = 0; i < pages; ++i) free_objects(pool, regular_bytes(*pool, id, i), 1);
  }
  uncharge(cpu, folio.bytes);
  folio.bytes = 0;
  put_pool(folio.pool);
}

void CompressedStore::drop(std::uint32_t cpu, FolioId id) {
  free_entries(cpu, id);
  if (parts_.witness == nullptr) return;
  const FolioTable& folios = *parts_.folios;
  for (std::uint32_t i = 0; i < folios.pages_of(id); ++i) {
    parts_.witness->dropped(folios.task_of(id), folios.first_page(id) + i);
  }
}

void CompressedStore::split(FolioId slot) {
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

// --- Load

Co<int> CompressedStore::decompress(Task* task, Pool* pool, std::uint32_t bytes, Time work) {
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

Co<> CompressedStore::decompress_batch(Task* task, Pool* pool, std::span<const std::uint32_t> bytes,
                                       Time work, std::span<int> errors) {
  std::array<std::uint32_t, kMaxBatch> compressed{};
  std::array<int, kMaxBatch> found{};
  std::uint32_t count = 0;
  for (const std::uint32_t size : bytes) {
    if (!is_copied(size)) compressed.at(count++) = size;
  }
  Context* context = try_lock(task, pool);
  if (context == nullptr) context = co_await lock(task, pool);
  co_await parts_.scheduler->work(task, work * static_cast<Time>(bytes.size()), Mode::kSystem);
  co_await parts_.iaa->decompress_batch(task, std::span(compressed).first(count),
                                        std::span(found).first(count));
  unlock(context);
  count = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    errors[i] = is_copied(bytes[i]) ? 0 : found.at(count++);
  }
}

/** Up to a batch of pages, in one call where the compressor has batches. */
Co<> CompressedStore::decompress_all(Task* task, Pool* pool, std::span<const std::uint32_t> bytes,
                                     Time page_work, std::span<int> errors) {
  if (pool->requests > 1 && bytes.size() > 1) {
    co_await decompress_batch(task, pool, bytes, page_work, errors);
    co_return;
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    errors[i] = co_await decompress(task, pool, bytes[i], page_work);
  }
}

/** All of its pages, as they were stored: in batches, or one after the other. */
Co<int> CompressedStore::decompress_folio(Task* task, FolioId id, Pool* pool, Time page_work) {
  const std::uint32_t all = parts_.folios->pages_of(id);
  int first_error = 0;
  for (std::uint32_t begin = 0; begin < all && first_error == 0; begin += kMaxBatch) {
    std::array<std::uint32_t, kMaxBatch> bytes{};
    const std::uint32_t pages = std::min(kMaxBatch, all - begin);
    for (std::uint32_t i = 0; i < pages; ++i) bytes.at(i) = regular_bytes(*pool, id, begin + i);
    std::array<int, kMaxBatch> errors{};
    co_await decompress_all(task, pool, std::span(bytes).first(pages), page_work, errors);
    const auto* failed = std::ranges::find_if(errors, [](int error) { return error != 0; });
    if (failed != errors.end()) first_error = *failed;
  }
  co_return first_error;
}

Co<bool> CompressedStore::load(Task* task, FolioId id, Time page_work) {
  FolioTable& folios = *parts_.folios;
  // Not to be written back meanwhile.
  folios.remove(lru_, id);
  const std::uint32_t number = folios[id].pool;
  Pool* pool = pools_.at(number).get();
  ++pool->users;
  int error = 0;
  if (folios.pages_of(id) == 1) {
    error = co_await decompress(task, pool, folios[id].bytes, page_work);
  } else {
    error = co_await decompress_folio(task, id, pool, page_work);
  }
  --pool->users;
  co_return conclude_load(task, id, error);
}

Co<> CompressedStore::load_together(Task* task, std::span<const FolioId> pages, Time page_work,
                                    std::span<bool> loaded) {
  FolioTable& folios = *parts_.folios;
  std::array<std::uint32_t, kMaxBatch> bytes{};
  for (std::size_t i = 0; i < pages.size(); ++i) {
    folios.remove(lru_, pages[i]);
    bytes.at(i) = folios[pages[i]].bytes;
  }
  Pool* pool = pools_.at(folios[pages.front()].pool).get();
  ++pool->users;
  std::array<int, kMaxBatch> errors{};
  co_await decompress_all(task, pool, std::span(bytes).first(pages.size()), page_work, errors);
  --pool->users;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    loaded[i] = conclude_load(task, pages[i], errors.at(i));
  }
}

bool CompressedStore::conclude_load(Task* task, FolioId id, int error) {
  FolioTable& folios = *parts_.folios;
  if (error != 0) {
    note_load_failed();
    folios.push_first(lru_, id);
    return false;
  }
  const std::uint32_t pages = folios.pages_of(id);
  note_loaded(pages);
  if (parts_.witness != nullptr) {
    for (std::uint32_t i = 0; i < pages; ++i) {
      parts_.witness->loaded(folios.task_of(id), folios.first_page(id) + i);
    }
  }
  free_entries(task->cpu, id);
  return true;
}

// --- For the counters

std::uint64_t CompressedStore::total_pages() const {
  std::uint64_t pages = 0;
  for (const std::unique_ptr<Pool>& pool : pools_) {
    if (pool != nullptr) pages += pool->zsmalloc.pages();
  }
  return pages;
}

bool CompressedStore::is_busy() const {
  return std::ranges::any_of(pools_,
                             [](const auto& pool) { return pool != nullptr && pool->users > 0; });
}

std::uint32_t CompressedStore::pools() const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(pools_, [](const auto& pool) { return pool != nullptr; }));
}

}  // namespace iaa_zswap::model
