#include "sampler/text_template.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace iaa_zswap::sampler {
namespace {

bool is_digit(char character) { return character >= '0' && character <= '9'; }

/** What may stand in the place of an ignored number: PSI's averages have a fraction. */
bool is_fraction(char character) { return is_digit(character) || character == '.'; }

/** A decimal that fills `text` and fits 64 bits. */
bool is_number(std::string_view text) {
  std::uint64_t value = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  return error == std::errc() && stop == end;
}

/** Where a number stands in a text, and its key; without one it is ignored. */
struct Number {
  std::string_view digits;
  std::optional<std::string> key;
};

using Emit = std::function<void(Number)>;

/** The first part of `rest` up to `separator`, which is cut off with it. */
std::string_view cut(std::string_view& rest, char separator) {
  const std::size_t at = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return part;
}

void scan_number(std::string_view text, const Emit& emit) {
  const std::string_view line = cut(text, '\n');
  if (is_number(line)) emit({.digits = line, .key = ""});
}

void scan_flat(std::string_view text, const Emit& emit) {
  while (!text.empty()) {
    std::string_view value = cut(text, '\n');
    const std::string_view name = cut(value, ' ');
    if (!name.empty() && is_number(value)) emit({.digits = value, .key = std::string(name)});
  }
}

void scan_nested(std::string_view text, const Emit& emit) {
  while (!text.empty()) {
    std::string_view line = cut(text, '\n');
    const std::string_view label = cut(line, ' ');
    while (!line.empty()) {
      std::string_view value = cut(line, ' ');
      const std::string_view name = cut(value, '=');
      if (is_number(value)) {
        emit({.digits = value, .key = std::string(label).append(".").append(name)});
      } else if (!value.empty() && std::ranges::all_of(value, is_fraction)) {
        emit({.digits = value, .key = std::nullopt});
      }
    }
  }
}

/** drivers/crypto/intel/iaa/iaa_crypto_stats.c; `id`, `n_wqs` and `name` are form, not counters:
 * when one of them changes, so does what the lines after it mean. */
void scan_iaa_statistics(std::string_view text, const Emit& emit) {
  std::string prefix;
  std::string device;
  std::size_t wqs = 0;
  while (!text.empty()) {
    std::string_view line = cut(text, '\n');
    const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
    line.remove_prefix(indent);
    if (indent == 0) {
      if (!line.empty()) prefix.clear();
      continue;
    }
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 2);
    if (name == "id") {
      device = "iax" + std::string(value) + '.';
      prefix = device;
      wqs = 0;
    } else if (name == "name") {
      prefix = device + std::string(value) + '[' + std::to_string(wqs++) + "].";
    } else if (name != "n_wqs" && is_number(value)) {
      emit({.digits = value, .key = prefix + std::string(name)});
    }
  }
}

void scan(std::string_view text, Format format, const Emit& emit) {
  switch (format) {
    case Format::kNumber:
      scan_number(text, emit);
      break;
    case Format::kFlat:
      scan_flat(text, emit);
      break;
    case Format::kNested:
      scan_nested(text, emit);
      break;
    case Format::kIaaStatistics:
      scan_iaa_statistics(text, emit);
      break;
  }
}

}  // namespace

TextTemplate TextTemplate::learn(std::string_view text, Format format, const ColumnOf& column_of) {
  TextTemplate learned;
  std::size_t at = 0;
  scan(text, format, [&](const Number& number) {
    const std::optional<std::size_t> column =
        number.key ? column_of(*number.key) : std::optional<std::size_t>();
    // The digits are a part of the text.
    const auto from = static_cast<std::size_t>(number.digits.begin() - text.begin());
    learned.holes_.push_back(
        {.before = std::string(text.substr(at, from - at)), .column = column.value_or(kIgnored)});
    at = from + number.digits.size();
  });
  learned.end_ = text.substr(at);
  return learned;
}

TextTemplate::Match TextTemplate::match(std::string_view text, bool is_all,
                                        std::span<Cell> cells) const {
  const char* at = text.data();
  const char* const end = at + text.size();
  for (const Hole& hole : holes_) {
    const std::string_view rest(at, end);
    if (!rest.starts_with(hole.before)) {
      return hole.before.starts_with(rest) ? Match::kShort : Match::kOther;
    }
    at += hole.before.size();
    const char* stop = nullptr;
    if (hole.column == kIgnored) {
      stop = std::find_if_not(at, end, is_fraction);
    } else {
      std::uint64_t value = 0;
      const auto [after, error] = std::from_chars(at, end, value);
      if (error == std::errc::result_out_of_range) return Match::kOther;
      stop = after;
      cells[hole.column] = value;
    }
    // At the end of what has been read the number may go on.
    if (stop == end && !is_all) return Match::kShort;
    if (stop == at) return Match::kOther;
    at = stop;
  }
  const std::string_view rest(at, end);
  if (is_all) return rest == end_ ? Match::kWhole : Match::kOther;
  if (!rest.starts_with(end_)) return end_.starts_with(rest) ? Match::kShort : Match::kOther;
  // Without a newline there nothing but the end of the file tells where the last number ends.
  return end_.empty() ? Match::kShort : Match::kWhole;
}

}  // namespace iaa_zswap::sampler
