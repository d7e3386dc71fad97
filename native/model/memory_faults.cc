// Faults and swap-in (mm/memory.c).
#include <algorithm>
#include <span>

#include "model/memory.h"

namespace iaa_zswap::model {
namespace {

/** Faults on single pages that are looked at together. */
constexpr std::uint32_t kFaultsAtOnce = 16;

Gfp large_folio_gfp(Defrag defrag) {
  switch (defrag) {
    case Defrag::kNoReclaim:
      return Gfp::kNoReclaim;
    case Defrag::kWakeKswapd:
      return Gfp::kWakeKswapd;
    default:
      return Gfp::kReclaim;
  }
}

}  // namespace

FolioId Memory::find(std::uint32_t owner, std::uint64_t page) const {
  const FolioTable& folios = *parts_.folios;
  const FolioId slot = folios.slot(owner, static_cast<std::uint32_t>(page >> folios.order()));
  if (folios[slot].place() != Place::kSplit) return slot;
  return folios.page(slot, static_cast<std::uint32_t>(page & (folios.slot_pages() - 1)));
}

bool Memory::touch_resident(std::uint32_t owner, std::uint64_t page, bool write) {
  Folio& folio = (*parts_.folios)[find(owner, page)];
  if (folio.place() != Place::kResident) return false;
  folio.young = 1;
  note({.owner = owner, .first = page, .pages = 1, .write = write}, 1);
  return true;
}

Co<bool> Memory::touch(Task* task, std::uint32_t owner, std::uint64_t first, std::uint32_t pages,
                       bool write) {
  FolioTable& folios = *parts_.folios;
  // What a fault can serve at once: a slot, or the pages of a table where slots are pages.
  const std::uint64_t stretch = folios.order() == 0 ? kPmdPages : folios.slot_pages();
  const std::uint64_t end = first + pages;
  while (first < end) {
    if (task->death != Death::kNone) co_return false;
    const std::uint64_t stop = std::min(end, (first / stretch + 1) * stretch);
    const Access access{.owner = owner,
                        .first = first,
                        .pages = static_cast<std::uint32_t>(stop - first),
                        .write = write};
    const FolioId id = find(owner, first);
    if (folios[id].place() == Place::kResident) {
      folios[id].young = 1;
      const std::uint32_t served = folios.pages_of(id) == 1 ? 1 : access.pages;
      note(access, served);
      first += served;
    } else {
      first += co_await fault(task, access, id);
    }
  }
  co_return true;
}

Co<std::uint32_t> Memory::fault(Task* task, Access access, FolioId id) {
  FolioTable& folios = *parts_.folios;
  const bool large = folios.pages_of(id) > 1;
  std::uint32_t served = 0;
  switch (folios[id].place()) {
    case Place::kStoring:
      // In the swap cache and locked. Whoever waits for it keeps it in memory.
      folios[id].wanted = 1;
      co_await parts_.waiters->until_unlocked(task, id);
      co_return 0;
    case Place::kNone:
      if (large) {
        bool got = false;
        if (folios.fits(id)) got = co_await fault_large(task, access.owner, id);
        if (got) served = access.pages;
        if (!got && folios[id].place() == Place::kNone) folios.split(id);
      } else {
        served = co_await fault_pages(task, access);
      }
      break;
    default:
      if (large) {
        served = co_await swap_in_folio(task, access, id);
      } else {
        const bool got = co_await swap_in(task, access.owner, id);
        if (got) served = 1;
      }
      break;
  }
  note(access, served);
  co_await return_to_user(task);
  co_return served;
}

void Memory::split_swapped(FolioId slot) {
  FolioTable& folios = *parts_.folios;
  if (folios[slot].place() == Place::kStored) {
    store_->split(slot);
  } else {
    parts_.swap->mix(folios[slot].where);
    folios.split(slot);
  }
}

void Memory::note(const Access& access, std::uint32_t pages) const {
  PageContent& content = *parts_.content;
  if (parts_.witness == nullptr && !content.changes()) return;
  for (std::uint64_t page = access.first; page < access.first + pages; ++page) {
    if (access.write && content.changes()) content.write(access.owner, page);
    if (parts_.witness == nullptr) continue;
    if (access.write) {
      parts_.witness->wrote(access.owner, page);
    } else {
      parts_.witness->read(access.owner, page);
    }
  }
}

void Memory::map(std::uint32_t owner, FolioId id) {
  FolioTable& folios = *parts_.folios;
  const std::uint32_t pages = folios.pages_of(id);
  folios[id].set(Place::kResident);
  folios[id].young = 0;
  folios.push_first(lru_, id);
  lru_pages_ += pages;
  resident_ += pages;
  if (pages > 1) ++large_folios_;
  Owner& found = owners_[owner];
  found.resident += pages;
  found.max_resident = std::max(found.max_resident, found.resident);
}

Co<bool> Memory::add_table(Task* task, std::uint32_t owner, std::uint64_t first_page) {
  const std::uint64_t table = first_page / kPmdPages;
  if (owners_[owner].tables[table]) co_return true;
  const bool charged = co_await charge(task, 1);
  if (charged) {
    owners_[owner].tables[table] = true;
    ++tables_;
  }
  co_return charged;
}

/** A large folio's charge, which may be refused. */
Co<bool> Memory::charge_large(Task* task) {
  const std::uint32_t pages = parts_.folios->slot_pages();
  Charge charged = parts_.memcg->try_charge(task, large_folio_gfp(thp_.defrag), pages);
  if (charged == Charge::kNeedsReclaim) {
    // __GFP_NORETRY: once.
    co_await reclaim(task, pages);
    charged = parts_.memcg->try_charge(task, Gfp::kNoReclaim, pages);
  }
  co_return charged == Charge::kDone;
}

Co<bool> Memory::fault_large(Task* task, std::uint32_t owner, FolioId slot) {
  const std::uint32_t pages = parts_.folios->slot_pages();
  Counters& counters = *parts_.counters;
  const bool table = co_await add_table(task, owner, parts_.folios->first_page(slot));
  if (!table) co_return false;
  const bool charged = co_await charge_large(task);
  if (!charged) {
    ++counters.anon_fault_fallback;
    ++counters.anon_fault_fallback_charge;
    if (pages == kPmdPages) {
      ++counters.thp_fault_fallback;
      ++counters.thp_fault_fallback_charge;
    }
    co_return false;
  }
  ++counters.pgfault;
  ++counters.anon_fault_alloc;
  if (pages == kPmdPages) ++counters.thp_fault_alloc;
  co_await parts_.scheduler->work(task, constants_.fault + constants_.clear_page * pages,
                                  Mode::kSystem);
  owners_[owner].pages += pages;
  map(owner, slot);
  co_return true;
}

Co<std::uint32_t> Memory::fault_pages(Task* task, Access access) {
  const bool table = co_await add_table(task, access.owner, access.first);
  if (!table) co_return 0;
  const bool charged = co_await charge(task, 1);
  if (!charged) co_return 0;
  // The next ones, too, as far as nothing else comes between: each is a fault of its own.
  const FolioTable& folios = *parts_.folios;
  std::uint32_t pages = 1;
  while (pages < std::min(access.pages, kFaultsAtOnce) && task->pages_over_high == 0 &&
         folios[find(access.owner, access.first + pages)].place() == Place::kNone &&
         parts_.memcg->has_room(task)) {
    parts_.memcg->try_charge(task, Gfp::kReclaim, 1);
    ++pages;
  }
  parts_.counters->pgfault += pages;
  co_await parts_.scheduler->work(task, (constants_.fault + constants_.clear_page) * pages,
                                  Mode::kSystem);
  owners_[access.owner].pages += pages;
  for (std::uint32_t i = 0; i < pages; ++i) {
    map(access.owner, find(access.owner, access.first + i));
  }
  co_return pages;
}

Co<bool> Memory::swap_in(Task* task, std::uint32_t owner, FolioId page) {
  const bool charged = co_await charge(task, 1);
  if (!charged) co_return false;
  // Charging may have slept, and the page may be on its way to the swap device.
  if (parts_.folios->operator[](page).place() == Place::kStoring) {
    parts_.memcg->uncharge(1);
    co_return false;
  }
  ++parts_.counters->pgfault;
  ++parts_.counters->pgmajfault;
  if (features_.swapin_batching && (*parts_.folios)[page].place() == Place::kStored) {
    const bool came = co_await swap_in_around(task, owner, page);
    co_return came;
  }
  const bool read = co_await read_back(task, page);
  if (!read) {
    parts_.memcg->uncharge(1);
    co_return false;
  }
  parts_.swap->release((*parts_.folios)[page].where, 1);
  map(owner, page);
  co_return true;
}

/**
 * alloc_swap_folio(): from a device without latency of its own a folio comes back as it went
 * (6.12); zswap, once enabled, has this end.
 */
bool Memory::comes_whole(FolioId slot) const {
  return store_->is_swap_device() && (*parts_.folios)[slot].place() == Place::kStored;
}

/** It comes whole, or its pages will fault one by one. */
Co<std::uint32_t> Memory::swap_in_folio(Task* task, Access access, FolioId slot) {
  bool got = false;
  if (comes_whole(slot)) got = co_await swap_in_large(task, access.owner, slot);
  if (got) co_return access.pages;
  if (task->death == Death::kNone) split_swapped(slot);
  co_return 0;
}

Co<bool> Memory::swap_in_large(Task* task, std::uint32_t owner, FolioId slot) {
  const std::uint32_t pages = parts_.folios->slot_pages();
  const bool charged = co_await charge_large(task);
  if (!charged) co_return false;
  ++parts_.counters->pgfault;
  ++parts_.counters->pgmajfault;
  const bool loaded = co_await store_->load(task, slot, constants_.swap_in_page / pages);
  if (!loaded) {
    parts_.memcg->uncharge(pages);
    tell_lost(task);
    co_return false;
  }
  parts_.swap->release((*parts_.folios)[slot].where, pages);
  map(owner, slot);
  co_return true;
}

Co<bool> Memory::read_back(Task* task, FolioId page) {
  const FolioTable& folios = *parts_.folios;
  const Place place = folios[page].place();
  if (place == Place::kStored) {
    const bool loaded = co_await store_->load(task, page, constants_.swap_in_page);
    if (!loaded) tell_lost(task);
    co_return loaded;
  }
  co_await parts_.scheduler->work(task, constants_.swap_in_page, Mode::kSystem);
  if (place == Place::kZero) {
    ++parts_.counters->swpin_zero;
  } else {
    co_await parts_.scheduler->sleep_until(task,
                                           parts_.simulation->now() + constants_.swap_read_latency);
    ++parts_.counters->pswpin;
  }
  if (parts_.witness != nullptr) {
    parts_.witness->swapped_in(folios.task_of(page), folios.first_page(page));
  }
  co_return true;
}

void Memory::tell_lost(Task* task) const {
  // zswap_load() gives -EIO, and the fault VM_FAULT_SIGBUS.
  ++parts_.counters->pages_lost;
  if (task->death == Death::kNone) ++parts_.counters->tasks_bus_error;
  task->death = Death::kBusError;
}

/** The page, and those in its window of 2^page-cluster that are in zswap's same pool. */
Memory::ReadAhead Memory::around(std::uint32_t owner, FolioId page) const {
  const FolioTable& folios = *parts_.folios;
  const std::uint64_t own = folios.first_page(page);
  const std::uint64_t window = std::min(kMaxBatch, 1U << page_cluster_);
  const std::uint64_t begin = own / window * window;
  const std::uint64_t all = std::uint64_t{folios.task_slots()} << folios.order();
  ReadAhead found{.pages = {page}, .count = 1};
  for (std::uint64_t each = begin; each < std::min(begin + window, all); ++each) {
    const FolioId id = find(owner, each);
    if (id == page || folios.pages_of(id) > 1 || folios[id].place() != Place::kStored) continue;
    if (folios[id].pool != folios[page].pool) continue;
    found.pages.at(found.count) = id;
    ++found.count;
  }
  return found;
}

Co<bool> Memory::swap_in_around(Task* task, std::uint32_t owner, FolioId page) {
  // Charging may sleep, and others may go to the swap device meanwhile.
  const std::uint32_t wanted = around(owner, page).count;
  std::uint32_t charged = 1;
  while (charged < wanted) {
    const bool more = co_await charge(task, 1);
    if (!more) break;
    ++charged;
  }
  FolioTable& folios = *parts_.folios;
  if (folios[page].place() != Place::kStored) {
    parts_.memcg->uncharge(charged);
    co_return false;
  }
  ReadAhead ahead = around(owner, page);
  ahead.count = std::min(ahead.count, charged);
  parts_.memcg->uncharge(charged - ahead.count);
  std::array<bool, kMaxBatch> loaded{};
  co_await store_->load_together(task, std::span(ahead.pages).first(ahead.count),
                                 constants_.swap_in_page, std::span(loaded).first(ahead.count));
  for (std::uint32_t i = 0; i < ahead.count; ++i) {
    if (!loaded.at(i)) {
      parts_.memcg->uncharge(1);
      continue;
    }
    parts_.swap->release(folios[ahead.pages.at(i)].where, 1);
    map(owner, ahead.pages.at(i));
  }
  if (!loaded.front()) tell_lost(task);
  co_return loaded.front();
}

}  // namespace iaa_zswap::model
