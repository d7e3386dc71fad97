#ifndef IAA_ZSWAP_MODEL_MEMORY_H_
#define IAA_ZSWAP_MODEL_MEMORY_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/compressed_store.h"
#include "model/config.h"
#include "model/coroutine.h"
#include "model/folio_table.h"
#include "model/memcg.h"

namespace iaa_zswap::model {

/**
 * Anonymous memory of the tasks: faults by folio size, reclaim in the order of the LRU, swap-in,
 * and what happens at exit (mm/memory.c, mm/vmscan.c). One list serves all: a folio that was
 * touched since it came onto it gets another round.
 */
class Memory {
 public:
  Memory(const Parts& parts, CompressedStore* store, const Config& config, std::uint32_t owners);

  /** Who is killed when this owner's memory is to be freed. */
  void set_task(std::uint32_t owner, Task* task) { owners_[owner].task = task; }

  [[nodiscard]] FramePool& frame_pool() const { return parts_.simulation->frame_pool(); }

  /**
   * A task touches `pages` pages of an owner's memory, ascending from `first`; faults as needed.
   * False when it gets a signal that ends it (task->death).
   */
  Co<bool> touch(Task* task, std::uint32_t owner, std::uint64_t first, std::uint32_t pages,
                 bool write);

  /** The same for a page that is in memory, which takes no time; false when it is not. */
  bool touch_resident(std::uint32_t owner, std::uint64_t page, bool write);

  /** Frees all memory of an owner, as its exit or munmap(2) does. */
  Co<> free_all(Task* task, std::uint32_t owner);

  /** Memory that the workload has and that cannot be reclaimed. */
  void charge_fixed(std::uint64_t pages) {
    fixed_ += pages;
    parts_.memcg->charge_fixed(pages);
  }

  // For the counters; pages.
  [[nodiscard]] std::uint64_t resident_pages() const { return resident_; }
  [[nodiscard]] std::uint64_t table_pages() const { return tables_; }
  [[nodiscard]] std::uint64_t large_folios() const { return large_folios_; }
  [[nodiscard]] std::uint64_t fixed_pages() const { return fixed_; }
  [[nodiscard]] std::uint64_t lru_pages() const { return lru_pages_; }
  /** The most that an owner ever had in memory. */
  [[nodiscard]] std::uint64_t max_resident(std::uint32_t owner) const {
    return owners_[owner].max_resident;
  }

  /** Pages as the records have them; those on the LRU that are not there are lost. */
  struct Pages {
    std::uint64_t resident = 0;
    std::uint64_t lost = 0;
  };
  [[nodiscard]] Pages count_pages() const;

 private:
  struct Owner {
    std::uint64_t resident = 0;
    std::uint64_t max_resident = 0;
    /** Resident, swapped or in zswap. */
    std::uint64_t pages = 0;
    /** Which page tables it has, each of 512 pages. */
    std::vector<bool> tables;
    Task* task = nullptr;
  };

  /** Folios that reclaim has taken off the LRU at once. */
  struct Isolated {
    std::array<FolioId, kSwapClusterMax> folios{};
    std::uint32_t count = 0;
    std::uint64_t scanned = 0;
  };

  /** Pages that come into memory together. */
  struct ReadAhead {
    std::array<FolioId, kMaxBatch> pages{};
    std::uint32_t count = 0;
  };

  /** A part of a task's access that lies in one slot, or in one page table without larger folios.
   */
  struct Access {
    std::uint32_t owner;
    std::uint64_t first;
    std::uint32_t pages;
    bool write;
  };

  [[nodiscard]] PageWork reclaim_work(std::uint32_t pages) const;
  [[nodiscard]] Time contended_time(Time page_time, std::uint32_t pages) const;

  // Faults.
  [[nodiscard]] FolioId find(std::uint32_t owner, std::uint64_t page) const;
  Co<std::uint32_t> fault(Task* task, Access access, FolioId id);
  Co<bool> fault_large(Task* task, std::uint32_t owner, FolioId slot);
  Co<std::uint32_t> fault_pages(Task* task, Access access);
  [[nodiscard]] bool comes_whole(FolioId slot) const;
  Co<std::uint32_t> swap_in_folio(Task* task, Access access, FolioId slot);
  Co<bool> swap_in_large(Task* task, std::uint32_t owner, FolioId slot);
  Co<bool> swap_in(Task* task, std::uint32_t owner, FolioId page);
  Co<bool> read_back(Task* task, FolioId page);
  Co<bool> swap_in_around(Task* task, std::uint32_t owner, FolioId page);
  [[nodiscard]] ReadAhead around(std::uint32_t owner, FolioId page) const;
  void tell_lost(Task* task) const;
  Co<bool> add_table(Task* task, std::uint32_t owner, std::uint64_t first_page);
  Co<bool> charge(Task* task, std::uint32_t pages);
  Co<bool> charge_large(Task* task);
  void map(std::uint32_t owner, FolioId id);
  void split_swapped(FolioId slot);
  void note(const Access& access, std::uint32_t pages) const;

  // memory.high, memory.max.
  Co<> return_to_user(Task* task);
  Co<> handle_over_high(Task* task);
  [[nodiscard]] Time high_delay(std::uint32_t pages) const;
  void kill_largest();

  // Reclaim.
  Co<std::uint32_t> reclaim(Task* task, std::uint32_t wanted);
  [[nodiscard]] bool can_swap() const;
  Isolated isolate();
  Co<std::uint32_t> page_out(Task* task, FolioId id);
  Co<std::uint32_t> page_out_together(Task* task, const Isolated* isolated);
  std::optional<std::uint32_t> begin_page_out(Task* task, FolioId id);
  Co<std::uint32_t> page_out_elsewhere(Task* task, FolioId id);
  Co<> write_to_swap(Task* task, FolioId id);
  void drop_copy(std::uint32_t cpu, FolioId id, Place place);
  void tell_swapped_out(FolioId id) const;
  bool add_to_swap(Task* task, FolioId id) const;
  void put_back(FolioId id);
  void split_resident(FolioId slot);
  std::uint32_t remove_mapping(std::uint32_t cpu, FolioId id, Place place);
  std::uint32_t remove_mapping_of(std::uint32_t cpu, FolioId id, Place place);

  // Exit.
  [[nodiscard]] Time freeing_time(FolioId id) const;
  [[nodiscard]] Time slot_freeing_time(FolioId slot) const;
  void free_slot(std::uint32_t cpu, FolioId slot);
  void free_record(std::uint32_t cpu, FolioId id);
  void unmap(std::uint32_t owner, std::uint32_t pages);

  Parts parts_;
  CompressedStore* store_;
  KernelFeatures features_;
  Constants constants_;
  ThpConfig thp_;
  std::uint32_t page_cluster_;
  std::vector<Owner> owners_;
  FolioList lru_;
  std::uint64_t lru_pages_ = 0;
  std::uint64_t resident_ = 0;
  std::uint64_t tables_ = 0;
  std::uint64_t large_folios_ = 0;
  std::uint64_t fixed_ = 0;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_MEMORY_H_
