// Sources: native/usemem/content.cc
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "test/check.h"
#include "test/temp_folder.h"
#include "usemem/content.h"

namespace iaa_zswap::usemem {
namespace {

using test::check;
using test::check_equal;

using Words = std::vector<std::uint64_t>;

// What no content has by chance: shows which words a step leaves alone.
constexpr std::uint64_t kUntouched = 0xaaaaaaaaaaaaaaaa;

Content prepared(const ContentSpec& spec) {
  auto content = Content::prepare(spec);
  const auto* bad = std::get_if<BadCorpus>(&content);
  check_equal(bad == nullptr ? "" : bad->message, "");
  return *std::get_if<Content>(&content);
}

Words filled(const ContentSpec& spec, std::size_t count, const Place& place = {}) {
  Words words(count, kUntouched);
  prepared(spec).fill(words, place);
  return words;
}

/** A step stores the words it does not skip as a step of one word would, and no other. */
void check_steps(const ContentSpec& spec) {
  constexpr std::size_t kCount = (3 * kPageWords) + 5;
  const Words all = filled(spec, kCount);
  for (const std::uint64_t step : {2U, 7U, 511U, 512U, 513U, 1300U, 9000U}) {
    const Words some = filled(spec, kCount, {.step = step});
    bool right = true;
    for (std::size_t i = 0; i < kCount; ++i) {
      right = right && some[i] == (i % step == 0 ? all[i] : kUntouched);
    }
    check(right);
  }
  check_equal(std::ranges::count(all, kUntouched), 0);
}

/** Filled piece by piece, a mapping holds what it holds filled at once, and any other word is
 * found. */
void check_pieces(const ContentSpec& spec) {
  const Content content = prepared(spec);
  constexpr std::size_t kCount = (4 * kPageWords) + 111;  // 2159
  for (const std::uint64_t step : {1U, 3U, 700U}) {
    Place place{.task = 5, .first_page = 2, .step = step};
    Words whole(kCount, kUntouched);
    content.fill(whole, place);
    Words pieces(kCount, kUntouched);
    // Each piece begins at a word that the whole has, too.
    for (std::size_t begin = 0; begin < kCount;) {
      const std::size_t length = std::min<std::size_t>(step * (1 + (begin % 300)), kCount - begin);
      place.word = begin;
      content.fill(std::span(pieces).subspan(begin, length), place);
      check(!content.find_wrong(std::span(pieces).subspan(begin, length), place).has_value());
      begin += length;
    }
    check(whole == pieces);
    place.word = 0;
    check(!content.find_wrong(whole, place).has_value());
    for (const std::size_t at : {std::size_t{0}, std::size_t{2100} / step * step}) {
      whole[at] ^= std::uint64_t{1} << 63U;
      check_equal(content.find_wrong(whole, place).value_or(kCount), at);
      whole[at] ^= std::uint64_t{1} << 63U;
    }
    // What a step leaves out is nobody's concern.
    if (step > 1) {
      whole[1] = 1;
      check(!content.find_wrong(whole, place).has_value());
    }
  }
}

/** A later mapping of a task continues where the one before it ended. */
void check_continues(const ContentSpec& spec) {
  const Words all = filled(spec, 6 * kPageWords);
  const Words end = filled(spec, 2 * kPageWords, {.first_page = 4});
  check(std::equal(end.begin(), end.end(), all.begin() + (4 * kPageWords)));
}

void test_counter() {
  const ContentSpec counter;
  const Words words = filled(counter, 2000, {.task = 3, .first_page = 9});
  bool right = true;
  for (std::size_t i = 0; i < words.size(); ++i) right = right && words[i] == i;
  check(right);  // in every mapping of every task the same, as the original's
  check_steps(counter);
  check_pieces(counter);
  check_equal(filled(counter, 0).size(), 0U);
}

void test_zero() {
  const ContentSpec zero{.kind = ContentKind::kZero};
  check_equal(std::ranges::count(filled(zero, 1500), 0U), 1500);
  check_steps(zero);
  check_pieces(zero);
}

void test_random() {
  const ContentSpec random{.kind = ContentKind::kRandom, .seed = 7};
  const Words words = filled(random, 64 * kPageWords);
  check(words == filled(random, 64 * kPageWords));
  check_equal(std::set<std::uint64_t>(words.begin(), words.end()).size(), words.size());
  // Every bit is set in about half of the 32768 words: 5 standard deviations are 453.
  for (unsigned bit = 0; bit < 64; ++bit) {
    const auto set =
        std::ranges::count_if(words, [bit](std::uint64_t word) { return (word >> bit & 1U) != 0; });
    check(set > 16384 - 453 && set < 16384 + 453);
  }
  check_steps(random);
  check_pieces(random);
  check_continues(random);

  // Tasks and seeds have numbers of their own.
  std::set<std::uint64_t> seen;
  for (const std::uint64_t seed : {0U, 1U, 7U}) {
    for (std::uint64_t task = 0; task < 30; ++task) {
      const Words stream =
          filled({.kind = ContentKind::kRandom, .seed = seed}, 100, {.task = task});
      seen.insert(stream.begin(), stream.end());
    }
  }
  check_equal(seen.size(), 3U * 30 * 100);
}

void test_ratio() {
  for (const double ratio : {1.0, 1.7, 2.0, 2.56, 4.0, 5.16, 16.0}) {
    const ContentSpec spec{.kind = ContentKind::kRatio, .ratio = ratio, .seed = 3};
    const Words words = filled(spec, 8 * kPageWords);
    const auto random_bytes = static_cast<std::size_t>(4096 / ratio) - 32;
    const auto* bytes = reinterpret_cast<const unsigned char*>(words.data());
    for (std::size_t page = 0; page < 8; ++page) {
      const unsigned char* start = bytes + (page * kPageBytes);
      check(std::all_of(start + random_bytes, start + kPageBytes,
                        [](unsigned char b) { return b == 0; }));
      // Of n random bytes n/256 are 0 on average.
      const auto zeros = std::count(start, start + random_bytes, 0);
      check(zeros < 8 + static_cast<std::ptrdiff_t>(random_bytes / 64));
    }
    check_continues(spec);
  }
  check_steps({.kind = ContentKind::kRatio, .ratio = 2.5});
  check_pieces({.kind = ContentKind::kRatio, .ratio = 2.5});
  const ContentSpec spec{.kind = ContentKind::kRatio, .ratio = 2};
  check(filled(spec, kPageWords, {.task = 1}) != filled(spec, kPageWords, {.task = 2}));
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/** Why a file is no corpus. */
std::string refusal(const std::string& path) {
  const auto content = Content::prepare({.kind = ContentKind::kFile, .path = path});
  const auto* bad = std::get_if<BadCorpus>(&content);
  check(bad != nullptr);
  return bad == nullptr ? "" : bad->message;
}

void test_file(const std::string& folder) {
  // Three pages, and a rest that is not used.
  std::string text;
  for (std::size_t i = 0; i < (3 * kPageBytes) + 100; ++i) text += static_cast<char>(i * 31 / 7);
  const std::string path = folder + "/corpus";
  write_file(path, text);
  const ContentSpec corpus{.kind = ContentKind::kFile, .path = path};
  const Words words = filled(corpus, (7 * kPageWords) + 3, {.task = 2});
  const auto* bytes = reinterpret_cast<const char*>(words.data());
  bool right = true;
  for (std::size_t i = 0; i < words.size() * 8; ++i) {
    right = right && bytes[i] == text[i % (3 * kPageBytes)];
  }
  check(right);
  check_steps(corpus);
  check_pieces(corpus);
  check_continues(corpus);

  check_equal(refusal(folder + "/none"),
              "the corpus " + folder + "/none cannot be opened: ENOENT; name a readable file");
  check_equal(refusal(folder), "the corpus " + folder + " is not a regular file; name one");
  check_equal(mkfifo((folder + "/fifo").c_str(), 0600), 0);
  check_equal(refusal(folder + "/fifo"),
              "the corpus " + folder + "/fifo is not a regular file; name one");
  write_file(folder + "/small", std::string(4095, 'x'));
  check_equal(refusal(folder + "/small"),
              "the corpus " + folder + "/small has 4095 bytes; it needs at least one page of 4096");
  write_file(folder + "/large", "");
  std::filesystem::resize_file(folder + "/large", kMaxCorpusBytes + 1);  // sparse
  check_equal(
      refusal(folder + "/large"),
      "the corpus " + folder + "/large has 1073741825 bytes; use a part of at most 1073741824");
}

}  // namespace
}  // namespace iaa_zswap::usemem

int main() {
  using namespace iaa_zswap::usemem;  // NOLINT(google-build-using-namespace)
  test_counter();
  test_zero();
  test_random();
  test_ratio();
  const iaa_zswap::test::TempFolder folder;
  test_file(folder.path());
}
