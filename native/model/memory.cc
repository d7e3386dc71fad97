#include "model/memory.h"

#include <algorithm>
#include <span>
#include <utility>

namespace iaa_zswap::model {
namespace {

/** MAX_RECLAIM_RETRIES. */
constexpr std::uint32_t kReclaimRetries = 16;
/** Pages of an allocation for which charging goes on as long as reclaim gets anything. */
constexpr std::uint32_t kCostlyPages = 8;
/** HZ / 100 and MEMCG_MAX_HIGH_DELAY_JIFFIES as times. */
constexpr Time kShortDelay = 10'000'000;
constexpr Time kLongestDelay = 2'000'000'000;
/** Writes to the swap device that may wait before reclaim does. */
constexpr Time kLongestBacklog = 10'000'000;
/** What a task that waits for the OOM killer's victim sleeps. */
constexpr Time kVictimWait = 1'000'000;
/** Faults on single pages that are looked at together. */
constexpr std::uint32_t kFaultsAtOnce = 16;
/** Order of the folios that costs are given for. */
constexpr std::int64_t kCostOrder = 4;

std::int64_t order_of(std::uint32_t pages) {
  std::int64_t order = 0;
  while ((1U << order) < pages) ++order;
  return order;
}

/** Time of all pages of a folio, from that of a page in a 64 KiB folio and the part in a PMD's. */
Time scaled(Time page_time, std::int64_t pmd_permille, std::uint32_t pages) {
  const std::int64_t above = std::max<std::int64_t>(0, order_of(pages) - kCostOrder);
  const std::int64_t less = (1000 - pmd_permille) * above / (kPmdOrder - kCostOrder);
  return page_time * pages * (1000 - less) / 1000;
}

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

Memory::Memory(const Parts& parts, Zswap* zswap, const Config& config, std::uint32_t owners)
    : parts_(parts),
      zswap_(zswap),
      features_(config.kernel),
      constants_(config.constants),
      thp_(config.thp),
      page_cluster_(config.machine.page_cluster),
      owners_(owners) {
  const std::uint64_t pages = std::uint64_t{parts_.folios->task_slots()} << parts_.folios->order();
  for (Owner& owner : owners_) owner.tables.resize((pages + kPmdPages - 1) / kPmdPages);
}

PageWork Memory::reclaim_work(std::uint32_t pages) const {
  return {.alone = scaled(constants_.reclaim_page, constants_.pmd_reclaim_permille, pages) / pages,
          .contended = contended_time(constants_.contended_page, pages) / pages};
}

Time Memory::contended_time(Time page_time, std::uint32_t pages) const {
  return scaled(page_time, constants_.pmd_contended_permille, pages);
}

// --- Faults

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
        split_swapped(id);
        co_return 0;
      }
      const bool got = co_await swap_in(task, access.owner, id);
      if (got) served = 1;
      break;
  }
  note(access, served);
  co_await return_to_user(task);
  co_return served;
}

