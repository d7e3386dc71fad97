#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "codec/block.h"

// From here on code is for CPUs with these extensions; the encoder asks the CPU first.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt")
#endif

namespace iaa_zswap::codec {
namespace {

constexpr uint32_t kVectorBytes = 32;

inline __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

inline uint32_t match_length(const uint8_t* a, const uint8_t* b) {
  const auto equal =
      static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(load(a), load(b))));
  return static_cast<uint32_t>(std::countr_one(equal));
}

// entry_of() for 64 positions.
inline void hash_chunk(const uint8_t* data, uint32_t index, std::array<uint16_t, 64>& hashes,
                       std::array<uint32_t, 64>& values) {
  const __m256i words = _mm256_setr_epi8(-1, 0, 1, 2, -1, 1, 2, 3, -1, 2, 3, 4, -1, 3, 4, 5,  //
                                         -1, 4, 5, 6, -1, 5, 6, 7, -1, 6, 7, 8, -1, 7, 8, 9);
  const __m256i multiplier = _mm256_set1_epi32(static_cast<int>(kHashMultiplier));
  const __m256i tag_mask = _mm256_set1_epi32((1 << (24 - kHashBits)) - 1);
  const __m256i eight = _mm256_set1_epi32(8);
  __m256i indices = _mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(index)),
                                     _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  for (uint32_t i = 0; i < 64; i += 16) {
    __m256i hash[2];
    for (size_t half = 0; half < 2; ++half) {
      const __m128i bytes =
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + index + i + 8 * half));
      const __m256i product = _mm256_mullo_epi32(
          _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), words), multiplier);
      hash[half] = _mm256_srli_epi32(product, 32 - kHashBits);
      const __m256i tag = _mm256_and_si256(_mm256_srli_epi32(product, 8), tag_mask);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(values.data() + i + 8 * half),
                          _mm256_or_si256(_mm256_slli_epi32(tag, 16), indices));
      indices = _mm256_add_epi32(indices, eight);
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(hashes.data() + i),
                        _mm256_permute4x64_epi64(_mm256_packus_epi32(hash[0], hash[1]), 0xD8));
  }
}

// Turns what the table held into distances: a difference of 1..kHistory means equal tags and an
// index in reach.
inline uint64_t verify_chunk(const std::array<uint32_t, 64>& values,
                             const std::array<uint32_t, 64>& held, uint16_t* distances) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i limit = _mm256_set1_epi32(kHistory + 1);
  uint64_t found = 0;
  for (uint32_t i = 0; i < 64; i += 16) {
    __m256i distance[2];
    for (size_t half = 0; half < 2; ++half) {
      const __m256i difference =
          _mm256_sub_epi32(load(values.data() + i + 8 * half), load(held.data() + i + 8 * half));
      const __m256i match = _mm256_and_si256(_mm256_cmpgt_epi32(difference, zero),
                                             _mm256_cmpgt_epi32(limit, difference));
      distance[half] = _mm256_and_si256(difference, match);
      const auto mask = static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(match)));
      found |= uint64_t{mask} << (i + 8 * half);
    }
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(distances + i),
        _mm256_permute4x64_epi64(_mm256_packus_epi32(distance[0], distance[1]), 0xD8));
  }
  return found;
}

template <uint32_t MinDistance>
inline void find_candidates(Workspace& workspace, uint32_t size) {
  uint32_t* table = workspace.table.data();
  const uint32_t chunks = (size + 63) / 64;
  // NOLINTBEGIN(*-member-init): filled chunk by chunk
  std::array<uint16_t, 64> hashes;
  // Two of each: a chunk is verified after the look-ups of the next, when its narrow stores have
  // left the store buffer and can be loaded as vectors without a stall.
  alignas(32) std::array<std::array<uint32_t, 64>, 2> values;
  alignas(32) std::array<std::array<uint32_t, 64>, 2> held;
  // NOLINTEND(*-member-init)
  // The position before the current one, whose entry is written after the current look-up.
  // Not used for a minimum distance of 1.
  [[maybe_unused]] uint32_t last_hash = 0;          // NOLINT(misc-const-correctness)
  [[maybe_unused]] uint32_t last_value = table[0];  // NOLINT(misc-const-correctness)
  for (uint32_t chunk = 0; chunk <= chunks; ++chunk) {
    if (chunk < chunks) {
      auto& value = values[chunk % 2];
      auto& old = held[chunk % 2];
      hash_chunk(workspace.data.data(), kHistory + 64 * chunk, hashes, value);
      // Pairs, because stores are what limits this loop.
#pragma GCC unroll 32
      for (uint32_t i = 0; i < 64; i += 2) {
        const uint32_t first = hashes[i];
        const uint32_t second = hashes[i + 1];
        const uint64_t old_first = table[first];
        if constexpr (MinDistance == 2) {
          table[last_hash] = last_value;
        } else {
          table[first] = value[i];
        }
        const uint64_t old_second = table[second];
        if constexpr (MinDistance == 2) {
          table[first] = value[i];
          last_hash = second;
          last_value = value[i + 1];
        } else {
          table[second] = value[i + 1];
        }
        const uint64_t pair = old_first | old_second << 32;
        std::memcpy(old.data() + i, &pair, sizeof pair);
      }
    }
    if (chunk > 0) {
      const uint32_t done = chunk - 1;
      workspace.candidates[done] =
          verify_chunk(values[done % 2], held[done % 2],
                       workspace.distance.data() + kHistory + size_t{64} * done);
    }
  }
}

