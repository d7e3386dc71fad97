#include <algorithm>
#include <bit>
#include <cstring>

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

void find_candidates(Workspace& workspace, uint32_t size, uint32_t min_distance) {
  const uint8_t* data = workspace.data.data();
  Entry last{.hash = 0, .value = workspace.table[0]};
  for (uint32_t chunk = 0; chunk < size; chunk += 64) {
    uint64_t found = 0;
    for (uint32_t i = 0; i < 64; ++i) {
      const uint32_t index = kHistory + chunk + i;
      const Entry entry = entry_of(data, index);
      const uint32_t distance = entry.value - workspace.table[entry.hash];
      const bool match = distance - 1 < kHistory;
      workspace.distance[index] = match ? static_cast<uint16_t>(distance) : uint16_t{0};
      found |= uint64_t{match} << i;
      // With a minimum distance of 2 a position is entered after the look-up of the next.
      const Entry enter = min_distance == 2 ? last : entry;
      workspace.table[enter.hash] = enter.value;
      last = entry;
    }
    workspace.candidates[chunk / 64] = found;
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
