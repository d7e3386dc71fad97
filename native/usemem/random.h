#ifndef IAA_ZSWAP_USEMEM_RANDOM_H_
#define IAA_ZSWAP_USEMEM_RANDOM_H_

#include <cstdint>

namespace iaa_zswap::usemem {

// Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014: the odd number
// next to 2^64 over the golden ratio, and the finaliser Stafford's "Mix13".
inline constexpr std::uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;

/** A bijection that scatters neighbouring numbers. */
[[nodiscard]] constexpr std::uint64_t scatter(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111eb;
  return value ^ (value >> 31U);
}

/** The random numbers of one task: any of them without those before it. */
class RandomWords {
 public:
  RandomWords(std::uint64_t seed, std::uint64_t task)
      : origin_(scatter(scatter(seed + kGoldenGamma) + task)) {}
  [[nodiscard]] std::uint64_t operator[](std::uint64_t index) const {
    return scatter(origin_ + (index + 1) * kGoldenGamma);
  }

 private:
  std::uint64_t origin_;
};

/** Random indexes below a bound, for one task. */
class RandomOrder {
 public:
  // Another stream than that of the contents, which have the same seed.
  RandomOrder(std::uint64_t seed, std::uint64_t task) : numbers_(~seed, task) {}
  [[nodiscard]] std::uint64_t next_below(std::uint64_t bound) {
    // Lemire: "Fast Random Integer Generation in an Interval", 2019; the bias is below bound /
    // 2^64.
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((Wide{numbers_[count_++]} * bound) >> 64U);
  }

 private:
  RandomWords numbers_;
  std::uint64_t count_ = 0;
};

}  // namespace iaa_zswap::usemem

#endif  // IAA_ZSWAP_USEMEM_RANDOM_H_
