#ifndef IAA_ZSWAP_TEST_CODEC_PAGES_H_
#define IAA_ZSWAP_TEST_CODEC_PAGES_H_

#include <cstdint>
#include <random>
#include <vector>

namespace iaa_zswap::test {

/** Bytes of one of several kinds, from noise to runs; what a seed gives is always the same. */
// NOLINTNEXTLINE(readability-function-cognitive-complexity): one case for each kind
inline std::vector<uint8_t> generated_page(uint64_t seed, size_t size = 4096) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t limit) { return random() % limit; };
  std::vector<uint8_t> page(size);
  const uint64_t kind = below(8);
  const uint64_t alphabet = 1 + below(kind == 0 ? 256 : 40);
  const size_t period = 1 + below(kind == 1 ? 5000 : 40);
  uint64_t counter = random();
  for (size_t i = 0; i < size;) {
    switch (kind) {
      case 0:  // symbols in no order
        page[i++] = static_cast<uint8_t>(below(alphabet));
        break;
      case 1:
      case 2:  // periods with mistakes
        page[i] =
            i < period || below(50) == 0 ? static_cast<uint8_t>(below(256)) : page[i - period];
        ++i;
        break;
      case 3: {  // runs
        const auto byte = static_cast<uint8_t>(below(alphabet));
        for (uint64_t left = 1 + below(300); left > 0 && i < size; --left) page[i++] = byte;
        break;
      }
      case 4: {  // copies from anywhere before, as text and programs have
        const uint64_t length = 1 + below(60);
        const size_t from = i == 0 ? 0 : below(i);
        const bool copy = i > 0 && below(3) != 0;
        for (uint64_t k = 0; k < length && i < size; ++k, ++i) {
          page[i] = copy ? page[from + k] : static_cast<uint8_t>(below(alphabet));
        }
        break;
      }
      case 5: {  // ascending words
        ++counter;
        for (int k = 0; k < 8 && i < size; ++k)
          page[i++] = static_cast<uint8_t>(counter >> (8 * k));
        break;
      }
      case 6:  // mostly zero
        page[i++] = below(30) == 0 ? static_cast<uint8_t>(below(256)) : uint8_t{0};
        break;
      default:  // one byte only
        page[i++] = static_cast<uint8_t>(alphabet);
        break;
    }
  }
  return page;
}

}  // namespace iaa_zswap::test

#endif  // IAA_ZSWAP_TEST_CODEC_PAGES_H_
