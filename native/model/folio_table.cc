#include "model/folio_table.h"

namespace iaa_zswap::model {

FolioTable::FolioTable(std::uint32_t tasks, std::uint64_t task_pages, std::uint32_t order)
    : order_(order),
      task_pages_(task_pages),
      task_slots_(static_cast<std::uint32_t>((task_pages + slot_pages() - 1) >> order)),
      slots_(tasks * task_slots_),
      whole_(slots_) {}

void FolioTable::split(FolioId slot) {
  std::uint32_t block = 0;
  if (free_blocks_.empty()) {
    block = static_cast<std::uint32_t>(parents_.size());
    parents_.push_back(slot);
    single_.resize(single_.size() + slot_pages());
  } else {
    block = free_blocks_.back();
    free_blocks_.pop_back();
    parents_[block] = slot;
  }
  const std::uint32_t first = block << order_;
  Folio& whole = whole_[slot];
  for (std::uint32_t i = 0; i < slot_pages(); ++i) {
    Folio page;
    page.where = whole.where;
    page.pool = whole.pool;
    page.set(whole.place());
    page.young = whole.young;
    page.wanted = whole.wanted;
    page.orphan = whole.orphan;
    single_[first + i] = page;
  }
  whole = Folio{};
  whole.where = slots_ + first;
  whole.set(Place::kSplit);
}

void FolioTable::unsplit(FolioId slot) {
  free_blocks_.push_back((whole_[slot].where - slots_) >> order_);
  whole_[slot] = Folio{};
}

}  // namespace iaa_zswap::model
