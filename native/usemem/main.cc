// usemem: takes memory and writes to it, to put a cgroup or a machine under memory pressure.
// Options and output lines are those of vm-scalability's usemem (docs/usemem.md); the code is not.

#include <unistd.h>

#include <cstdio>
#include <utility>
#include <variant>

#include "common/clock.h"
#include "crew/crew.h"
#include "usemem/content.h"
#include "usemem/options.h"
#include "usemem/run.h"

namespace iaa_zswap::usemem {
namespace {

int print_help() {
  const std::string_view text = help_text();
  const bool printed = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  return std::fflush(stdout) == 0 && printed ? crew::kExitDone : crew::kExitFailed;
}

int usemem(int argc, char** argv) {
  auto parsed = parse_options(argc, argv);
  if (std::holds_alternative<common::HelpWanted>(parsed)) return print_help();
  if (const auto* bad = std::get_if<common::BadUsage>(&parsed)) {
    crew::complain(kProgram, bad->message + "; see usemem --help");
    return crew::kExitUsage;
  }
  const Options& options = *std::get_if<Options>(&parsed);

  const std::int64_t began_ns = common::monotonic_ns();
  const auto prepared = Content::prepare(options.content);
  if (const auto* bad = std::get_if<BadCorpus>(&prepared)) {
    crew::complain(kProgram, bad->message);
    return crew::kExitFailed;
  }
  return run(options, *std::get_if<Content>(&prepared), began_ns);
}

}  // namespace
}  // namespace iaa_zswap::usemem

int main(int argc, char** argv) { return iaa_zswap::usemem::usemem(argc, argv); }
