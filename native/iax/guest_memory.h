#ifndef IAA_ZSWAP_IAX_GUEST_MEMORY_H_
#define IAA_ZSWAP_IAX_GUEST_MEMORY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <shared_mutex>
#include <span>

#include "common/result.h"
#include "common/unique_fd.h"

namespace iaa_zswap::iax {

/** What of the guest's memory a device may reach, as the client has mapped it. For any thread. */
class GuestMemory {
 public:
  GuestMemory() = default;
  GuestMemory(const GuestMemory&) = delete;
  GuestMemory& operator=(const GuestMemory&) = delete;
  ~GuestMemory();

  /**
   * Maps `size` bytes of `fd` from `offset` at the guest's `address`. Memory without a file, as
   * QEMU's own ROMs, is taken note of and cannot be reached. EINVAL for what is not whole pages,
   * overlaps another or could shrink below us (the file has to be a memfd sealed against it),
   * ENOSPC for too many.
   */
  [[nodiscard]] std::optional<common::Failure> map(uint64_t address, uint64_t size,
                                                   common::UniqueFd fd, uint64_t offset,
                                                   bool writable);

  /** Waits until nobody uses what is unmapped. EINVAL unless exactly this was mapped. */
  [[nodiscard]] std::optional<common::Failure> unmap(uint64_t address, uint64_t size);
  void unmap_all();

  /** Holds all mappings as they are while it lives. */
  class Access {
   public:
    explicit Access(const GuestMemory& memory) : memory_(&memory), lock_(memory.mutex_) {}

    /** The bytes from `address`; an empty optional when one of them is not mapped for that. */
    [[nodiscard]] std::optional<std::span<const uint8_t>> read(uint64_t address,
                                                               uint64_t size) const;
    [[nodiscard]] std::optional<std::span<uint8_t>> write(uint64_t address, uint64_t size) const;

   private:
    const GuestMemory* memory_;
    std::shared_lock<std::shared_mutex> lock_;
  };

 private:
  struct Region {
    uint64_t size;
    uint8_t* data;  // null: not reachable
    bool writable;
  };

  [[nodiscard]] const Region* find(uint64_t address, uint64_t size, uint64_t& offset) const;

  mutable std::shared_mutex mutex_;
  std::map<uint64_t, Region> regions_;
};

}  // namespace iaa_zswap::iax

#endif  // IAA_ZSWAP_IAX_GUEST_MEMORY_H_
