// clang-format off: one line for scripts/fuzz
// Sources: native/iax/device.cc native/iax/executor.cc native/iax/guest_memory.cc native/codec/block_avx2.cc native/codec/block_portable.cc native/codec/completion.cc native/codec/crc.cc native/codec/decoder.cc native/codec/fixed_loop_avx2.cc native/codec/dynamic_header.cc native/codec/encoder.cc
// clang-format on
//
// Any bytes as a descriptor, and after it as the data and tables it points to. A completion that is
// asked
// for is written, nothing but it and the destination is, and a page that was compressed with the
// kernel's
// tables decompresses to itself.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <source_location>
#include <span>
#include <vector>

#include "test/iax_machine.h"

namespace {

using namespace iaa_zswap;       // NOLINT(google-build-using-namespace)
using namespace iaa_zswap::iax;  // NOLINT(google-build-using-namespace)
using test::Machine;

constexpr uint64_t kData = Machine::kBase + 0x10000;
constexpr uint64_t kOut = Machine::kBase + 0x20000;
constexpr uint64_t kTables = Machine::kBase + 0x30000;
constexpr uint64_t kRecord = Machine::kBase + 0x40000;
constexpr uint64_t kCanary = Machine::kBase + 0x50000;
constexpr uint32_t kAreaBytes = 0x10000;
constexpr uint8_t kCanaryByte = 0x5a;

void require(bool holds, std::source_location where = std::source_location::current()) {
  if (holds) return;
  std::cerr << where.file_name() << ':' << where.line() << ": does not hold\n";
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Machine machine;
  static const bool ready = [] {
    machine.enable();
    std::ranges::fill(machine.at(kCanary, kAreaBytes), kCanaryByte);
    return true;
  }();
  require(ready);
  Descriptor descriptor{};
  if (size <= sizeof descriptor) return 0;
  std::memcpy(&descriptor, data, sizeof descriptor);
  const std::span<const uint8_t> content(data + sizeof descriptor, size - sizeof descriptor);
  std::ranges::copy(content, machine.at(kData, content.size()).begin());
  const auto aecs = codec::fixed_aecs();
  std::ranges::copy(aecs, machine.at(kTables, aecs.size()).begin());
  if ((descriptor.pasid_priv & 2) != 0) {
    const auto part = content.first(std::min(content.size(), aecs.size()));
    std::ranges::copy(part, machine.at(kTables, part.size()).begin());
  }
  // Most addresses are to be of something; the others stay what they are.
  if ((descriptor.pasid_priv & 1) != 0) {
    descriptor.source1_address = kData + descriptor.source1_address % content.size();
    descriptor.source1_size %= kAreaBytes;
    descriptor.destination_address = kOut + descriptor.destination_address % 64;
    descriptor.max_destination_size %= kAreaBytes - 64;
    descriptor.source2_address = kTables;
    descriptor.completion_address = kRecord + descriptor.completion_address % 2 * 8;
    // Two descriptors of the driver's, or any.
    if ((descriptor.pasid_priv & 4) != 0) {
      descriptor = (descriptor.pasid_priv & 8) != 0
                       ? Machine::compress(kData, static_cast<uint32_t>(content.size()), kOut,
                                           descriptor.max_destination_size, kRecord)
                       : Machine::decompress(kData, static_cast<uint32_t>(content.size()), kOut,
                                             descriptor.max_destination_size, kRecord);
      descriptor.source2_address = kTables;
    }
  }
  const bool reachable = descriptor.completion_address >= kRecord &&
                         descriptor.completion_address < kCanary - 64 &&
                         descriptor.completion_address % 64 == 0 &&
                         (descriptor.flags() & kFlagCompletionAddressValid) != 0;
  // Only what is out of the way of what is looked at below.
  const uint64_t end = descriptor.destination_address + descriptor.max_destination_size;
  const bool apart = end <= kRecord && end >= descriptor.destination_address;
  machine.status(kRecord) = 0;
  if (reachable) machine.status(descriptor.completion_address) = 0;
  machine.submit(descriptor);
  machine.device.dispatch();
  require(machine.command(Command::kDrainAll) == 0);
  machine.write(kSwError, 3);
  const auto canary = machine.at(kCanary, kAreaBytes);
  if (!reachable || !apart) {
    // It may have been asked to write there.
    std::ranges::fill(canary, kCanaryByte);
    return 0;
  }
  require(std::ranges::all_of(canary, [](uint8_t byte) { return byte == kCanaryByte; }));
  const auto status = machine.status(descriptor.completion_address);
  if ((descriptor.flags() & kFlagRequestCompletion) == 0) return 0;
  require(status != 0);
  if (status != kStatusSuccess || descriptor.opcode() != static_cast<uint8_t>(Opcode::kCompress) ||
      descriptor.source1_address != kData || descriptor.source1_size > content.size() ||
      !std::ranges::equal(aecs, machine.at(kTables, aecs.size()))) {
    return 0;
  }
  const auto record = machine.wait(descriptor.completion_address);
  const auto back = machine.run(Machine::decompress(
      descriptor.destination_address, record.output_size, kRecord + 0x1000, 0x8000, kRecord));
  require(back.status == kStatusSuccess && back.output_size == descriptor.source1_size);
  require(back.crc == record.crc);
  require(std::ranges::equal(content.first(back.output_size),
                             machine.at(kRecord + 0x1000, back.output_size)));
  return 0;
}
