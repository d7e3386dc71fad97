#ifndef IAA_ZSWAP_MODEL_RANDOM_H_
#define IAA_ZSWAP_MODEL_RANDOM_H_

#include <cstdint>

namespace iaa_zswap::model {

/** Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014. */
constexpr std::uint64_t scatter(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111eb;
  return value ^ (value >> 31U);
}

/** The random numbers of one task: the same for the same seed and number, whatever others draw. */
class Random {
 public:
  Random() = default;
  Random(std::uint64_t seed, std::uint64_t number)
      : state_(scatter(scatter(seed + kGamma) + number)) {}

  std::uint64_t next() {
    state_ += kGamma;
    return scatter(state_);
  }

  /** 0 to limit - 1; limit below 2^32. */
  std::uint32_t below(std::uint32_t limit) {
    return static_cast<std::uint32_t>(((next() >> 32U) * limit) >> 32U);
  }

  /** True `per_million` times in a million. */
  bool happens(std::uint32_t per_million) {
    return per_million > 0 && below(1'000'000) < per_million;
  }

 private:
  static constexpr std::uint64_t kGamma = 0x9e3779b97f4a7c15;

  std::uint64_t state_ = 0;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_RANDOM_H_
