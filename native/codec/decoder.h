#ifndef IAA_ZSWAP_CODEC_DECODER_H_
#define IAA_ZSWAP_CODEC_DECODER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "codec/completion.h"
#include "codec/decode_table.h"
#include "codec/fixed_loop.h"

namespace iaa_zswap::codec {

// Entries a two-level table takes at most, for complete codes of up to 15 bits over 288 and 32
// symbols with these first levels (zlib's examples/enough.c: `enough 288 11 15` and `enough 32 8
// 15`).
inline constexpr uint32_t kLiteralTableBits = 11;
inline constexpr uint32_t kDistanceTableBits = 8;
inline constexpr size_t kLiteralTableSize = 2342;
inline constexpr size_t kDistanceTableSize = 402;

// The tables of one block's codes, and how wide their first levels are.
struct DecodeTables {
  std::array<DecodeEntry, kLiteralTableSize> literal;
  std::array<DecodeEntry, kDistanceTableSize> distance;
  uint32_t literal_bits;
  uint32_t distance_bits;
};

// Decodes deflate as the device does: any kind of block, up to the end of the final one, but no
// distance above 4 KiB. Any input is safe. Not for two threads at once.
class Decoder {
 public:
  explicit Decoder(FixedLoop loop = supported_fixed_loop());
  ~Decoder();

  // Stops at the end of the final block; input after it is left alone (`consumed`). More output
  // than `out` holds is kOutputOverflow. The CRC is left 0: crc32() has it for those who need it.
  Completion decompress(std::span<const uint8_t> in, std::span<uint8_t> out);

  // The same with output suppressed and the CRC computed, for at most `limit` bytes: what
  // verify_compress asks the device for.
  Completion check(std::span<const uint8_t> in, size_t limit);

 private:
  class Run;
  struct Workspace;
  FixedLoop loop_;
  std::unique_ptr<Workspace> workspace_;
};

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_DECODER_H_
