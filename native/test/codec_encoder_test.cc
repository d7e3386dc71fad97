// clang-format off: one line for scripts/native-test.sh
// Sources: native/codec/block_avx2.cc native/codec/block_portable.cc native/codec/completion.cc native/codec/crc.cc native/codec/decoder.cc native/codec/fixed_loop_avx2.cc native/codec/dynamic_header.cc native/codec/encoder.cc
// Libraries: z
// clang-format on
//
// The encoder against our decoder and zlib's. The number of generated pages is the first argument
// (default 100,000); the first seed is the second.

#define ZLIB_CONST  // next_in points to const
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "codec/crc.h"
#include "codec/decoder.h"
#include "codec/encoder.h"
#include "test/check.h"
#include "test/codec_pages.h"

namespace iaa_zswap {
namespace {

using codec::Completion;
using codec::Status;
using test::generated_page;
using Bytes = std::vector<uint8_t>;

constexpr codec::Preset kLifted = {
    .name = "lifted", .mode = codec::Mode::kFixed, .match = {.max_match = 258, .min_distance = 1}};
constexpr codec::Preset kShallow = {
    .name = "shallow", .mode = codec::Mode::kFixed, .match = {.max_match = 32, .min_distance = 1}};
constexpr std::array<const codec::Preset*, 4> kPresets = {&codec::kIaa1Fixed, &codec::kIaa2Dynamic,
                                                          &kLifted, &kShallow};

/** zlib's inflater, reused. */
class Inflater {
 public:
  Inflater() { inflateInit2(&stream_, -15); }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool gives(std::span<const uint8_t> in, std::span<const uint8_t> expected) {
    out_.resize(expected.size() + 1);
    inflateReset(&stream_);
    stream_.next_in = in.data();
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = out_.data();
    stream_.avail_out = static_cast<uInt>(out_.size());
    return inflate(&stream_, Z_FINISH) == Z_STREAM_END && stream_.avail_in == 0 &&
           stream_.total_out == expected.size() &&
           std::equal(expected.begin(), expected.end(), out_.begin());
  }

 private:
  z_stream stream_{};
  Bytes out_;
};

Bytes compress(codec::Encoder& encoder, const codec::Preset& preset, std::span<const uint8_t> in) {
  Bytes out(in.size() * 2 + 512);
  const Completion completion = encoder.compress(preset, in, out);
  test::check(completion.status == Status::kSuccess);
  out.resize(completion.output_size);
  return out;
}

struct Coders {
  codec::Encoder best;
  codec::Encoder portable{*codec::supported_block_ops().back()};
  codec::Decoder decoder;
  codec::Decoder without_loop{nullptr};
  Inflater inflater;
};

bool round_trips(Coders& coders, const codec::Preset& preset, std::span<const uint8_t> in) {
  const Bytes stream = compress(coders.best, preset, in);
  if (compress(coders.portable, preset, in) != stream) return false;
  for (codec::Decoder* decoder : {&coders.decoder, &coders.without_loop}) {
    Bytes out(in.size());
    const Completion completion = decoder->decompress(stream, out);
    if (completion.status != Status::kSuccess || completion.consumed != stream.size() ||
        completion.output_size != in.size() || !std::equal(in.begin(), in.end(), out.begin())) {
      return false;
    }
  }
  const Completion check = coders.decoder.check(stream, in.size());
  return check.status == Status::kSuccess && check.crc == codec::crc32(in) &&
         coders.inflater.gives(stream, in);
}

void test_known_size() {
  // The kernel's document: a page of `*` takes 228 bytes. Here with the general parse too, which a
  // last byte of its own asks for.
  const Bytes stars(4096, '*');
  Bytes nearly = stars;
  nearly.back() = '+';
  for (const codec::BlockOps* ops : codec::supported_block_ops()) {
    codec::Encoder encoder(*ops);
    test::check_equal(compress(encoder, codec::kIaa1Fixed, stars).size(), 228U);
    // One literal more, and a match of 29 for one of 30: 8 bits more than 1818.
    test::check_equal(compress(encoder, codec::kIaa1Fixed, nearly).size(), 229U);
  }
}

void test_generated_pages(Coders& coders, uint64_t count, uint64_t first) {
  uint64_t wrong = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const Bytes page = generated_page(seed);
    const codec::Preset& preset = *kPresets.at(seed % kPresets.size());
    if (round_trips(coders, preset, page)) continue;
    if (++wrong <= 10) std::cout << preset.name << ": seed " << seed << " does not come back\n";
  }
  test::check_equal(wrong, 0U);
}

void test_sizes(Coders& coders) {
  for (const codec::Preset* preset : kPresets) {
    for (size_t size = 1; size < 200; ++size) {
      test::check(round_trips(coders, *preset, generated_page(size, size)));
      test::check(round_trips(coders, *preset, Bytes(size, 7)));
    }
    for (const size_t size : {4090U, 4095U, 4097U, 4098U, 4099U, 8191U, 8192U, 65536U, 100001U}) {
      for (uint64_t seed = 0; seed < 16; ++seed) {
        test::check(round_trips(coders, *preset, generated_page(seed, size)));
      }
    }
    test::check(round_trips(coders, *preset, generated_page(4, 2U << 20)));
  }
}

/** The input ends at the end of its memory and so does the output: a step beyond is ASan's to find.
 */
void test_output_limit(Coders& coders) {
  for (const codec::Preset* preset : kPresets) {
    for (uint64_t seed = 0; seed < 24; ++seed) {
      const Bytes page = generated_page(seed, 4000 + seed);
      const Bytes stream = compress(coders.best, *preset, page);
      Bytes exact(stream.size());
      const Completion fits = coders.best.compress(*preset, page, exact);
      test::check_equal(fits.output_size, stream.size());
      test::check(exact == stream);
      for (const size_t limit : {stream.size() - 1, stream.size() / 2, size_t{1}, size_t{0}}) {
        Bytes small(limit);
        const Completion overflow = coders.best.compress(*preset, page, small);
        test::check(overflow.status == Status::kAnalyticsError);
        test::check(overflow.error == codec::ErrorCode::kOutputTooSmall);
        test::check_equal(static_cast<int>(overflow.error), 0x19);
        test::check_equal(overflow.output_size, 0U);
        test::check_equal(codec::completion_errno(overflow, true), -E2BIG);
      }
    }
  }
}

void test_aecs(Coders& coders) {
  const std::array<uint8_t, codec::kAecsBytes> fixed = codec::fixed_aecs();
  // Words of the kernel's table for the fixed mode (iaa_crypto_comp_fixed.c): literals 0 and 144,
  // the end of a block, and the last of each alphabet.
  const auto word = [&](size_t at) {
    uint32_t value = 0;
    std::memcpy(&value, &fixed.at(at), sizeof value);
    return value;
  };
  test::check_equal(word(28), 3U);
  test::check_equal(word(32), 3U);
  test::check_equal(word(288), 0x40030U);
  test::check_equal(word(288 + 4 * 144), 0x48190U);
  test::check_equal(word(288 + 4 * 256), 0x38000U);
  test::check_equal(word(288 + 4 * 285), 0x400C5U);
  test::check_equal(word(1440), 0x28000U);
  test::check_equal(word(1440 + 4 * 29), 0x2801DU);

  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Bytes page = generated_page(seed, seed % 3 == 0 ? 9000 : 4096);
    Bytes out(page.size() * 2);
    const Completion completion = coders.best.compress(fixed, codec::kIaa1Fixed.match, page, out);
    test::check(completion.status == Status::kSuccess);
    test::check_equal(completion.crc, codec::crc32(page));
    out.resize(completion.output_size);
    test::check(out == compress(coders.best, codec::kIaa1Fixed, page));
  }

