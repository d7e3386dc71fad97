// Prints the mean of libzstd's sizes, level 3, of the first N pages that usemem writes: ascending 64-bit counters.
// usage: zstd_page_bytes PAGES
#include <dlfcn.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  const long pages = argc == 2 ? std::atol(argv[1]) : 0;
  void* library = dlopen("libzstd.so.1", RTLD_NOW);
  if (pages <= 0 || library == nullptr) return 2;
  using Compress = std::size_t (*)(void*, std::size_t, const void*, std::size_t, int);
  const auto compress = reinterpret_cast<Compress>(dlsym(library, "ZSTD_compress"));
  if (compress == nullptr) return 2;
  std::array<std::uint64_t, 512> page{};
  std::array<char, 8192> out{};
  std::uint64_t word = 0;
  std::uint64_t total = 0;
  for (long i = 0; i < pages; ++i) {
    for (auto& each : page) each = word++;
    total += compress(out.data(), out.size(), page.data(), sizeof page, 3);
  }
  std::printf("%.2f\n", static_cast<double>(total) / static_cast<double>(pages));
}
