// Sends pages into zswap and back and checks every word: store_pages PROCESSES PAGES ROUNDS. Each process fills PAGES
// with words of its own for each round, pages them out (MADV_PAGEOUT) and reads them. Prints, as JSON, how many pages
// went out and in by the kernel's counters, how many words were wrong, and how long both ways took.
//   store_pages hold PAGES     pages them out and waits to be killed

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kPageBytes = 4096;
constexpr size_t kPageWords = kPageBytes / sizeof(uint64_t);

struct Outcome {
  uint64_t wrong_words;
  double out_seconds;
  double in_seconds;
};

uint64_t vmstat(const std::string& wanted) {
  std::ifstream file("/proc/vmstat");
  std::string name;
  for (uint64_t value = 0; file >> name >> value;) {
    if (name == wanted) return value;
  }
  std::fprintf(stderr, "/proc/vmstat has no %s\n", wanted.c_str());
  std::exit(1);
}

/**
 * Stays on one CPU. New pages wait in a list of the CPU that they came on, and MADV_PAGEOUT looks only into the one it
 * runs on (lru_add_drain()): who moves leaves some behind.
 */
void stay_on_cpu(uint64_t process) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(process % static_cast<uint64_t>(::sysconf(_SC_NPROCESSORS_ONLN)), &cpus);
  if (::sched_setaffinity(0, sizeof(cpus), &cpus) != 0) std::exit(1);
}

/** Pages out. It is advice: the kernel passes over a page that it cannot lock at once, so it is asked again. */
void page_out(void* mapped, size_t pages) {
  constexpr int kMostTimes = 10;
  std::vector<unsigned char> resident(pages);
  for (int times = 0; times < kMostTimes; ++times) {
    if (::madvise(mapped, pages * kPageBytes, MADV_PAGEOUT) != 0) std::exit(1);
    if (::mincore(mapped, pages * kPageBytes, resident.data()) != 0) std::exit(1);
    const auto stays = [](unsigned char page) { return (page & 1U) != 0; };
    if (std::none_of(resident.begin(), resident.end(), stays)) return;
  }
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Outcome work(uint64_t process, size_t pages, size_t rounds) {
  Outcome outcome{};
  stay_on_cpu(process);
  void* const mapped = ::mmap(nullptr, pages * kPageBytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) std::exit(1);
  // Single pages: what is measured is the way of one page.
  ::madvise(mapped, pages * kPageBytes, MADV_NOHUGEPAGE);
  auto* const words = static_cast<volatile uint64_t*>(mapped);
  for (uint64_t round = 1; round <= rounds; ++round) {
    const uint64_t base = process << 48 | round << 32;
    for (size_t i = 0; i < pages * kPageWords; ++i) words[i] = base + i;
    auto start = Clock::now();
    page_out(mapped, pages);
    outcome.out_seconds += seconds_since(start);
    start = Clock::now();
    for (size_t page = 0; page < pages; ++page) (void)words[page * kPageWords];
    outcome.in_seconds += seconds_since(start);
    for (size_t i = 0; i < pages * kPageWords; ++i) outcome.wrong_words += words[i] != base + i;
  }
  return outcome;
}

[[noreturn]] void hold(size_t pages) {
  void* const mapped = ::mmap(nullptr, pages * kPageBytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) std::exit(1);
  auto* const words = static_cast<volatile uint64_t*>(mapped);
  for (size_t i = 0; i < pages * kPageWords; ++i) words[i] = i;
  page_out(mapped, pages);
  for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "hold") hold(std::strtoull(argv[2], nullptr, 10));
  if (argc != 4) return 2;
  const auto processes = std::strtoull(argv[1], nullptr, 10);
  const auto pages = std::strtoull(argv[2], nullptr, 10);
  const auto rounds = std::strtoull(argv[3], nullptr, 10);
  void* const shared = ::mmap(nullptr, processes * sizeof(Outcome), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 1;
  auto* const outcomes = static_cast<Outcome*>(shared);
  const uint64_t out = vmstat("zswpout");
  const uint64_t in = vmstat("zswpin");
  for (uint64_t process = 0; process < processes; ++process) {
    if (::fork() == 0) {
      outcomes[process] = work(process + 1, pages, rounds);
      ::_exit(0);
    }
  }
  int failed = 0;
  for (int status = 0; ::wait(&status) > 0;) failed += status != 0;
  Outcome all{};
  for (uint64_t process = 0; process < processes; ++process) {
    all.wrong_words += outcomes[process].wrong_words;
    all.out_seconds += outcomes[process].out_seconds / static_cast<double>(processes);
    all.in_seconds += outcomes[process].in_seconds / static_cast<double>(processes);
  }
  std::printf(
      "{\"zswpout\":%llu,\"zswpin\":%llu,\"wrong_words\":%llu,\"failed_processes\":%d,"
      "\"out_seconds\":%.3f,\"in_seconds\":%.3f}\n",
      static_cast<unsigned long long>(vmstat("zswpout") - out),
      static_cast<unsigned long long>(vmstat("zswpin") - in),
      static_cast<unsigned long long>(all.wrong_words), failed, all.out_seconds, all.in_seconds);
  return failed == 0 ? 0 : 1;
}
