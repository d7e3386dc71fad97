#include "iax/guest_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <mutex>
#include <utility>

namespace iaa_zswap::iax {
namespace {

using common::Failure;

constexpr uint64_t kPageBytes = 4096;
// A guest of QEMU has some tens; every one of them costs us a mapping.
constexpr size_t kMaxRegions = 1024;

Failure invalid() { return {.error = EINVAL, .syscall = "map"}; }

/** Whether the file has these bytes and can never have fewer: reading beyond its end would kill us.
 */
bool is_stable(int fd, uint64_t offset, uint64_t size) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) return false;
  struct stat status{};
  if (::fstat(fd, &status) != 0 || status.st_size < 0) return false;
  const auto file_size = static_cast<uint64_t>(status.st_size);
  return offset <= file_size && size <= file_size - offset;
}

}  // namespace

GuestMemory::~GuestMemory() { unmap_all(); }

std::optional<Failure> GuestMemory::map(uint64_t address, uint64_t size, common::UniqueFd fd,
                                        uint64_t offset, bool writable) {
  if (size == 0 || (address | size | offset) % kPageBytes != 0 || address + size - 1 < address ||
      size > uint64_t{1} << 47) {
    return invalid();
  }
  const std::unique_lock lock(mutex_);
  if (regions_.size() >= kMaxRegions) return Failure{.error = ENOSPC, .syscall = "map"};
  const auto next = regions_.lower_bound(address);
  if (next != regions_.end() && next->first - address < size) return invalid();
  if (next != regions_.begin()) {
    const auto& [before, region] = *std::prev(next);
    if (address - before < region.size) return invalid();
  }
  uint8_t* data = nullptr;
  if (fd.is_open()) {
    if (!is_stable(fd.get(), offset, size)) return invalid();
    const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void* const mapped =
        ::mmap(nullptr, size, protection, MAP_SHARED, fd.get(), static_cast<off_t>(offset));
    if (mapped == MAP_FAILED) return common::last_failure("mmap");
    data = static_cast<uint8_t*>(mapped);
  }
  regions_.emplace(address, Region{.size = size, .data = data, .writable = writable});
  return std::nullopt;
}

std::optional<Failure> GuestMemory::unmap(uint64_t address, uint64_t size) {
  const std::unique_lock lock(mutex_);
  const auto found = regions_.find(address);
  if (found == regions_.end() || found->second.size != size) return invalid();
  if (found->second.data != nullptr) ::munmap(found->second.data, size);
  regions_.erase(found);
  return std::nullopt;
}

void GuestMemory::unmap_all() {
  const std::unique_lock lock(mutex_);
  for (const auto& [address, region] : regions_) {
    if (region.data != nullptr) ::munmap(region.data, region.size);
  }
  regions_.clear();
}

const GuestMemory::Region* GuestMemory::find(uint64_t address, uint64_t size,
                                             uint64_t& offset) const {
  auto found = regions_.upper_bound(address);
  if (found == regions_.begin()) return nullptr;
  --found;
  const Region& region = found->second;
  offset = address - found->first;
  if (offset >= region.size || size > region.size - offset || region.data == nullptr)
    return nullptr;
  return &region;
}

std::optional<std::span<const uint8_t>> GuestMemory::Access::read(uint64_t address,
                                                                  uint64_t size) const {
  uint64_t offset = 0;
  const Region* const region = memory_->find(address, size, offset);
  if (region == nullptr) return std::nullopt;
  return std::span<const uint8_t>(region->data + offset, size);
}

std::optional<std::span<uint8_t>> GuestMemory::Access::write(uint64_t address,
                                                             uint64_t size) const {
  uint64_t offset = 0;
  const Region* const region = memory_->find(address, size, offset);
  if (region == nullptr || !region->writable) return std::nullopt;
  return std::span(region->data + offset, size);
}

}  // namespace iaa_zswap::iax
