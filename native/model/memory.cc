#include "model/memory.h"

#include <algorithm>
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
/** What a task that waits for the OOM killer's victim sleeps. */
constexpr Time kVictimWait = 1'000'000;
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

}  // namespace

Memory::Memory(const Parts& parts, CompressedStore* store, const Config& config,
               std::uint32_t owners)
    : parts_(parts),
      store_(store),
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
      return contended_time(store_->entry_time(), pages);
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
    case Place::kStored:
      store_->invalidate(cpu, id);
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