inline void find_candidates(Workspace& workspace, uint32_t size, uint32_t min_distance) {
  if (min_distance == 1) {
    find_candidates<1>(workspace, size);
  } else {
    find_candidates<2>(workspace, size);
  }
}

}  // namespace
}  // namespace iaa_zswap::codec

#include "codec/block_impl.h"

namespace iaa_zswap::codec {
namespace {

// The fixed codes of 16 bytes and the bits that count: 8 for a byte below 144, else 9.
inline void store_fixed_codes(const uint8_t* from, uint16_t* codes, uint16_t* masks) {
  // Bit reversal by nibbles.
  const __m128i reversed_nibbles =
      _mm_setr_epi8(0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15);
  const __m128i nibble = _mm_set1_epi8(15);
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  const __m128i is_short =
      _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(static_cast<char>(143))), bytes);
  // 00110000 is the first short code; a long one is 1 followed by the byte.
  const __m128i code = _mm_add_epi8(bytes, _mm_and_si128(is_short, _mm_set1_epi8(0x30)));
  const __m128i low = _mm_shuffle_epi8(reversed_nibbles, _mm_and_si128(code, nibble));
  const __m128i high =
      _mm_shuffle_epi8(reversed_nibbles, _mm_and_si128(_mm_srli_epi16(code, 4), nibble));
  const __m256i wide = _mm256_cvtepu8_epi16(_mm_or_si128(_mm_slli_epi16(low, 4), high));
  const __m256i is_short_wide = _mm256_cvtepi8_epi16(is_short);
  const __m256i long_code = _mm256_or_si256(_mm256_slli_epi16(wide, 1), _mm256_set1_epi16(1));
  _mm256_store_si256(reinterpret_cast<__m256i*>(codes),
                     _mm256_blendv_epi8(long_code, wide, is_short_wide));
  _mm256_store_si256(reinterpret_cast<__m256i*>(masks),
                     _mm256_sub_epi16(_mm256_set1_epi16(0x1FF),
                                      _mm256_and_si256(is_short_wide, _mm256_set1_epi16(0x100))));
}

// Code and extra bits of each distance, as in EncodeTables::length.
constexpr std::array<uint32_t, kHistory + 1> fixed_distances() {
  std::array<uint32_t, kHistory + 1> entries{};
  for (uint32_t distance = 1; distance <= kHistory; ++distance) {
    const Symbol symbol = distance_symbol(distance);
    entries[distance] = (reverse_bits(symbol.symbol, 5) | uint32_t{symbol.extra} << 5) |
                        (5U + symbol.extra_bits) << kEntryCountShift;
  }
  return entries;
}
constinit const std::array<uint32_t, kHistory + 1> kFixedDistances = fixed_distances();

// Four literals at once: their codes lie in 16-bit lanes and are pulled together.
uint8_t* write_fixed(const Workspace& workspace, uint32_t size, BitState& state, uint8_t* out) {
  alignas(32) std::array<uint16_t, kBlock + 16> codes;  // NOLINT(*-member-init): filled below
  alignas(32) std::array<uint16_t, kBlock + 16> masks;  // NOLINT(*-member-init)
  for (uint32_t i = 0; i < size; i += 16) {
    const uint8_t* bytes = workspace.data.data() + kHistory + i;
    store_fixed_codes(bytes, codes.data() + i, masks.data() + i);
  }
  BitState local = state;
  const auto put_literals = [&](uint32_t position, uint32_t count) {
    uint64_t code = 0;
    uint64_t mask = 0;
    std::memcpy(&code, codes.data() + position, sizeof code);
    std::memcpy(&mask, masks.data() + position, sizeof mask);
    mask = _bzhi_u64(mask, uint64_t{16} * count);
    local.bits |= _pext_u64(code, mask) << local.count;
    local.count += static_cast<uint32_t>(std::popcount(mask));
  };
  uint32_t position = 0;
  for (size_t i = 0; i < workspace.token_count; ++i) {
    const Token token = workspace.tokens[i];
    for (; position + 3U < token.position(); position += 4) {
      put_literals(position, 4);
      out = flush(local, out);
    }
    // At most 3 x 9 bits and a match of at most 13 + 15.
    put_literals(position, token.position() - position);
    put(local, kFixedTables.length[token.length()]);
    put(local, kFixedDistances[token.distance()]);
    out = flush(local, out);
    position = token.position() + token.length();
  }
  for (; position < size; position += 4) {
    put_literals(position, std::min(size - position, 4U));
    out = flush(local, out);
  }
  state = local;
  return out;
}

}  // namespace

constinit const BlockOps kAvx2Ops = {
    .find_matches = find_matches, .write = write, .write_fixed = write_fixed};

}  // namespace iaa_zswap::codec

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