void Memory::split_swapped(FolioId slot) {
  FolioTable& folios = *parts_.folios;
  if (folios[slot].place() == Place::kZswap) {
    zswap_->split(slot);
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

Co<bool> Memory::fault_large(Task* task, std::uint32_t owner, FolioId slot) {
  const std::uint32_t pages = parts_.folios->slot_pages();
  Counters& counters = *parts_.counters;
  const bool table = co_await add_table(task, owner, parts_.folios->first_page(slot));
  if (!table) co_return false;
  Charge charged = parts_.memcg->try_charge(task, large_folio_gfp(thp_.defrag), pages);
  if (charged == Charge::kNeedsReclaim) {
    // __GFP_NORETRY: once.
    co_await reclaim(task, pages);
    charged = parts_.memcg->try_charge(task, Gfp::kNoReclaim, pages);
  }
  if (charged != Charge::kDone) {
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
  if (features_.swapin_batching && (*parts_.folios)[page].place() == Place::kZswap) {
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

Co<bool> Memory::read_back(Task* task, FolioId page) {
  const FolioTable& folios = *parts_.folios;
  const Place place = folios[page].place();
  if (place == Place::kZswap) {
    const bool loaded = co_await zswap_->load(task, page, constants_.swap_in_page);
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
    if (id == page || folios.pages_of(id) > 1 || folios[id].place() != Place::kZswap) continue;
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
  if (folios[page].place() != Place::kZswap) {
    parts_.memcg->uncharge(charged);
    co_return false;
  }
  ReadAhead ahead = around(owner, page);
  ahead.count = std::min(ahead.count, charged);
  parts_.memcg->uncharge(charged - ahead.count);
  std::array<bool, kMaxBatch> loaded{};
  co_await zswap_->load_together(task, std::span(ahead.pages).first(ahead.count),
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

// --- Charging

Co<bool> Memory::charge(Task* task, std::uint32_t pages) {
  bool drained = false;
  std::uint32_t retries = kReclaimRetries;
  const Time begin = parts_.simulation->now();
  while (task->death == Death::kNone) {
    if (parts_.simulation->now() - begin > kHungTask) co_await Scheduler::hang(task);
    if (parts_.memcg->try_charge(task, Gfp::kReclaim, pages) == Charge::kDone) co_return true;
    const std::uint32_t reclaimed = co_await reclaim(task, pages);
    if (parts_.memcg->margin() >= pages) continue;
    if (!drained) {
      drained = true;
      parts_.memcg->drain_all();
      continue;
    }
    if (reclaimed > 0 && pages <= kCostlyPages) continue;
    if (retries > 0) {
      --retries;
      continue;
    }
    ++parts_.counters->memory_oom;
    kill_largest();
    retries = kReclaimRetries;
    if (task->death == Death::kNone) {
      co_await parts_.scheduler->sleep_until(task, parts_.simulation->now() + kVictimWait);
    }
  }
  co_return false;
}

void Memory::kill_largest() {
  Owner* largest = nullptr;
  for (Owner& owner : owners_) {
    if (owner.task == nullptr || owner.task->hung || owner.pages == 0) continue;
    // One victim at a time: the memory of a dying one is as good as free.
    if (owner.task->death != Death::kNone) return;
    if (largest == nullptr || owner.pages > largest->pages) largest = &owner;
  }
  if (largest == nullptr) return;
  ++parts_.counters->memory_oom_kill;
  largest->task->death = Death::kOutOfMemory;
}

Co<> Memory::return_to_user(Task* task) {
  // Reclaim's own charges may call for more of it.
  while (task->pages_over_high > 0 && task->death == Death::kNone) co_await handle_over_high(task);
}

Co<> Memory::handle_over_high(Task* task) {
  const std::uint32_t pages = std::exchange(task->pages_over_high, 0);
  std::uint32_t wanted = pages;
  std::uint32_t retries = kReclaimRetries;
  for (;;) {
    std::uint32_t reclaimed = 0;
    if (parts_.memcg->is_over_high()) {
      ++parts_.counters->memory_high;
      reclaimed = co_await reclaim(task, wanted);
    }
    const Time delay = high_delay(pages);
    if (delay <= kShortDelay) co_return;
    if (reclaimed == 0 && retries == 0) {
      co_await parts_.scheduler->sleep_until(task, parts_.simulation->now() + delay);
      co_return;
    }
    if (reclaimed == 0) --retries;
    wanted = kSwapClusterMax;
  }
}

Time Memory::high_delay(std::uint32_t pages) const {
  const std::uint64_t high = std::max<std::uint64_t>(1, parts_.memcg->limits().high);
  const std::uint64_t usage = parts_.memcg->usage();
  if (usage <= high) return 0;
  // calculate_high_delay(): MEMCG_DELAY_PRECISION_SHIFT 20, MEMCG_DELAY_SCALING_SHIFT 14.
  const double overage = static_cast<double>(usage - high) / static_cast<double>(high) * 0x1p20;
  const double seconds = overage * overage * 0x1p-34 * pages / kChargeBatch;
  return static_cast<Time>(std::min(seconds * 1e9, static_cast<double>(kLongestDelay)));
}

// --- Reclaim

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
  Counters& counters = *parts_.counters;
  counters.pswpout += pages;
  if (pages > 1) ++counters.folio_swpout;
  if (pages == kPmdPages) ++counters.thp_swpout;
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
  const bool stored = co_await zswap_->store(task, id, work);
  if (stored) co_return remove_mapping(task->cpu, id, Place::kZswap);
  co_return co_await page_out_elsewhere(task, id);
}

/** To the swap device, where that is allowed. */
Co<std::uint32_t> Memory::page_out_elsewhere(Task* task, FolioId id) {
  const FolioTable& folios = *parts_.folios;
  if (!parts_.memcg->limits().zswap_writeback) {
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
  std::array<Zswap::Storing, kSwapClusterMax> storing{};
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
  co_await zswap_->store_together(task, std::span(storing).first(count));
  for (std::uint32_t i = 0; i < count; ++i) {
    const FolioId id = storing.at(i).id;
    if (storing.at(i).stored) {
      freed += remove_mapping(task->cpu, id, Place::kZswap);
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
  if (place == Place::kZswap) {
    zswap_->drop(cpu, id);
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
    if (place == Place::kZswap) zswap_->add_to_lru(id);
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

// --- Exit

Time Memory::freeing_time(FolioId id) const {
  const std::uint32_t pages = parts_.folios->pages_of(id);
  switch ((*parts_.folios)[id].place()) {
    case Place::kNone:
    case Place::kSplit:
      return 0;
    case Place::kResident:
    case Place::kStoring:
      return contended_time(constants_.contended_page, pages);
    default:
      return contended_time(
          features_.batched_store ? constants_.zswap_entry_v9 : constants_.zswap_entry_mainline,
          pages);
  }
}

Time Memory::slot_freeing_time(FolioId slot) const {
  const FolioTable& folios = *parts_.folios;
  if (folios[slot].place() != Place::kSplit) return freeing_time(slot);
  Time time = 0;
  for (std::uint32_t i = 0; i < folios.slot_pages(); ++i) {
    time += freeing_time(folios.page(slot, i));
  }
  return time;
}

Co<> Memory::free_all(Task* task, std::uint32_t owner) {
  const FolioTable& folios = *parts_.folios;
  const std::uint32_t table_slots = std::max(1U, kPmdPages >> folios.order());
  for (std::uint32_t first = 0; first < folios.task_slots(); first += table_slots) {
    const std::uint32_t end = std::min(first + table_slots, folios.task_slots());
    Time time = 0;
    for (std::uint32_t i = first; i < end; ++i) time += slot_freeing_time(folios.slot(owner, i));
    if (time > 0) {
      co_await parts_.scheduler->spin_until(
          task, parts_.contended->serve(parts_.simulation->now(), time));
    }
    for (std::uint32_t i = first; i < end; ++i) free_slot(task->cpu, folios.slot(owner, i));
    const std::uint64_t table = (std::uint64_t{first} << folios.order()) / kPmdPages;
    if (!owners_[owner].tables[table]) continue;
    owners_[owner].tables[table] = false;
    parts_.memcg->uncharge_kernel_page(task->cpu);
    --tables_;
  }
  owners_[owner].pages = 0;
}

void Memory::free_slot(std::uint32_t cpu, FolioId slot) {
  FolioTable& folios = *parts_.folios;
  if (folios[slot].place() != Place::kSplit) {
    free_record(cpu, slot);
    return;
  }
  bool all_free = true;
  for (std::uint32_t i = 0; i < folios.slot_pages(); ++i) {
    const FolioId page = folios.page(slot, i);
    free_record(cpu, page);
    all_free = all_free && folios[page].place() == Place::kNone;
  }
  if (all_free) folios.unsplit(slot);
}

void Memory::free_record(std::uint32_t cpu, FolioId id) {
  FolioTable& folios = *parts_.folios;
  const std::uint32_t pages = folios.pages_of(id);
  const std::uint32_t owner = folios.task_of(id);
  Folio& folio = folios[id];
  switch (folio.place()) {
    case Place::kNone:
    case Place::kSplit:
      return;
    case Place::kStoring:
      // Whoever works on it frees it when it is done.
      folio.orphan = 1;
      return;
    case Place::kResident:
      folios.remove(lru_, id);
      lru_pages_ -= pages;
      if (pages > 1) --large_folios_;
      parts_.memcg->uncharge(pages);
      unmap(owner, pages);
      break;
    case Place::kZswap:
      zswap_->invalidate(cpu, id);
      parts_.swap->release(folio.where, pages);
      break;
    default:
      parts_.swap->release(folio.where, pages);
      break;
  }
  folio = Folio{};
  if (parts_.witness == nullptr) return;
  for (std::uint32_t i = 0; i < pages; ++i) {
    parts_.witness->freed(owner, folios.first_page(id) + i);
  }
}

Memory::Pages Memory::count_pages() const {
  const FolioTable& folios = *parts_.folios;
  Pages pages;
  const auto slots = static_cast<FolioId>(owners_.size() * folios.task_slots());
  for (FolioId slot = 0; slot < slots; ++slot) {
    const bool split = folios[slot].place() == Place::kSplit;
    for (std::uint32_t i = 0; i < (split ? folios.slot_pages() : 1); ++i) {
      const FolioId id = split ? folios.page(slot, i) : slot;
      if (folios[id].place() == Place::kResident) pages.resident += folios.pages_of(id);
    }
  }
  std::uint64_t listed = 0;
  for (FolioId id = lru_.first; id != kNoFolio; id = folios[id].next) {
    listed += folios.pages_of(id);
    if (folios[id].place() != Place::kResident) pages.lost += folios.pages_of(id);
  }
  if (listed != lru_pages_) ++pages.lost;
  return pages;
}

}  // namespace iaa_zswap::model
