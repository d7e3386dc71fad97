#include "madvise/options.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "crew/crew.h"
#include "madvise/report.h"

namespace iaa_zswap::madvise {
namespace {

using common::BadUsage;
using common::CommandLine;
using common::HelpWanted;
using crew::kMaxTasks;
using usemem::kPageBytes;

constexpr std::uint64_t kMaxRounds = 1'000'000;

// Long options without a letter.
enum : std::uint8_t { kChunk = 1, kRounds, kContentOption, kSeedOption };

constexpr const char* kShortOptions = ":n:t:b:h";
constexpr std::array<option, 9> kLongOptions = {{
    {.name = "nproc", .has_arg = required_argument, .flag = nullptr, .val = 'n'},
    {.name = "thread", .has_arg = required_argument, .flag = nullptr, .val = 't'},
    {.name = "bind", .has_arg = required_argument, .flag = nullptr, .val = 'b'},
    {.name = "chunk", .has_arg = required_argument, .flag = nullptr, .val = kChunk},
    {.name = "rounds", .has_arg = required_argument, .flag = nullptr, .val = kRounds},
    {.name = "content", .has_arg = required_argument, .flag = nullptr, .val = kContentOption},
    {.name = "seed", .has_arg = required_argument, .flag = nullptr, .val = kSeedOption},
    {.name = "help", .has_arg = no_argument, .flag = nullptr, .val = 'h'},
    {.name = nullptr, .has_arg = 0, .flag = nullptr, .val = 0},
}};

constexpr std::string_view kHelp =
    R"(usage: madvise [options] SIZE

Fills SIZE bytes (k, m, g, t: 1024 based) of anonymous memory in each process, has the kernel page
them out chunk by chunk (MADV_PAGEOUT), reads them back, checks them, and prints what each took.

  -n, --nproc N       processes (1)
  -t, --thread M      threads in each process; each has SIZE bytes of its own
  -b, --bind N        bind task i to CPU (i x N) modulo the online CPUs; 0 binds none (0)
      --chunk SIZE    bytes of one call, a multiple of 4k that SIZE is a multiple of (64k)
      --rounds N      how often all of it is filled, paged out and read back (1)
      --content KIND  what is written (counter): random, zero, ratio:R, file:PATH; as of usemem
      --seed N        of random and ratio (0); each process and thread has its own numbers
  -h, --help          this text

Prints, of all processes and threads together:
  asked for N pages: G were gone before, L were left
  pageout N pages: p50 T ns, p99 T ns a page
  readback N pages: p50 T ns, p99 T ns a page
The last two are of the chunks that were in memory whole and of which nothing was left there.
Exit code: 0 done; 1 a process, bind or mapping failed, or memory was corrupted;
2 wrong command line.
)";

std::optional<BadUsage> set_chunk(const CommandLine& line, std::uint64_t& target) {
  const std::optional<std::uint64_t> bytes = common::parse_size(optarg);
  if (!bytes || *bytes < kPageBytes || *bytes % kPageBytes != 0 ||
      *bytes / kPageBytes > kMaxChunkPages) {
    return line.bad_value("a multiple of 4k, at most " + std::to_string(kMaxChunkPages) +
                          " pages, as 64k or 2m");
  }
  target = *bytes;
  return std::nullopt;
}

std::optional<BadUsage> take_option(const CommandLine& line, int letter, Options& options,
                                    bool& seed_given) {
  switch (letter) {
    case 'n':
      return line.set_number(options.processes, 1, kMaxTasks);
    case 't':
      return line.set_number(options.threads, 0, kMaxTasks);
    case 'b':
      return line.set_number(options.bind_interval, 0, kMaxTasks);
    case kChunk:
      return set_chunk(line, options.chunk_bytes);
    case kRounds:
      return line.set_number(options.rounds, 1, kMaxRounds);
    case kContentOption:
      return usemem::set_content(line, options.content);
    case kSeedOption:
      seed_given = true;
      return usemem::set_seed(line, options.content);
    default:
      return BadUsage{"unknown option"};
  }
}

/** What holds between the options, once all of them are known. */
std::optional<BadUsage> complete(const Options& options, bool seed_given) {
  if (options.size_bytes % options.chunk_bytes != 0) {
    return BadUsage{"the size has to be a multiple of the chunk, " +
                    std::to_string(options.chunk_bytes) + " bytes"};
  }
  if (seed_given && !usemem::has_random_numbers(options.content)) {
    return BadUsage{
        "--seed has an effect only with --content random or ratio:R: add one or drop it"};
  }
  // Of at most 2^44 chunks and 2^20 rounds; multiplied by the tasks only where that fits as well.
  if (options.tasks() > kMaxTasks || options.calls() > kMaxSamples ||
      options.calls() * options.tasks() > kMaxSamples) {
    return BadUsage{"more than " + std::to_string(kMaxSamples) +
                    " calls: ask for larger chunks, fewer rounds or a smaller size"};
  }
  return std::nullopt;
}

}  // namespace

std::variant<Options, HelpWanted, BadUsage> parse_options(int argc, char** argv) {
  CommandLine line(argc, argv, kShortOptions, kLongOptions);
  Options options;
  bool seed_given = false;
  auto size = line.read([&](int letter) { return take_option(line, letter, options, seed_given); },
                        kPageBytes);
  if (auto* bad = std::get_if<BadUsage>(&size)) return std::move(*bad);
  if (std::holds_alternative<HelpWanted>(size)) return HelpWanted{};
  options.size_bytes = *std::get_if<std::uint64_t>(&size);
  if (std::optional<BadUsage> bad = complete(options, seed_given)) return std::move(*bad);
  return options;
}

std::string_view help_text() { return kHelp; }

}  // namespace iaa_zswap::madvise
