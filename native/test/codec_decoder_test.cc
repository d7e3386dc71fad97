// clang-format off: one line for scripts/native-test.sh
// Sources: native/codec/block_avx2.cc native/codec/block_portable.cc native/codec/completion.cc native/codec/crc.cc native/codec/decoder.cc native/codec/fixed_loop_avx2.cc native/codec/dynamic_header.cc native/codec/encoder.cc
// Libraries: z
// clang-format on
//
// The decoder against streams of other encoders, damaged ones and its list of errors.

#define ZLIB_CONST  // next_in points to const
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>
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
using codec::ErrorCode;
using codec::Status;
using test::generated_page;
using Bytes = std::vector<uint8_t>;

Bytes zlib_deflate(std::span<const uint8_t> in, int level, int window_bits, int strategy) {
  z_stream stream{};
  deflateInit2(&stream, level, Z_DEFLATED, -window_bits, 8, strategy);
  Bytes out(deflateBound(&stream, in.size()) + 64);
  stream.next_in = in.data();
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  test::check_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/** Whether zlib takes the stream, and what it makes of it. */
bool zlib_inflate(std::span<const uint8_t> in, Bytes& out) {
  z_stream stream{};
  inflateInit2(&stream, -15);
  stream.next_in = in.data();
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = inflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return result == Z_STREAM_END;
}

/** Bits from the first to the last, as a stream. */
class Bits {
 public:
  Bits& put(uint32_t bits, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i, ++count_) {
      if (count_ % 8 == 0) bytes_.push_back(0);
      bytes_.back() = static_cast<uint8_t>(bytes_.back() | (bits >> i & 1U) << (count_ % 8));
    }
    return *this;
  }
  /** A Huffman code: its first bit is its highest. */
  Bits& code(uint32_t code, uint32_t count) { return put(codec::reverse_bits(code, count), count); }
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
  uint32_t count_ = 0;
};

void test_other_encoders(codec::Decoder& decoder) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Bytes data = generated_page(seed, seed % 5 == 0 ? 70'000 : 4096);
    for (const int strategy : {Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE}) {
      const int level = static_cast<int>(seed % 10);
      const Bytes stream = zlib_deflate(data, level, 12, strategy);
      Bytes out(data.size());
      const Completion completion = decoder.decompress(stream, out);
      test::check(completion.status == Status::kSuccess);
      test::check_equal(completion.consumed, stream.size());
      test::check(out == data);
      test::check_equal(decoder.check(stream, data.size()).crc, codec::crc32(data));
      // One byte less: -EOVERFLOW, with and without output.
      Bytes small(data.size() - 1);
      const Completion overflow = decoder.decompress(stream, small);
      test::check(overflow.status == Status::kOutputOverflow);
      test::check_equal(codec::completion_errno(overflow, false), -EOVERFLOW);
      test::check(decoder.check(stream, data.size() - 1).status == Status::kOutputOverflow);
    }
  }
}

