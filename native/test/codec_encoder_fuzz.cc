// clang-format off: one line for scripts/native-test.sh
// Sources: native/codec/block_avx2.cc native/codec/block_portable.cc native/codec/completion.cc native/codec/crc.cc native/codec/decoder.cc native/codec/fixed_loop_avx2.cc native/codec/dynamic_header.cc native/codec/encoder.cc
// clang-format on
//
// Any bytes as the input: the first says how often they are repeated and with which policy. Every
// stream decodes to them, is the same from all instruction sets, and fits exactly where it fits.

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "codec/decoder.h"
#include "codec/encoder.h"

namespace {

using namespace iaa_zswap::codec;  // NOLINT(google-build-using-namespace)

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Encoder best;
  static Encoder portable(*supported_block_ops().back());
  static Decoder decoder;
  if (size < 2) return 0;

  const uint8_t options = data[0];
  const std::vector<uint8_t> once(data + 1, data + size);
  std::vector<uint8_t> in;
  for (int copies = 1 << (options & 7); copies > 0 && in.size() < 20'000; --copies) {
    in.insert(in.end(), once.begin(), once.end());
  }
  const MatchPolicy match = {.max_match = (options & 8) != 0 ? 258U : 32U,
                             .min_distance = (options & 16) != 0 ? 1U : 2U};
  for (const Mode mode : {Mode::kFixed, Mode::kDynamic}) {
    const Preset preset = {.name = "fuzz", .mode = mode, .match = match};
    std::vector<uint8_t> stream(2 * in.size() + 512);
    const Completion completion = best.compress(preset, in, stream);
    require(completion.status == Status::kSuccess);
    stream.resize(completion.output_size);

    std::vector<uint8_t> exact(stream.size());
    require(portable.compress(preset, in, exact).status == Status::kSuccess);
    require(exact == stream);
    exact.pop_back();
    require(best.compress(preset, in, exact).error == ErrorCode::kOutputTooSmall);

    std::vector<uint8_t> out(in.size());
    const Completion back = decoder.decompress(stream, out);
    require(back.status == Status::kSuccess && back.consumed == stream.size());
    require(back.output_size == in.size() && out == in);
  }
  return 0;
}
