#ifndef IAA_ZSWAP_CODEC_DECODE_TABLE_H_
#define IAA_ZSWAP_CODEC_DECODE_TABLE_H_

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "codec/completion.h"
#include "codec/huffman.h"

namespace iaa_zswap::codec {

// An entry of a decode table:
//   bits 0-7    bits to drop: the code's and the extra bits after it
//   bits 8-11   bits of the code alone; of a sub-table: bits of its index
//   bit 12      a sub-table
//   bit 13      the end of the block, or no code at all
//   bits 16-30  literal, base of length or distance, place of the sub-table, or error code
//   bit 31      a literal
using DecodeEntry = uint32_t;
inline constexpr DecodeEntry kSubTable = 1U << 12;
inline constexpr DecodeEntry kStop = 1U << 13;
inline constexpr DecodeEntry kLiteral = 1U << 31;

constexpr DecodeEntry with_value(uint32_t value) { return value << 16; }
constexpr uint32_t value_of(DecodeEntry entry) { return entry >> 16 & 0x7FFF; }
constexpr uint32_t dropped_bits(DecodeEntry entry) { return entry & 0xFF; }
constexpr uint32_t index_bits(DecodeEntry entry) { return entry >> 8 & 15; }

// Length or distance: the base and the extra bits, `bits` beginning with the code.
constexpr size_t with_extra_bits(DecodeEntry entry, uint64_t bits) {
  return value_of(entry) +
         static_cast<size_t>((bits & ((uint64_t{1} << dropped_bits(entry)) - 1)) >>
                             (entry >> 8 & 15));
}

// `entry` of a symbol for a code of `length` bits, or what is left of them in a sub-table.
constexpr DecodeEntry with_code(DecodeEntry entry, uint32_t length) {
  return entry + length + (length << 8);
}

// Entry of a literal/length symbol, without the bits of its code.
constexpr DecodeEntry literal_length_entry(uint32_t symbol) {
  if (symbol < kEndOfBlock) return kLiteral | with_value(symbol);
  if (symbol == kEndOfBlock) return kStop;
  if (symbol == 285) return with_value(kMaxMatch);
  if (symbol > 285) {
    return kStop | with_value(static_cast<uint32_t>(ErrorCode::kBadLiteralLengthCode));
  }
  const uint32_t index = symbol - 257;
  const uint32_t extra = index < 8 ? 0 : index / 4 - 1;
  const uint32_t base = index < 8 ? index : (4 + index % 4) << extra;
  return with_value(kMinMatch + base) | extra;
}

// Entry of a distance symbol, without the bits of its code.
constexpr DecodeEntry distance_entry(uint32_t symbol) {
  if (symbol >= kDistanceSymbols) {
    return kStop | with_value(static_cast<uint32_t>(ErrorCode::kBadDistanceCode));
  }
  const uint32_t extra = symbol < 4 ? 0 : symbol / 2 - 1;
  const uint32_t base = symbol < 4 ? symbol : (2 + symbol % 2) << extra;
  return with_value(1 + base) | extra;
}

// Fills a two-level table, `root_bits` wide, for the canonical code of `lengths`;
// `entry_of(symbol)` gives the symbols' entries. Bits that are no code give `invalid`. False for
// lengths that are no prefix code, and for an incomplete one, unless `lax`, which takes no code at
// all and a single code of one bit, as zlib's inflate does.
template <class EntryOf>
// NOLINTNEXTLINE(readability-function-cognitive-complexity): its parts share all their state
constexpr bool build_decode_table(std::span<const uint8_t> lengths, uint32_t root_bits,
                                  std::span<DecodeEntry> table, bool lax, ErrorCode invalid,
                                  const EntryOf& entry_of) {
  std::array<uint32_t, kMaxCodeLength + 1> count{};
  for (const uint8_t length : lengths) ++count[length];
  const uint32_t used = static_cast<uint32_t>(lengths.size()) - count[0];
  count[0] = 0;
  int32_t left = 1;
  for (uint32_t length = 1; length <= kMaxCodeLength; ++length) {
    left = 2 * left - static_cast<int32_t>(count[length]);
    if (left < 0) return false;
  }
  const bool complete = left == 0;
  const bool taken_as_is = lax && (used == 0 || (used == 1 && count[1] == 1));
  if (!complete && !taken_as_is) return false;
  if (!complete) {
    const DecodeEntry bad = kStop | with_value(static_cast<uint32_t>(invalid));
    for (uint32_t i = 0; i < 1U << root_bits; ++i) table[i] = with_code(bad, 1);
    if (used == 0) return true;
  }

  // Symbols by length, then by value: the order of their codes.
  std::array<uint32_t, kMaxCodeLength + 2> offset{};
  for (uint32_t length = 1; length <= kMaxCodeLength; ++length) {
    offset[length + 1] = offset[length] + count[length];
  }
  std::array<uint16_t, 288> sorted{};
  for (uint32_t symbol = 0; symbol < lengths.size(); ++symbol) {
    if (lengths[symbol] != 0) sorted[offset[lengths[symbol]]++] = static_cast<uint16_t>(symbol);
  }

  uint32_t code = 0;  // reversed, as it is read
  uint32_t index = 0;
  uint32_t sub_table = 0;
  uint32_t sub_bits = 0;
  uint32_t sub_prefix = ~0U;
  auto next_free = static_cast<uint32_t>(1U << root_bits);
  for (uint32_t length = 1; length <= kMaxCodeLength; ++length) {
    for (uint32_t left_here = count[length]; left_here > 0; --left_here, ++index) {
      const DecodeEntry entry = entry_of(sorted[index]);
      if (length <= root_bits) {
        for (uint32_t i = code; i < 1U << root_bits; i += 1U << length) {
          table[i] = with_code(entry, length);
        }
      } else {
        const uint32_t prefix = code & ((1U << root_bits) - 1);
        if (prefix != sub_prefix) {
          // As wide as the codes with this prefix need: they are the next ones in order.
          sub_prefix = prefix;
          sub_bits = length - root_bits;
          uint32_t room = (1U << sub_bits) - left_here;
          while (static_cast<int32_t>(room) > 0 && root_bits + sub_bits < kMaxCodeLength) {
            ++sub_bits;
            room = (room << 1) - count[root_bits + sub_bits];
          }
          sub_table = next_free;
          next_free += 1U << sub_bits;
          if (next_free > table.size()) return false;
          table[prefix] = kSubTable | with_value(sub_table) | sub_bits << 8 | root_bits;
        }
        for (uint32_t i = code >> root_bits; i < 1U << sub_bits; i += 1U << (length - root_bits)) {
          table[sub_table + i] = with_code(entry, length - root_bits);
        }
      }
      // The next code of this length: add 1 from the other end.
      uint32_t carry = 1U << (length - 1);
      while ((code & carry) != 0) {
        code ^= carry;
        carry >>= 1;
      }
      code |= carry;
    }
  }
  return true;
}

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_DECODE_TABLE_H_
