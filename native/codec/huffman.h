#ifndef IAA_ZSWAP_CODEC_HUFFMAN_H_
#define IAA_ZSWAP_CODEC_HUFFMAN_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace iaa_zswap::codec {

// Sizes of RFC 1951's alphabets. 286 and 287 of the literal/length alphabet and 30 and 31 of the
// distance alphabet have fixed codes but never occur.
inline constexpr uint32_t kLiteralLengthSymbols = 286;
inline constexpr uint32_t kDistanceSymbols = 30;
inline constexpr uint32_t kEndOfBlock = 256;
inline constexpr uint32_t kMinMatch = 3;
inline constexpr uint32_t kMaxMatch = 258;
inline constexpr uint32_t kMaxCodeLength = 15;
// The accelerator's history: matches reach back this far (kernel: Documentation/driver-api/crypto/
// iaa/iaa-crypto.rst, "4k history window").
inline constexpr uint32_t kHistory = 4096;

// One Huffman code, first bit in bit 0 as deflate sends it; length 0: the symbol has no code.
struct Code {
  uint16_t bits = 0;
  uint8_t length = 0;
};

// What a length or a distance is sent as: a symbol and the extra bits after its code.
struct Symbol {
  uint16_t symbol = 0;
  uint16_t extra = 0;
  uint8_t extra_bits = 0;
};

// RFC 1951, 3.2.5: lengths in groups of four symbols, each group with one more extra bit.
constexpr Symbol length_symbol(uint32_t length) {
  if (length == kMaxMatch) return {.symbol = 285};
  const uint32_t offset = length - kMinMatch;
  const uint32_t extra_bits = offset < 8 ? 0 : static_cast<uint32_t>(std::bit_width(offset)) - 3;
  return {.symbol = static_cast<uint16_t>(257 + (extra_bits << 2) + (offset >> extra_bits)),
          .extra = static_cast<uint16_t>(offset & ((1U << extra_bits) - 1)),
          .extra_bits = static_cast<uint8_t>(extra_bits)};
}

// Of each length.
inline constexpr auto kLengthSymbols = [] {
  std::array<Symbol, kMaxMatch + 1> symbols{};
  for (uint32_t length = kMinMatch; length <= kMaxMatch; ++length) {
    symbols.at(length) = length_symbol(length);
  }
  return symbols;
}();

// RFC 1951, 3.2.5: distances in groups of two symbols.
constexpr Symbol distance_symbol(uint32_t distance) {
  const uint32_t offset = distance - 1;
  const uint32_t extra_bits = offset < 4 ? 0 : static_cast<uint32_t>(std::bit_width(offset)) - 2;
  return {.symbol = static_cast<uint16_t>((extra_bits << 1) + (offset >> extra_bits)),
          .extra = static_cast<uint16_t>(offset & ((1U << extra_bits) - 1)),
          .extra_bits = static_cast<uint8_t>(extra_bits)};
}

// RFC 1951 sends codes with their most significant bit first; everything else is sent the other
// way round.
constexpr uint16_t reverse_bits(uint32_t bits, uint32_t length) {
  uint32_t reversed = (bits & 0x5555) << 1 | (bits & 0xAAAA) >> 1;
  reversed = (reversed & 0x3333) << 2 | (reversed & 0xCCCC) >> 2;
  reversed = (reversed & 0x0F0F) << 4 | (reversed & 0xF0F0) >> 4;
  reversed = (reversed & 0x00FF) << 8 | (reversed & 0xFF00) >> 8;
  return static_cast<uint16_t>(reversed >> (16 - length));
}

// RFC 1951, 3.2.6.
constexpr uint8_t fixed_length(uint32_t symbol) {
  if (symbol < 144) return 8;
  if (symbol < 256) return 9;
  return symbol < 280 ? 7 : 8;
}

// The canonical codes of a set of lengths (RFC 1951, 3.2.2).
template <size_t N>
constexpr std::array<Code, N> canonical_codes(const std::array<uint8_t, N>& lengths) {
  std::array<uint32_t, kMaxCodeLength + 2> next{};
  for (const uint8_t length : lengths) ++next.at(length + 1U);
  next.at(1) = 0;  // symbols without a code do not count
  for (uint32_t length = 1; length <= kMaxCodeLength; ++length) {
    next.at(length + 1) = (next.at(length) + next.at(length + 1)) << 1;
  }
  std::array<Code, N> codes{};
  for (size_t symbol = 0; symbol < N; ++symbol) {
    const uint8_t length = lengths.at(symbol);
    if (length != 0)
      codes.at(symbol) = {.bits = reverse_bits(next.at(length)++, length), .length = length};
  }
  return codes;
}

// RFC 1951, 3.2.6; with the two symbols that have codes but never occur.
constexpr std::array<Code, 288> fixed_literal_length_codes() {
  std::array<uint8_t, 288> lengths{};
  for (uint32_t symbol = 0; symbol < lengths.size(); ++symbol) {
    lengths.at(symbol) = fixed_length(symbol);
  }
  return canonical_codes(lengths);
}
constexpr std::array<Code, 32> fixed_distance_codes() {
  std::array<uint8_t, 32> lengths{};
  lengths.fill(5);
  return canonical_codes(lengths);
}

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_HUFFMAN_H_
