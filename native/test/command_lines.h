#ifndef IAA_ZSWAP_TEST_COMMAND_LINES_H_
#define IAA_ZSWAP_TEST_COMMAND_LINES_H_

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/command_line.h"
#include "test/check.h"

namespace iaa_zswap::test {

/** Gives command lines to a program's parser, `kParse(argc, argv)`. */
template <auto kParse>
struct CommandLines {
  using Parsed = decltype(kParse(0, nullptr));
  using Options = std::variant_alternative_t<0, Parsed>;

  static Parsed parse(std::vector<std::string> words) {
    words.insert(words.begin(), "program");
    std::vector<char*> argv;
    argv.reserve(words.size());
    for (std::string& word : words) argv.push_back(word.data());
    return kParse(static_cast<int>(argv.size()), argv.data());
  }

  /** The options of a command line that is right. */
  static Options good(std::vector<std::string> words) {
    auto parsed = parse(std::move(words));
    const auto* bad = std::get_if<common::BadUsage>(&parsed);
    check_equal(bad == nullptr ? "" : bad->message, "");
    const auto* options = std::get_if<Options>(&parsed);
    check(options != nullptr);
    return options == nullptr ? Options{} : *options;
  }

  /** The message about a command line that is wrong. */
  static std::string bad(std::vector<std::string> words) {
    auto parsed = parse(std::move(words));
    const auto* usage = std::get_if<common::BadUsage>(&parsed);
    check(usage != nullptr);
    return usage == nullptr ? "" : usage->message;
  }
};

}  // namespace iaa_zswap::test

#endif  // IAA_ZSWAP_TEST_COMMAND_LINES_H_
