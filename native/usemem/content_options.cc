#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

#include "usemem/content.h"

namespace iaa_zswap::usemem {

using common::BadUsage;
using common::CommandLine;

std::optional<BadUsage> set_content(const CommandLine& line, ContentSpec& spec) {
  constexpr std::string_view kRatioPrefix = "ratio:";
  constexpr std::string_view kFilePrefix = "file:";
  const std::string_view text = optarg;
  if (text == "counter") {
    spec.kind = ContentKind::kCounter;
  } else if (text == "random") {
    spec.kind = ContentKind::kRandom;
  } else if (text == "zero") {
    spec.kind = ContentKind::kZero;
  } else if (text.starts_with(kRatioPrefix)) {
    const std::string_view number = text.substr(kRatioPrefix.size());
    const char* const begin = number.data();
    const char* const end = begin + number.size();
    const auto [stop, error] = std::from_chars(begin, end, spec.ratio, std::chars_format::fixed);
    // Written so that NaN is refused too.
    const bool inside = spec.ratio >= kMinRatio && spec.ratio <= kMaxRatio;
    if (error != std::errc{} || stop != end || !inside) {
      return line.bad_value("a ratio from 1 to 16, as ratio:2.5");
    }
    spec.kind = ContentKind::kRatio;
  } else if (text.starts_with(kFilePrefix) && text.size() > kFilePrefix.size()) {
    spec.kind = ContentKind::kFile;
    spec.path = text.substr(kFilePrefix.size());
  } else {
    return line.bad_value("counter, random, zero, ratio:R or file:PATH");
  }
  return std::nullopt;
}

std::optional<BadUsage> set_seed(const CommandLine& line, ContentSpec& spec) {
  const auto seed = common::parse_number(optarg, 0, UINT64_MAX);
  if (!seed) return line.bad_value("a decimal number below 2^64");
  spec.seed = *seed;
  return std::nullopt;
}

}  // namespace iaa_zswap::usemem
