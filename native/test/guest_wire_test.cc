// Sources: native/guest/wire.cc

#include <string>
#include <vector>

#include "guest/wire.h"
#include "test/check.h"

namespace {

using iaa_zswap::guest::decode_line;
using iaa_zswap::guest::decode_number;
using iaa_zswap::guest::decode_run;
using iaa_zswap::guest::frame_header;
using iaa_zswap::guest::FrameType;
using iaa_zswap::test::check;
using Words = std::vector<std::string>;

void words_are_decoded() {
  check(decode_line("hello") == Words{"hello"});
  check(decode_line("a b") == (Words{"a", "b"}));
  check(decode_line("") == Words{""});
  check(decode_line("a  b ") == (Words{"a", "", "b", ""}), "an empty word is a word");
  check(decode_line("%20%0a%25%C3%a9") == Words{" \n%\xc3\xa9"});
  check(decode_line(std::string("%00")) == Words{std::string(1, '\0')});
}

void malformed_escapes_are_refused() {
  for (const char* line : {"%", "%2", "a %", "%g0", "%0g", "% 0", "%-1", "%+1"}) {
    check(!decode_line(line), line);
  }
}

void numbers_are_whole() {
  check(decode_number("0") == 0U);
  check(decode_number("15") == 15U);
  check(decode_number("4294967295") == 4294967295U);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "0x1", "4294967296"}) {
    check(!decode_number(text), text);
  }
}

void run_requests_are_taken_apart() {
  const auto plain = decode_run({"run", "/", "0", "ls"});
  check(plain && plain->cwd == "/" && plain->env.empty() && plain->argv == Words{"ls"});
  const auto full = decode_run({"run", "/tmp", "2", "A=1", "B=", "sh", "-c", ""});
  check(full && full->env == Words{"A=1", "B="} && full->argv == Words{"sh", "-c", ""});
}

void malformed_run_requests_are_refused() {
  check(!decode_run({}));
  check(!decode_run({"run"}));
  check(!decode_run({"run", "/", "0"}), "no program");
  check(!decode_run({"run", "/", "1", "A=1"}), "no program after the environment");
  check(!decode_run({"run", "/", "2", "A=1", "ls"}), "a count beyond the words");
  check(!decode_run({"run", "/", "4294967295", "ls"}), "a count that could overflow");
  check(!decode_run({"run", "/", "x", "ls"}));
  check(!decode_run({"walk", "/", "0", "ls"}));
}

void frames_have_a_little_endian_length() {
  const auto header = frame_header(FrameType::kStdout, 0x01020304);
  check(std::string(header.begin(), header.end()) == "1\x04\x03\x02\x01");
}

}  // namespace

int main() {
  words_are_decoded();
  malformed_escapes_are_refused();
  numbers_are_whole();
  run_requests_are_taken_apart();
  malformed_run_requests_are_refused();
  frames_have_a_little_endian_length();
}
