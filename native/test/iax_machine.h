#ifndef IAA_ZSWAP_TEST_IAX_MACHINE_H_
#define IAA_ZSWAP_TEST_IAX_MACHINE_H_

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "codec/encoder.h"
#include "common/unique_fd.h"
#include "iax/device.h"
#include "test/check.h"

namespace iaa_zswap::test {

/** A sealed memfd of that size, as QEMU's memory-backend-memfd is. */
inline common::UniqueFd sealed_memory(uint64_t bytes) {
  common::UniqueFd fd(::memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  check(fd.is_open() && ::ftruncate(fd.get(), static_cast<off_t>(bytes)) == 0, "memfd");
  check(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0, "seals");
  return fd;
}

/** A device with some guest memory, set up as the idxd driver does it. */
class Machine {
 public:
  static constexpr uint64_t kBase = 0x10'0000;
  static constexpr uint64_t kBytes = 4 << 20;
  static constexpr uint64_t kAecs = kBase;  // where the driver's tables are

  explicit Machine(const iax::DeviceOptions& options = {})
      : device(options, memory, [this](uint32_t vector) { ++interrupts.at(vector); }) {
    common::UniqueFd fd = sealed_memory(kBytes);
    void* const mapped = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    check(mapped != MAP_FAILED, "mmap");
    bytes = static_cast<uint8_t*>(mapped);
    check(!memory.map(kBase, kBytes, std::move(fd), 0, true), "map");
    const auto aecs = codec::fixed_aecs();
    std::memcpy(bytes, aecs.data(), aecs.size());
    device.set_bus_master(true);
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() { ::munmap(bytes, kBytes); }

  [[nodiscard]] std::span<uint8_t> at(uint64_t address, size_t size) const {
    return {bytes + (address - kBase), size};
  }

  uint32_t read(uint32_t offset) {
    uint32_t value = 0;
    check(device.read(offset, {reinterpret_cast<uint8_t*>(&value), sizeof value}), "read");
    return value;
  }
  uint64_t read64(uint32_t offset) {
    uint64_t value = 0;
    check(device.read(offset, {reinterpret_cast<uint8_t*>(&value), sizeof value}), "read64");
    return value;
  }
  void write(uint32_t offset, uint32_t value) {
    check(device.write(offset, {reinterpret_cast<const uint8_t*>(&value), sizeof value}), "write");
  }
  void write64(uint32_t offset, uint64_t value) {
    check(device.write(offset, {reinterpret_cast<const uint8_t*>(&value), sizeof value}), "write");
  }

  /** Sends a command and waits for its end; gives the error code. */
  uint32_t command(iax::Command command, uint32_t operand = 0) {
    return command_number(static_cast<uint32_t>(command), operand);
  }
  uint32_t command_number(uint32_t number, uint32_t operand = 0) {
    begin_number(number, operand);
    while ((read(iax::kCommandStatus) & iax::kCommandActive) != 0) std::this_thread::yield();
    return read(iax::kCommandStatus);
  }
  void begin(iax::Command command, uint32_t operand = 0) {
    begin_number(static_cast<uint32_t>(command), operand);
  }
  void begin_number(uint32_t number, uint32_t operand) {
    write(iax::kCommand, number << iax::kCommandShift | operand | iax::kCommandInterrupt);
  }

  void set_group(uint32_t group, uint64_t wqs, uint64_t engines) {
    write64(iax::kGroupTable + group * iax::kGroupBytes, wqs);
    write64(iax::kGroupTable + group * iax::kGroupBytes + iax::kGroupEngines, engines);
  }
  void set_wq(uint32_t wq, uint32_t size, uint32_t priority = 10,
              uint32_t mode = iax::kWqModeDedicated, uint32_t threshold = 0) {
    const uint32_t base = iax::kWqTable + wq * iax::kWqBytes;
    write(base + iax::kWqSize, size);
    write(base + iax::kWqThreshold, threshold);
    write(base + iax::kWqMode, mode | priority << iax::kWqModePriorityShift);
    write(base + iax::kWqTransfer, 21);  // 2 MiB, the driver's default
    for (uint32_t i = 0; i < 4; ++i)
      write64(base + iax::kWqOpConfig + 8 * i, read64(iax::kOpCap + 8 * i));
  }

  /** One WQ with all entries and all engines, enabled: the driver's own configuration. */
  void enable(uint32_t size = iax::kTotalWqSize, uint64_t engines = 0xff) {
    set_wq(0, size);
    set_group(0, 1, engines);
    check_equal(command(iax::Command::kEnableDevice), 0U);
    check_equal(command(iax::Command::kEnableWq, 0), 0U);
  }

  /** Descriptors as iaa_crypto makes them; the completion record is at `record`. */
  static iax::Descriptor compress(uint64_t from, uint32_t size, uint64_t to, uint32_t room,
                                  uint64_t record) {
    iax::Descriptor descriptor = base(iax::Opcode::kCompress, record);
    descriptor.flags_opcode |= iax::kFlagSource2Aecs | iax::kFlagCacheControl;
    descriptor.operation_flags = iax::kCompressFlush | iax::kCompressAppendEob;
    descriptor.source1_address = from;
    descriptor.source1_size = size;
    descriptor.destination_address = to;
    descriptor.max_destination_size = room;
    descriptor.source2_address = kAecs;
    descriptor.source2_size = codec::kAecsBytes;
    return descriptor;
  }
  static iax::Descriptor decompress(uint64_t from, uint32_t size, uint64_t to, uint32_t room,
                                    uint64_t record, bool suppress = false) {
    iax::Descriptor descriptor = base(iax::Opcode::kDecompress, record);
    descriptor.flags_opcode |= iax::kFlagCacheControl;
    descriptor.operation_flags = iax::kDecompressEnable | iax::kDecompressFlush |
                                 iax::kDecompressCheckEob | iax::kDecompressStopOnEob;
    if (suppress) descriptor.operation_flags |= iax::kDecompressSuppressOutput;
    descriptor.source1_address = from;
    descriptor.source1_size = size;
    descriptor.destination_address = to;
    descriptor.max_destination_size = room;
    return descriptor;
  }
  static iax::Descriptor base(iax::Opcode opcode, uint64_t record) {
    iax::Descriptor descriptor{};
    descriptor.flags_opcode = static_cast<uint32_t>(opcode) << 24 |
                              iax::kFlagCompletionAddressValid | iax::kFlagRequestCompletion;
    descriptor.completion_address = record;
    return descriptor;
  }

  /** Eight writes of 8 bytes to a slot of the WQ's limited portal, as the shim makes them. */
  void submit(const iax::Descriptor& descriptor, uint32_t wq = 0, uint32_t slot = 0) {
    const auto* const raw = reinterpret_cast<const uint8_t*>(&descriptor);
    for (uint32_t i = 0; i < 8; ++i)
      check(device.write_portal(portal(wq, slot) + 8 * i, {raw + size_t{8} * i, 8}), "portal");
  }
  static uint32_t portal(uint32_t wq, uint32_t slot) {
    return (wq * iax::kPortalPages + 1) * iax::kPortalPageBytes +
           slot * uint32_t{iax::kDescriptorBytes};
  }

  [[nodiscard]] volatile uint8_t& status(uint64_t record) const {
    return *(bytes + (record - kBase));
  }
  [[nodiscard]] iax::CompletionRecord wait(uint64_t record) const {
    while (std::atomic_ref<uint8_t>(*(bytes + (record - kBase))).load(std::memory_order_acquire) ==
           0) {
      std::this_thread::yield();
    }
    iax::CompletionRecord copy{};
    std::memcpy(&copy, bytes + (record - kBase), sizeof copy);
    return copy;
  }
  /** Submits and waits. */
  iax::CompletionRecord run(const iax::Descriptor& descriptor, uint32_t wq = 0) {
    status(descriptor.completion_address) = 0;
    submit(descriptor, wq);
    device.dispatch();
    return wait(descriptor.completion_address);
  }

  iax::GuestMemory memory;
  std::array<std::atomic<uint32_t>, iax::kVectors> interrupts{};
  uint8_t* bytes = nullptr;
  iax::Device device;
};

}  // namespace iaa_zswap::test

#endif  // IAA_ZSWAP_TEST_IAX_MACHINE_H_
