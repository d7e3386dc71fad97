#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

#include "codec/block.h"

namespace iaa_zswap::codec {
namespace {

constexpr uint32_t kVectorBytes = 8;

inline uint32_t match_length(const uint8_t* a, const uint8_t* b) {
  uint64_t left = 0;
  uint64_t right = 0;
  std::memcpy(&left, a, sizeof left);
  std::memcpy(&right, b, sizeof right);
  // Of 0 countr_zero is 64, which is all 8 bytes.
  return static_cast<uint32_t>(std::countr_zero(left ^ right)) / 8;
}

inline uint64_t equal_bytes(const uint8_t* a, const uint8_t* b) {
  uint64_t equal = 0;
  for (uint32_t i = 0; i < kChunk; ++i) equal |= uint64_t{a[i] == b[i]} << i;
  return equal;
}

void hash(const uint8_t* data, uint32_t first, LookUps& look_ups) {
  for (uint32_t i = 0; i < kChunk; ++i) {
    const uint32_t low = data[i] | uint32_t{data[i + 1]} << 8;
    const uint32_t high = data[i + 2] | uint32_t{data[i + 3]} << 8;
    const auto product = static_cast<uint16_t>(low * kHashLow + high * kHashHigh);
    look_ups.hash[i] = static_cast<uint16_t>(product >> kTagBits);
    look_ups.value[i] = static_cast<uint16_t>(uint32_t{product} << kHashBits | (first + i));
  }
}

// With its tag taken away, an entry of the same hash is a position of the block, and of another
// hash more than any.
template <bool HasHistory>
uint64_t find(const LookUps& look_ups, uint32_t first, uint16_t* previous) {
  uint64_t found = 0;
  for (uint32_t i = 0; i < kChunk; ++i) {
    const uint32_t position = first + i;
    const uint32_t tag = look_ups.value[i] & (0xFFFFU << kHashBits);
    const uint32_t entry = (look_ups.held[i] - tag) & 0xFFFF;
    const bool valid = entry < (HasHistory ? kBlock : position);
    // What does not come before is from the block before.
    const uint32_t index = entry + (entry < position ? kHistory : 0);
    previous[i] = static_cast<uint16_t>(valid ? index : kHistory + position);
    found |= uint64_t{valid} << i;
  }
  return found;
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
