#ifndef IAA_ZSWAP_SAMPLER_HISTOGRAM_H_
#define IAA_ZSWAP_SAMPLER_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace iaa_zswap::sampler {

/** How often which duration was seen, in buckets of at most 1/32 of their value. */
class Histogram {
 public:
  void add(std::uint64_t ns) {
    ++buckets_[bucket_of(ns)];
    ++count_;
    largest_ = std::max(largest_, ns);
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t largest() const { return largest_; }

  /** A value that `share` (0 to 1) of those seen do not exceed, at most 1/32 above the smallest
   * such; 0 when none was seen. */
  [[nodiscard]] std::uint64_t quantile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen >= wanted && seen > 0) return std::min(last_of(i), largest_);
    }
    return 0;
  }

 private:
  // 32 buckets for each power of two from 32 on; those below 32 are exact.
  static constexpr unsigned kBits = 5;
  static constexpr std::size_t kBuckets = std::size_t{64 - kBits + 1} << kBits;

  static std::size_t bucket_of(std::uint64_t ns) {
    const auto width = static_cast<unsigned>(std::bit_width(ns));
    if (width <= kBits + 1) return ns;
    const unsigned shift = width - kBits - 1;
    return (std::size_t{shift} << kBits) + (ns >> shift);
  }

  static std::uint64_t last_of(std::size_t bucket) {
    if (bucket < std::size_t{2} << kBits) return bucket;
    const std::size_t shift = (bucket >> kBits) - 1;
    const std::uint64_t leading = bucket - (shift << kBits);
    return ((leading + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t largest_ = 0;
};

}  // namespace iaa_zswap::sampler

#endif  // IAA_ZSWAP_SAMPLER_HISTOGRAM_H_
