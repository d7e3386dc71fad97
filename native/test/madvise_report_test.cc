// Sources: native/madvise/report.cc
#include <cstdint>
#include <vector>

#include "madvise/report.h"
#include "test/check.h"

namespace iaa_zswap::madvise {
namespace {

using test::check_equal;

void test_percentiles() {
  // 1 to 200 in an order of its own; by nearest rank the 50th of a hundred is the 100th here.
  std::vector<Sample> samples;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const std::uint32_t value = (i * 77 % 200) + 1;
    samples.push_back({.out_ns = value * 16, .in_ns = value * 160});
  }
  check_equal(report(samples, 16),
              "asked for 3200 pages: 0 were gone before, 0 were left\n"
              "pageout 3200 pages: p50 100.0 ns, p99 198.0 ns a page\n"
              "readback 3200 pages: p50 1000.0 ns, p99 1980.0 ns a page\n");
  check_equal(report(std::vector<Sample>{{.out_ns = 7, .in_ns = UINT32_MAX}}, 2),
              "asked for 2 pages: 0 were gone before, 0 were left\n"
              "pageout 2 pages: p50 3.5 ns, p99 3.5 ns a page\n"
              "readback 2 pages: p50 2147483647.5 ns, p99 2147483647.5 ns a page\n");
}

/** Calls that did not page out a whole chunk are counted, and have no part in the times. */
void test_left_out() {
  const std::vector<Sample> samples = {
      {.out_ns = 1600, .in_ns = 3200},
      {.out_ns = 1, .in_ns = 1, .gone_before = 3},
      {.out_ns = 2, .in_ns = 2, .left_after = 16},
  };
  check_equal(report(samples, 16),
              "asked for 48 pages: 3 were gone before, 16 were left\n"
              "pageout 16 pages: p50 100.0 ns, p99 100.0 ns a page\n"
              "readback 16 pages: p50 200.0 ns, p99 200.0 ns a page\n");
  check_equal(report(std::vector<Sample>{samples[2]}, 16),
              "asked for 16 pages: 0 were gone before, 16 were left\n");
}

}  // namespace
}  // namespace iaa_zswap::madvise

int main() {
  iaa_zswap::madvise::test_percentiles();
  iaa_zswap::madvise::test_left_out();
}
