#ifndef IAA_ZSWAP_COMMON_CLOCK_H_
#define IAA_ZSWAP_COMMON_CLOCK_H_

#include <cstdint>
#include <ctime>

namespace iaa_zswap::common {

/** CLOCK_MONOTONIC, ns. */
inline std::int64_t monotonic_ns() {
  timespec now{};
  static_cast<void>(clock_gettime(CLOCK_MONOTONIC, &now));  // it cannot fail for this clock
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace iaa_zswap::common

#endif  // IAA_ZSWAP_COMMON_CLOCK_H_
