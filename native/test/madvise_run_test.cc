// clang-format off: one line for scripts/native-test.sh
// Sources: native/madvise/run.cc native/madvise/report.cc native/usemem/content.cc native/crew/crew.cc
// clang-format on
//
// The program's own logic, with a kernel of the test's: madvise(2) and mincore(2) are replaced
// below.
// What a real kernel does is tested in the guest.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <variant>

#include "crew/crew.h"
#include "madvise/run.h"
#include "test/check.h"
#include "test/child.h"

namespace {

constexpr std::size_t kPage = 4096;

/** What the kernel of the test does; each process has its own copy. */
struct Kernel {
  /** Of MADV_PAGEOUT; 0: it succeeds. */
  int error = 0;
  /** Pages that it leaves in memory: those whose number in their mapping is a multiple, from 1 on.
   */
  std::size_t keeps_every = SIZE_MAX;
  /** Changes the last word of what it pages out. */
  bool corrupts = false;
  // The initializer lets a Kernel be written without it.
  std::set<std::uintptr_t> out = {};  // NOLINT(readability-redundant-member-init)
};

Kernel kernel;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

}  // namespace

// NOLINTBEGIN: the C library's own names and types
extern "C" int madvise(void* area, std::size_t length, int advice) noexcept {
  const auto start = reinterpret_cast<std::uintptr_t>(area);
  if (advice == MADV_DONTNEED) {
    kernel.out.clear();
    return 0;
  }
  if (advice != MADV_PAGEOUT) return 0;
  if (kernel.error != 0) {
    errno = kernel.error;
    return -1;
  }
  for (std::size_t at = 0; at < length; at += kPage) {
    const std::size_t page = (start + at) / kPage;
    if (kernel.keeps_every == 0 || page % kernel.keeps_every != 0) kernel.out.insert(start + at);
  }
  if (kernel.corrupts) static_cast<std::uint64_t*>(area)[length / 8 - 1] ^= 1;
  return 0;
}

extern "C" int mincore(void* area, std::size_t length, unsigned char* vector) noexcept {
  const auto start = reinterpret_cast<std::uintptr_t>(area);
  for (std::size_t at = 0; at < length; at += kPage) {
    vector[at / kPage] = kernel.out.contains(start + at) ? 0 : 1;
  }
  return 0;
}
// NOLINTEND

namespace iaa_zswap::madvise {
namespace {

using test::check;
using test::check_equal;
using test::Outcome;

constexpr std::uint64_t kMebibyte = 1048576;

Outcome outcome(const Options& options, const Kernel& given = {}) {
  return test::in_child([&] {
    kernel = given;
    const auto content = usemem::Content::prepare(options.content);
    return run(options, *std::get_if<usemem::Content>(&content));
  });
}

/** The line that the text begins with. */
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n') + 1); }

void test_all_out() {
  const Outcome two = outcome({.processes = 2,
                               .threads = 1,
                               .size_bytes = 4 * kMebibyte,
                               .chunk_bytes = kMebibyte,
                               .rounds = 3,
                               .content = {.kind = usemem::ContentKind::kRandom}});
  check_equal(two.err, "");
  check_equal(two.exit_code, crew::kExitDone);
  check_equal(first_line(two.out), "asked for 6144 pages: 0 were gone before, 0 were left\n");
  check(two.out.find("\npageout 6144 pages: p50 ") != std::string::npos);
  check(two.out.find("\nreadback 6144 pages: p50 ") != std::string::npos);
}

/** MADV_PAGEOUT is advice: what the kernel did not do is told, and not measured. */
void test_kept() {
  const Outcome some =
      outcome({.size_bytes = 4 * kMebibyte, .chunk_bytes = 65536}, {.keeps_every = 64});
  check_equal(some.exit_code, crew::kExitDone);
  // One page in 64: of every fourth chunk.
  check_equal(first_line(some.out), "asked for 1024 pages: 0 were gone before, 16 were left\n");
  check(some.out.find("\npageout 768 pages: ") != std::string::npos);
  check(some.out.find("\nreadback 768 pages: ") != std::string::npos);

  const Outcome all = outcome({.size_bytes = kMebibyte}, {.keeps_every = 1});
  check_equal(all.exit_code, crew::kExitDone);
  check_equal(all.out.find("pageout"), std::string::npos);
}

void test_failures() {
  const Outcome corrupted =
      outcome({.size_bytes = 131072, .chunk_bytes = 65536}, {.corrupts = true});
  check_equal(corrupted.exit_code, crew::kExitFailed);
  check_equal(corrupted.out, "");
  check_equal(corrupted.err,
              "madvise: process 0: the word at byte 65528 of its memory is not what was written "
              "there; the kernel, the compressor or the memory has corrupted it: see dmesg\n");

  const Outcome refused = outcome({.size_bytes = 65536}, {.error = EINVAL});
  check_equal(refused.exit_code, crew::kExitFailed);
  check_equal(refused.err,
              "madvise: process 0: MADV_PAGEOUT: EINVAL; Linux has it since 5.4, and not for "
              "locked memory\n");

  const Outcome no_memory = outcome({.size_bytes = common::kMaxBytes, .chunk_bytes = 65536});
  check_equal(no_memory.exit_code, crew::kExitFailed);
  check(no_memory.err.starts_with("madvise: mmap of the samples: ENOMEM"));
}

}  // namespace
}  // namespace iaa_zswap::madvise

int main() {
  iaa_zswap::madvise::test_all_out();
  iaa_zswap::madvise::test_kept();
  iaa_zswap::madvise::test_failures();
}
