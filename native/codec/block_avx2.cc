#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <span>

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
  // Not std::countr_one: g++ 12 makes a branch of its special case.
  return _tzcnt_u32(~equal);
}

inline uint64_t equal_bytes(const uint8_t* a, const uint8_t* b) {
  const auto half = [&](size_t at) {
    return static_cast<uint32_t>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(load(a + at), load(b + at))));
  };
  return half(0) | uint64_t{half(32)} << 32;
}

inline void store(void* to, __m256i value) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), value);
}

inline __m256i words_of(uint32_t value) { return _mm256_set1_epi16(static_cast<short>(value)); }

void hash(const uint8_t* data, uint32_t first, LookUps& look_ups) {
  __m256i position = _mm256_add_epi16(
      words_of(first), _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const auto put = [&](size_t at, __m256i product) {
    store(look_ups.hash.data() + at, _mm256_srli_epi16(product, kTagBits));
    store(look_ups.value.data() + at,
          _mm256_or_si256(_mm256_slli_epi16(product, kHashBits), position));
    position = _mm256_add_epi16(position, words_of(16));
  };
  const auto product = [&](const uint8_t* from) {
    return _mm256_add_epi16(_mm256_mullo_epi16(load(from), words_of(kHashLow)),
                            _mm256_mullo_epi16(load(from + 2), words_of(kHashHigh)));
  };
#pragma GCC unroll 2
  for (size_t at = 0; at < kChunk; at += 32) {
    const __m256i even = product(data + at);
    const __m256i odd = product(data + at + 1);
    const __m256i low = _mm256_unpacklo_epi16(even, odd);
    const __m256i high = _mm256_unpackhi_epi16(even, odd);
    put(at, _mm256_permute2x128_si256(low, high, 0x20));
    put(at + 16, _mm256_permute2x128_si256(low, high, 0x31));
  }
}

// With its tag taken away, an entry of the same hash is a position of the block, and of another
// hash more than any.
template <bool HasHistory>
uint64_t find(const LookUps& look_ups, uint32_t first, uint16_t* previous) {
  __m256i position = _mm256_add_epi16(
      words_of(first), _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const __m256i history = words_of(kHistory);
  // Stores the indices; which positions have none?
  const auto find_16 = [&](size_t at) {
    const __m256i tag =
        _mm256_and_si256(load(look_ups.value.data() + at), words_of(0xFFFFU << kHashBits));
    const __m256i entry = _mm256_sub_epi16(load(look_ups.held.data() + at), tag);
    const __m256i own = _mm256_add_epi16(position, history);
    __m256i none;
    if constexpr (HasHistory) {
      none = _mm256_cmpeq_epi16(_mm256_max_epu16(entry, words_of(kBlock)), entry);
      // What does not come before is from the block before.
      const __m256i here = _mm256_and_si256(_mm256_cmpgt_epi16(position, entry), history);
      store(previous + at, _mm256_blendv_epi8(_mm256_add_epi16(entry, here), own, none));
    } else {
      const __m256i index = _mm256_add_epi16(_mm256_min_epu16(entry, position), history);
      none = _mm256_cmpeq_epi16(index, own);
      store(previous + at, index);
    }
    position = _mm256_add_epi16(position, words_of(16));
    return none;
  };
  uint64_t none = 0;
#pragma GCC unroll 2
  for (size_t at = 0; at < kChunk; at += 32) {
    const __m256i low = find_16(at);
    const __m256i high = find_16(at + 16);
    const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xD8);
    none |= uint64_t{static_cast<uint32_t>(_mm256_movemask_epi8(bytes))} << at;
  }
  return ~none;
}

}  // namespace
}  // namespace iaa_zswap::codec

#include "codec/block_impl.h"

