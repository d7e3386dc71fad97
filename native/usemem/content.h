#ifndef IAA_ZSWAP_USEMEM_CONTENT_H_
#define IAA_ZSWAP_USEMEM_CONTENT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/command_line.h"

namespace iaa_zswap::usemem {

/** A page of x86-64: what zswap compresses at a time. */
inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr std::uint64_t kPageWords = kPageBytes / sizeof(std::uint64_t);

/** Bounds of ratio:R; within them zlib's deflate and zstd come within 5% of R (see
 * docs/usemem.md). */
inline constexpr double kMinRatio = 1;
inline constexpr double kMaxRatio = 16;

/** Largest corpus file: all of it is kept in memory, beside what the workload takes. */
inline constexpr std::uint64_t kMaxCorpusBytes = std::uint64_t{1} << 30U;

enum class ContentKind : std::uint8_t { kCounter, kRandom, kZero, kRatio, kFile };

/** What the pages are to hold, as --content and --seed say it. */
struct ContentSpec {
  ContentKind kind = ContentKind::kCounter;
  /** Of kRatio: page size over compressed size, kMinRatio to kMaxRatio. */
  double ratio = kMinRatio;
  /** Of kFile. The initializer lets a ContentSpec be written without it. */
  std::string path = {};  // NOLINT(readability-redundant-member-init)
  /** Of kRandom and kRatio. */
  std::uint64_t seed = 0;
};

/** Whether a seed has an effect. */
[[nodiscard]] inline bool has_random_numbers(const ContentSpec& spec) {
  return spec.kind == ContentKind::kRandom || spec.kind == ContentKind::kRatio;
}

/** Takes the value of --content, where that is the option that `line` gave last. */
[[nodiscard]] std::optional<common::BadUsage> set_content(const common::CommandLine& line,
                                                          ContentSpec& spec);

/** The same for --seed. */
[[nodiscard]] std::optional<common::BadUsage> set_seed(const common::CommandLine& line,
                                                       ContentSpec& spec);

/** A file that cannot be the corpus: why and how to mend it, in one line. */
struct BadCorpus {
  std::string message;
};

/** Where an area of words lies, and which of them are meant. */
struct Place {
  std::uint64_t task = 0;
  /** Pages the task has in mappings before this one. */
  std::uint64_t first_page = 0;
  /** Words of the mapping before the area; a mapping begins at a page. */
  std::uint64_t word = 0;
  /** From one word that is meant to the next, ascending from the area's first; at least 1. */
  std::uint64_t step = 1;
};

/** Gives every word of every page its value. */
class Content {
 public:
  /** Reads the corpus where there is one. */
  static std::variant<Content, BadCorpus> prepare(const ContentSpec& spec);

  /**
   * Writes the words of `area` that `place` means. The counter begins anew in each mapping, as the
   * original's does; the other kinds go on from one mapping of a task to the next.
   */
  void fill(std::span<std::uint64_t> area, const Place& place) const;

  /** Index in `area` of the first of these words that is not as fill() wrote it. */
  [[nodiscard]] std::optional<std::size_t> find_wrong(std::span<const std::uint64_t> area,
                                                      const Place& place) const;

 private:
  explicit Content(const ContentSpec& spec) : kind_(spec.kind), seed_(spec.seed) {}

  /** Calls `visit(i, value)` for each index of `count` words that `place` means, until it says
   * false. */
  template <typename Visit>
  void each_word(std::size_t count, const Place& place, Visit visit) const;

  ContentKind kind_;
  std::uint64_t seed_;
  /** Of kRatio: bytes at the start of each page that do not compress. */
  std::uint64_t random_bytes_ = 0;
  /** Of kFile: whole pages. */
  std::vector<std::uint64_t> corpus_;
};

}  // namespace iaa_zswap::usemem

#endif  // IAA_ZSWAP_USEMEM_CONTENT_H_
