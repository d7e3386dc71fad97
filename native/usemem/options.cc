#include "usemem/options.h"

#include <getopt.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <system_error>
#include <vector>

namespace iaa_zswap::usemem {
namespace {

// PID_MAX_LIMIT of 64-bit kernels (include/linux/threads.h): there are never more tasks.
constexpr std::uint64_t kMaxTasks = std::uint64_t{4} << 20U;
constexpr std::uint64_t kMaxSleepSeconds = 0x7fffffff;

// Long options without a letter.
enum : std::uint8_t { kInitTime = 1, kContentOption, kSeedOption };

constexpr const char* kShortOptions = ":n:t:b:Ows:u:j:h";
constexpr std::array<option, 13> kLongOptions = {{
    {.name = "nproc", .has_arg = required_argument, .flag = nullptr, .val = 'n'},
    {.name = "thread", .has_arg = required_argument, .flag = nullptr, .val = 't'},
    {.name = "bind", .has_arg = required_argument, .flag = nullptr, .val = 'b'},
    {.name = "anonymous", .has_arg = no_argument, .flag = nullptr, .val = 'O'},
    {.name = "open-rw", .has_arg = no_argument, .flag = nullptr, .val = 'w'},
    {.name = "sleep", .has_arg = required_argument, .flag = nullptr, .val = 's'},
    {.name = "unit", .has_arg = required_argument, .flag = nullptr, .val = 'u'},
    {.name = "step", .has_arg = required_argument, .flag = nullptr, .val = 'j'},
    {.name = "init-time", .has_arg = no_argument, .flag = nullptr, .val = kInitTime},
    {.name = "content", .has_arg = required_argument, .flag = nullptr, .val = kContentOption},
    {.name = "seed", .has_arg = required_argument, .flag = nullptr, .val = kSeedOption},
    {.name = "help", .has_arg = no_argument, .flag = nullptr, .val = 'h'},
    {.name = nullptr, .has_arg = 0, .flag = nullptr, .val = 0},
}};

constexpr std::string_view kHelp =
    R"(usage: usemem -O [options] SIZE

Writes SIZE bytes (k, m, g, t: 1024 based) of new anonymous memory in each process, one 8-byte word
after the other, and prints how fast. Options and output lines are those of vm-scalability's usemem.

  -n, --nproc N       processes (1)
  -t, --thread M      threads in each process; each writes SIZE bytes of its own
  -b, --bind N        bind task i to CPU (i x N) modulo the online CPUs; 0 binds none (0)
  -O, --anonymous     private anonymous memory; required: there is no other kind here
  -w, --open-rw       no effect: anonymous memory is always readable and writable
  -s, --sleep SEC     sleep between the throughput line and the freeing (0)
  -u, --unit SIZE     bytes of one mapping (SIZE)
  -j, --step SIZE     from one written word to the next, a multiple of 8 (8)
      --init-time     print the time that setting up took; it is never in the throughput
      --content KIND  what is written (counter):
                        counter    each word is its index in its mapping, as in the original
                        random     does not compress
                        zero       pages of zeros; newer kernels keep them out of zswap
                        ratio:R    pages that compress R to 1, R from 1 to 16
                        file:PATH  the pages of a file, again and again
      --seed N        of random and ratio (0); each process and thread has its own numbers
  -h, --help          this text

Prints one line per task after its work and, after the sleep, one after the freeing:
  B bytes / U usecs = K KB/s      B counts SIZE/8 for the allocation and SIZE for the writing
  U usecs to free memory
Exit code: 0 done; 1 a process, bind or mapping failed; 2 wrong command line.
)";

/** As the user wrote it, on one line. */
std::string quoted(std::string_view text) {
  std::string result(text);
  std::ranges::replace_if(result, [](unsigned char c) { return std::iscntrl(c) != 0; }, '?');
  return "'" + result + "'";
}

/** The rest of `text` after the decimal number it begins with. A leading 0 is refused: the original
 * takes the number for octal then. */
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

/** The name a user knows an option by. */
std::string option_name(int value) {
  if (value >= ' ') return std::string("-") + static_cast<char>(value);
  for (const option& candidate : kLongOptions) {
    if (candidate.name != nullptr && candidate.val == value) {
      return std::string("--") + candidate.name;
    }
  }
  return "?";
}

BadUsage bad_value(int option, std::string_view wanted, std::string_view given) {
  return {option_name(option) + " wants " + std::string(wanted) + ", not " + quoted(given)};
}

std::optional<BadUsage> set_number(int option, std::uint32_t& target, std::uint64_t smallest,
                                   std::uint64_t largest) {
  const std::optional<std::uint64_t> value = parse_number(optarg, smallest, largest);
  if (!value) {
    return bad_value(option,
                     "a number from " + std::to_string(smallest) + " to " + std::to_string(largest),
                     optarg);
  }
  target = static_cast<std::uint32_t>(*value);
  return std::nullopt;
}

std::optional<BadUsage> set_content(ContentSpec& spec, std::string_view text) {
  constexpr std::string_view kRatioPrefix = "ratio:";
  constexpr std::string_view kFilePrefix = "file:";
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
      return bad_value(kContentOption, "a ratio from 1 to 16, as ratio:2.5", text);
    }
    spec.kind = ContentKind::kRatio;
  } else if (text.starts_with(kFilePrefix) && text.size() > kFilePrefix.size()) {
    spec.kind = ContentKind::kFile;
    spec.path = text.substr(kFilePrefix.size());
  } else {
    return bad_value(kContentOption, "counter, random, zero, ratio:R or file:PATH", text);
  }
  return std::nullopt;
}

