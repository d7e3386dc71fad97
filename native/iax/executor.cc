#include "iax/executor.h"

#include <atomic>
#include <cstring>

#include "codec/completion.h"
#include "codec/crc.h"

namespace iaa_zswap::iax {
namespace {

constexpr uint32_t kKnownFlags = kFlagFence | kFlagBlockOnFault | kFlagCompletionAddressValid |
                                 kFlagRequestCompletion | kFlagRequestInterrupt | kFlagCacheControl;
// Buffers above this are not kept: the driver's WQs are set to transfers of 2 MiB.
constexpr size_t kKeptBytes = 2 << 20;
constexpr uint16_t kCompressFlags = kCompressFlush | kCompressAppendEob;
constexpr uint16_t kDecompressFlags =
    kDecompressEnable | kDecompressFlush | kDecompressCheckEob | kDecompressStopOnEob;

CompletionRecord with_status(uint8_t status) {
  CompletionRecord record{};
  record.status = status;
  return record;
}

CompletionRecord invalid_flags(uint32_t flags) {
  CompletionRecord record = with_status(kStatusInvalidFlags);
  record.invalid_flags = flags;
  return record;
}

CompletionRecord not_mapped(uint64_t address, bool write) {
  CompletionRecord record = with_status(kStatusTranslationFailed);
  record.fault_info = write ? 1 : 0;
  record.fault_address = address;
  return record;
}

CompletionRecord record_of(const codec::Completion& completion) {
  CompletionRecord record{};
  record.status = static_cast<uint8_t>(completion.status);
  record.error_code = static_cast<uint8_t>(completion.error);
  record.bytes_completed = completion.consumed;
  record.output_size = completion.output_size;
  record.crc = completion.crc;
  return record;
}

bool overlap(uint64_t one, uint64_t one_size, uint64_t other, uint64_t other_size) {
  return one < other + other_size && other < one + one_size;
}

/** What is wrong with a descriptor before any memory is looked at. */
std::optional<CompletionRecord> reject(const Descriptor& descriptor, const WqLimits& limits) {
  const uint8_t opcode = descriptor.opcode();
  if ((limits.op_config[opcode / 64] >> (opcode % 64) & 1) == 0)
    return with_status(kStatusBadOpcode);
  const uint32_t flags = descriptor.flags();
  const bool interrupt = (flags & kFlagRequestInterrupt) != 0;
  uint32_t known = kKnownFlags;
  switch (static_cast<Opcode>(opcode)) {
    case Opcode::kNoop:
    case Opcode::kDrain:
      break;
    case Opcode::kDecompress:
    case Opcode::kCompress:
      if (opcode == static_cast<uint8_t>(Opcode::kCompress)) known |= kFlagSource2Aecs;
      break;
    default:
      return with_status(kStatusBadOpcode);
  }
  if ((flags & ~known) != 0) return invalid_flags(flags & ~known);
  // Without an address there is nowhere to write a completion record to.
  if ((flags & kFlagRequestCompletion) != 0 && (flags & kFlagCompletionAddressValid) == 0)
    return invalid_flags(kFlagRequestCompletion);
  if (interrupt && descriptor.interrupt_handle >= limits.vectors)
    return with_status(kStatusInvalidInterruptHandle);
  if (opcode < static_cast<uint8_t>(Opcode::kDecompress)) return std::nullopt;
  if (descriptor.filter_flags != 0) return with_status(kStatusInvalidFilterFlags);
  if (descriptor.num_inputs != 0) return with_status(kStatusReservedNotZero);
  if (descriptor.source1_size == 0 || descriptor.source1_size > limits.max_transfer_bytes ||
      descriptor.max_destination_size > limits.max_transfer_bytes) {
    return with_status(kStatusInvalidSize);
  }
  return std::nullopt;
}

}  // namespace

CompletionRecord Executor::execute(const Descriptor& descriptor, const WqLimits& limits,
                                   const GuestMemory& memory) {
  if (const auto rejected = reject(descriptor, limits)) return *rejected;
  CompletionRecord record = with_status(kStatusSuccess);
  {
    const GuestMemory::Access access(memory);
    if (descriptor.opcode() == static_cast<uint8_t>(Opcode::kCompress))
      record = compress(descriptor, access);
    if (descriptor.opcode() == static_cast<uint8_t>(Opcode::kDecompress))
      record = decompress(descriptor, access);
  }
  // A guest may ask for gigabytes once.
  for (std::vector<uint8_t>* buffer : {&in_, &out_}) {
    if (buffer->size() > kKeptBytes) *buffer = {};
  }
  return record;
}

CompletionRecord Executor::compress(const Descriptor& descriptor,
                                    const GuestMemory::Access& access) {
  // The device here always flushes and ends the block; without tables it has no codes.
  if (descriptor.operation_flags != kCompressFlags)
    return with_status(kStatusInvalidOperationFlags);
  if ((descriptor.flags() & kFlagSource2Aecs) == 0) return invalid_flags(kFlagSource2Aecs);
  if (descriptor.source2_size != codec::kAecsBytes) return with_status(kStatusInvalidSize);
  if (overlap(descriptor.source1_address, descriptor.source1_size, descriptor.destination_address,
              descriptor.max_destination_size)) {
    return with_status(kStatusOverlappingBuffers);
  }
  std::array<uint8_t, codec::kAecsBytes> aecs{};
  const auto tables = access.read(descriptor.source2_address, aecs.size());
  if (!tables) return not_mapped(descriptor.source2_address, false);
  std::memcpy(aecs.data(), tables->data(), aecs.size());
  const auto in = copy_in(access, descriptor.source1_address, descriptor.source1_size);
  if (!in) return not_mapped(descriptor.source1_address, false);
  const auto target = access.write(descriptor.destination_address, descriptor.max_destination_size);
  if (!target) return not_mapped(descriptor.destination_address, true);
  const std::span<uint8_t> out = output(descriptor.max_destination_size);
  const codec::Completion completion =
      encoder_.compress(codec::Aecs(aecs), codec::kIaa1Fixed.match, *in, out);
  if (completion.status == codec::Status::kSuccess)
    std::memcpy(target->data(), out.data(), completion.output_size);
  return record_of(completion);
}

CompletionRecord Executor::decompress(const Descriptor& descriptor,
                                      const GuestMemory::Access& access) {
  const bool suppress = (descriptor.operation_flags & kDecompressSuppressOutput) != 0;
  if ((descriptor.operation_flags & ~kDecompressSuppressOutput) != kDecompressFlags)
    return with_status(kStatusInvalidOperationFlags);
  const auto in = copy_in(access, descriptor.source1_address, descriptor.source1_size);
  if (!in) return not_mapped(descriptor.source1_address, false);
  if (suppress) return record_of(decoder_.check(*in, descriptor.max_destination_size));
  if (overlap(descriptor.source1_address, descriptor.source1_size, descriptor.destination_address,
              descriptor.max_destination_size)) {
    return with_status(kStatusOverlappingBuffers);
  }
  const auto target = access.write(descriptor.destination_address, descriptor.max_destination_size);
  if (!target) return not_mapped(descriptor.destination_address, true);
  const std::span<uint8_t> out = output(descriptor.max_destination_size);
  codec::Completion completion = decoder_.decompress(*in, out);
  if (completion.status == codec::Status::kSuccess) {
    const auto decoded = out.first(completion.output_size);
    completion.crc = codec::crc32(decoded);
    std::memcpy(target->data(), decoded.data(), decoded.size());
  }
  return record_of(completion);
}

std::optional<std::span<const uint8_t>> Executor::copy_in(const GuestMemory::Access& access,
                                                          uint64_t address, uint32_t size) {
  const auto source = access.read(address, size);
  if (!source) return std::nullopt;
  if (in_.size() < size) in_.resize(size);
  std::memcpy(in_.data(), source->data(), size);
  return std::span(in_).first(size);
}

std::span<uint8_t> Executor::output(uint32_t size) {
  if (out_.size() < size) out_.resize(size);
  return std::span(out_).first(size);
}

bool write_completion(const Descriptor& descriptor, const CompletionRecord& record,
                      const GuestMemory& memory) {
  const uint32_t flags = descriptor.flags();
  const bool wanted = (flags & kFlagRequestCompletion) != 0 || record.status != kStatusSuccess;
  if (!wanted) return true;
  if ((flags & kFlagCompletionAddressValid) == 0) return false;
  if (descriptor.completion_address % kCompletionBytes != 0) return false;
  const GuestMemory::Access access(memory);
  const auto target = access.write(descriptor.completion_address, kCompletionBytes);
  if (!target) return false;
  CompletionRecord rest = record;
  rest.status = 0;
  std::memcpy(target->data() + 1, reinterpret_cast<const uint8_t*>(&rest) + 1,
              kCompletionBytes - 1);
  std::atomic_ref<uint8_t>(target->front()).store(record.status, std::memory_order_release);
  return true;
}

}  // namespace iaa_zswap::iax
