#include "usemem/report.h"

#include <algorithm>
#include <limits>

#include "usemem/options.h"

namespace iaa_zswap::usemem {
namespace {

// 64 bits hold bytes x 10^6 only up to 18 TB.
__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kUsecsPerSecond = 1'000'000;

std::uint64_t pass_over_mapping(std::uint64_t bytes, std::uint64_t step_bytes) {
  const std::uint64_t words = bytes / kWordBytes;
  const std::uint64_t step_words = step_bytes / kWordBytes;
  return (words + step_words - 1) / step_words * kWordBytes;
}

}  // namespace

std::uint64_t pass_bytes(std::uint64_t size_bytes, std::uint64_t unit_bytes,
                         std::uint64_t step_bytes) {
  return size_bytes / unit_bytes * pass_over_mapping(unit_bytes, step_bytes) +
         pass_over_mapping(size_bytes % unit_bytes, step_bytes);
}

std::uint64_t allocation_bytes(std::uint64_t size_bytes, std::uint64_t unit_bytes) {
  return size_bytes / unit_bytes * (unit_bytes / 8) + size_bytes % unit_bytes / 8;
}

std::uint64_t kib_per_second(std::uint64_t bytes, std::uint64_t usecs) {
  const Wide rate = Wide{bytes} * kUsecsPerSecond / 1024 / usecs;
  return static_cast<std::uint64_t>(
      std::min<Wide>(rate, std::numeric_limits<std::uint64_t>::max()));
}

std::string init_time_line(std::uint64_t usecs) {
  return "the initialization time is " + std::to_string(usecs / kUsecsPerSecond) + " secs " +
         std::to_string(usecs % kUsecsPerSecond) + " usecs\n";
}

std::string throughput_line(std::uint64_t bytes, std::uint64_t usecs) {
  return std::to_string(bytes) + " bytes / " + std::to_string(usecs) +
         " usecs = " + std::to_string(kib_per_second(bytes, usecs)) + " KB/s\n";
}

std::string read_again_line(std::uint64_t bytes, std::uint64_t usecs) {
  return "read again " + throughput_line(bytes, usecs);
}

std::string free_time_line(std::uint64_t usecs) {
  return std::to_string(usecs) + " usecs to free memory\n";
}

}  // namespace iaa_zswap::usemem
