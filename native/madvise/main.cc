// madvise: has the kernel page memory out and reads it back, to time zswap's store and load apart
// from each other. docs/madvise.md tells what the numbers are.

#include <cstdio>
#include <variant>

#include "crew/crew.h"
#include "madvise/options.h"
#include "madvise/run.h"
#include "usemem/content.h"

namespace iaa_zswap::madvise {
namespace {

int print_help() {
  const std::string_view text = help_text();
  const bool printed = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  return std::fflush(stdout) == 0 && printed ? crew::kExitDone : crew::kExitFailed;
}

int madvise(int argc, char** argv) {
  auto parsed = parse_options(argc, argv);
  if (std::holds_alternative<common::HelpWanted>(parsed)) return print_help();
  if (const auto* bad = std::get_if<common::BadUsage>(&parsed)) {
    crew::complain(kProgram, bad->message + "; see madvise --help");
    return crew::kExitUsage;
  }
  const Options& options = *std::get_if<Options>(&parsed);
  const auto prepared = usemem::Content::prepare(options.content);
  if (const auto* bad = std::get_if<usemem::BadCorpus>(&prepared)) {
    crew::complain(kProgram, bad->message);
    return crew::kExitFailed;
  }
  return run(options, *std::get_if<usemem::Content>(&prepared));
}

}  // namespace
}  // namespace iaa_zswap::madvise

int main(int argc, char** argv) { return iaa_zswap::madvise::madvise(argc, argv); }
