// Reclaim in the order of the LRU (mm/vmscan.c).
#include <algorithm>
#include <span>

#include "model/memory.h"

namespace iaa_zswap::model {
namespace {

/** Writes to the swap device that may wait before reclaim does. */
constexpr Time kLongestBacklog = 10'000'000;

}  // namespace

bool Memory::can_swap() const {
  const std::uint64_t limit = parts_.memcg->limits().swap_max;
  return parts_.swap->free_pages() > 0 && parts_.swap->used_pages() < limit;
}

Co<std::uint32_t> Memory::reclaim(Task* task, std::uint32_t wanted) {
  const std::uint32_t target = std::max(wanted, kSwapClusterMax);
  // As often as priorities go round, kernels give up as well.
  std::uint64_t budget = 2 * lru_pages_ + target;
  std::uint32_t reclaimed = 0;
  const bool together = features_.reclaim_batching && !parts_.content->is_zero();
  const Time begin = parts_.simulation->now();
  while (reclaimed < target && can_swap()) {
    const Isolated isolated = isolate();
    if (isolated.count == 0) break;
    std::uint32_t freed = 0;
    if (together) {
      freed = co_await page_out_together(task, &isolated);
    } else {
      for (std::uint32_t i = 0; i < isolated.count; ++i) {
        freed += co_await page_out(task, isolated.folios.at(i));
      }
    }
    // Folios that are freed come off the counter together.
    parts_.memcg->uncharge(freed);
    parts_.counters->pgsteal += freed;
    reclaimed += freed;
    if (isolated.scanned > budget) break;
    budget -= isolated.scanned;
  }
  parts_.trace->span(ChromeTrace::Kind::kTask, task->number, "reclaim", begin,
                     parts_.simulation->now());
  co_return reclaimed;
}

Memory::Isolated Memory::isolate() {
  FolioTable& folios = *parts_.folios;
  Isolated isolated;
  std::uint32_t pages = 0;
  while (pages < kSwapClusterMax && lru_.last != kNoFolio) {
    const FolioId id = lru_.last;
    Folio& folio = folios[id];
    isolated.scanned += folios.pages_of(id);
    folios.remove(lru_, id);
    if (folio.young != 0) {
      folio.young = 0;
      folios.push_first(lru_, id);
      continue;
    }
    folio.set(Place::kStoring);
    lru_pages_ -= folios.pages_of(id);
    pages += folios.pages_of(id);
    isolated.folios.at(isolated.count) = id;
    ++isolated.count;
  }
  parts_.counters->pgscan += isolated.scanned;
  return isolated;
}

void Memory::put_back(FolioId id) {
  FolioTable& folios = *parts_.folios;
  folios[id].set(Place::kResident);
  folios[id].wanted = 0;
  folios.push_first(lru_, id);
  lru_pages_ += folios.pages_of(id);
  parts_.waiters->unlock(id);
}

void Memory::split_resident(FolioId slot) {
  FolioTable& folios = *parts_.folios;
  Counters& counters = *parts_.counters;
  ++counters.folio_swpout_fallback;
  ++counters.folio_split;
  if (folios.slot_pages() == kPmdPages) {
    ++counters.thp_swpout_fallback;
    ++counters.thp_split_page;
  }
  --large_folios_;
  folios.split(slot);
  // The first of them go next.
  for (std::uint32_t i = folios.slot_pages(); i > 0; --i) {
    const FolioId page = folios.page(slot, i - 1);
    folios[page].set(Place::kResident);
    folios.push_last(lru_, page);
  }
  lru_pages_ += folios.slot_pages();
  parts_.waiters->unlock(slot);
}

bool Memory::add_to_swap(Task* task, FolioId id) const {
  const std::uint32_t pages = parts_.folios->pages_of(id);
  Counters& counters = *parts_.counters;
  if (parts_.swap->used_pages() + pages > parts_.memcg->limits().swap_max) {
    ++counters.swap_max;
    ++counters.swap_fail;
    return false;
  }
  const auto cluster = parts_.swap->allocate(pages > 1, task->cpu);
  if (!cluster) {
    ++counters.swap_fail;
    return false;
  }
  (*parts_.folios)[id].where = *cluster;
  return true;
}

Co<> Memory::write_to_swap(Task* task, FolioId id) {
  const std::uint32_t pages = parts_.folios->pages_of(id);
  parts_.counters->count_swapped_out(pages);
  tell_swapped_out(id);
  const Time done =
      parts_.swap_device->serve(parts_.simulation->now(), constants_.swap_write_page * pages);
  co_await parts_.scheduler->sleep_until(task, done - kLongestBacklog);
}

void Memory::tell_swapped_out(FolioId id) const {
  if (parts_.witness == nullptr) return;
  const FolioTable& folios = *parts_.folios;
  for (std::uint32_t i = 0; i < folios.pages_of(id); ++i) {
    parts_.witness->swapped_out(folios.task_of(id), folios.first_page(id) + i);
  }
}

/** What has to be done before the folio is stored; pages that were freed when it is not to be. */
std::optional<std::uint32_t> Memory::begin_page_out(Task* task, FolioId id) {
  const FolioTable& folios = *parts_.folios;
  if (folios[id].orphan != 0) return remove_mapping_of(task->cpu, id, Place::kNone);
  if (folios[id].wanted != 0) {
    put_back(id);
    return 0;
  }
  if (add_to_swap(task, id)) return std::nullopt;
  if (folios.pages_of(id) > 1) {
    split_resident(id);
  } else {
    put_back(id);
  }
  return 0;
}

Co<std::uint32_t> Memory::page_out(Task* task, FolioId id) {
  if (const auto freed = begin_page_out(task, id)) co_return *freed;
  const std::uint32_t pages = parts_.folios->pages_of(id);
  const PageWork work = reclaim_work(pages);
  if (parts_.content->is_zero()) {
    co_await parts_.scheduler->work(task, work.alone * pages, Mode::kSystem);
    parts_.counters->swpout_zero += pages;
    tell_swapped_out(id);
    co_return remove_mapping_of(task->cpu, id, Place::kZero);
  }
  const bool stored = co_await store_->store(task, id, work);
  if (stored) co_return remove_mapping(task->cpu, id, Place::kStored);
  co_return co_await page_out_elsewhere(task, id);
}

/** To the swap device, where there is another and it may be written to. */
Co<std::uint32_t> Memory::page_out_elsewhere(Task* task, FolioId id) {
  const FolioTable& folios = *parts_.folios;
  if (store_->is_swap_device() || !parts_.memcg->limits().zswap_writeback) {
    parts_.swap->release(folios[id].where, folios.pages_of(id));
    if (folios[id].orphan != 0) co_return remove_mapping_of(task->cpu, id, Place::kNone);
    put_back(id);
    co_return 0;
  }
  co_await write_to_swap(task, id);
  co_return remove_mapping_of(task->cpu, id, Place::kSwap);
}

/** shrink_folio_list() as the letter's roadmap has it: all swap entries first, then one store. */
Co<std::uint32_t> Memory::page_out_together(Task* task, const Isolated* isolated) {
  std::array<CompressedStore::Storing, kSwapClusterMax> storing{};
  std::uint32_t count = 0;
  std::uint32_t freed = 0;
  for (std::uint32_t i = 0; i < isolated->count; ++i) {
    const FolioId id = isolated->folios.at(i);
    if (const auto done = begin_page_out(task, id)) {
      freed += *done;
    } else {
      storing.at(count) = {.id = id, .work = reclaim_work(parts_.folios->pages_of(id))};
      ++count;
    }
  }
  co_await store_->store_together(task, std::span(storing).first(count));
  for (std::uint32_t i = 0; i < count; ++i) {
    const FolioId id = storing.at(i).id;
    if (storing.at(i).stored) {
      freed += remove_mapping(task->cpu, id, Place::kStored);
    } else {
      freed += co_await page_out_elsewhere(task, id);
    }
  }
  co_return freed;
}

std::uint32_t Memory::remove_mapping(std::uint32_t cpu, FolioId id, Place place) {
  FolioTable& folios = *parts_.folios;
  if (folios[id].place() != Place::kSplit) return remove_mapping_of(cpu, id, place);
  // The store gave each page a record of its own.
  --large_folios_;
  std::uint32_t removed = 0;
  for (std::uint32_t i = 0; i < folios.slot_pages(); ++i) {
    removed += remove_mapping_of(cpu, folios.page(id, i), place);
  }
  parts_.waiters->unlock(id);
  return removed;
}

void Memory::drop_copy(std::uint32_t cpu, FolioId id, Place place) {
  const FolioTable& folios = *parts_.folios;
  if (place == Place::kNone) return;
  parts_.swap->release(folios[id].where, folios.pages_of(id));
  if (place == Place::kStored) {
    store_->drop(cpu, id);
  } else if (parts_.witness != nullptr) {
    for (std::uint32_t i = 0; i < folios.pages_of(id); ++i) {
      parts_.witness->dropped(folios.task_of(id), folios.first_page(id) + i);
    }
  }
}

std::uint32_t Memory::remove_mapping_of(std::uint32_t cpu, FolioId id, Place place) {
  FolioTable& folios = *parts_.folios;
  const std::uint32_t pages = folios.pages_of(id);
  const std::uint32_t owner = folios.task_of(id);
  Folio& folio = folios[id];
  const bool goes = folio.wanted == 0 && folio.orphan == 0;
  if (!goes) drop_copy(cpu, id, place);
  if (folio.orphan != 0) {
    folio = Folio{};
    if (parts_.witness != nullptr) {
      for (std::uint32_t i = 0; i < pages; ++i) {
        parts_.witness->freed(owner, folios.first_page(id) + i);
      }
    }
  } else if (!goes) {
    put_back(id);
    return 0;
  } else {
    if (parts_.witness != nullptr) {
      for (std::uint32_t i = 0; i < pages; ++i) {
        parts_.witness->reclaimed(owner, folios.first_page(id) + i);
      }
    }
    folio.set(place);
    // zswap gives a new entry another round, too.
    folio.young = 1;
    if (place == Place::kStored) store_->add_to_lru(id);
  }
  if (pages > 1) --large_folios_;
  unmap(owner, pages);
  parts_.waiters->unlock(id);
  return pages;
}

void Memory::unmap(std::uint32_t owner, std::uint32_t pages) {
  resident_ -= pages;
  owners_[owner].resident -= pages;
}

}  // namespace iaa_zswap::model