/** The longest matches right after the places where the decoder makes room for more output. */
void test_end_of_piece(codec::Decoder& decoder) {
  for (uint32_t lead = 8160; lead < 8200; ++lead) {
    for (uint32_t first = 3; first < 6; ++first) {
      Bits stream;
      stream.put(0b011, 3);
      const auto literals = [&](uint32_t count) {
        for (; count > 0; --count) stream.code(0x30 + 'P', 8);
      };
      literals(1);
      stream.code(first - 2, 7).code(0, 5);  // as long as that, distance 1
      literals(lead);
      stream.code(272 - 256, 7).put(1, 2).code(9, 5).put(7, 3);  // 32 bytes, distance 32
      literals(3);
      stream.code(0b11000101, 8).code(9, 5).put(7, 3);  // 258 bytes
      literals(600);
      stream.put(0, 7);
      Bytes expected(20'000);
      test::check(zlib_inflate(stream.bytes(), expected));
      Bytes out(expected.size());
      test::check(decoder.decompress(stream.bytes(), out).status == Status::kSuccess);
      test::check(out == expected);
    }
  }
}

void test_trailing_bytes(codec::Decoder& decoder) {
  const Bytes page = generated_page(4);
  Bytes stream = zlib_deflate(page, 6, 12, Z_DEFAULT_STRATEGY);
  const size_t size = stream.size();
  for (int i = 0; i < 30; ++i) {
    stream.push_back(0xFF);
    Bytes out(page.size());
    const Completion completion = decoder.decompress(stream, out);
    test::check(completion.status == Status::kSuccess);
    test::check_equal(completion.consumed, size);
    test::check(out == page);
  }
}

void test_truncated(codec::Decoder& decoder) {
  for (const int strategy : {Z_DEFAULT_STRATEGY, Z_FIXED}) {
    for (const int level : {0, 6}) {
      const Bytes page = generated_page(12);
      const Bytes stream = zlib_deflate(page, level, 12, strategy);
      for (size_t size = 0; size < stream.size(); ++size) {
        // In memory of its own, so that a read past it is seen.
        const Bytes part(stream.begin(), stream.begin() + static_cast<ptrdiff_t>(size));
        Bytes out(page.size());
        const Completion completion = decoder.decompress(part, out);
        test::check(completion.status == Status::kAnalyticsError);
        test::check(completion.error == ErrorCode::kHeaderTooBig ||
                    completion.error == ErrorCode::kNoEndOfBlock);
      }
    }
  }
}

/** Damaged streams: never out of bounds, and taken exactly when zlib takes them, with the same
 * bytes. */
void test_damaged(codec::Decoder& decoder) {
  // The same streams at every run.
  std::mt19937_64 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp)
  uint64_t taken = 0;
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    const Bytes page = generated_page(seed % 512, 600);
    Bytes stream = zlib_deflate(page, static_cast<int>(1 + seed % 9), 12,
                                seed % 2 == 0 ? Z_DEFAULT_STRATEGY : Z_FIXED);
    for (uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
      stream[random() % std::min<size_t>(stream.size(), seed % 3 == 0 ? 40 : 4000)] ^=
          static_cast<uint8_t>(1U << random() % 8);
    }
    Bytes ours(20'000);
    const Completion completion = decoder.decompress(stream, ours);
    Bytes theirs(20'000);
    const bool zlib_takes = zlib_inflate(stream, theirs);
    if (completion.error == ErrorCode::kBadDistance) continue;  // zlib's history is 32 KiB
    test::check_equal(completion.status == Status::kSuccess, zlib_takes);
    if (completion.status != Status::kSuccess || !zlib_takes) continue;
    ++taken;
    ours.resize(completion.output_size);
    test::check(ours == theirs);
  }
  test::check(taken > 1000);
}

ErrorCode error_of(codec::Decoder& decoder, const Bits& bits) {
  Bytes stream = bits.bytes();
  stream.resize(stream.size() + 64);  // no end of input in the way
  Bytes out(4096);
  return decoder.decompress(stream, out).error;
}

void test_errors(codec::Decoder& decoder) {
  test::check(error_of(decoder, Bits().put(1, 1).put(3, 2)) == ErrorCode::kInvalidBlockType);
  test::check(error_of(decoder, Bits().put(1, 1).put(0, 2).put(0, 5).put(4, 16).put(4, 16)) ==
              ErrorCode::kInvalidStoredLength);
  const auto fixed = [] { return Bits().put(0b011, 3); };
  test::check(error_of(decoder, fixed().code(0b11000110, 8)) == ErrorCode::kBadLiteralLengthCode);
  // A literal, then a match of 3: distance symbol 30; distance 2 of 1.
  test::check(error_of(decoder, fixed().code(0x30, 8).code(1, 7).code(30, 5)) ==
              ErrorCode::kBadDistanceCode);
  test::check(error_of(decoder, fixed().code(0x30, 8).code(1, 7).code(1, 5)) ==
              ErrorCode::kBeforeStart);
  test::check(error_of(decoder, fixed().code(1, 7).code(0, 5)) == ErrorCode::kBeforeStart);
  // Distance 4097 (symbol 24, extra 0), whether or not there is that much output.
  test::check(error_of(decoder, fixed().code(0x30, 8).code(1, 7).code(24, 5).put(0, 11)) ==
              ErrorCode::kBadDistance);
  Bits beyond = fixed();
  for (int i = 0; i < 5000; ++i) beyond.code(0x30, 8);
  beyond.code(1, 7).code(24, 5).put(0, 11);
  Bytes out(8192);
  test::check(decoder.decompress(beyond.bytes(), out).error == ErrorCode::kBadDistance);
  // 4096 is the last that is allowed.
  Bits within = fixed();
  for (int i = 0; i < 5000; ++i) within.code(0x30, 8);
  within.code(1, 7).code(23, 5).put(1023, 10).code(0, 7);
  test::check_equal(decoder.decompress(within.bytes(), out).output_size, 5003U);

  const auto dynamic = [](uint32_t literals, uint32_t distances) {
    return Bits().put(0b101, 3).put(literals - 257, 5).put(distances - 1, 5);
  };
  test::check(error_of(decoder, dynamic(287, 1)) == ErrorCode::kTooManyLiteralLengthCodes);
  test::check(error_of(decoder, dynamic(286, 31)) == ErrorCode::kTooManyDistanceCodes);
  // Three code length codes of one bit; then one alone.
  test::check(error_of(decoder, dynamic(257, 1).put(0, 4).put(1, 3).put(1, 3).put(1, 3).put(
                                    0, 3)) == ErrorCode::kBadCodeLengthCodes);
  test::check(error_of(decoder, dynamic(257, 1).put(0, 4).put(1, 3).put(0, 9)) ==
              ErrorCode::kBadCodeLengthCodes);
  // 16 and 18 with one bit each: 16 comes first; then zeros for all.
  const auto repeats = [&] {
    return dynamic(257, 1).put(0, 4).put(1, 3).put(0, 3).put(1, 3).put(0, 3);
  };
  test::check(error_of(decoder, repeats().code(0, 1)) == ErrorCode::kFirstLiteralLengthRepeats);
  test::check(error_of(decoder, repeats().code(1, 1).put(127, 7).code(1, 1).put(109, 7)) ==
              ErrorCode::kNoLiteralLengthCode);
  test::check(error_of(decoder, repeats().code(1, 1).put(127, 7).code(1, 1).put(127, 7)) ==
              ErrorCode::kWrongDistanceCount);
}

}  // namespace
}  // namespace iaa_zswap

int main() {
  using iaa_zswap::codec::Decoder;
  // This CPU's, and what those without a loop for fixed codes do.
  std::array<Decoder, 2> decoders = {Decoder(), Decoder(nullptr)};
  for (Decoder& decoder : decoders) {
    iaa_zswap::test_other_encoders(decoder);
    iaa_zswap::test_end_of_piece(decoder);
    iaa_zswap::test_trailing_bytes(decoder);
    iaa_zswap::test_truncated(decoder);
    iaa_zswap::test_damaged(decoder);
    iaa_zswap::test_errors(decoder);
  }
  return 0;
}
