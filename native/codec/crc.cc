#include "codec/crc.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace iaa_zswap::codec {
namespace {

constexpr uint32_t kReflectedPolynomial = 0xEDB88320U;

// Row k: the CRC of a byte with k zero bytes after it.
constexpr std::array<std::array<uint32_t, 256>, 8> crc_tables() {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReflectedPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t row = 1; row < tables.size(); ++row) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[row - 1][byte];
      tables[row][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr auto kTables = crc_tables();

#if defined(__x86_64__)
// Folding by carry-less multiplication. The constants are x^n modulo the polynomial, reflected, for
// the distances folded over (Gopal et al., "Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ Instruction", Intel, 2009).
__attribute__((target("pclmul,sse4.1"))) inline __m128i fold(__m128i value, __m128i by,
                                                             __m128i next) {
  return _mm_xor_si128(
      _mm_xor_si128(_mm_clmulepi64_si128(value, by, 0x00), _mm_clmulepi64_si128(value, by, 0x11)),
      next);
}

__attribute__((target("pclmul,sse4.1"))) inline __m128i load(const uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

// For a multiple of 16 bytes, 64 at least; `state` is the inverted CRC.
__attribute__((target("pclmul,sse4.1"))) uint32_t crc32_folded(std::span<const uint8_t> data,
                                                               uint32_t state) {
  const __m128i by_64 = _mm_set_epi64x(0x1C6E41596, 0x154442BD4);
  const __m128i by_16 = _mm_set_epi64x(0x0CCAA009E, 0x1751997D0);
  const uint8_t* from = data.data();
  const uint8_t* end = from + data.size();
  __m128i a = _mm_xor_si128(load(from), _mm_cvtsi32_si128(static_cast<int>(state)));
  __m128i b = load(from + 16);
  __m128i c = load(from + 32);
  __m128i d = load(from + 48);
  for (from += 64; end - from >= 64; from += 64) {
    a = fold(a, by_64, load(from));
    b = fold(b, by_64, load(from + 16));
    c = fold(c, by_64, load(from + 32));
    d = fold(d, by_64, load(from + 48));
  }
  a = fold(fold(fold(a, by_16, b), by_16, c), by_16, d);
  for (; from != end; from += 16) a = fold(a, by_16, load(from));
  // What is left has the CRC of the whole: 16 bytes, from a state of 0.
  std::array<uint8_t, 16> rest{};
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest.data()), a);
  return ~crc32_portable(rest, ~0U);
}
#endif

}  // namespace

uint32_t crc32_portable(std::span<const uint8_t> data, uint32_t crc) {
  crc = ~crc;
  while (data.size() >= 8) {
    uint64_t word = 0;
    std::memcpy(&word, data.data(), sizeof word);
    word ^= crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i) crc ^= kTables[7 - i][word >> (8 * i) & 0xFF];
    data = data.subspan(8);
  }
  for (const uint8_t byte : data) crc = (crc >> 8) ^ kTables[0][(crc ^ byte) & 0xFF];
  return ~crc;
}

uint32_t crc32(std::span<const uint8_t> data, uint32_t crc) {
#if defined(__x86_64__)
  static const bool folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  if (folds && data.size() >= 64) {
    const size_t whole = data.size() / 16 * 16;
    crc = ~crc32_folded(data.first(whole), ~crc);
    data = data.subspan(whole);
  }
#endif
  return crc32_portable(data, crc);
}

}  // namespace iaa_zswap::codec
