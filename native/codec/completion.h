#ifndef IAA_ZSWAP_CODEC_COMPLETION_H_
#define IAA_ZSWAP_CODEC_COMPLETION_H_

#include <cstdint>

namespace iaa_zswap::codec {

// Completion status (include/uapi/linux/idxd.h, enum iax_completion_status).
enum class Status : uint8_t {
  kSuccess = 0x01,
  kAnalyticsError = 0x0A,  // `error` says which
  kOutputOverflow = 0x0B,  // decompress: more output than the buffer holds
};

// The error_code of kAnalyticsError (Intel QPL, sources/core-iaa/include/hw_status.h; the kernel
// names only 0x19). Which one the device gives where more than one fits is not documented:
// docs/codec.md.
enum class ErrorCode : uint8_t {
  kNone = 0,
  kHeaderTooBig = 1,  // the input ends within a block header
  kUndefinedCodeLengthCode = 2,
  kFirstLiteralLengthRepeats = 3,
  kFirstDistanceRepeats = 4,
  kNoLiteralLengthCode = 5,
  kWrongLiteralLengthCount = 6,
  kWrongDistanceCount = 7,
  kBadCodeLengthCodes = 8,
  kBadLiteralLengthCodes = 9,
  kBadDistanceCodes = 10,
  kBadLiteralLengthCode = 11,
  kBadDistanceCode = 12,
  kInvalidBlockType = 13,
  kInvalidStoredLength = 14,
  kNoEndOfBlock = 15,
  kBadDistance = 17,  // farther back than the 4 KiB history
  kBeforeStart = 18,
  kAecsInvalid = 22,
  kOutputTooSmall = 25,      // compress: 0x19, the kernel's IAA_ERROR_COMP_BUF_OVERFLOW
  kInvalidHuffmanCode = 30,  // compress: a symbol that the caller's tables give no code
  kTooManyLiteralLengthCodes = 35,
  kTooManyDistanceCodes = 36,
};

// What the device writes into the completion record, as far as the codec decides it.
struct Completion {
  Status status = Status::kSuccess;
  ErrorCode error = ErrorCode::kNone;
  uint32_t consumed = 0;     // input bytes
  uint32_t output_size = 0;  // bytes; 0 on error
  uint32_t crc = 0;          // of the uncompressed bytes, whichever way they go
};

constexpr Completion failed(ErrorCode error) {
  return {.status = Status::kAnalyticsError, .error = error};
}

// The errno the kernel's driver makes of a completion (iaa_crypto_main.c, check_completion()): 0,
// -E2BIG, -EOVERFLOW or -EINVAL.
int completion_errno(const Completion& completion, bool compress);

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_COMPLETION_H_
