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
//   bits 0-3    bits of the code (in a sub-table: of its part there)
//   bits 4-7    extra bits after the code, or the index bits of a sub-table
//   bits 8-10   what it is
//   bits 16-31  literal, base of length or distance, place of the sub-table, or error code
using DecodeEntry = uint32_t;
enum class EntryKind : uint32_t { kLiteral, kMatch, kSubTable, kEnd, kInvalid };

constexpr DecodeEntry make_entry(EntryKind kind, uint32_t value, uint32_t extra_bits = 0) {
  return value << 16 | static_cast<uint32_t>(kind) << 8 | extra_bits << 4;
}
constexpr EntryKind kind_of(DecodeEntry entry) { return static_cast<EntryKind>(entry >> 8 & 7); }
constexpr uint32_t code_bits(DecodeEntry entry) { return entry & 15; }
constexpr uint32_t extra_bits(DecodeEntry entry) { return entry >> 4 & 15; }
constexpr uint32_t value_of(DecodeEntry entry) { return entry >> 16; }

// Entry of a literal/length symbol, without the bits of its code.
constexpr DecodeEntry literal_length_entry(uint32_t symbol) {
  if (symbol < kEndOfBlock) return make_entry(EntryKind::kLiteral, symbol);
  if (symbol == kEndOfBlock) return make_entry(EntryKind::kEnd, 0);
  if (symbol == 285) return make_entry(EntryKind::kMatch, kMaxMatch);
  if (symbol > 285) {
    return make_entry(EntryKind::kInvalid, static_cast<uint32_t>(ErrorCode::kBadLiteralLengthCode));
  }
  const uint32_t index = symbol - 257;
  const uint32_t extra = index < 8 ? 0 : index / 4 - 1;
  const uint32_t base = index < 8 ? index : (4 + index % 4) << extra;
  return make_entry(EntryKind::kMatch, kMinMatch + base, extra);
}

// Entry of a distance symbol, without the bits of its code.
constexpr DecodeEntry distance_entry(uint32_t symbol) {
  if (symbol >= kDistanceSymbols) {
    return make_entry(EntryKind::kInvalid, static_cast<uint32_t>(ErrorCode::kBadDistanceCode));
  }
  const uint32_t extra = symbol < 4 ? 0 : symbol / 2 - 1;
  const uint32_t base = symbol < 4 ? symbol : (2 + symbol % 2) << extra;
  return make_entry(EntryKind::kMatch, 1 + base, extra);
}

// Fills a two-level table, `root_bits` wide, for the canonical code of `lengths`; `entry_of(symbol)`
// gives the symbols' entries. Bits that are no code give `invalid`. False for lengths that are no
// prefix code, and for an incomplete one, unless `lax`, which takes no code at all and a single code of
// one bit, as zlib's inflate does.
template <class EntryOf>
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
  if (!complete && !(lax && (used == 0 || (used == 1 && count[1] == 1)))) return false;
  if (!complete) {
    const DecodeEntry bad = make_entry(EntryKind::kInvalid, static_cast<uint32_t>(invalid));
    for (uint32_t i = 0; i < 1U << root_bits; ++i) table[i] = bad | 1;
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
        for (uint32_t i = code; i < 1U << root_bits; i += 1U << length) table[i] = entry | length;
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
          table[prefix] = make_entry(EntryKind::kSubTable, sub_table, sub_bits) | root_bits;
        }
        for (uint32_t i = code >> root_bits; i < 1U << sub_bits; i += 1U << (length - root_bits)) {
          table[sub_table + i] = entry | (length - root_bits);
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
