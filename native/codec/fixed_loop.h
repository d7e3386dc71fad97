#ifndef IAA_ZSWAP_CODEC_FIXED_LOOP_H_
#define IAA_ZSWAP_CODEC_FIXED_LOOP_H_

// What the accelerator writes are blocks of fixed codes with matches of at most 32 bytes. A decoder
// that asks after each symbol what it is mispredicts every other match; this one does the same for
// all of them.

#include <array>
#include <cstddef>
#include <cstdint>

#include "codec/huffman.h"

namespace iaa_zswap::codec {

// The longest match that the loop takes, and the largest distance.
inline constexpr uint32_t kLoopMatch = 32;
// Bits that hold a fixed code of a length up to kLoopMatch with its extra bits, and of a distance.
inline constexpr uint32_t kLoopBits = 14;
// Bytes after the end of the output that the loop may write.
inline constexpr size_t kLoopSlack = 2 + kLoopMatch + 32;

// Where decoding stands within a block of fixed codes.
struct LoopState {
  const uint8_t* in;  // the next byte that is not yet in `bits`
  const uint8_t* in_end;
  uint64_t bits;    // what comes next in bit 0
  uint32_t count;   // of them; above are bits from `in`
  uint8_t* memory;  // that of the output; the rest are places in it
  size_t to;
  size_t to_end;  // may be passed by kLoopSlack bytes
  size_t oldest;  // the first byte that a match may repeat; kHistory bytes before `to` can be read,
                  // whatever it is
  size_t literals;       // LoopLiterals, after all output
  bool mostly_literals;  // a guess
};

// Per nine bits, the literal whose code they begin with, if they do. A vector can be read at each.
using LoopLiterals = std::array<uint8_t, 512 + 32>;
constexpr LoopLiterals loop_literals() {
  LoopLiterals literals{};
  const auto codes = fixed_literal_length_codes();
  for (uint32_t symbol = 0; symbol < kEndOfBlock; ++symbol) {
    for (uint32_t i = codes.at(symbol).bits; i < 512; i += 1U << codes.at(symbol).length) {
      literals.at(i) = static_cast<uint8_t>(symbol);
    }
  }
  return literals;
}

// Decodes literals and matches while there are 8 bytes of input and room for output. What it does
// not take is still to be decoded then: the end of the block, longer matches, errors.
using FixedLoop = void (*)(LoopState&);

// The loop for this CPU; nullptr when there is none.
FixedLoop supported_fixed_loop();

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_FIXED_LOOP_H_