  // A literal without a code, and more first bits than there is room for.
  auto broken = fixed;
  std::fill_n(broken.begin() + 288 + ptrdiff_t{4} * 'x', 4, uint8_t{0});
  Bytes out(64);
  const Bytes with{'a', 'x'};
  test::check(coders.best.compress(broken, codec::kIaa1Fixed.match, with, out).error ==
              codec::ErrorCode::kInvalidHuffmanCode);
  const Bytes without{'a', 'b'};
  test::check(coders.best.compress(broken, codec::kIaa1Fixed.match, without, out).status ==
              Status::kSuccess);
  broken.at(29) = 0xFF;
  test::check(coders.best.compress(broken, codec::kIaa1Fixed.match, without, out).error ==
              codec::ErrorCode::kAecsInvalid);
}

/** The kernel's verify_compress: the CRC of what a stream decodes to tells a damaged stream. */
void test_verify(Coders& coders) {
  const Bytes page = generated_page(4);
  Bytes stream = compress(coders.best, codec::kIaa1Fixed, page);
  const uint32_t crc = codec::crc32(page);
  test::check_equal(coders.decoder.check(stream, page.size()).crc, crc);
  size_t told = 0;
  for (uint8_t& byte : stream) {
    byte ^= 0x10;
    const Completion completion = coders.decoder.check(stream, page.size());
    Bytes out(page.size());
    coders.decoder.decompress(stream, out);
    // Another distance may lead to the same bytes.
    const bool same = out == page && completion.output_size == page.size();
    test::check_equal(completion.status == Status::kSuccess && completion.crc == crc, same);
    told += same ? 0U : 1U;
    byte ^= 0x10;
  }
  test::check(told > stream.size() / 2);
}

void test_crc() {
  const Bytes data = generated_page(0, 5000);
  for (size_t size = 0; size < data.size(); size += size < 300 ? 1 : 97) {
    const auto part = std::span(data).first(size);
    const auto expected = static_cast<uint32_t>(crc32_z(77, part.data(), part.size()));
    test::check_equal(codec::crc32(part, 77), expected);
    test::check_equal(codec::crc32_portable(part, 77), expected);
  }
}

}  // namespace
}  // namespace iaa_zswap

int main(int argc, char** argv) {
  const uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  iaa_zswap::Coders coders;
  iaa_zswap::test_known_size();
  iaa_zswap::test_crc();
  iaa_zswap::test_sizes(coders);
  iaa_zswap::test_output_limit(coders);
  iaa_zswap::test_aecs(coders);
  iaa_zswap::test_verify(coders);
  iaa_zswap::test_generated_pages(coders, count, first);
  return 0;
}
