// clang-format off: one line for scripts/native-test.sh
// Sources: native/madvise/options.cc native/usemem/content_options.cc native/common/command_line.cc
// clang-format on
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "madvise/options.h"
#include "test/check.h"
#include "test/command_lines.h"

namespace iaa_zswap::madvise {
namespace {

using common::HelpWanted;
using test::check;
using test::check_equal;

using Lines = test::CommandLines<parse_options>;

void test_forms() {
  const Options plain = Lines::good({"64m"});
  check_equal(plain.tasks(), 1U);
  check_equal(plain.chunk_bytes, 65536U);
  check_equal(plain.calls(), 1024U);
  const Options all = Lines::good({"-n", "4", "--thread=2", "-b1", "--chunk", "2m", "--rounds",
                                   "10", "--content", "ratio:2", "--seed", "5", "64m"});
  check_equal(all.tasks(), 8U);
  check_equal(all.bind_interval, 1U);
  check_equal(all.chunk_bytes, 2097152U);
  check_equal(all.calls(), 320U);
  check(all.content.kind == usemem::ContentKind::kRatio);
  check_equal(all.content.seed, 5U);
  check(std::holds_alternative<HelpWanted>(Lines::parse({"--help"})));
}

void test_wrong() {
  check_equal(Lines::bad({}), "the size is missing: give one, as 64m or 10g");
  check_equal(Lines::bad({"4095"}),
              "the size has to be from 4096 bytes to 65536t, as 64m or 10g, not '4095'");
  check_equal(Lines::bad({"100k"}), "the size has to be a multiple of the chunk, 65536 bytes");
  for (const char* wrong : {"0", "4095", "6k", "x", "", "256m"}) {
    check_equal(Lines::bad({"--chunk", wrong, "1g"}),
                "--chunk wants a multiple of 4k, at most 65535 pages, as 64k or 2m, not '" +
                    std::string(wrong) + "'");
  }
  check_equal(Lines::bad({"--rounds", "0", "1g"}),
              "--rounds wants a number from 1 to 1000000, not '0'");
  check_equal(Lines::bad({"--seed", "1", "1g"}),
              "--seed has an effect only with --content random or ratio:R: add one or drop it");
  // The product is beyond 64 bits, or a little beyond what is allowed.
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--chunk", "4k", "--rounds", "1000000", "-n", "4194304", "65536t"},
        {"--chunk", "4k", "--rounds", "33", "1g"},
        {"-n", "4194304", "-t", "2", "64k"}}) {
    check_equal(Lines::bad(words),
                "more than 8388608 calls: ask for larger chunks, fewer rounds or a smaller size");
  }
  check_equal(Lines::good({"--chunk", "4k", "--rounds", "32", "1g"}).calls(), 8388608U);
}

}  // namespace
}  // namespace iaa_zswap::madvise

int main() {
  iaa_zswap::madvise::test_forms();
  iaa_zswap::madvise::test_wrong();
}
