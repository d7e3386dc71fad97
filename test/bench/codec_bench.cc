// Speed and ratio of the codec beside others, on files of 4 KiB pages: codec_bench ROUNDS FILE...
// prints tab-separated lines `file, what, name, ratio, nanoseconds a page`. In one process, the
// algorithms take turns in each round; the time is the thread's CPU time, the median over the
// rounds. Others are measured as far as their headers are installed (libisal-dev, libdeflate-dev,
// liblz4-dev, zlib1g-dev).

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "codec/decoder.h"
#include "codec/encoder.h"

#if __has_include(<isa-l/igzip_lib.h>)
#include <isa-l/igzip_lib.h>
#define HAS_ISAL 1
#endif
#if __has_include(<libdeflate.h>)
#include <libdeflate.h>
#define HAS_LIBDEFLATE 1
#endif
#if __has_include(<lz4.h>)
#include <lz4.h>
#define HAS_LZ4 1
#endif
#if __has_include(<zlib.h>)
#include <zlib.h>
#define HAS_ZLIB 1
#endif

namespace {

using namespace iaa_zswap::codec;  // NOLINT(google-build-using-namespace)
using Bytes = std::vector<uint8_t>;
using Input = std::span<const uint8_t>;
using Output = std::span<uint8_t>;

constexpr size_t kPage = 4096;

/** One algorithm: bytes given for one page. */
struct Algorithm {
  std::string name;
  std::function<size_t(Input, Output)> run;
};

std::vector<Algorithm> encoders() {
  static Encoder best;
  static Encoder portable(*supported_block_ops().back());
  static constexpr Preset kLifted = {"fixed, lifted", Mode::kFixed, {258, 1}};
  const auto ours = [](Encoder& encoder, const Preset& preset) {
    return [&](Input in, Output out) -> size_t {
      return encoder.compress(preset, in, out).output_size;
    };
  };
  std::vector<Algorithm> all = {
      {"iaa1-fixed", ours(best, kIaa1Fixed)},
      {"iaa1-fixed, 258", ours(best, kLifted)},
      {"iaa1-fixed, portable", ours(portable, kIaa1Fixed)},
      {"iaa2-dynamic", ours(best, kIaa2Dynamic)},
  };
#ifdef HAS_ISAL
  all.push_back({"igzip static", [](Input in, Output out) -> size_t {
                   static isal_zstream stream;
                   isal_deflate_stateless_init(&stream);
                   isal_deflate_set_hufftables(&stream, nullptr, IGZIP_HUFFTABLE_STATIC);
                   stream.end_of_stream = 1;
                   stream.flush = NO_FLUSH;
                   stream.next_in = const_cast<uint8_t*>(in.data());
                   stream.avail_in = static_cast<uint32_t>(in.size());
                   stream.next_out = out.data();
                   stream.avail_out = static_cast<uint32_t>(out.size());
                   isal_deflate_stateless(&stream);
                   return stream.total_out;
                 }});
#endif
#ifdef HAS_ZLIB
  all.push_back({"zlib Z_FIXED 6", [](Input in, Output out) -> size_t {
                   static z_stream stream = [] {
                     z_stream fresh{};
                     deflateInit2(&fresh, 6, Z_DEFLATED, -12, 8, Z_FIXED);
                     return fresh;
                   }();
                   deflateReset(&stream);
                   stream.next_in = const_cast<Bytef*>(in.data());
                   stream.avail_in = static_cast<uInt>(in.size());
                   stream.next_out = out.data();
                   stream.avail_out = static_cast<uInt>(out.size());
                   deflate(&stream, Z_FINISH);
                   return stream.total_out;
                 }});
#endif
#ifdef HAS_LIBDEFLATE
  all.push_back({"libdeflate 1", [](Input in, Output out) {
                   static libdeflate_compressor* compressor = libdeflate_alloc_compressor(1);
                   return libdeflate_deflate_compress(compressor, in.data(), in.size(), out.data(),
                                                      out.size());
                 }});
#endif
#ifdef HAS_LZ4
  all.push_back({"lz4", [](Input in, Output out) -> size_t {
                   return static_cast<size_t>(LZ4_compress_default(
                       reinterpret_cast<const char*>(in.data()),
                       reinterpret_cast<char*>(out.data()), static_cast<int>(in.size()),
                       static_cast<int>(out.size())));
                 }});
#endif
  return all;
}

std::vector<Algorithm> decoders() {
  static Decoder decoder;
  std::vector<Algorithm> all = {{"ours", [](Input in, Output out) -> size_t {
                                   return decoder.decompress(in, out).output_size;
                                 }}};
#ifdef HAS_ISAL
  all.push_back({"igzip", [](Input in, Output out) -> size_t {
                   static inflate_state state;
                   isal_inflate_init(&state);
                   state.next_in = const_cast<uint8_t*>(in.data());
                   state.avail_in = static_cast<uint32_t>(in.size());
                   state.next_out = out.data();
                   state.avail_out = static_cast<uint32_t>(out.size());
                   isal_inflate_stateless(&state);
                   return state.total_out;
                 }});
#endif
#ifdef HAS_LIBDEFLATE
  all.push_back({"libdeflate", [](Input in, Output out) {
                   static libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
                   size_t size = 0;
                   libdeflate_deflate_decompress(decompressor, in.data(), in.size(), out.data(),
                                                 out.size(), &size);
                   return size;
                 }});
#endif
#ifdef HAS_ZLIB
  all.push_back({"zlib", [](Input in, Output out) -> size_t {
                   static z_stream stream = [] {
                     z_stream fresh{};
                     inflateInit2(&fresh, -15);
                     return fresh;
                   }();
                   inflateReset(&stream);
                   stream.next_in = const_cast<Bytef*>(in.data());
                   stream.avail_in = static_cast<uInt>(in.size());
                   stream.next_out = out.data();
                   stream.avail_out = static_cast<uInt>(out.size());
                   inflate(&stream, Z_FINISH);
                   return stream.total_out;
                 }});
#endif
  return all;
}

double cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void measure(const std::string& file, const char* what, const std::vector<Algorithm>& algorithms,
             const std::vector<Bytes>& inputs, size_t room, size_t rounds) {
  Bytes out(room);
  std::vector<std::vector<double>> times(algorithms.size());
  std::vector<size_t> sizes(algorithms.size());
  for (size_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < algorithms.size(); ++i) {
      size_t size = 0;
      const double start = cpu_nanoseconds();
      for (const Bytes& input : inputs) size += algorithms[i].run(input, out);
      times[i].push_back((cpu_nanoseconds() - start) / static_cast<double>(inputs.size()));
      sizes[i] = size;
    }
  }
  for (size_t i = 0; i < algorithms.size(); ++i) {
    std::sort(times[i].begin(), times[i].end());
    std::printf("%s\t%s\t%s\t%.4f\t%.0f\n", file.c_str(), what, algorithms[i].name.c_str(),
                static_cast<double>(inputs.size() * kPage) / static_cast<double>(sizes[i]),
                times[i][times[i].size() / 2]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: codec_bench ROUNDS FILE...\n", stderr);
    return 2;
  }
  const size_t rounds = std::strtoul(argv[1], nullptr, 10);
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    const Bytes data{std::istreambuf_iterator<char>(file), {}};
    std::vector<Bytes> pages;
    std::vector<Bytes> streams;
    Encoder encoder;
    for (size_t at = 0; at + kPage <= data.size(); at += kPage) {
      pages.emplace_back(data.begin() + static_cast<ptrdiff_t>(at),
                         data.begin() + static_cast<ptrdiff_t>(at + kPage));
      Bytes stream(2 * kPage);
      stream.resize(encoder.compress(kIaa1Fixed, pages.back(), stream).output_size);
      streams.push_back(stream);
    }
    measure(argv[i], "encode", encoders(), pages, 4 * kPage, rounds);
    measure(argv[i], "decode", decoders(), streams, kPage, rounds);
  }
  return 0;
}
