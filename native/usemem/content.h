#ifndef IAA_ZSWAP_USEMEM_CONTENT_H_
#define IAA_ZSWAP_USEMEM_CONTENT_H_

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

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

/** A file that cannot be the corpus: why and how to mend it, in one line. */
struct BadCorpus {
  std::string message;
};

/** Gives every word of every page its value. */
class Content {
 public:
  /** Reads the corpus where there is one. */
  static std::variant<Content, BadCorpus> prepare(const ContentSpec& spec);

  /**
   * Writes every step_words-th word of `area`, ascending, from the first on. `area` begins at a
   * page and is one mapping of task `task`, which had `first_page` pages before it. The counter
   * begins anew in each mapping, as the original's does; the other kinds go on.
   */
  void fill(std::span<std::uint64_t> area, std::uint64_t first_page, std::uint64_t step_words,
            std::uint64_t task) const;

 private:
  explicit Content(const ContentSpec& spec) : kind_(spec.kind), seed_(spec.seed) {}

  ContentKind kind_;
  std::uint64_t seed_;
  /** Of kRatio: bytes at the start of each page that do not compress. */
  std::uint64_t random_bytes_ = 0;
  /** Of kFile: whole pages. */
  std::vector<std::uint64_t> corpus_;
};

}  // namespace iaa_zswap::usemem

#endif  // IAA_ZSWAP_USEMEM_CONTENT_H_
