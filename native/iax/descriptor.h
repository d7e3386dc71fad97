#ifndef IAA_ZSWAP_IAX_DESCRIPTOR_H_
#define IAA_ZSWAP_IAX_DESCRIPTOR_H_

#include <cstddef>
#include <cstdint>

// What the driver and the device tell each other through memory (kernel:
// include/uapi/linux/idxd.h, drivers/crypto/intel/iaa/iaa_crypto.h). Little-endian, as x86 is.
namespace iaa_zswap::iax {

// struct iax_hw_desc.
struct Descriptor {
  uint32_t pasid_priv;
  uint32_t flags_opcode;  // flags below, opcode in the highest byte
  uint64_t completion_address;
  uint64_t source1_address;
  uint64_t destination_address;
  uint32_t source1_size;
  uint16_t interrupt_handle;
  uint16_t operation_flags;
  uint64_t source2_address;
  uint32_t max_destination_size;
  uint32_t source2_size;
  uint32_t filter_flags;
  uint32_t num_inputs;

  [[nodiscard]] uint8_t opcode() const { return static_cast<uint8_t>(flags_opcode >> 24); }
  [[nodiscard]] uint32_t flags() const { return flags_opcode & 0xffffff; }
};
inline constexpr size_t kDescriptorBytes = 64;
static_assert(sizeof(Descriptor) == kDescriptorBytes);

enum class Opcode : uint8_t { kNoop = 0x00, kDrain = 0x02, kDecompress = 0x42, kCompress = 0x43 };

// IDXD_OP_FLAG_*.
inline constexpr uint32_t kFlagFence = 0x0001;
inline constexpr uint32_t kFlagBlockOnFault = 0x0002;
inline constexpr uint32_t kFlagCompletionAddressValid = 0x0004;
inline constexpr uint32_t kFlagRequestCompletion = 0x0008;
inline constexpr uint32_t kFlagRequestInterrupt = 0x0010;
inline constexpr uint32_t kFlagCacheControl = 0x0100;
inline constexpr uint32_t kFlagSource2Aecs = 0x010000;

// IAA_COMP_* and IAA_DECOMP_*.
inline constexpr uint16_t kCompressFlush = 1U << 1;
inline constexpr uint16_t kCompressAppendEob = 1U << 2;
inline constexpr uint16_t kDecompressEnable = 1U << 0;
inline constexpr uint16_t kDecompressFlush = 1U << 1;
inline constexpr uint16_t kDecompressCheckEob = 1U << 2;
inline constexpr uint16_t kDecompressStopOnEob = 1U << 3;
inline constexpr uint16_t kDecompressSuppressOutput = 1U << 9;

// struct iax_completion_record.
struct CompletionRecord {
  uint8_t status;
  uint8_t error_code;
  uint8_t fault_info;
  uint8_t reserved;
  uint32_t bytes_completed;
  uint64_t fault_address;
  uint32_t invalid_flags;
  uint32_t reserved2;
  uint32_t output_size;
  uint8_t output_bits;
  uint8_t reserved3;
  uint16_t xor_checksum;
  uint32_t crc;
  uint32_t min;
  uint32_t max;
  uint32_t sum;
  uint64_t reserved4[2];
};
inline constexpr size_t kCompletionBytes = 64;
static_assert(sizeof(CompletionRecord) == kCompletionBytes);

// enum iax_completion_status, those that this device gives; codec::Status has the others.
inline constexpr uint8_t kStatusSuccess = 0x01;
inline constexpr uint8_t kStatusBadOpcode = 0x10;
inline constexpr uint8_t kStatusInvalidFlags = 0x11;
inline constexpr uint8_t kStatusReservedNotZero = 0x12;
inline constexpr uint8_t kStatusInvalidSize = 0x13;
inline constexpr uint8_t kStatusOverlappingBuffers = 0x16;
inline constexpr uint8_t kStatusInvalidInterruptHandle = 0x19;
inline constexpr uint8_t kStatusCompletionAddress = 0x1a;
inline constexpr uint8_t kStatusCompletionAlignment = 0x1b;
inline constexpr uint8_t kStatusTranslationFailed = 0x22;
inline constexpr uint8_t kStatusInvalidOperationFlags = 0x30;
inline constexpr uint8_t kStatusInvalidFilterFlags = 0x31;

}  // namespace iaa_zswap::iax

#endif  // IAA_ZSWAP_IAX_DESCRIPTOR_H_
