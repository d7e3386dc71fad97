// clang-format off: one line for scripts/native-test.sh
// Sources: native/usemem/options.cc native/usemem/content_options.cc native/common/command_line.cc
// clang-format on
#include <cstdint>
#include <string>
#include <variant>

#include "test/check.h"
#include "test/command_lines.h"
#include "usemem/options.h"

namespace iaa_zswap::usemem {
namespace {

using common::HelpWanted;
using common::kMaxBytes;
using common::parse_size;
using test::check;
using test::check_equal;

using Lines = test::CommandLines<parse_options>;

void test_sizes() {
  check_equal(parse_size("4096").value_or(0), 4096U);
  check_equal(parse_size("64k").value_or(0), 65536U);
  check_equal(parse_size("3M").value_or(0), 3145728U);
  check_equal(parse_size("10g").value_or(0), 10737418240U);
  check_equal(parse_size("2T").value_or(0), 2199023255552U);
  check_equal(parse_size("65536t").value_or(0), kMaxBytes);
  check_equal(parse_size("0").value_or(1), 0U);
  for (const char* wrong : {"", "k", "x", "-1", "+1", " 1", "1 ", "1kb", "1p", "0x10", "010",
                            "1.5g", "65537t", "72057594037927937", "18446744073709551616"}) {
    check(!parse_size(wrong).has_value());
  }
}

void test_letter_command() {
  const Options options =
      Lines::good({"--init-time", "-w", "-O", "-b", "1", "-s", "10", "-n", "30", "10g"});
  check(options.init_time);
  check_equal(options.bind_interval, 1U);
  check_equal(options.sleep_seconds, 10U);
  check_equal(options.processes, 30U);
  check_equal(options.threads, 0U);
  check_equal(options.tasks(), 30U);
  check_equal(options.size_bytes, 10737418240U);
  check_equal(options.unit_bytes, options.size_bytes);
  check_equal(options.step_bytes, 8U);
  check(options.content.kind == ContentKind::kCounter);
}

void test_forms() {
  const Options options =
      Lines::good({"8m", "--anonymous", "--open-rw", "--nproc=2", "--thread", "3", "--bind", "2",
                   "--sleep", "0", "--unit", "1m", "--step=4k"});
  check_equal(options.processes, 2U);
  check_equal(options.threads, 3U);
  check_equal(options.tasks(), 6U);
  check_equal(options.bind_interval, 2U);
  check_equal(options.unit_bytes, 1048576U);
  check_equal(options.step_bytes, 4096U);
  check(!options.init_time);

  const Options access = Lines::good({"-O", "--readonly", "--random", "--repeat=3", "--read-again",
                                      "--sync-rw", "--sync-free", "--delay", "7", "--quiet", "1m"});
  check(access.read_only && access.random_order && access.read_again && access.sync_rw &&
        access.sync_free && !access.open_rw);
  check_equal(access.repeat, 3U);
  check_equal(access.delay_ns, 7U);
  const Options letters = Lines::good({"-OoRZyxwq", "-r2", "-e10u", "1m"});
  check(letters.read_only && letters.random_order && letters.read_again && letters.sync_rw &&
        letters.sync_free && letters.open_rw);
  check_equal(letters.repeat, 2U);
  check_equal(letters.delay_ns, 10'000U);
  check_equal(Lines::good({"-O", "-e", "999m", "1m"}).delay_ns, 999'000'000U);
  const Options plain = Lines::good({"-O", "1m"});
  check(!plain.read_only && !plain.random_order && !plain.read_again && !plain.sync_rw &&
        !plain.sync_free && !plain.open_rw);
  check_equal(plain.repeat, 1U);
  check_equal(plain.delay_ns, 0U);
  check_equal(Lines::good({"-O", "-R", "--seed", "3", "1m"}).content.seed, 3U);
  check(Lines::good({"-O", "-y", "-u", "2m", "1m"}).sync_rw);  // still one mapping

  check_equal(Lines::good({"-wOn4", "1m"}).processes, 4U);
  check_equal(Lines::good({"-O", "-n2", "-n", "5", "1m"}).processes, 5U);  // the last one holds
  check_equal(Lines::good({"-O", "-u", "2m", "1m"}).unit_bytes, 1048576U);
  check_equal(Lines::good({"-O", "8"}).size_bytes, 8U);
  check_equal(Lines::good({"-O", "-t", "0", "-b", "0", "1m"}).tasks(), 1U);
  check_equal(Lines::good({"-O", "--", "1m"}).size_bytes, 1048576U);
}

void test_content() {
  check(Lines::good({"-O", "--content", "counter", "1m"}).content.kind == ContentKind::kCounter);
  check(Lines::good({"-O", "--content", "zero", "1m"}).content.kind == ContentKind::kZero);
  const Options random =
      Lines::good({"-O", "--content", "random", "--seed", "18446744073709551615", "1m"});
  check(random.content.kind == ContentKind::kRandom);
  check_equal(random.content.seed, UINT64_MAX);
  const Options ratio = Lines::good({"-O", "--content=ratio:2.5", "1m"});
  check(ratio.content.kind == ContentKind::kRatio);
  check_equal(ratio.content.ratio, 2.5);
  check_equal(Lines::good({"-O", "--content=ratio:1", "1m"}).content.ratio, 1.0);
  check_equal(Lines::good({"-O", "--content=ratio:16", "1m"}).content.ratio, 16.0);
  const Options file = Lines::good({"-O", "--content", "file:/a:b", "1m"});
  check(file.content.kind == ContentKind::kFile);
  check_equal(file.content.path, "/a:b");
}

void test_wrong_forms() {
  for (const char* wrong : {"0", "-1", "x", "", "1.5", "2k", "4194305", "99999999999999999999"}) {
    check_equal(Lines::bad({"-O", "-n", wrong, "1m"}),
                "-n wants a number from 1 to 4194304, not '" + std::string(wrong) + "'");
  }
  check_equal(Lines::bad({"-O", "-t", "-1", "1m"}),
              "-t wants a number from 0 to 4194304, not '-1'");
  check_equal(Lines::bad({"-O", "--bind", "x", "1m"}),
              "-b wants a number from 0 to 4194304, not 'x'");
  check_equal(Lines::bad({"-O", "-s", "-1", "1m"}),
              "-s wants a number from 0 to 2147483647, not '-1'");
  check_equal(Lines::bad({"-O", "-u", "4", "1m"}),
              "-u wants 8 bytes or more, as 64k or 2m, not '4'");
  check_equal(Lines::bad({"-O", "-j", "12", "1m"}),
              "-j wants a multiple of 8 bytes, as 8 or 4k, not '12'");
  check_equal(Lines::bad({"-O", "-j", "0", "1m"}),
              "-j wants a multiple of 8 bytes, as 8 or 4k, not '0'");
  check_equal(Lines::bad({"-O", "-n", "4194304", "-t", "2", "1m"}),
              "-n x -t is 8388608 tasks: ask for at most 4194304");
  check_equal(Lines::bad({"-O", "--seed", "-1", "--content", "random", "1m"}),
              "--seed wants a decimal number below 2^64, not '-1'");
  check_equal(Lines::bad({"-O", "--seed", "1", "1m"}),
              "--seed has an effect only with -R and with --content random or ratio:R: add one or "
              "drop it");
  check_equal(Lines::bad({"-O", "-r", "0", "1m"}),
              "-r wants a number from 1 to 2147483647, not '0'");
  for (const char* wrong : {"", "x", "-1", "1s", "1000m", "1000000000", "1000000u", "1.5u"}) {
    check_equal(
        Lines::bad({"-O", "-e", wrong, "1m"}),
        "-e wants a delay below one second, as 500, 10u or 2m, not '" + std::string(wrong) + "'");
  }
  check_equal(Lines::bad({"-O", "-y", "-u", "512k", "1m"}),
              "-y waits after one mapping of the whole size: drop -u");
  check_equal(Lines::bad({"-O", "-o", "--content", "random", "1m"}),
              "with -o nothing is written: drop --content");
  for (const char* wrong : {"", "Counter", "file:", "ratio", "random:1"}) {
    check_equal(Lines::bad({"-O", "--content", wrong, "1m"}),
                "--content wants counter, random, zero, ratio:R or file:PATH, not '" +
                    std::string(wrong) + "'");
  }
  for (const char* wrong : {"ratio:", "ratio:x", "ratio:0.5", "ratio:17", "ratio:-2", "ratio:nan",
                            "ratio:inf", "ratio:2x", "ratio:2 ", "ratio:1e1"}) {
    check_equal(
        Lines::bad({"-O", "--content", wrong, "1m"}),
        "--content wants a ratio from 1 to 16, as ratio:2.5, not '" + std::string(wrong) + "'");
  }
}

void test_wrong_command_lines() {
  check_equal(Lines::bad({}), "the size is missing: give one, as 64m or 10g");
  check_equal(Lines::bad({"1m"}), "only anonymous memory is supported: add -O");
  check_equal(Lines::bad({"-O", "1m", "2m"}), "one size is wanted, and there is '2m' after '1m'");
  for (const char* wrong : {"0", "7", "-5", "x", "65537t"}) {
    check_equal(Lines::bad({"-O", "--", wrong}),
                "the size has to be from 8 bytes to 65536t, as 64m or 10g, not '" +
                    std::string(wrong) + "'");
  }
  check_equal(Lines::bad({"-O", "1m", "-n"}), "-n wants a value");
  check_equal(Lines::bad({"-O", "1m", "--seed"}), "--seed wants a value");
  check_equal(Lines::bad({"-OM", "1m"}), "unknown option '-M'");
  check_equal(Lines::bad({"-O", "--prealloc", "1m"}), "unknown or ambiguous option '--prealloc'");
  check_equal(Lines::bad({"-O", "--s", "1", "1m"}), "unknown or ambiguous option '--s'");
  check_equal(Lines::bad({"--anonymous=1", "1m"}),
              "-O takes no value, but there is one in '--anonymous=1'");
  check_equal(Lines::bad({"-O", "1m\n\x1b[31m"}),
              "the size has to be from 8 bytes to 65536t, as 64m or 10g, not '1m??[31m'");
}

void test_help() {
  check(std::holds_alternative<HelpWanted>(Lines::parse({"--help"})));
  check(std::holds_alternative<HelpWanted>(Lines::parse({"-O", "-h", "-n", "x"})));
  check(help_text().starts_with("usage: usemem -O [options] SIZE\n"));
}

}  // namespace
}  // namespace iaa_zswap::usemem

int main() {
  iaa_zswap::usemem::test_sizes();
  iaa_zswap::usemem::test_letter_command();
  iaa_zswap::usemem::test_forms();
  iaa_zswap::usemem::test_content();
  iaa_zswap::usemem::test_wrong_forms();
  iaa_zswap::usemem::test_wrong_command_lines();
  iaa_zswap::usemem::test_help();
}
