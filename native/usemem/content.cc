#include "usemem/content.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>

#include "common/error_name.h"
#include "common/unique_fd.h"

namespace iaa_zswap::usemem {
namespace {

using common::error_name;
using common::UniqueFd;

// Bytes that compressors spend beside the random ones of a page: framing, and one long match for
// the rest. Between zstd's 20 and zlib's 30 to 70, so that both stay within 5%.
constexpr std::uint64_t kOverheadBytes = 32;

// Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014: the odd number
// next to 2^64 over the golden ratio, and the finaliser Stafford's "Mix13".
constexpr std::uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;

/** A bijection that scatters neighbouring numbers. */
constexpr std::uint64_t scatter(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111eb;
  return value ^ (value >> 31U);
}

/** The random numbers of one task: any of them without those before it. */
class RandomWords {
 public:
  RandomWords(std::uint64_t seed, std::uint64_t task)
      : origin_(scatter(scatter(seed + kGoldenGamma) + task)) {}
  [[nodiscard]] std::uint64_t operator[](std::uint64_t index) const {
    return scatter(origin_ + (index + 1) * kGoldenGamma);
  }

 private:
  std::uint64_t origin_;
};

/** Stores every step-th word; `page_of` gives for a page of the area what its k-th word holds. */
template <typename PageOf>
void store_pages(std::span<std::uint64_t> area, std::uint64_t step, PageOf page_of) {
  std::uint64_t i = 0;
  while (i < area.size()) {
    const std::uint64_t page = i / kPageWords;
    const auto word_at = page_of(page);
    const std::uint64_t start = page * kPageWords;
    const std::uint64_t end = std::min<std::uint64_t>(start + kPageWords, area.size());
    for (; i < end; i += step) area[i] = word_at(i - start);
  }
}

/** The original's content. The loop that the speed is about: one store and nothing else. */
void store_counter(std::span<std::uint64_t> area, std::uint64_t step) {
  if (step == 1) {
    for (std::uint64_t i = 0; i < area.size(); ++i) area[i] = i;
  } else {
    for (std::uint64_t i = 0; i < area.size(); i += step) area[i] = i;
  }
}

BadCorpus bad_corpus(const std::string& path, const std::string& why) {
  return {"the corpus " + path + " " + why};
}

std::variant<std::vector<std::uint64_t>, BadCorpus> read_corpus(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (!file.is_open() || fstat(file.get(), &status) < 0) {
    return bad_corpus(path, "cannot be opened: " + error_name(errno) + "; name a readable file");
  }
  if (!S_ISREG(status.st_mode)) return bad_corpus(path, "is not a regular file; name one");
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  if (bytes < kPageBytes) {
    return bad_corpus(path, "has " + std::to_string(bytes) +
                                " bytes; it needs at least one page of " +
                                std::to_string(kPageBytes));
  }
  if (bytes > kMaxCorpusBytes) {
    return bad_corpus(path, "has " + std::to_string(bytes) + " bytes; use a part of at most " +
                                std::to_string(kMaxCorpusBytes));
  }
  std::vector<std::uint64_t> words(bytes / kPageBytes * kPageWords);
  const std::span<std::byte> wanted = std::as_writable_bytes(std::span(words));
  for (std::size_t done = 0; done < wanted.size();) {
    const ssize_t count = read(file.get(), wanted.data() + done, wanted.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return bad_corpus(path, "cannot be read: " + error_name(errno) + "; use another");
    if (count == 0)
      return bad_corpus(path, "shrank while it was read; use one that nobody writes to");
    done += static_cast<std::size_t>(count);
  }
  return words;
}

}  // namespace

std::variant<Content, BadCorpus> Content::prepare(const ContentSpec& spec) {
  Content content(spec);
  if (spec.kind == ContentKind::kRatio) {
    content.random_bytes_ =
        static_cast<std::uint64_t>(static_cast<double>(kPageBytes) / spec.ratio) - kOverheadBytes;
  }
  if (spec.kind == ContentKind::kFile) {
    auto corpus = read_corpus(spec.path);
    if (auto* bad = std::get_if<BadCorpus>(&corpus)) return std::move(*bad);
    content.corpus_ = std::move(*std::get_if<std::vector<std::uint64_t>>(&corpus));
  }
  return content;
}

void Content::fill(std::span<std::uint64_t> area, std::uint64_t first_page,
                   std::uint64_t step_words, std::uint64_t task) const {
  const RandomWords random(seed_, task);
  switch (kind_) {
    case ContentKind::kCounter:
      store_counter(area, step_words);
      return;
    case ContentKind::kZero:
      store_pages(area, step_words,
                  [](std::uint64_t) { return [](std::uint64_t) { return std::uint64_t{0}; }; });
      return;
    case ContentKind::kRandom:
      store_pages(area, step_words, [&](std::uint64_t page) {
        const std::uint64_t base = (first_page + page) * kPageWords;
        return [&random, base](std::uint64_t k) { return random[base + k]; };
      });
      return;
    case ContentKind::kRatio: {
      // The random bytes first, then zeros: every compressor finds the zeros with one match.
      const std::uint64_t whole = random_bytes_ / sizeof(std::uint64_t);
      // The word between them: its low bytes come first in memory.
      const std::uint64_t mask =
          (std::uint64_t{1} << (8 * (random_bytes_ % sizeof(std::uint64_t)))) - 1;
      store_pages(area, step_words, [&, whole, mask](std::uint64_t page) {
        const std::uint64_t base = (first_page + page) * kPageWords;
        return [&random, base, whole, mask](std::uint64_t k) {
          if (k > whole) return std::uint64_t{0};
          return k < whole ? random[base + k] : random[base + k] & mask;
        };
      });
      return;
    }
    case ContentKind::kFile:
      store_pages(area, step_words, [&](std::uint64_t page) {
        const std::uint64_t pages = corpus_.size() / kPageWords;
        const std::uint64_t* source = &corpus_[(first_page + page) % pages * kPageWords];
        return [source](std::uint64_t k) { return source[k]; };
      });
      return;
  }
}

}  // namespace iaa_zswap::usemem
