// The yardstick of scripts/bench/usemem.mjs, which compiles it.
//
//     store_loop new MIB             one pass of the plain loop over new memory, as usemem's line
//     store_loop touched MIB ROUNDS  passes of the plain loop and of usemem's contents in turn over
//                                    touched memory: lines of name, tab, usecs

#include <sys/mman.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "usemem/content.h"

namespace {

using iaa_zswap::usemem::Content;
using iaa_zswap::usemem::ContentKind;
using iaa_zswap::usemem::ContentSpec;
using Area = std::span<std::uint64_t>;

/** Never inlined: what the compiler knows of the caller's memory must not change the loop. */
[[gnu::noinline]] void store_plainly(Area area) {
  for (std::uint64_t i = 0; i < area.size(); ++i) area[i] = i;
}

long microseconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const auto passed = std::chrono::steady_clock::now() - start;
  return std::chrono::duration_cast<std::chrono::microseconds>(passed).count();
}

Area new_memory(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("store_loop: mmap");
    std::exit(1);
  }
  return {static_cast<std::uint64_t*>(memory), bytes / sizeof(std::uint64_t)};
}

Content content(const ContentSpec& spec) {
  auto prepared = Content::prepare(spec);
  return std::move(*std::get_if<Content>(&prepared));  // only a corpus can be bad
}

void measure_new(std::size_t bytes) {
  const long usecs = microseconds([bytes] { store_plainly(new_memory(bytes)); });
  std::cout << bytes << " bytes / " << usecs
            << " usecs = " << bytes / 1024 * 1'000'000 / static_cast<std::size_t>(usecs)
            << " KB/s\n";
}

void measure_touched(std::size_t bytes, int rounds) {
  const Area area = new_memory(bytes);
  const Content counter = content({});
  const Content zero = content({.kind = ContentKind::kZero});
  const Content random = content({.kind = ContentKind::kRandom});
  const Content ratio = content({.kind = ContentKind::kRatio, .ratio = 2.5});
  const std::vector<std::pair<std::string_view, std::function<void()>>> passes = {
      {"plain store loop", [&] { store_plainly(area); }},
      {"counter", [&] { counter.fill(area, {}); }},
      {"zero", [&] { zero.fill(area, {}); }},
      {"ratio:2.5", [&] { ratio.fill(area, {}); }},
      {"random", [&] { random.fill(area, {}); }},
  };
  for (const auto& [name, pass] : passes) pass();
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < passes.size(); ++i) {
      const auto& [name, pass] = passes[(i + static_cast<std::size_t>(round)) % passes.size()];
      std::cout << name << '\t' << microseconds(pass) << '\n';
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::size_t bytes = words.size() < 2 ? 0 : std::stoul(words[1]) << 20U;
  if (words.size() == 2 && words[0] == "new") {
    measure_new(bytes);
  } else if (words.size() == 3 && words[0] == "touched") {
    measure_touched(bytes, std::stoi(words[2]));
  } else {
    std::cerr << "usage: store_loop new MIB | touched MIB ROUNDS\n";
    return 2;
  }
}
