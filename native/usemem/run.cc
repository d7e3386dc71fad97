#include "usemem/run.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/error_name.h"
#include "crew/crew.h"
#include "usemem/passes.h"
#include "usemem/report.h"

namespace iaa_zswap::usemem {
namespace {

using common::error_name;
using common::monotonic_ns;
using crew::Member;

std::uint64_t usecs_since(std::int64_t begin_ns) {
  return static_cast<std::uint64_t>(monotonic_ns() - begin_ns) / 1000;
}

void sleep_for(std::uint32_t seconds) {
  timespec left{.tv_sec = static_cast<time_t>(seconds), .tv_nsec = 0};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
  }
}

Mapping map(const Member& task, const Options& options, std::uint64_t bytes,
            std::uint64_t first_page) {
  const int protection = options.read_only && !options.open_rw ? PROT_READ : PROT_READ | PROT_WRITE;
  void* area = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) {
    task.give_up("mmap of " + std::to_string(bytes) + " bytes: " + error_name(errno) +
                 "; use a smaller size, or let the kernel promise more memory than there is "
                 "(vm.overcommit_memory=1)");
  }
  return {.words = {static_cast<std::uint64_t*>(area), bytes / kWordBytes},
          .first_page = first_page};
}

void run_task(Member& task, const Options& options, const Content& content) {
  const std::uint64_t unit = options.unit_bytes;
  std::vector<Mapping> mappings;
  mappings.reserve((options.size_bytes + unit - 1) / unit);
  Passes passes(options, content, task.index());
  if (!options.sync_rw) task.meet();

  std::uint64_t pages = 0;
  for (std::uint64_t done = 0; done < options.size_bytes; done += unit) {
    const std::uint64_t bytes = std::min(unit, options.size_bytes - done);
    mappings.push_back(map(task, options, bytes, pages));
    if (options.sync_rw) task.meet();  // there is one mapping then
    for (std::uint32_t round = 0; round < options.repeat; ++round) {
      const auto wrong = passes.work(mappings.back(), round);
      if (!wrong) continue;
      task.give_up("the word at byte " + std::to_string(done + *wrong * kWordBytes) +
                   " of its memory is not what was written there; the kernel, the compressor or "
                   "the memory has corrupted it: see dmesg");
    }
    pages += (bytes + kPageBytes - 1) / kPageBytes;
  }
  const std::uint64_t pass = pass_bytes(options.size_bytes, unit, options.step_bytes);
  // At least 1 usec: the rate is a quotient.
  task.print(throughput_line(allocation_bytes(options.size_bytes, unit) + pass * options.repeat,
                             std::max<std::uint64_t>(usecs_since(task.start_ns()), 1)));
  if (options.read_again) {
    const std::int64_t again_ns = monotonic_ns();
    for (const Mapping& mapping : mappings) {
      for (std::uint32_t round = 0; round < options.repeat; ++round) passes.read(mapping);
    }
    task.print(
        read_again_line(pass * options.repeat, std::max<std::uint64_t>(usecs_since(again_ns), 1)));
  }

  sleep_for(options.sleep_seconds);
  if (options.sync_free) task.meet();

  const std::int64_t freeing_ns = monotonic_ns();
  for (std::uint64_t i = 0; i < mappings.size(); ++i) {
    if (munmap(mappings[i].words.data(), std::min(unit, options.size_bytes - i * unit)) < 0) {
      task.give_up("munmap: " + error_name(errno) +
                   "; raise vm.max_map_count or use a larger unit");
    }
  }
  task.print(free_time_line(usecs_since(freeing_ns)));
}

}  // namespace

int run(const Options& options, const Content& content, std::int64_t began_ns) {
  if (options.init_time) {
    const std::string line = init_time_line(usecs_since(began_ns));
    if (!crew::write_whole(STDOUT_FILENO, line.data(), line.size())) {
      crew::complain(kProgram,
                     "writing to stdout: " + error_name(errno) + "; send it where there is room");
      return crew::kExitFailed;
    }
  }
  const crew::Shape shape{.program = kProgram,
                          .processes = options.processes,
                          .threads = options.threads,
                          .bind_interval = options.bind_interval,
                          .meetings = options.sync_free ? 2U : 1U};
  return crew::run(shape, [&](Member& task) { run_task(task, options, content); });
}

}  // namespace iaa_zswap::usemem