/** What the loop over the command line collects beside Options. */
struct Given {
  bool anonymous = false;
  bool seed = false;
  bool help = false;
};

std::optional<BadUsage> set_size(int option, std::uint64_t& target, std::string_view text) {
  const std::optional<std::uint64_t> bytes = parse_size(text);
  const bool is_step = option == 'j';
  if (!bytes || *bytes < kWordBytes || (is_step && *bytes % kWordBytes != 0)) {
    return bad_value(
        option, is_step ? "a multiple of 8 bytes, as 8 or 4k" : "8 bytes or more, as 64k or 2m",
        text);
  }
  target = *bytes;
  return std::nullopt;
}

std::optional<BadUsage> take_option(int letter, Options& options, Given& given) {
  switch (letter) {
    case 'n':
      return set_number(letter, options.processes, 1, kMaxTasks);
    case 't':
      return set_number(letter, options.threads, 0, kMaxTasks);
    case 'b':
      return set_number(letter, options.bind_interval, 0, kMaxTasks);
    case 's':
      return set_number(letter, options.sleep_seconds, 0, kMaxSleepSeconds);
    case 'u':
      return set_size(letter, options.unit_bytes, optarg);
    case 'j':
      return set_size(letter, options.step_bytes, optarg);
    case 'O':
      given.anonymous = true;
      return std::nullopt;
    case 'w':
      return std::nullopt;
    case kInitTime:
      options.init_time = true;
      return std::nullopt;
    case kContentOption:
      return set_content(options.content, optarg);
    case kSeedOption: {
      const auto seed = parse_number(optarg, 0, UINT64_MAX);
      if (!seed) return bad_value(letter, "a decimal number below 2^64", optarg);
      options.content.seed = *seed;
      given.seed = true;
      return std::nullopt;
    }
    case 'h':
      given.help = true;
      return std::nullopt;
    default:
      return BadUsage{"unknown option"};
  }
}

/** What getopt_long did not take, and why. */
BadUsage refused(int letter, std::string_view word) {
  if (letter == ':') return {option_name(optopt) + " wants a value"};
  const bool known = std::ranges::any_of(kLongOptions, [](const option& candidate) {
    return candidate.name != nullptr && candidate.val == optopt;
  });
  if (known) return {option_name(optopt) + " takes no value, but there is one in " + quoted(word)};
  if (optopt != 0) return {"unknown option " + quoted(option_name(optopt))};
  return {"unknown or ambiguous option " + quoted(word)};
}

/** What holds between the options, once all of them are known. */
std::optional<BadUsage> complete(Options& options, const Given& given,
                                 const std::vector<char*>& words) {
  const std::size_t count = words.size() - 1;  // without the null pointer
  const auto first = static_cast<std::size_t>(optind);
  if (first == count) return BadUsage{"the size is missing: give one, as 64m or 10g"};
  if (first + 1 != count) {
    return BadUsage{"one size is wanted, and there is " + quoted(words[first + 1]) + " after " +
                    quoted(words[first])};
  }
  const std::optional<std::uint64_t> size = parse_size(words[first]);
  if (!size || *size < kWordBytes) {
    return BadUsage{"the size has to be from 8 bytes to 65536t, as 64m or 10g, not " +
                    quoted(words[first])};
  }
  if (!given.anonymous) return BadUsage{"only anonymous memory is supported: add -O"};
  const ContentKind kind = options.content.kind;
  if (given.seed && kind != ContentKind::kRandom && kind != ContentKind::kRatio) {
    return BadUsage{
        "--seed has an effect only with --content random or ratio:R: add one or drop it"};
  }
  if (options.tasks() > kMaxTasks) {
    return BadUsage{"-n x -t is " + std::to_string(options.tasks()) + " tasks: ask for at most " +
                    std::to_string(kMaxTasks)};
  }
  options.size_bytes = *size;
  if (options.unit_bytes == 0 || options.unit_bytes > *size) options.unit_bytes = *size;
  return std::nullopt;
}

}  // namespace

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

std::variant<Options, HelpWanted, BadUsage> parse_options(int argc, char** argv) {
  // getopt_long moves the words about.
  std::vector<char*> words(argv, argv + argc);
  words.push_back(nullptr);

  Options options;
  Given given;
  optind = 0;  // glibc: begin anew, whoever used getopt before
  opterr = 0;
  for (;;) {
    const int letter = getopt_long(argc, words.data(), kShortOptions, kLongOptions.data(), nullptr);
    if (letter == -1) break;
    if (letter == '?' || letter == ':')
      return refused(letter, words[static_cast<std::size_t>(optind) - 1]);
    if (std::optional<BadUsage> bad = take_option(letter, options, given)) return std::move(*bad);
    if (given.help) return HelpWanted{};
  }
  if (std::optional<BadUsage> bad = complete(options, given, words)) return std::move(*bad);
  return options;
}

std::string_view help_text() { return kHelp; }

}  // namespace iaa_zswap::usemem
