#include "codec/fixed_loop.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "codec/decode_table.h"

namespace iaa_zswap::codec {
namespace {

// At most two literals, then a third one or a match, are decoded in a round: 18 bits and 14 with up
// to 10 more, of the 56 that a refill gives.
constexpr size_t kBefore = 2;

// From this distance on a vector of the source has all the bytes of a match, however many literals
// of the same round come before it.
constexpr size_t kApart = kLoopMatch + kBefore;

// How the 32 bytes of a match are made of the 32 bytes where it begins, when it overlaps itself,
// and of the literals before it, which are not yet in memory. Bytes with bit 7 give 0.
struct Shuffle {
  std::array<uint8_t, 16> low_from_source;
  std::array<uint8_t, 16> low_from_literals;
  std::array<uint8_t, 16> high_from_low;
  std::array<uint8_t, 16> high_from_source;  // from its upper half
};

constexpr uint32_t kIsLiteral = 0x80;
constexpr uint32_t kNoLiteral = 0x20;
struct Tables {
  // Per nine bits that begin with a literal: kNoLiteral when they do not; else where its successor
  // is in the entry of `second`, the number of bits << 8 and the literal << 16.
  std::array<uint32_t, 512> first;
  // Per ten bits after eight of a first literal: number of bits and literal << 8 of the second one,
  // if it is one; in the upper half those after nine bits.
  std::array<uint32_t, 1024> second;
  // Per kLoopBits bits, how many a literal or a match takes with all extra bits; 0: it is neither.
  std::array<uint8_t, 1U << kLoopBits> bits;
  // Per nine bits: those of the code, number of extra bits << 8, base << 16; kLiteral: a literal,
  // of which base is 1.
  std::array<uint32_t, 512> length;
  // Per five bits: number of extra bits, base << 16.
  std::array<uint32_t, 32> distance;
  // Per distance up to kApart, and number of literals before.
  alignas(64) std::array<std::array<Shuffle, 4>, kApart + 1> shuffle;
};

constexpr Shuffle shuffle_of(size_t distance, size_t literals) {
  constexpr uint8_t kNothing = 0x80;
  Shuffle shuffle{};
  const auto byte = [](size_t value) { return static_cast<uint8_t>(value); };
  for (size_t i = 0; i < 16; ++i) {
    // Byte i repeats byte i % distance of the source, of which the last ones may be literals.
    const size_t from = distance == kApart ? i : i % distance;
    const bool is_literal = distance != kApart && from + literals >= distance;
    shuffle.low_from_source.at(i) = is_literal ? kNothing : byte(from);
    shuffle.low_from_literals.at(i) = is_literal ? byte(from + literals - distance) : kNothing;
    const bool is_before = distance <= 16 + i;
    const size_t high = distance > 16 ? i + 16 - distance : (i + 16) % distance;
    shuffle.high_from_low.at(i) = is_before ? byte(high) : kNothing;
    shuffle.high_from_source.at(i) = is_before ? kNothing : byte(i);
  }
  return shuffle;
}

constexpr void add_literals_and_lengths(Tables& tables) {
  const auto codes = fixed_literal_length_codes();
  tables.first.fill(kNoLiteral);
  std::array<uint32_t, 512> seconds{};
  for (uint32_t symbol = 0; symbol < kEndOfBlock; ++symbol) {
    const Code code = codes.at(symbol);
    const uint32_t step = 1U << code.length;
    for (uint32_t i = code.bits; i < 512; i += step) {
      tables.first.at(i) =
          (code.length == 9 ? 16U : 0U) | uint32_t{code.length} << 8 | symbol << 16;
      seconds.at(i) = code.length | symbol << 8;
      tables.length.at(i) = with_value(1) | kIsLiteral | code.length;
    }
    for (uint32_t i = code.bits; i < tables.bits.size(); i += step) tables.bits.at(i) = code.length;
  }
  for (uint32_t i = 0; i < 1024; ++i) {
    tables.second.at(i) = seconds.at(i % 512) | seconds.at(i / 2) << 16;
  }
  for (uint32_t symbol = kEndOfBlock; symbol < kLiteralLengthSymbols; ++symbol) {
    const Code code = codes.at(symbol);
    const DecodeEntry entry = literal_length_entry(symbol);
    for (uint32_t i = code.bits; i < 512; i += 1U << code.length) {
      tables.length.at(i) = with_value(value_of(entry)) | dropped_bits(entry) << 8 | code.length;
    }
  }
}

constexpr void add_distances(Tables& tables) {
  const auto codes = fixed_literal_length_codes();
  const auto distances = fixed_distance_codes();
  for (uint32_t symbol = 0; symbol < kDistanceSymbols; ++symbol) {
    const DecodeEntry entry = distance_entry(symbol);
    if (value_of(entry) > kHistory) continue;
    const Code code = distances.at(symbol);
    tables.distance.at(code.bits) = with_value(value_of(entry)) | dropped_bits(entry);
    for (uint32_t length = kMinMatch; length <= kLoopMatch; ++length) {
      const Symbol of = length_symbol(length);
      const Code length_code = codes.at(of.symbol);
      const uint32_t before = uint32_t{length_code.length} + of.extra_bits;
      const uint32_t first = length_code.bits | uint32_t{of.extra} << length_code.length |
                             uint32_t{code.bits} << before;
      for (uint32_t i = first; i < tables.bits.size(); i += 1U << (before + code.length)) {
        tables.bits.at(i) = static_cast<uint8_t>(before + code.length + dropped_bits(entry));
      }
    }
  }
}

constexpr Tables make_tables() {
  Tables tables{};
  add_literals_and_lengths(tables);
  add_distances(tables);
  for (size_t distance = 1; distance <= kApart; ++distance) {
    for (size_t literals = 0; literals <= kBefore; ++literals) {
      tables.shuffle.at(distance).at(literals) = shuffle_of(distance, literals);
    }
  }
  return tables;
}
constinit const Tables kTables = make_tables();

// Per five bits that begin with a literal, whether its code has nine bits; else it has eight.
constexpr uint32_t nine_bits() {
  uint32_t set = 0;
  const auto codes = fixed_literal_length_codes();
  for (uint32_t symbol = 0; symbol < kEndOfBlock; ++symbol) {
    const Code code = codes.at(symbol);
    if (code.length == 9) set |= 1U << (code.bits & 31);
  }
  return set;
}
constexpr uint32_t kNineBits = nine_bits();

inline __m128i load(const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2")
#endif

inline __m128i shuffle(__m128i bytes, const std::array<uint8_t, 16>& how) {
  return _mm_shuffle_epi8(bytes, load(how.data()));
}

// None, one or two literals: how many bits they take, 8 or 9 each, and what they are.
struct Literals {
  uint32_t bits;
  uint32_t bytes;
};
inline Literals literals_at(const Tables& tables, uint32_t first, uint64_t bits) {
  const uint64_t second = uint64_t{tables.second[_bextr_u64(bits, 8, 10)]} >> (first & 63);
  return {.bits = ((first >> 8) + static_cast<uint32_t>(second)) & 0xFF,
          .bytes = first >> 16 | (static_cast<uint32_t>(second) & 0xFF00)};
}

template <bool MostlyLiterals>
void run(LoopState& state) {
  const Tables& tables = kTables;
  const uint8_t* in = state.in;
  const uint8_t* last_in = state.in_end - sizeof(uint64_t);
  uint64_t bits = state.bits;
  uint32_t count = state.count;
  uint8_t* memory = state.memory;
  size_t to = state.to;
  const auto refill = [&] {
    uint64_t word = 0;
    std::memcpy(&word, in, sizeof word);
    bits |= word << count;
    in += (63 - count) >> 3;
    count |= 56;
  };
  // As many as a refill is enough for; none, and false, when there is something else among them.
  // No look-up waits for the one before: five bits tell how long a literal's code is.
  const auto take_literals = [&] {
    constexpr uint32_t kLiterals = 6;
    uint64_t rest = bits;
    uint64_t bytes = 0;
    uint32_t nines = 0;
    uint32_t others = 0;
#pragma GCC unroll 6
    for (uint32_t i = 0; i < kLiterals; ++i) {
      const uint32_t entry = tables.first[rest & 511];
      const uint32_t nine = kNineBits >> (rest & 31) & 1;
      rest = rest >> 8 >> nine;
      nines += nine;
      others |= entry;
      bytes |= uint64_t{entry >> 16} << (8 * i);
    }
    if ((others & kNoLiteral) != 0) return false;
    std::memcpy(memory + to, &bytes, sizeof bytes);
    to += kLiterals;
    bits = rest;
    count -= 8 * kLiterals + nines;
    return true;
  };
  while (in <= last_in && to < state.to_end) {
    if constexpr (MostlyLiterals) {
      refill();
      if (take_literals()) continue;
      if (in > last_in) break;
    }
    // At least ten bits are left from before: the first look-up need not wait for more.
    const uint32_t first = tables.first[bits & 511];
    refill();
    const Literals before = literals_at(tables, first, bits);
    const size_t literals = before.bits >> 3;
    bits >>= before.bits;
    count -= before.bits;
    const __m128i two = _mm_cvtsi32_si128(static_cast<int>(before.bytes));
    const uint32_t taken = tables.bits[bits & ((1U << kLoopBits) - 1)];
    const size_t index = bits & 511;
    const uint32_t length = tables.length[index];
    // All ones or none.
    const auto literal_mask =
        static_cast<size_t>(static_cast<int64_t>(static_cast<int8_t>(length)) >> 63);
    const uint32_t extra = length >> 8 & 0xFF;
    const uint64_t after_code = bits >> (length & 63);
    const size_t size = size_t{length >> 16} + _bzhi_u64(after_code, extra);
    const uint64_t after_length = after_code >> extra;
    const uint32_t entry = tables.distance[after_length & 31];
    const size_t distance = size_t{entry >> 16} + _bzhi_u64(after_length >> 5, entry);
    const size_t at = to + literals;
    const size_t from =
        (at - distance) ^ (((at - distance) ^ (state.literals + index)) & literal_mask);
    if (taken == 0 || from < state.oldest) [[unlikely]] {
      _mm_storeu_si32(memory + to, two);
      to = at;
      break;
    }
    bits >>= taken;
    count -= taken;
    const Shuffle& how = tables.shuffle[std::min(distance | literal_mask, kApart)][literals];
    const __m128i low_source = load(memory + from);
    _mm_storeu_si32(memory + to, two);
    const __m128i low =
        _mm_or_si128(shuffle(low_source, how.low_from_source), shuffle(two, how.low_from_literals));
    // Loaded only now, since the literals may be among it.
    const __m128i high = _mm_or_si128(shuffle(low, how.high_from_low),
                                      shuffle(load(memory + from + 16), how.high_from_source));
    // One store, so that the next match can be loaded from it at once.
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(memory + at), _mm256_set_m128i(high, low));
    to = at + size;
  }
  state.in = in;
  state.bits = bits;
  state.count = count;
  state.to = to;
}

void run_any(LoopState& state) {
  if (state.mostly_literals) {
    run<true>(state);
  } else {
    run<false>(state);
  }
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

}  // namespace

FixedLoop supported_fixed_loop() {
  static const bool supported = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                                __builtin_cpu_supports("bmi2");
  return supported ? run_any : nullptr;
}

}  // namespace iaa_zswap::codec

#else

namespace iaa_zswap::codec {

FixedLoop supported_fixed_loop() { return nullptr; }

}  // namespace iaa_zswap::codec

#endif
