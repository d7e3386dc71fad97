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
#include "usemem/random.h"

namespace iaa_zswap::usemem {
namespace {

using common::error_name;
using common::UniqueFd;

// Bytes that compressors spend beside the random ones of a page: framing, and one long match for
// the rest. Between zstd's 20 and zlib's 30 to 70, so that both stay within 5%.
constexpr std::uint64_t kOverheadBytes = 32;

/** Visits words page by page; `page_of` gives for a page of the task what its k-th word holds. A
 * copy of the place: a store could change what a reference refers to, for all that the compiler
 * knows. */
template <typename PageOf, typename Visit>
void each_of_pages(std::size_t count, Place place, PageOf page_of, Visit visit) {
  std::uint64_t i = 0;
  while (i < count) {
    const std::uint64_t page = (place.word + i) / kPageWords;
    const auto word_at = page_of(place.first_page + page);
    const std::uint64_t start = page * kPageWords;
    const std::uint64_t end = std::min<std::uint64_t>(start + kPageWords - place.word, count);
    for (; i < end; i += place.step) {
      if (!visit(i, word_at(place.word + i - start))) return;
    }
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

template <typename Visit>
void Content::each_word(std::size_t count, const Place& place, Visit visit) const {
  const RandomWords random(seed_, place.task);
  switch (kind_) {
    case ContentKind::kCounter:
      for (std::uint64_t i = 0; i < count; i += place.step) {
        if (!visit(i, place.word + i)) return;
      }
      return;
    case ContentKind::kZero:
      each_of_pages(
          count, place,
          [](std::uint64_t) { return [](std::uint64_t) { return std::uint64_t{0}; }; }, visit);
      return;
    case ContentKind::kRandom:
      each_of_pages(
          count, place,
          [&](std::uint64_t page) {
            const std::uint64_t base = page * kPageWords;
            return [&random, base](std::uint64_t k) { return random[base + k]; };
          },
          visit);
      return;
    case ContentKind::kRatio: {
      // The random bytes first, then zeros: every compressor finds the zeros with one match.
      const std::uint64_t whole = random_bytes_ / sizeof(std::uint64_t);
      // The word between them: its low bytes come first in memory.
      const std::uint64_t mask =
          (std::uint64_t{1} << (8 * (random_bytes_ % sizeof(std::uint64_t)))) - 1;
      each_of_pages(
          count, place,
          [&, whole, mask](std::uint64_t page) {
            const std::uint64_t base = page * kPageWords;
            return [&random, base, whole, mask](std::uint64_t k) {
              if (k > whole) return std::uint64_t{0};
              return k < whole ? random[base + k] : random[base + k] & mask;
            };
          },
          visit);
      return;
    }
    case ContentKind::kFile:
      each_of_pages(
          count, place,
          [&](std::uint64_t page) {
            const std::uint64_t pages = corpus_.size() / kPageWords;
            const std::uint64_t* source = &corpus_[page % pages * kPageWords];
            return [source](std::uint64_t k) { return source[k]; };
          },
          visit);
      return;
  }
}

void Content::fill(std::span<std::uint64_t> area, const Place& place) const {
  // The original's content, and the loop that the speed is about: one store and nothing else.
  if (kind_ == ContentKind::kCounter && place.step == 1) {
    for (std::uint64_t i = 0; i < area.size(); ++i) area[i] = place.word + i;
    return;
  }
  each_word(area.size(), place, [area](std::uint64_t i, std::uint64_t value) {
    area[i] = value;
    return true;
  });
}

std::optional<std::size_t> Content::find_wrong(std::span<const std::uint64_t> area,
                                               const Place& place) const {
  std::optional<std::size_t> wrong;
  each_word(area.size(), place, [area, &wrong](std::uint64_t i, std::uint64_t value) {
    if (area[i] == value) return true;
    wrong = i;
    return false;
  });
  return wrong;
}

}  // namespace iaa_zswap::usemem
