#ifndef IAA_ZSWAP_USEMEM_OPTIONS_H_
#define IAA_ZSWAP_USEMEM_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/command_line.h"
#include "usemem/content.h"

namespace iaa_zswap::usemem {

/** Bytes of the word that one store writes. */
inline constexpr std::uint64_t kWordBytes = 8;

/** What usemem is to do. The command line's letters are vm-scalability's. */
struct Options {
  /** -n */
  std::uint32_t processes = 1;
  /** -t: threads in each process, each with memory of its own; 0: the process itself does the work.
   */
  std::uint32_t threads = 0;
  /** -b: task i is bound to CPU (i x interval) modulo the online CPUs; 0: not bound. */
  std::uint32_t bind_interval = 0;
  /** -s: between the throughput line and the freeing. */
  std::uint32_t sleep_seconds = 0;
  /** Bytes each task writes, at least one word. */
  std::uint64_t size_bytes = 0;
  /** -u: bytes of one mapping, at most size_bytes. */
  std::uint64_t unit_bytes = 0;
  /** -j: from one written word to the next, a multiple of a word. */
  std::uint64_t step_bytes = kWordBytes;
  /** -R: words in random order, as many as in ascending order. */
  bool random_order = false;
  /** -r: passes over each mapping. */
  std::uint32_t repeat = 1;
  /** -Z: read all of it again, as often, after the throughput line. */
  bool read_again = false;
  /** -o: words are read, not written. */
  bool read_only = false;
  /** -w: with -o, a mapping that could be written. */
  bool open_rw = false;
  /** -y: the common start is after the mapping, not before it. */
  bool sync_rw = false;
  /** -x: nobody frees before all are through. */
  bool sync_free = false;
  /** -e: spent on each page. */
  std::uint64_t delay_ns = 0;
  /** --init-time */
  bool init_time = false;
  ContentSpec content = {};

  /** Tasks that work side by side: every process, or every thread of every process. */
  [[nodiscard]] std::uint64_t tasks() const {
    return std::uint64_t{processes} * (threads == 0 ? 1 : threads);
  }
};

/** Reads a command line; options may come before and after the size, the last of one kind holds. */
[[nodiscard]] std::variant<Options, common::HelpWanted, common::BadUsage> parse_options(
    int argc, char** argv);

/** The text of --help. */
[[nodiscard]] std::string_view help_text();

}  // namespace iaa_zswap::usemem

#endif  // IAA_ZSWAP_USEMEM_OPTIONS_H_
