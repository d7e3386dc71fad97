// Sources: native/usemem/passes.cc native/usemem/content.cc
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "test/check.h"
#include "usemem/passes.h"

namespace iaa_zswap::usemem {
namespace {

using common::monotonic_ns;
using test::check;
using test::check_equal;

using Words = std::vector<std::uint64_t>;

constexpr std::uint64_t kUntouched = 0xaaaaaaaaaaaaaaaa;

Content prepared(const ContentSpec& spec) {
  auto content = Content::prepare(spec);
  return *std::get_if<Content>(&content);
}

/** Words after the passes over them, in which nothing wrong must be found. */
Words worked(const Options& options, std::size_t count, std::uint64_t task = 0) {
  const Content content = prepared(options.content);
  Words words(count, kUntouched);
  Passes passes(options, content, task);
  for (std::uint32_t round = 0; round < options.repeat; ++round) {
    check(!passes.work({.words = words}, round).has_value());
  }
  return words;
}

void test_ascending() {
  const ContentSpec random{.kind = ContentKind::kRandom, .seed = 1};
  for (const std::uint64_t step_bytes : {8U, 24U, 4096U, 5000U * 8U}) {
    Words expected(5000, kUntouched);
    prepared(random).fill(expected, {.step = step_bytes / kWordBytes});
    // Page by page, in one go, and once more over what is there.
    check(worked({.step_bytes = step_bytes, .content = random}, 5000) == expected);
    check(worked({.step_bytes = step_bytes, .delay_ns = 1, .content = random}, 5000) == expected);
    check(worked({.step_bytes = step_bytes, .repeat = 3, .content = random}, 5000) == expected);
  }
}

void test_random_order() {
  constexpr std::size_t kCount = 100'000;
  const Words words = worked({.random_order = true}, kCount);
  // A word either is its index or was never met: of n draws from n, n/e are not (5 standard
  // deviations of sqrt(n/e (1 - 2/e)) are 494).
  std::size_t unmet = 0;
  bool right = true;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (words[i] == kUntouched) {
      ++unmet;
    } else {
      right = right && words[i] == i;
    }
  }
  check(right);
  check(unmet > 36'788 - 494 && unmet < 36'788 + 494);
  // A quarter of the words at a step of four.
  const Words fewer = worked({.step_bytes = 32, .random_order = true}, kCount);
  const auto met = static_cast<std::size_t>(
      std::ranges::count_if(fewer, [](std::uint64_t word) { return word != kUntouched; }));
  check(met > 21'000 && met < 23'500);  // n (1 - exp(-1/4)) = 22120

  check(words == worked({.random_order = true}, kCount));
  check(words != worked({.random_order = true}, kCount, 1));
  check(words != worked({.random_order = true, .content = {.seed = 1}}, kCount));
  // The next pass takes others, and so leaves n/e^2.
  const Words twice = worked({.random_order = true, .repeat = 2}, kCount);
  const auto left = std::ranges::count(twice, kUntouched);
  check(left > 13'534 - 500 && left < 13'534 + 500);
}

void test_reading() {
  const std::size_t bytes = 16 * kPageBytes;
  // Never written: a write would be a SIGSEGV.
  void* area = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(area != MAP_FAILED);
  const Mapping mapping{.words = {static_cast<std::uint64_t*>(area), bytes / kWordBytes}};
  const Content content = prepared({});
  for (const bool random_order : {false, true}) {
    const Options options{
        .random_order = random_order, .repeat = 2, .read_only = true, .delay_ns = 1};
    Passes passes(options, content, 0);
    check(!passes.work(mapping, 0).has_value());
    check(!passes.work(mapping, 1).has_value());
    passes.read(mapping);
  }
  // Every page has been read: each is mapped now.
  std::vector<unsigned char> resident(16);
  check_equal(mincore(area, bytes, resident.data()), 0);
  check_equal(std::ranges::count_if(resident, [](unsigned char page) { return (page & 1U) != 0; }),
              16);
  munmap(area, bytes);
}

/** A second pass tells what it finds changed. */
void test_corruption() {
  for (const std::uint64_t step_bytes : {8U, 16U}) {
    const Options options{
        .step_bytes = step_bytes, .repeat = 2, .content = {.kind = ContentKind::kRandom}};
    const Content content = prepared(options.content);
    Words words(4 * kPageWords);
    Passes passes(options, content, 0);
    check(!passes.work({.words = words}, 0).has_value());
    words[1235] ^= 1;  // one that a step of two leaves out
    const auto odd = passes.work({.words = words}, 1);
    check_equal(odd.has_value(), step_bytes == 8);
    words[1234] ^= 1;
    check_equal(passes.work({.words = words}, 1).value_or(0), 1234U);
  }
}

void test_delay() {
  constexpr std::uint64_t kDelayNs = 200'000;
  const auto passed = [](const Options& options) {
    const std::int64_t begin = monotonic_ns();
    worked(options, 20 * kPageWords);
    return monotonic_ns() - begin;
  };
  check(passed({.delay_ns = kDelayNs}) >= std::int64_t{20 * kDelayNs});
  check(passed({.repeat = 2, .delay_ns = kDelayNs}) >= std::int64_t{40 * kDelayNs});
  // In random order nearly every word is on another page than the one before.
  check(passed({.step_bytes = 1024, .random_order = true, .delay_ns = kDelayNs}) >=
        std::int64_t{40 * kDelayNs});
}

}  // namespace
}  // namespace iaa_zswap::usemem

int main() {
  iaa_zswap::usemem::test_ascending();
  iaa_zswap::usemem::test_random_order();
  iaa_zswap::usemem::test_reading();
  iaa_zswap::usemem::test_corruption();
  iaa_zswap::usemem::test_delay();
}
