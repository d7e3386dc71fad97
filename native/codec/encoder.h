#ifndef IAA_ZSWAP_CODEC_ENCODER_H_
#define IAA_ZSWAP_CODEC_ENCODER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "codec/block.h"
#include "codec/completion.h"

namespace iaa_zswap::codec {

enum class Mode : uint8_t { kFixed, kDynamic };

// A named set of everything the encoder may choose freely. Deflate says how a match is sent, not
// which matches are found: that is the device's secret, and these are our choices.
struct Preset {
  std::string_view name;
  Mode mode;
  MatchPolicy match;
};

// The first generation (Sapphire Rapids), `deflate-iaa`.
//   max_match 32: the kernel's document shows a page of 4096 `*` compressed to 228 bytes; matches
//     of at most 32 bytes after two literals give exactly that (inferred; zlib's 258 gives 30
//     bytes).
//   min_distance 2: the two literals before the first match of that page (inferred: a table that is
//     written one position late explains them).
// The rest of the policy is the same for every preset and ours (block.h; docs/codec.md measures
// it): a hash of kHashedBytes bytes into 2^kHashBits entries, each of which holds the last
// position; candidates are that position, the one before it with the same hash, and the distance of
// the match before; the longest is taken at once (greedy, not lazy), the nearest of equally long
// ones.
inline constexpr Preset kIaa1Fixed = {
    .name = "iaa1-fixed", .mode = Mode::kFixed, .match = {.max_match = 32, .min_distance = 2}};

// The second generation (Granite Rapids), `deflate-iaa-dynamic`: one block with its own codes.
// Nothing is known that tells its matches from the first generation's, so they are the same.
inline constexpr Preset kIaa2Dynamic = {
    .name = "iaa2-dynamic", .mode = Mode::kDynamic, .match = kIaa1Fixed.match};

// The compress AECS, which the driver passes as source 2 (kernel: iaa_crypto.h, struct
// aecs_comp_table_record): 0 crc, 4 xor_checksum, 28 num_output_accum_bits, 32 output_accum[256],
// 288 ll_sym[286], 1440 d_sym[30]; all little-endian. A symbol's word is its code, first bit
// highest, with its length in bits 15 and up.
inline constexpr size_t kAecsBytes = 1568;
using Aecs = std::span<const uint8_t, kAecsBytes>;

// The AECS the kernel's fixed mode sets up: RFC 1951's fixed codes and a header with BFINAL.
std::array<uint8_t, kAecsBytes> fixed_aecs();

// The instruction sets this CPU has, best first; the portable one is always last.
std::span<const BlockOps* const> supported_block_ops();

// Turns bytes into one final deflate block. Not for two threads at once.
class Encoder {
 public:
  explicit Encoder(const BlockOps& ops = *supported_block_ops().front());

  // `in` holds 1 byte or more. An output that does not fit gives kOutputTooSmall, as the device
  // does, and `out` is then of no use. The CRC is left 0: crc32() has it for those who need it.
  Completion compress(const Preset& preset, std::span<const uint8_t> in, std::span<uint8_t> out);

  // With the caller's codes and first bits, and an end-of-block code at the end, as the driver's
  // flags IAA_COMP_FLUSH_OUTPUT | IAA_COMP_APPEND_EOB ask for. The CRC goes on from the AECS's.
  Completion compress(Aecs aecs, const MatchPolicy& match, std::span<const uint8_t> in,
                      std::span<uint8_t> out);

 private:
  class Sink;

  void begin(std::span<const uint8_t> in, const MatchPolicy& match);
  bool next_block();
  static void put_entry(Sink& sink, uint32_t entry);
  static void put_filled(std::span<const uint8_t> in, const MatchPolicy& match, Sink& sink);
  void compress_fixed(std::span<const uint8_t> in, const MatchPolicy& match, Sink& sink);
  void compress_dynamic(std::span<const uint8_t> in, const MatchPolicy& match, Sink& sink);
  void write_all(std::span<const uint8_t> in, const MatchPolicy& match, const EncodeTables& tables,
                 Sink& sink);

  const BlockOps* ops_;
  std::unique_ptr<Workspace> workspace_;
  std::span<const uint8_t> rest_;
  MatchPolicy match_{};
  uint32_t block_size_ = 0;
};

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_ENCODER_H_
