#ifndef IAA_ZSWAP_CODEC_BLOCK_H_
#define IAA_ZSWAP_CODEC_BLOCK_H_

// The encoder works on blocks of at most 4 KiB in three steps without a branch that depends on
// single bytes, because mispredicted branches are what a greedy encoder spends its time on:
//   1. for every position, where the same four bytes were last;
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
inline constexpr uint32_t kChunk = 64;
inline constexpr uint32_t kChunks = kBlock / kChunk;
// Vector code reads past the block: up to one match and one vector.
inline constexpr uint32_t kPad = kMaxMatch + 62;
inline constexpr uint32_t kLanes = 4;
// Bytes a block takes at most: 15 bits a literal, and what one unaligned store may touch.
inline constexpr size_t kBlockBound = kBlock * kMaxCodeLength / 8 + 64;

// The match finder's policy; encoder.h says why.
struct MatchPolicy {
  uint32_t max_match;     // bytes, 3..258
  uint32_t min_distance;  // bytes, 1 or 2
};
// Positions are found again by their first four bytes.
inline constexpr uint32_t kHashedBytes = 4;
inline constexpr uint32_t kHashBits = 12;
// A chunk of which this many bytes are the same as those eight before is an array of 64-bit words
// that hardly change, such as counters, pointers or zeros: only matches with the word before are
// looked for, and none of its positions is entered into the table.
inline constexpr uint32_t kWord = 8;
inline constexpr int kWordsEqual = 56;

// A match: `length` bytes at `position` of the block repeat those `distance` bytes before.
struct alignas(8) Token {
  uint16_t position;
  uint16_t length;
  uint16_t distance;
};

// One block and the 4 KiB before it, and all that is derived from them.
struct Workspace {
  alignas(64) std::array<uint8_t, kHistory + kBlock + kPad> data;
  // Per hash the last position, see `Entry`.
  alignas(64) std::array<uint16_t, 1U << kHashBits> table;
  // Per index into `data`, the index of the last position with the same hash, of the same bytes
  // that is, but for collisions; its own where there is none.
  alignas(64) std::array<uint16_t, kHistory + kBlock> previous;
  // One bit for each position of the block that has a previous one.
  std::array<uint64_t, kChunks + 1> candidates;
  // One bit for each chunk that is an array of words.
  uint64_t words;
  // Whether `data` begins with the block before.
  bool has_history;
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

// What each symbol is sent as: the number of its bits, then the bits. A match's entries hold code
// and extra bits.
inline constexpr uint32_t kEntryBitsShift = 8;
constexpr uint32_t entry_count(uint32_t entry) { return entry & ((1U << kEntryBitsShift) - 1); }
constexpr uint32_t entry_bits(uint32_t entry) { return entry >> kEntryBitsShift; }
constexpr uint32_t entry_of(uint32_t bits, uint32_t count) {
  return bits << kEntryBitsShift | count;
}
inline void put(BitState& state, uint32_t entry) {
  state.bits |= uint64_t{entry_bits(entry)} << state.count;
  state.count += entry_count(entry);
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
  // Fills previous, candidates, words and tokens for the first `size` bytes after the history.
  void (*find_matches)(Workspace&, uint32_t size, const MatchPolicy&);
  // Writes literals and matches of a block; `out` has room for kBlockBound bytes. Returns its end.
  uint8_t* (*write)(const Workspace&, uint32_t size, const EncodeTables&, BitState&, uint8_t* out);
  // The same for fixed codes.
  uint8_t* (*write_fixed)(const Workspace&, uint32_t size, BitState&, uint8_t* out);
};

// The tables of a set of codes, by symbol: 286 and 30 of them at least; for matches of at most
// `max_match` bytes.
constexpr EncodeTables encode_tables(const Code* literal_length, const Code* distance,
                                     uint32_t max_match) {
  EncodeTables tables{};
  for (uint32_t i = 0; i < tables.literal.size(); ++i) {
    tables.literal[i] = entry_of(literal_length[i].bits, literal_length[i].length);
  }
  for (uint32_t length = kMinMatch; length <= max_match; ++length) {
    const Symbol symbol = kLengthSymbols[length];
    const Code code = literal_length[symbol.symbol];
    tables.length[length] = entry_of(code.bits | uint32_t{symbol.extra} << code.length,
                                     uint32_t{code.length} + symbol.extra_bits);
  }
  for (uint32_t i = 0; i < kDistanceSymbols; ++i) tables.distance[i] = distance[i];
  return tables;
}

// RFC 1951's fixed codes.
extern const EncodeTables kFixedTables;

// The hash of four bytes, as two 16-bit words: its upper bits say where in the table. What is kept
// there is the position in the block, with the lower bits of the hash above it, as a tag.
// The multipliers are the upper and the lower half of 2^32 divided by the golden ratio (Knuth,
// TAOCP 3, 6.4).
inline constexpr uint16_t kHashLow = 0x9E37;
inline constexpr uint16_t kHashHigh = 0x79B1;
inline constexpr uint32_t kTagBits = 16 - kHashBits;
static_assert(kBlock == 1U << kHashBits);
// A position that none of the first block can have before it.
inline constexpr uint16_t kNoEntry = 0xFFFF;

// A chunk's way through the table.
struct LookUps {
  alignas(64) std::array<uint16_t, kChunk> hash;   // where in the table
  alignas(64) std::array<uint16_t, kChunk> value;  // what is entered there
  alignas(64) std::array<uint16_t, kChunk> held;   // what was there before
};

extern const BlockOps kPortableOps;
#if defined(__x86_64__)
extern const BlockOps kAvx2Ops;
#endif

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_BLOCK_H_
