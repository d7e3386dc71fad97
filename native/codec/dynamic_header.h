#ifndef IAA_ZSWAP_CODEC_DYNAMIC_HEADER_H_
#define IAA_ZSWAP_CODEC_DYNAMIC_HEADER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/huffman.h"

namespace iaa_zswap::codec {

// How often each symbol occurs.
struct Histogram {
  std::array<uint32_t, kLiteralLengthSymbols> literal_length{};
  std::array<uint32_t, kDistanceSymbols> distance{};
};

// Lengths of a prefix code for `counts` of at most kLiteralLengthSymbols symbols, none above
// `limit`, 0 for a symbol that does not occur. Optimal when no length passes the limit, near it
// otherwise.
void huffman_lengths(std::span<const uint32_t> counts, uint32_t limit, std::span<uint8_t> lengths);

// Some bits of the stream, first bit in bit 0; at most 14.
struct Field {
  uint16_t bits;
  uint8_t count;
};

// The codes of one dynamic block and the header that describes them (RFC 1951, 3.2.7).
struct DynamicCodes {  // NOLINT(*-member-init): filled by dynamic_codes()
  std::array<Code, kLiteralLengthSymbols> literal_length;
  std::array<Code, kDistanceSymbols> distance;
  // BFINAL and BTYPE, three counts, the lengths of the code length codes, all lengths.
  std::array<Field, 4 + 19 + kLiteralLengthSymbols + kDistanceSymbols> header;
  size_t header_fields;
};
DynamicCodes dynamic_codes(const Histogram& histogram);

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_DYNAMIC_HEADER_H_
