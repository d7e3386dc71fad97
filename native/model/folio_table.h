#ifndef IAA_ZSWAP_MODEL_FOLIO_TABLE_H_
#define IAA_ZSWAP_MODEL_FOLIO_TABLE_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "model/config.h"

namespace iaa_zswap::model {

/** Number of a record in the table. */
using FolioId = std::uint32_t;
inline constexpr FolioId kNoFolio = std::numeric_limits<FolioId>::max();

/** Where the pages of a record are. */
enum class Place : std::uint8_t {
  kNone,      // never touched, or freed
  kResident,  // in memory, on the LRU
  kStoring,   // in memory and isolated: reclaim is at work on it
  kStored,    // compressed, in zswap or zram, and a swap entry for each page
  kSwap,      // on the swap device
  kZero,      // wholly zero: a swap entry and nothing else
  kSplit,     // each page has a record of its own
};

/**
 * A folio, or the place where one was and may be again: 16 bytes for any number of pages. As long
 * as all pages of a large one fare alike, it is one record.
 */
struct Folio {
  FolioId previous = kNoFolio;
  FolioId next = kNoFolio;
  /** Of kStored, kSwap and kZero: the swap cluster. Of kSplit: the first of the pages' records. */
  std::uint32_t where = 0;
  /** Compressed, of all pages together: at most 2 MiB. */
  std::uint32_t bytes : 22 = 0;
  std::uint32_t pool : 4 = 0;
  std::uint32_t place_ : 3 = 0;
  /** Touched since it came onto its list. */
  std::uint32_t young : 1 = 0;
  /** Touched while it was being stored: it stays in memory. */
  std::uint32_t wanted : 1 = 0;
  /** Its owner freed it while it was being stored. */
  std::uint32_t orphan : 1 = 0;

  [[nodiscard]] Place place() const { return static_cast<Place>(place_); }
  void set(Place place) { place_ = static_cast<std::uint32_t>(place) & 7U; }
};
static_assert(sizeof(Folio) == 16);

/** A list through the records, oldest last. */
struct FolioList {
  FolioId first = kNoFolio;
  FolioId last = kNoFolio;
};

/**
 * The memory of all tasks: for each the same number of slots of one large folio each (of one page
 * where no larger folios are enabled), and records of single pages for slots that are split.
 */
class FolioTable {
 public:
  FolioTable(std::uint32_t tasks, std::uint64_t task_pages, std::uint32_t order);

  [[nodiscard]] std::uint32_t order() const { return order_; }
  /** Pages of a slot. */
  [[nodiscard]] std::uint32_t slot_pages() const { return 1U << order_; }
  [[nodiscard]] std::uint32_t task_slots() const { return task_slots_; }
  [[nodiscard]] FolioId slot(std::uint32_t task, std::uint32_t index) const {
    return task * task_slots_ + index;
  }

  /** Good until the next split(). */
  Folio& operator[](FolioId id) { return is_slot(id) ? whole_[id] : single_[id - slots_]; }
  const Folio& operator[](FolioId id) const {
    return is_slot(id) ? whole_[id] : single_[id - slots_];
  }

  [[nodiscard]] bool is_slot(FolioId id) const { return id < slots_; }
  [[nodiscard]] std::uint32_t pages_of(FolioId id) const { return is_slot(id) ? slot_pages() : 1; }
  /** The slot that a record is, or is a page of. */
  [[nodiscard]] FolioId slot_of(FolioId id) const {
    return is_slot(id) ? id : parents_[(id - slots_) >> order_];
  }
  [[nodiscard]] std::uint32_t task_of(FolioId id) const { return slot_of(id) / task_slots_; }
  /** Number of a record's first page within its task's memory. */
  [[nodiscard]] std::uint64_t first_page(FolioId id) const {
    const std::uint64_t slot = slot_of(id) % task_slots_;
    return (slot << order_) + (is_slot(id) ? 0 : (id - slots_) & (slot_pages() - 1));
  }
  /** A task's last slot may reach beyond its memory: no large folio fits there. */
  [[nodiscard]] bool fits(FolioId slot) const {
    return first_page(slot) + slot_pages() <= task_pages_;
  }
  /** The record of a page of a split slot. */
  [[nodiscard]] FolioId page(FolioId slot, std::uint32_t index) const {
    return whole_[slot].where + index;
  }

  /**
   * Gives each page of a slot a record of its own, in the same place as the slot was, but on no
   * list; `bytes` stays 0.
   */
  void split(FolioId slot);
  /** Takes the records of a split slot's pages back, which are all kNone; so is the slot then. */
  void unsplit(FolioId slot);

  void push_first(FolioList& list, FolioId id) {
    Folio& folio = (*this)[id];
    folio.previous = kNoFolio;
    folio.next = list.first;
    (list.first == kNoFolio ? list.last : (*this)[list.first].previous) = id;
    list.first = id;
  }
  void push_last(FolioList& list, FolioId id) {
    Folio& folio = (*this)[id];
    folio.next = kNoFolio;
    folio.previous = list.last;
    (list.last == kNoFolio ? list.first : (*this)[list.last].next) = id;
    list.last = id;
  }
  /** In front of `next`, the older neighbour; behind all when that is none. */
  void insert(FolioList& list, FolioId id, FolioId next) {
    if (next == kNoFolio) {
      push_last(list, id);
      return;
    }
    Folio& folio = (*this)[id];
    folio.next = next;
    folio.previous = (*this)[next].previous;
    (*this)[next].previous = id;
    (folio.previous == kNoFolio ? list.first : (*this)[folio.previous].next) = id;
  }
  void remove(FolioList& list, FolioId id) {
    const Folio& folio = (*this)[id];
    (folio.previous == kNoFolio ? list.first : (*this)[folio.previous].next) = folio.next;
    (folio.next == kNoFolio ? list.last : (*this)[folio.next].previous) = folio.previous;
  }

 private:
  std::uint32_t order_;
  std::uint64_t task_pages_;
  std::uint32_t task_slots_;
  FolioId slots_;
  std::vector<Folio> whole_;
  /** Records of single pages, a block for each slot that is split. */
  std::vector<Folio> single_;
  /** Of each block. */
  std::vector<FolioId> parents_;
  std::vector<std::uint32_t> free_blocks_;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_FOLIO_TABLE_H_
