#include "madvise/report.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <vector>

namespace iaa_zswap::madvise {
namespace {

/** The smallest of the sorted values that is not below `percent` of them. */
std::uint32_t percentile(std::span<const std::uint32_t> sorted, std::size_t percent) {
  return sorted[(sorted.size() * percent + 99) / 100 - 1];
}

/** As `pageout 1048576 pages: p50 706.2 ns, p99 763.0 ns a page`. */
std::string line_of(const char* what, std::vector<std::uint32_t> times_ns,
                    std::uint64_t chunk_pages) {
  std::ranges::sort(times_ns);
  const auto per_page = [&](std::size_t percent) {
    return static_cast<double>(percentile(times_ns, percent)) / static_cast<double>(chunk_pages);
  };
  std::array<char, 160> line{};
  const int length =
      std::snprintf(line.data(), line.size(), "%s %zu pages: p50 %.1f ns, p99 %.1f ns a page\n",
                    what, times_ns.size() * chunk_pages, per_page(50), per_page(99));
  return {line.data(), static_cast<std::size_t>(length)};
}

}  // namespace

std::string report(std::span<const Sample> samples, std::uint64_t chunk_pages) {
  std::uint64_t gone_before = 0;
  std::uint64_t left_after = 0;
  std::vector<std::uint32_t> out_ns;
  std::vector<std::uint32_t> in_ns;
  for (const Sample& sample : samples) {
    gone_before += sample.gone_before;
    left_after += sample.left_after;
    if (sample.gone_before != 0 || sample.left_after != 0) continue;
    out_ns.push_back(sample.out_ns);
    in_ns.push_back(sample.in_ns);
  }
  std::string lines = "asked for " + std::to_string(samples.size() * chunk_pages) +
                      " pages: " + std::to_string(gone_before) + " were gone before, " +
                      std::to_string(left_after) + " were left\n";
  if (!out_ns.empty()) {
    lines += line_of("pageout", std::move(out_ns), chunk_pages);
    lines += line_of("readback", std::move(in_ns), chunk_pages);
  }
  return lines;
}

}  // namespace iaa_zswap::madvise
