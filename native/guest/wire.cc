#include "guest/wire.h"

#include <charconv>
#include <iterator>
#include <system_error>

namespace iaa_zswap::guest {
namespace {

std::optional<std::string> decode_word(std::string_view word) {
  std::string decoded;
  decoded.reserve(word.size());
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '%') {
      decoded.push_back(word[i]);
      continue;
    }
    if (word.size() - i < 3) return std::nullopt;
    unsigned byte = 0;
    const char* const digits = word.data() + i + 1;
    const auto [end, error] = std::from_chars(digits, digits + 2, byte, 16);
    if (error != std::errc{} || end != digits + 2) return std::nullopt;
    decoded.push_back(static_cast<char>(byte));
    i += 2;
  }
  return decoded;
}

}  // namespace

std::array<char, 5> frame_header(FrameType type, std::uint32_t length) {
  std::array<char, 5> header{static_cast<char>(type)};
  for (unsigned i = 0; i < 4; ++i) header.at(i + 1) = static_cast<char>((length >> (8 * i)) & 0xff);
  return header;
}

std::optional<std::vector<std::string>> decode_line(std::string_view line) {
  std::vector<std::string> words;
  for (;;) {
    const std::size_t blank = line.find(' ');
    auto word = decode_word(line.substr(0, blank));
    if (!word) return std::nullopt;
    words.push_back(std::move(*word));
    if (blank == std::string_view::npos) return words;
    line.remove_prefix(blank + 1);
  }
}

std::optional<unsigned> decode_number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<RunRequest> decode_run(const std::vector<std::string>& words) {
  constexpr std::size_t kFixed = 3;
  if (words.size() <= kFixed || words[0] != "run") return std::nullopt;
  const auto count = decode_number(words[2]);
  if (!count || *count >= words.size() - kFixed) return std::nullopt;
  const auto env = std::next(words.begin(), kFixed);
  const auto argv = std::next(env, static_cast<std::ptrdiff_t>(*count));
  return RunRequest{
      .cwd = words[1],
      .env = {env, argv},
      .argv = {argv, words.end()},
  };
}

}  // namespace iaa_zswap::guest
