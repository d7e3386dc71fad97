#ifndef IAA_ZSWAP_MADVISE_OPTIONS_H_
#define IAA_ZSWAP_MADVISE_OPTIONS_H_

#include <cstdint>
#include <string_view>
#include <variant>

#include "common/command_line.h"
#include "usemem/content.h"

namespace iaa_zswap::madvise {

/** The program's name in its messages. */
inline constexpr const char* kProgram = "madvise";

/** Most calls that are timed: the samples of all are kept, 12 bytes each. */
inline constexpr std::uint64_t kMaxSamples = std::uint64_t{8} << 20U;

/** What is to be paged out and read back. */
struct Options {
  /** -n */
  std::uint32_t processes = 1;
  /** -t: threads in each process, each with memory of its own; 0: the process itself does the work.
   */
  std::uint32_t threads = 0;
  /** -b: task i is bound to CPU (i x interval) modulo the online CPUs; 0: not bound. */
  std::uint32_t bind_interval = 0;
  /** Bytes of each task, a multiple of chunk_bytes. */
  std::uint64_t size_bytes = 0;
  /** --chunk: bytes of one call, a multiple of a page. */
  std::uint64_t chunk_bytes = 65536;
  /** --rounds: how often all of it is filled, paged out and read back. */
  std::uint32_t rounds = 1;
  usemem::ContentSpec content = {};

  [[nodiscard]] std::uint64_t tasks() const {
    return std::uint64_t{processes} * (threads == 0 ? 1 : threads);
  }
  /** Calls of one task. */
  [[nodiscard]] std::uint64_t calls() const { return size_bytes / chunk_bytes * rounds; }
};

/** Reads a command line. */
[[nodiscard]] std::variant<Options, common::HelpWanted, common::BadUsage> parse_options(
    int argc, char** argv);

/** The text of --help. */
[[nodiscard]] std::string_view help_text();

}  // namespace iaa_zswap::madvise

#endif  // IAA_ZSWAP_MADVISE_OPTIONS_H_
