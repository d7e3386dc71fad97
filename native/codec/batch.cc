#include "codec/batch.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace iaa_zswap::codec {
namespace {

// Slots a thread takes at once: the kernel's batch (iaa_crypto.h, IAA_CRYPTO_MAX_BATCH_SIZE).
constexpr size_t kBatch = 8;

}  // namespace

bool is_valid(const Slot& slot, size_t size) {
  const uint64_t in_end = uint64_t{slot.in_offset} + slot.in_size;
  const uint64_t out_end = uint64_t{slot.out_offset} + slot.out_size;
  return slot.in_size > 0 && in_end <= size && out_end <= size &&
         (in_end <= slot.out_offset || out_end <= slot.in_offset);
}

void run_batch(std::span<const std::unique_ptr<Compressor>> compressors, Direction direction,
               std::span<uint8_t> memory, std::span<const Slot> slots,
               std::span<Outcome> outcomes) {
  std::atomic<size_t> next = 0;
  const auto work = [&](Compressor& compressor) {
    for (;;) {
      const size_t begin = next.fetch_add(kBatch, std::memory_order_relaxed);
      if (begin >= slots.size()) return;
      const size_t end = std::min(begin + kBatch, slots.size());
      for (size_t i = begin; i < end; ++i) {
        const Slot& slot = slots[i];
        const auto in = memory.subspan(slot.in_offset, slot.in_size);
        const auto out = memory.subspan(slot.out_offset, slot.out_size);
        outcomes[i] = direction == Direction::kCompress ? compressor.compress(in, out)
                                                        : compressor.decompress(in, out);
      }
    }
  };
  std::vector<std::jthread> threads;
  for (size_t i = 1; i < compressors.size(); ++i) {
    threads.emplace_back([&, i] { work(*compressors[i]); });
  }
  work(*compressors.front());
}

}  // namespace iaa_zswap::codec
