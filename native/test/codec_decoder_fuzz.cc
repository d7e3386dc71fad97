// clang-format off: one line for scripts/native-test.sh
// Sources: native/codec/completion.cc native/codec/crc.cc native/codec/decoder.cc native/codec/fixed_loop_avx2.cc
// clang-format on
// Libraries: z
//
// Any bytes as a stream: never out of bounds, with and without output, with and without this CPU's
// loop for fixed codes, and in agreement with zlib.

#define ZLIB_CONST  // next_in points to const
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "codec/crc.h"
#include "codec/decoder.h"

namespace {

using iaa_zswap::codec::Completion;
using iaa_zswap::codec::ErrorCode;
using iaa_zswap::codec::Status;

// Of a stream that has more output than fits and ends too soon, either may be told.
bool overflows_or_ends(const Completion& of) {
  return of.status == Status::kOutputOverflow || of.error == ErrorCode::kNoEndOfBlock;
}

void require_same(const Completion& a, const Completion& b) {
  if (overflows_or_ends(a) && overflows_or_ends(b)) return;
  if (a.status != b.status || a.error != b.error || a.consumed != b.consumed || a.crc != b.crc) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static iaa_zswap::codec::Decoder decoder;
  static iaa_zswap::codec::Decoder without_loop(nullptr);

  constexpr size_t kLimit = 20'000;
  const std::span<const uint8_t> in(data, size);
  std::vector<uint8_t> ours(kLimit);
  const Completion completion = decoder.decompress(in, ours);
  const Completion check = decoder.check(in, kLimit);
  if (check.status != completion.status || check.error != completion.error) std::abort();
  require_same(without_loop.check(in, kLimit), check);

  if (completion.status == Status::kSuccess) {
    if (completion.consumed > size || completion.output_size > kLimit) std::abort();
    ours.resize(completion.output_size);
    if (check.crc != iaa_zswap::codec::crc32(ours)) std::abort();
    // In exactly the room it needs; in one byte less it does not fit.
    std::vector<uint8_t> exact(ours.size());
    if (decoder.decompress(in, exact).status != Status::kSuccess || exact != ours) std::abort();
    if (!ours.empty()) {
      exact.pop_back();
      if (decoder.decompress(in, exact).status != Status::kOutputOverflow) std::abort();
    }
  }

  std::vector<uint8_t> theirs(kLimit);
  z_stream stream{};
  inflateInit2(&stream, -15);
  stream.next_in = data;
  stream.avail_in = static_cast<uInt>(size);
  stream.next_out = theirs.data();
  stream.avail_out = kLimit;
  const bool taken = inflate(&stream, Z_FINISH) == Z_STREAM_END;
  theirs.resize(stream.total_out);
  inflateEnd(&stream);
  // zlib's history is 32 KiB, ours 4.
  if (completion.error == ErrorCode::kBadDistance) return 0;
  if (taken != (completion.status == Status::kSuccess)) std::abort();
  if (taken && theirs != ours) std::abort();
  return 0;
}
