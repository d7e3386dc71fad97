#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

#include "codec/block.h"

namespace iaa_zswap::codec {
namespace {

// Loops over arrays are written so that compilers make vectors of them, with what every CPU of the
// architecture has.

constexpr uint32_t kVectorBytes = 32;

inline uint32_t match_length(const uint8_t* a, const uint8_t* b) {
  std::array<uint64_t, kVectorBytes / 8> left;   // NOLINT(*-member-init): filled next
  std::array<uint64_t, kVectorBytes / 8> right;  // NOLINT(*-member-init)
  std::memcpy(left.data(), a, kVectorBytes);
  std::memcpy(right.data(), b, kVectorBytes);
  for (uint32_t i = 0; i < left.size(); ++i) {
    const uint64_t difference = left[i] ^ right[i];
    if (difference != 0) return 8 * i + static_cast<uint32_t>(std::countr_zero(difference)) / 8;
  }
  return kVectorBytes;
}

// One bit for each flag, which are 0 or 1.
inline uint64_t bits_of(const std::array<uint8_t, kChunk>& flags) {
  uint64_t bits = 0;
  for (uint32_t i = 0; i < kChunk; i += 8) {
    uint64_t eight = 0;
    for (uint32_t k = 0; k < 8; ++k) eight |= uint64_t{flags[i + k]} << (8 * k);
    // Flag k, at bit 8k, is added at bit 56 + k, and nothing else is that does not pass bit 63.
    bits |= (eight * 0x0102040810204080U >> 56) << i;
  }
  return bits;
}

inline uint64_t equal_bytes(const uint8_t* a, const uint8_t* b) {
  std::array<uint8_t, kChunk> equal;  // NOLINT(*-member-init): filled next
  for (uint32_t i = 0; i < kChunk; ++i) equal[i] = a[i] == b[i] ? 1 : 0;
  return bits_of(equal);
}

void hash(const uint8_t* data, uint32_t first, LookUps& look_ups) {
  // Words at even and at odd positions.
  std::array<std::array<uint16_t, kChunk / 2 + 1>, 2> words;  // NOLINT(*-member-init): filled next
  std::memcpy(words[0].data(), data, sizeof words[0]);
  std::memcpy(words[1].data(), data + 1, sizeof words[1]);
  for (uint32_t i = 0; i < kChunk / 2; ++i) {
    for (uint32_t odd = 0; odd < 2; ++odd) {
      const uint32_t low = words[odd][i];
      const uint32_t high = words[odd][i + 1];
      const auto product = static_cast<uint16_t>(low * kHashLow + high * kHashHigh);
      const uint32_t at = 2 * i + odd;
      look_ups.hash[at] = static_cast<uint16_t>(product >> kTagBits);
      look_ups.value[at] = static_cast<uint16_t>(uint32_t{product} << kHashBits | (first + at));
    }
  }
}

// With its tag taken away, an entry of the same hash is a position of the block, and of another
// hash more than any.
template <bool HasHistory>
uint64_t find(const LookUps& look_ups, uint32_t first, uint16_t* previous) {
  std::array<uint8_t, kChunk> found;  // NOLINT(*-member-init): filled next
  for (uint32_t i = 0; i < kChunk; ++i) {
    const auto position = static_cast<uint16_t>(first + i);
    const auto tag = static_cast<uint16_t>(look_ups.value[i] & (0xFFFFU << kHashBits));
    const auto entry = static_cast<uint16_t>(look_ups.held[i] - tag);
    const uint16_t limit = HasHistory ? uint16_t{kBlock} : position;
    // What does not come before is from the block before.
    const auto index = static_cast<uint16_t>(entry + (entry < position ? kHistory : 0));
    previous[i] = entry < limit ? index : static_cast<uint16_t>(kHistory + position);
    found[i] = entry < limit ? 1 : 0;
  }
  return bits_of(found);
}

}  // namespace
}  // namespace iaa_zswap::codec

#include "codec/block_impl.h"

namespace iaa_zswap::codec {
namespace {

constexpr EncodeTables fixed_tables() {
  const auto codes = fixed_literal_length_codes();
  const auto distances = fixed_distance_codes();
  return encode_tables(codes.data(), distances.data(), kMaxMatch);
}

uint8_t* write_fixed(const Workspace& workspace, uint32_t size, BitState& state, uint8_t* out) {
  return write(workspace, size, kFixedTables, state, out);
}

}  // namespace

constinit const EncodeTables kFixedTables = fixed_tables();
constinit const BlockOps kPortableOps = {
    .find_matches = find_matches, .write = write, .write_fixed = write_fixed};

}  // namespace iaa_zswap::codec
