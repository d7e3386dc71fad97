#ifndef IAA_ZSWAP_COMMON_COMMAND_LINE_H_
#define IAA_ZSWAP_COMMON_COMMAND_LINE_H_

#include <getopt.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace iaa_zswap::common {

/** Largest size: what a user process can address on x86-64 with five page-table levels. */
inline constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 56U;

/** --help was asked for. */
struct HelpWanted {};

/** The command line cannot be used: what is wrong and how to mend it, in one line. */
struct BadUsage {
  std::string message;
};

/** As the user wrote it, on one line. */
[[nodiscard]] std::string quoted(std::string_view text);

/**
 * The decimal number that `text` begins with, which is taken off it. A leading 0 is refused: to
 * programs that use strtoul(3) it means octal.
 */
[[nodiscard]] std::optional<std::uint64_t> take_number(std::string_view& text);

/** A decimal number and nothing else. */
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text,
                                                        std::uint64_t smallest,
                                                        std::uint64_t largest);

/** A number of bytes as 4096, 64k, 1M, 10g, 2t (1024 based); undefined for anything else or above
 * kMaxBytes. */
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

/**
 * A command line, read by getopt_long(3): options may come before and after other words. Only one
 * can be read at a time.
 */
class CommandLine {
 public:
  /** `letters` begins with a colon; `options` ends with an entry without name. They outlive this.
   */
  CommandLine(int argc, char** argv, const char* letters, std::span<const option> options);

  /**
   * Gives each option's letter to `take`, until `h` comes or `take` refuses. What is left must be
   * one word, a size from `smallest` on: its bytes.
   */
  [[nodiscard]] std::variant<std::uint64_t, HelpWanted, BadUsage> read(
      const std::function<std::optional<BadUsage>(int letter)>& take, std::uint64_t smallest);

  // About the option that `take` was last given.
  [[nodiscard]] BadUsage bad_value(std::string_view wanted) const;
  [[nodiscard]] std::optional<BadUsage> set_number(std::uint32_t& target, std::uint64_t smallest,
                                                   std::uint64_t largest) const;

 private:
  [[nodiscard]] std::string name_of(int letter) const;
  [[nodiscard]] BadUsage refused() const;
  [[nodiscard]] std::variant<std::uint64_t, HelpWanted, BadUsage> parse_operand(
      std::uint64_t smallest) const;

  const char* letters_;
  std::span<const option> options_;
  /** getopt_long moves the words about. */
  std::vector<char*> words_;
  int letter_ = -1;
};

}  // namespace iaa_zswap::common

#endif  // IAA_ZSWAP_COMMON_COMMAND_LINE_H_
