#ifndef IAA_ZSWAP_CODEC_BLOCK_H_
#define IAA_ZSWAP_CODEC_BLOCK_H_

// The encoder works on blocks of at most 4 KiB in three steps without a branch that depends on
// single bytes, because mispredicted branches are what a greedy encoder spends its time on:
//   1. for every position, the distance to the last position with the same three bytes;
//   2. the greedy parse along these positions, in four lanes at once;
//   3. the tokens are written.
// Each instruction set has one `BlockOps`; all give the same bytes.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "codec/huffman.h"

namespace iaa_zswap::codec {

inline constexpr uint32_t kBlock = 4096;
// Vector code reads past the block: up to one match and one vector.
inline constexpr uint32_t kPad = kMaxMatch + 62;
inline constexpr uint32_t kLanes = 4;
inline constexpr uint32_t kHashBits = 12;
// A table entry that no position matches: subtracting it from a position of the block, whose index
// is at least kHistory, gives more than kHistory.
inline constexpr uint32_t kNoEntry = 0xFFFFFFFFU;
// Bytes a block takes at most: 15 bits a literal, and what one unaligned store may touch.
inline constexpr size_t kBlockBound = kBlock * kMaxCodeLength / 8 + 64;

// What the match finder is allowed to do; encoder.h names the values and their sources.
struct MatchPolicy {
  uint32_t max_match;     // bytes, 3..258
  uint32_t min_distance;  // bytes, 1 or 2
  uint32_t depth;         // candidates tried at a position
};

// A match: `length` bytes at `position` of the block repeat those `distance` bytes before. Packed
// by hand, because three narrow stores and a wide load of them stall a CPU's store forwarding.
class Token {
 public:
  Token() = default;
  Token(uint32_t position, uint32_t length, uint32_t distance)
      : packed_(position | uint64_t{length} << 16 | uint64_t{distance} << 32) {}
  [[nodiscard]] uint32_t position() const { return packed_ & 0xFFFF; }
  [[nodiscard]] uint32_t length() const { return packed_ >> 16 & 0xFFFF; }
  [[nodiscard]] uint32_t distance() const { return static_cast<uint32_t>(packed_ >> 32); }

 private:
  uint64_t packed_;
};

// One block and the 4 KiB before it, and all that is derived from them.
struct Workspace {
  alignas(64) std::array<uint8_t, kHistory + kBlock + kPad> data;
  // Per hash, the last position: tag << 16 | index into `data`.
  alignas(64) std::array<uint32_t, 1U << kHashBits> table;
  // Per index into `data`, how far back the same three bytes are; 0: they are not.
  alignas(64) std::array<uint16_t, kHistory + kBlock> distance;
  // One bit for each position of the block whose distance is not 0.
  std::array<uint64_t, kBlock / 64 + 1> candidates;
  std::array<std::array<Token, kBlock / kLanes / kMinMatch + 1>, kLanes> lane_tokens;
  std::array<Token, kBlock / kMinMatch + 1> tokens;
  size_t token_count;
  std::array<uint8_t, kBlockBound> scratch;
};

// Bits that wait for their byte, first bit in bit 0. Between calls `count` is below 8.
struct BitState {
  uint64_t bits = 0;
  uint32_t count = 0;
};

// What each symbol is sent as: its bits, and their number in the upper 5 bits. A match's entries
// hold code and extra bits.
inline constexpr uint32_t kEntryCountShift = 27;
inline constexpr uint32_t kEntryBits = (1U << kEntryCountShift) - 1;
inline void put(BitState& state, uint32_t entry) {
  state.bits |= uint64_t{entry & kEntryBits} << state.count;
  state.count += entry >> kEntryCountShift;
}

// Writes the whole bytes; up to 8 bytes at `out` are touched. Returns where the next go.
inline uint8_t* flush(BitState& state, uint8_t* out) {
  std::memcpy(out, &state.bits, sizeof state.bits);
  out += state.count >> 3;
  state.bits >>= state.count & 56;
  state.count &= 7;
  return out;
}

struct EncodeTables {
  std::array<uint32_t, 257> literal;  // and kEndOfBlock
  std::array<uint32_t, kMaxMatch + 1> length;
  std::array<Code, kDistanceSymbols> distance;
};

struct BlockOps {
  // Fills distance, candidates and tokens for the first `size` bytes after the history.
  void (*find_matches)(Workspace&, uint32_t size, const MatchPolicy&);
  // Writes literals and matches of a block; `out` has room for kBlockBound bytes. Returns its end.
  uint8_t* (*write)(const Workspace&, uint32_t size, const EncodeTables&, BitState&, uint8_t* out);
  // The same for fixed codes.
  uint8_t* (*write_fixed)(const Workspace&, uint32_t size, BitState&, uint8_t* out);
};

// The tables of a set of codes, by symbol: 286 and 30 of them at least.
constexpr EncodeTables encode_tables(const Code* literal_length, const Code* distance) {
  EncodeTables tables{};
  for (uint32_t i = 0; i < tables.literal.size(); ++i) {
    tables.literal[i] = literal_length[i].bits | uint32_t{literal_length[i].length}
                                                     << kEntryCountShift;
  }
  for (uint32_t length = kMinMatch; length <= kMaxMatch; ++length) {
    const Symbol symbol = length_symbol(length);
    const Code code = literal_length[symbol.symbol];
    tables.length[length] = (code.bits | uint32_t{symbol.extra} << code.length) |
                            (uint32_t{code.length} + symbol.extra_bits) << kEntryCountShift;
  }
  for (uint32_t i = 0; i < kDistanceSymbols; ++i) tables.distance[i] = distance[i];
  return tables;
}

// RFC 1951's fixed codes.
extern const EncodeTables kFixedTables;

// The hash of three bytes is a bijection of 24 bits (an odd multiplier modulo 2^24): its upper bits
// say where in the table, the others are kept there as the tag, so equal tags are equal bytes and
// no byte has to be compared. The multiplier is 2^32 divided by the golden ratio (Knuth, TAOCP 3,
// 6.4).
inline constexpr uint32_t kHashMultiplier = 0x9E3779B1U;
struct Entry {
  uint32_t hash;
  uint32_t value;
};
inline Entry entry_of(const uint8_t* data, uint32_t index) {
  const uint8_t* at = data + index;
  const uint32_t bytes = uint32_t{at[0]} << 8 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 24;
  const uint32_t product = bytes * kHashMultiplier;
  return {.hash = product >> (32 - kHashBits),
          .value = (product >> 8 & ((1U << (24 - kHashBits)) - 1)) << 16 | index};
}

extern const BlockOps kPortableOps;
#if defined(__x86_64__)
extern const BlockOps kAvx2Ops;
#endif

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_BLOCK_H_
