#include "common/command_line.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <system_error>
#include <utility>

namespace iaa_zswap::common {

std::string quoted(std::string_view text) {
  std::string result(text);
  std::ranges::replace_if(result, [](unsigned char c) { return std::iscntrl(c) != 0; }, '?');
  return "'" + result + "'";
}

std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || (length > 1 && text.front() == '0')) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t smallest,
                                          std::uint64_t largest) {
  const std::optional<std::uint64_t> value = take_number(text);
  if (!value || !text.empty() || *value < smallest || *value > largest) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const std::optional<std::uint64_t> number = take_number(text);
  if (!number || text.size() > 1) return std::nullopt;
  unsigned shift = 0;
  if (!text.empty()) {
    constexpr std::string_view kSuffixes = "kmgt";
    const auto letter = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
    const std::size_t power = kSuffixes.find(letter);
    if (power == std::string_view::npos) return std::nullopt;
    shift = 10 * (static_cast<unsigned>(power) + 1);
  }
  if (*number > kMaxBytes >> shift) return std::nullopt;
  return *number << shift;
}

CommandLine::CommandLine(int argc, char** argv, const char* letters,
                         std::span<const option> options)
    : letters_(letters), options_(options), words_(argv, argv + argc) {
  words_.push_back(nullptr);
  optind = 0;  // glibc: begin anew, whoever used getopt before
  opterr = 0;
}

std::variant<std::uint64_t, HelpWanted, BadUsage> CommandLine::read(
    const std::function<std::optional<BadUsage>(int letter)>& take, std::uint64_t smallest) {
  for (;;) {
    letter_ = getopt_long(static_cast<int>(words_.size()) - 1, words_.data(), letters_,
                          options_.data(), nullptr);
    if (letter_ == -1) return parse_operand(smallest);
    if (letter_ == '?' || letter_ == ':') return refused();
    if (letter_ == 'h') return HelpWanted{};
    if (std::optional<BadUsage> bad = take(letter_)) return std::move(*bad);
  }
}

BadUsage CommandLine::bad_value(std::string_view wanted) const {
  return {name_of(letter_) + " wants " + std::string(wanted) + ", not " + quoted(optarg)};
}

std::optional<BadUsage> CommandLine::set_number(std::uint32_t& target, std::uint64_t smallest,
                                                std::uint64_t largest) const {
  const std::optional<std::uint64_t> value = parse_number(optarg, smallest, largest);
  if (!value) {
    return bad_value("a number from " + std::to_string(smallest) + " to " +
                     std::to_string(largest));
  }
  target = static_cast<std::uint32_t>(*value);
  return std::nullopt;
}

/** The name a user knows an option by. */
std::string CommandLine::name_of(int letter) const {
  if (letter >= ' ') return std::string("-") + static_cast<char>(letter);
  for (const option& candidate : options_) {
    if (candidate.name != nullptr && candidate.val == letter) {
      return std::string("--") + candidate.name;
    }
  }
  return "?";
}

/** What getopt_long did not take, and why. */
BadUsage CommandLine::refused() const {
  const std::string_view word = words_[static_cast<std::size_t>(optind) - 1];
  if (letter_ == ':') return {name_of(optopt) + " wants a value"};
  const bool known = std::ranges::any_of(options_, [](const option& candidate) {
    return candidate.name != nullptr && candidate.val == optopt;
  });
  if (known) return {name_of(optopt) + " takes no value, but there is one in " + quoted(word)};
  if (optopt != 0) return {"unknown option " + quoted(name_of(optopt))};
  return {"unknown or ambiguous option " + quoted(word)};
}

std::variant<std::uint64_t, HelpWanted, BadUsage> CommandLine::parse_operand(
    std::uint64_t smallest) const {
  const std::size_t count = words_.size() - 1;  // without the null pointer
  const auto first = static_cast<std::size_t>(optind);
  if (first == count) return BadUsage{"the size is missing: give one, as 64m or 10g"};
  const char* const given = words_[first];
  if (first + 1 != count) {
    return BadUsage{"one size is wanted, and there is " + quoted(words_[first + 1]) + " after " +
                    quoted(given)};
  }
  const std::optional<std::uint64_t> size = parse_size(given);
  if (size && *size >= smallest) return *size;
  return BadUsage{"the size has to be from " + std::to_string(smallest) +
                  " bytes to 65536t, as 64m or 10g, not " + quoted(given)};
}

}  // namespace iaa_zswap::common
