#include "usemem/options.h"

#include <array>
#include <utility>

#include "crew/crew.h"

namespace iaa_zswap::usemem {
namespace {

using common::BadUsage;
using common::CommandLine;
using common::HelpWanted;
using crew::kMaxTasks;

constexpr std::uint64_t kMaxSleepSeconds = 0x7fffffff;
constexpr std::uint64_t kMaxRepeat = 0x7fffffff;

// Long options without a letter.
enum : std::uint8_t { kInitTime = 1, kContentOption, kSeedOption };

constexpr const char* kShortOptions = ":n:t:b:Owos:u:j:r:RZyxe:qh";
constexpr std::array<option, 21> kLongOptions = {{
    {.name = "nproc", .has_arg = required_argument, .flag = nullptr, .val = 'n'},
    {.name = "thread", .has_arg = required_argument, .flag = nullptr, .val = 't'},
    {.name = "bind", .has_arg = required_argument, .flag = nullptr, .val = 'b'},
    {.name = "anonymous", .has_arg = no_argument, .flag = nullptr, .val = 'O'},
    {.name = "open-rw", .has_arg = no_argument, .flag = nullptr, .val = 'w'},
    {.name = "sleep", .has_arg = required_argument, .flag = nullptr, .val = 's'},
    {.name = "unit", .has_arg = required_argument, .flag = nullptr, .val = 'u'},
    {.name = "step", .has_arg = required_argument, .flag = nullptr, .val = 'j'},
    {.name = "readonly", .has_arg = no_argument, .flag = nullptr, .val = 'o'},
    {.name = "random", .has_arg = no_argument, .flag = nullptr, .val = 'R'},
    {.name = "repeat", .has_arg = required_argument, .flag = nullptr, .val = 'r'},
    {.name = "read-again", .has_arg = no_argument, .flag = nullptr, .val = 'Z'},
    {.name = "sync-rw", .has_arg = no_argument, .flag = nullptr, .val = 'y'},
    {.name = "sync-free", .has_arg = no_argument, .flag = nullptr, .val = 'x'},
    {.name = "delay", .has_arg = required_argument, .flag = nullptr, .val = 'e'},
    {.name = "quiet", .has_arg = no_argument, .flag = nullptr, .val = 'q'},
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
  -w, --open-rw       a mapping that can be written; matters with -o alone
  -o, --readonly      read words, do not write them: the kernel maps its page of zeros
  -R, --random        words in random order, some more than once, some never
  -r, --repeat N      passes over each mapping (1); a pass in ascending order first checks each word
                      that it writes again
  -Z, --read-again    after the throughput line read all once more, with a line of its own
  -y, --sync-rw       all start together after the mapping, not before it; without -u
  -x, --sync-free     nobody frees before all have slept
  -e, --delay NS      ns spent on each page, or us or ms as 10u or 2m; below a second (0)
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
      --seed N        of random, ratio and -R (0); each process and thread has its own numbers
  -q, --quiet         no effect: there are no dots between passes
  -h, --help          this text

Prints one line per task after its work and, after the sleep, one after the freeing:
  B bytes / U usecs = K KB/s      B counts SIZE/8 for the allocation and SIZE for each pass
  read again B bytes / U usecs = K KB/s     of -Z: SIZE for each pass
  U usecs to free memory
Exit code: 0 done; 1 a process, bind or mapping failed; 2 wrong command line.
)";

/** What the loop over the command line collects beside Options. */
struct Given {
  bool anonymous = false;
  bool content = false;
  bool seed = false;
};

std::optional<BadUsage> set_size(const CommandLine& line, std::uint64_t& target, bool is_step) {
  const std::optional<std::uint64_t> bytes = common::parse_size(optarg);
  if (!bytes || *bytes < kWordBytes || (is_step && *bytes % kWordBytes != 0)) {
    return line.bad_value(is_step ? "a multiple of 8 bytes, as 8 or 4k"
                                  : "8 bytes or more, as 64k or 2m");
  }
  target = *bytes;
  return std::nullopt;
}

/** As the original takes it: ns, us with a u, ms with an m. */
std::optional<BadUsage> set_delay(const CommandLine& line, std::uint64_t& target) {
  constexpr std::uint64_t kSecondNs = 1'000'000'000;
  std::string_view rest = optarg;
  const std::optional<std::uint64_t> number = common::take_number(rest);
  std::uint64_t unit_ns = 1;
  if (rest == "u") unit_ns = 1'000;
  if (rest == "m") unit_ns = 1'000'000;
  if (!number || (unit_ns == 1 && !rest.empty()) || *number >= kSecondNs / unit_ns) {
    return line.bad_value("a delay below one second, as 500, 10u or 2m");
  }
  target = *number * unit_ns;
  return std::nullopt;
}

std::optional<BadUsage> take_option(const CommandLine& line, int letter, Options& options,
                                    Given& given) {
  switch (letter) {
    case 'n':
      return line.set_number(options.processes, 1, kMaxTasks);
    case 't':
      return line.set_number(options.threads, 0, kMaxTasks);
    case 'b':
      return line.set_number(options.bind_interval, 0, kMaxTasks);
    case 's':
      return line.set_number(options.sleep_seconds, 0, kMaxSleepSeconds);
    case 'u':
      return set_size(line, options.unit_bytes, false);
    case 'j':
      return set_size(line, options.step_bytes, true);
    case 'O':
      given.anonymous = true;
      return std::nullopt;
    case 'w':
      options.open_rw = true;
      return std::nullopt;
    case 'o':
      options.read_only = true;
      return std::nullopt;
    case 'R':
      options.random_order = true;
      return std::nullopt;
    case 'r':
      return line.set_number(options.repeat, 1, kMaxRepeat);
    case 'Z':
      options.read_again = true;
      return std::nullopt;
    case 'y':
      options.sync_rw = true;
      return std::nullopt;
    case 'x':
      options.sync_free = true;
      return std::nullopt;
    case 'e':
      return set_delay(line, options.delay_ns);
    case 'q':
      return std::nullopt;
    case kInitTime:
      options.init_time = true;
      return std::nullopt;
    case kContentOption:
      given.content = true;
      return set_content(line, options.content);
    case kSeedOption:
      given.seed = true;
      return set_seed(line, options.content);
    default:
      return BadUsage{"unknown option"};
  }
}

/** What holds between the options, once all of them are known. */
std::optional<BadUsage> complete(Options& options, const Given& given) {
  if (!given.anonymous) return BadUsage{"only anonymous memory is supported: add -O"};
  if (given.seed && !has_random_numbers(options.content) && !options.random_order) {
    return BadUsage{
        "--seed has an effect only with -R and with --content random or ratio:R: add one or drop "
        "it"};
  }
  if (given.content && options.read_only) {
    return BadUsage{"with -o nothing is written: drop --content"};
  }
  if (options.tasks() > kMaxTasks) {
    return BadUsage{"-n x -t is " + std::to_string(options.tasks()) + " tasks: ask for at most " +
                    std::to_string(kMaxTasks)};
  }
  if (options.unit_bytes == 0 || options.unit_bytes > options.size_bytes) {
    options.unit_bytes = options.size_bytes;
  }
  if (options.sync_rw && options.unit_bytes != options.size_bytes) {
    return BadUsage{"-y waits after one mapping of the whole size: drop -u"};
  }
  return std::nullopt;
}

}  // namespace

std::variant<Options, HelpWanted, BadUsage> parse_options(int argc, char** argv) {
  CommandLine line(argc, argv, kShortOptions, kLongOptions);
  Options options;
  Given given;
  auto size =
      line.read([&](int letter) { return take_option(line, letter, options, given); }, kWordBytes);
  if (auto* bad = std::get_if<BadUsage>(&size)) return std::move(*bad);
  if (std::holds_alternative<HelpWanted>(size)) return HelpWanted{};
  options.size_bytes = *std::get_if<std::uint64_t>(&size);
  if (std::optional<BadUsage> bad = complete(options, given)) return std::move(*bad);
  return options;
}

std::string_view help_text() { return kHelp; }

}  // namespace iaa_zswap::usemem
