#ifndef IAA_ZSWAP_CODEC_BATCH_H_
#define IAA_ZSWAP_CODEC_BATCH_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "codec/compressor.h"

namespace iaa_zswap::codec {

enum class Direction : uint8_t { kCompress, kDecompress };

/** One piece of work in the memory of a batch: bytes from here to there. */
struct Slot {
  uint32_t in_offset;
  uint32_t in_size;
  uint32_t out_offset;
  uint32_t out_size;
};

/** Whether a slot lies within `size` bytes and its output does not overlap its input. */
bool is_valid(const Slot& slot, size_t size);

/**
 * Works on all slots, as the kernel's batch interface does: one outcome for each, and one that
 * fails does not stop the others. As many threads work as there are compressors, the caller's among
 * them. All slots are valid, and no output overlaps another slot.
 */
void run_batch(std::span<const std::unique_ptr<Compressor>> compressors, Direction direction,
               std::span<uint8_t> memory, std::span<const Slot> slots, std::span<Outcome> outcomes);

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_BATCH_H_
