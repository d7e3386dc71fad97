// Sources: native/usemem/report.cc
#include <cstdint>

#include "test/check.h"
#include "usemem/options.h"
#include "usemem/report.h"

namespace iaa_zswap::usemem {
namespace {

using common::kMaxBytes;
using test::check_equal;

void test_bytes() {
  constexpr std::uint64_t kTenGiB = 10737418240;
  const auto credited = [](std::uint64_t size, std::uint64_t unit, std::uint64_t step) {
    return allocation_bytes(size, unit) + pass_bytes(size, unit, step);
  };

  // The number that the cover letter's command line prints: 1.125 x size.
  check_equal(credited(kTenGiB, kTenGiB, 8), 12079595520U);
  check_equal(credited(8, 8, 8), 9U);
  check_equal(credited(4095, 4095, 8), 511U + (511U * 8));
  check_equal(credited(100, 100, 8), 12U + (12U * 8));
  // In units the part of a word that ends each is lost: 3 x (33/8 + 4 words), and 1 byte.
  check_equal(credited(100, 33, 8), 3U * (4U + 32U));
  check_equal(credited(1048576, 65536, 8), 1179648U);
  // With a step only the words that are stored count; the last step may be a part of one.
  check_equal(credited(1048576, 1048576, 4096), 131072U + (256U * 8));
  check_equal(credited(4104, 4104, 4096), 513U + (2U * 8));
  check_equal(credited(4096, 4096, 1048576), 512U + 8U);
  check_equal(credited(kMaxBytes, kMaxBytes, 8), kMaxBytes + (kMaxBytes / 8));
}

void test_rate() {
  check_equal(kib_per_second(12079595520, 1000000), 11796480U);
  check_equal(kib_per_second(12079595520, 58097421), 203046U);
  // Both divisions round down: 1023 x 10^6 / 1024 = 999023.4, then / 1000 = 999.02.
  check_equal(kib_per_second(1023, 1000), 999U);
  check_equal(kib_per_second(9, 1), 8789U);
  check_equal(kib_per_second(1, 1000000), 0U);
  // 20 TiB x 1.125 x 10^6 does not fit 64 bits.
  check_equal(kib_per_second(24739011624960, 1000000), 24159191040U);
  check_equal(kib_per_second(UINT64_MAX, 1), UINT64_MAX);
}

void test_texts() {
  check_equal(init_time_line(0), "the initialization time is 0 secs 0 usecs\n");
  check_equal(init_time_line(2000345), "the initialization time is 2 secs 345 usecs\n");
  check_equal(throughput_line(12079595520, 1000000),
              "12079595520 bytes / 1000000 usecs = 11796480 KB/s\n");
  check_equal(read_again_line(1048576, 1000),
              "read again 1048576 bytes / 1000 usecs = 1024000 KB/s\n");
  check_equal(free_time_line(417), "417 usecs to free memory\n");
}

}  // namespace
}  // namespace iaa_zswap::usemem

int main() {
  iaa_zswap::usemem::test_bytes();
  iaa_zswap::usemem::test_rate();
  iaa_zswap::usemem::test_texts();
}