namespace iaa_zswap::codec {
namespace {

// The fixed codes of a block's bytes. A byte below 144 has eight bits; another has nine, a one and
// then eight.
struct LiteralCodes {
  alignas(32) std::array<uint8_t, kBlock + 32> eight;
  std::array<uint32_t, kBlock / 32 + 2> is_nine;  // one bit for each byte
};

void fill(LiteralCodes& codes, const uint8_t* data, uint32_t size) {
  // Bit reversal by nibbles.
  const __m256i low_nibbles = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15));
  const __m256i high_nibbles = _mm256_slli_epi16(low_nibbles, 4);
  const __m256i nibble = _mm256_set1_epi8(15);
  for (uint32_t i = 0; i < size; i += 32) {
    const __m256i bytes = load(data + i);
    const __m256i is_nine =
        _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, _mm256_set1_epi8(static_cast<char>(144))), bytes);
    // 00110000 is the first code of eight bits, 110010000 the first of nine.
    const __m256i code =
        _mm256_add_epi8(bytes, _mm256_andnot_si256(is_nine, _mm256_set1_epi8(0x30)));
    const __m256i low = _mm256_shuffle_epi8(high_nibbles, _mm256_and_si256(code, nibble));
    const __m256i high =
        _mm256_shuffle_epi8(low_nibbles, _mm256_and_si256(_mm256_srli_epi16(code, 4), nibble));
    _mm256_store_si256(reinterpret_cast<__m256i*>(codes.eight.data() + i),
                       _mm256_or_si256(low, high));
    codes.is_nine[i / 32] = static_cast<uint32_t>(_mm256_movemask_epi8(is_nine));
  }
}

// How many literals are written at once: 54 bits at most.
constexpr uint32_t kAtOnce = 6;
// For each set of nine-bit codes among them: ones where their eight bits go.
constexpr std::array<uint64_t, 1U << kAtOnce> spreads() {
  std::array<uint64_t, 1U << kAtOnce> result{};
  for (size_t set = 0; set < result.size(); ++set) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < kAtOnce; ++i, at += 8) {
      at += static_cast<uint32_t>(set >> i & 1);
      result[set] |= uint64_t{0xFF} << at;
    }
  }
  return result;
}
constexpr std::array<uint64_t, 1U << kAtOnce> kSpreads = spreads();

// At most kAtOnce literals.
inline uint8_t* put_literals(const LiteralCodes& codes, uint32_t position, uint32_t count,
                             BitState& state, uint8_t* out) {
  uint64_t eight = 0;
  uint32_t set = 0;
  std::memcpy(&eight, codes.eight.data() + position, sizeof eight);
  std::memcpy(&set, reinterpret_cast<const uint8_t*>(codes.is_nine.data()) + (position >> 3),
              sizeof set);
  set = _bzhi_u32(set >> (position & 7), count);
  const uint64_t spread = kSpreads[set];
  const auto size = 8 * count + static_cast<uint32_t>(_mm_popcnt_u32(set));
  state.bits |= _bzhi_u64(_pdep_u64(eight, spread) | ~spread, size) << state.count;
  state.count += size;
  return flush(state, out);
}

// Code and extra bits of each distance, as in EncodeTables::length.
constexpr std::array<uint32_t, kHistory + 1> fixed_distances() {
  std::array<uint32_t, kHistory + 1> entries{};
  for (uint32_t distance = 1; distance <= kHistory; ++distance) {
    const Symbol symbol = distance_symbol(distance);
    entries[distance] = entry_of(reverse_bits(symbol.symbol, 5) | uint32_t{symbol.extra} << 5,
                                 5U + symbol.extra_bits);
  }
  return entries;
}
constinit const std::array<uint32_t, kHistory + 1> kFixedDistances = fixed_distances();

uint8_t* write_fixed(const Workspace& workspace, uint32_t size, BitState& state, uint8_t* out) {
  LiteralCodes codes;  // NOLINT(*-member-init): filled next
  fill(codes, workspace.data.data() + kHistory, size);
  BitState local = state;
  uint32_t position = 0;
  const auto put_run = [&](uint32_t end) {
    uint32_t count = end - position;
    for (; count > kAtOnce; count -= kAtOnce, position += kAtOnce) {
      out = put_literals(codes, position, kAtOnce, local, out);
    }
    out = put_literals(codes, position, count, local, out);
  };
  for (size_t i = 0; i < workspace.token_count; ++i) {
    const Token& token = workspace.tokens[i];
    put_run(token.position);
    const uint32_t length = kFixedTables.length[token.length];
    const uint32_t distance = kFixedDistances[token.distance];
    local.bits |= (entry_bits(length) | uint64_t{entry_bits(distance)} << entry_count(length))
                  << local.count;
    local.count += entry_count(length) + entry_count(distance);
    out = flush(local, out);
    position = uint32_t{token.position} + token.length;
  }
  put_run(size);
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
