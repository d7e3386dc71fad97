#include "madvise/run.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/error_name.h"
#include "crew/crew.h"
#include "madvise/report.h"

namespace iaa_zswap::madvise {
namespace {

using common::error_name;
using common::monotonic_ns;
using crew::Member;
using usemem::Content;
using usemem::kPageBytes;
using usemem::kPageWords;

/** A PMD of x86-64: the largest folio of anonymous memory, and what memory is aligned to. */
constexpr std::uint64_t kPmdBytes = std::uint64_t{2} << 20U;

std::uint32_t saturated(std::int64_t ns) {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(ns, 0, std::numeric_limits<std::uint32_t>::max()));
}

/** What one task pages out and reads back. */
class Work {
 public:
  Work(Member& task, const Options& options, const Content& content, std::span<Sample> samples)
      : task_(&task),
        options_(&options),
        content_(&content),
        samples_(samples),
        words_(map(task, options.size_bytes)),
        in_core_(options.chunk_bytes / kPageBytes) {}

  void run() {
    const std::size_t chunks = options_->size_bytes / options_->chunk_bytes;
    for (std::uint32_t round = 0; round < options_->rounds; ++round) {
      const std::span<Sample> samples = samples_.subspan(round * chunks, chunks);
      content_->fill(words_, {.task = task_->index()});
      for (std::size_t i = 0; i < chunks; ++i) {
        samples[i].gone_before = static_cast<std::uint16_t>(in_core_.size() - pages_in_core(i));
      }
      task_->meet();
      for (std::size_t i = 0; i < chunks; ++i) samples[i].out_ns = page_out(i);
      for (std::size_t i = 0; i < chunks; ++i) {
        samples[i].left_after = static_cast<std::uint16_t>(pages_in_core(i));
      }
      task_->meet();
      for (std::size_t i = 0; i < chunks; ++i) {
        samples[i].in_ns = read_back(i);
        check(i);
      }
      // What was read back is single pages: only new memory has large folios again.
      if (::madvise(words_.data(), options_->size_bytes, MADV_DONTNEED) < 0) {
        task_->give_up("MADV_DONTNEED: " + error_name(errno) + "; run it again");
      }
    }
  }

 private:
  static std::span<std::uint64_t> map(const Member& task, std::uint64_t bytes) {
    void* area = mmap(nullptr, bytes + kPmdBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) {
      task.give_up("mmap of " + std::to_string(bytes) + " bytes: " + error_name(errno) +
                   "; use a smaller size, or let the kernel promise more memory than there is "
                   "(vm.overcommit_memory=1)");
    }
    const std::uint64_t misplaced = reinterpret_cast<std::uintptr_t>(area) % kPmdBytes;
    const std::uint64_t skipped = misplaced == 0 ? 0 : kPmdBytes - misplaced;
    return {static_cast<std::uint64_t*>(area) + skipped / sizeof(std::uint64_t),
            bytes / sizeof(std::uint64_t)};
  }

  [[nodiscard]] std::span<std::uint64_t> chunk(std::size_t index) const {
    const std::size_t length = in_core_.size() * kPageWords;
    return words_.subspan(index * length, length);
  }

  /** Pages of a chunk that are mapped or in the swap cache. */
  [[nodiscard]] std::size_t pages_in_core(std::size_t index) {
    if (mincore(chunk(index).data(), options_->chunk_bytes, in_core_.data()) < 0) {
      task_->give_up("mincore: " + error_name(errno) + "; run it again");
    }
    return static_cast<std::size_t>(
        std::ranges::count_if(in_core_, [](unsigned char page) { return (page & 1U) != 0; }));
  }

  /** ns */
  [[nodiscard]] std::uint32_t page_out(std::size_t index) const {
    void* const area = chunk(index).data();
    const std::int64_t begin_ns = monotonic_ns();
    const int outcome = ::madvise(area, options_->chunk_bytes, MADV_PAGEOUT);
    const std::int64_t end_ns = monotonic_ns();
    if (outcome < 0) {
      task_->give_up("MADV_PAGEOUT: " + error_name(errno) +
                     "; Linux has it since 5.4, and not for locked memory");
    }
    return saturated(end_ns - begin_ns);
  }

  /** Reads the first word of each page; ns. */
  [[nodiscard]] std::uint32_t read_back(std::size_t index) const {
    const std::span<std::uint64_t> words = chunk(index);
    // The compiler must not know that nobody wants them.
    const volatile std::uint64_t* const at = words.data();
    const std::int64_t begin_ns = monotonic_ns();
    for (std::size_t i = 0; i < words.size(); i += kPageWords) static_cast<void>(at[i]);
    return saturated(monotonic_ns() - begin_ns);
  }

  /** Ends the process when a word is not as it was written. */
  void check(std::size_t index) const {
    const std::span<std::uint64_t> words = chunk(index);
    const std::uint64_t first = index * words.size();
    const auto wrong = content_->find_wrong(words, {.task = task_->index(), .word = first});
    if (!wrong) return;
    task_->give_up("the word at byte " + std::to_string((first + *wrong) * sizeof(std::uint64_t)) +
                   " of its memory is not what was written there; the kernel, the compressor or "
                   "the memory has corrupted it: see dmesg");
  }

  Member* task_;
  const Options* options_;
  const Content* content_;
  std::span<Sample> samples_;
  std::span<std::uint64_t> words_;
  /** Of one chunk, as mincore(2) gives it. */
  std::vector<unsigned char> in_core_;
};

}  // namespace

int run(const Options& options, const Content& content) {
  const auto refuse = [](const std::string& why) {
    crew::complain(kProgram, why);
    return crew::kExitFailed;
  };
  const std::uint64_t count = options.calls() * options.tasks();
  // Shared with the processes that fill it.
  void* shared = mmap(nullptr, count * sizeof(Sample), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) {
    return refuse("mmap of the samples: " + error_name(errno) + "; use a larger --chunk");
  }
  const std::span<Sample> samples(static_cast<Sample*>(shared), count);
  const crew::Shape shape{.program = kProgram,
                          .processes = options.processes,
                          .threads = options.threads,
                          .bind_interval = options.bind_interval,
                          .meetings = 2 * options.rounds};
  const int exit_code = crew::run(shape, [&](Member& task) {
    Work(task, options, content, samples.subspan(task.index() * options.calls(), options.calls()))
        .run();
  });
  // Times of tasks that had company for a part of the way only are not what was asked for.
  if (exit_code != crew::kExitDone) return exit_code;
  const std::string lines = report(samples, options.chunk_bytes / kPageBytes);
  if (!crew::write_whole(STDOUT_FILENO, lines.data(), lines.size())) {
    return refuse("writing to stdout: " + error_name(errno) + "; send it where there is room");
  }
  return crew::kExitDone;
}

}  // namespace iaa_zswap::madvise
