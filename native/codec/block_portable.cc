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

void look_up(Workspace& workspace, std::span<const uint8_t> chunks, uint32_t min_distance) {
  uint16_t* table = workspace.table.data();
  const uint8_t* data = workspace.data.data() + kHistory;
  uint32_t late_hash = 0;
  uint16_t late_value = table[0];
  for (const uint8_t chunk : chunks) {
    uint64_t found = 0;
    for (uint32_t i = 0; i < kChunk; ++i) {
      const uint32_t position = kChunk * chunk + i;
      const uint8_t* at = data + position;
      const auto product =
          static_cast<uint16_t>((at[0] | at[1] << 8) * kHashLow + (at[2] | at[3] << 8) * kHashHigh);
      const uint32_t hash = product >> kTagBits;
      const auto value = static_cast<uint16_t>(product << kHashBits | position);
      const uint32_t held = table[hash];
      if (min_distance == 1) {
        table[hash] = value;
      } else {
        table[late_hash] = late_value;
        late_hash = hash;
        late_value = value;
      }
      const uint32_t entry = (held - (value & (0xFFFFU << kHashBits))) & 0xFFFF;
      const bool valid = entry < (workspace.has_history ? kBlock : position);
      const uint32_t index = entry + (entry < position ? kHistory : 0);
      workspace.previous[kHistory + position] =
          static_cast<uint16_t>(valid ? index : kHistory + position);
      found |= uint64_t{valid} << i;
    }
    workspace.candidates[chunk] = found;
  }
}

}  // namespace
}  // namespace iaa_zswap::codec

#include "codec/block_impl.h"

namespace iaa_zswap::codec {
namespace {

constexpr EncodeTables fixed_tables() {
  const auto codes = fixed_literal_length_codes();
  const auto distances = fixed_distance_codes();
  return encode_tables(codes.data(), distances.data());
}

uint8_t* write_fixed(const Workspace& workspace, uint32_t size, BitState& state, uint8_t* out) {
  return write(workspace, size, kFixedTables, state, out);
}

}  // namespace

constinit const EncodeTables kFixedTables = fixed_tables();
constinit const BlockOps kPortableOps = {
    .find_matches = find_matches, .write = write, .write_fixed = write_fixed};

}  // namespace iaa_zswap::codec
