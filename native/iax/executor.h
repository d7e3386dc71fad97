#ifndef IAA_ZSWAP_IAX_EXECUTOR_H_
#define IAA_ZSWAP_IAX_EXECUTOR_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "codec/decoder.h"
#include "codec/encoder.h"
#include "iax/descriptor.h"
#include "iax/guest_memory.h"

namespace iaa_zswap::iax {

// What a WQ's configuration allows its descriptors.
struct WqLimits {
  uint64_t max_transfer_bytes;
  uint64_t op_config[4];  // one bit for each opcode that is allowed
  uint32_t vectors;       // interrupt handles are below this
};

// What one engine does: executes descriptors, one after the other.
class Executor {
 public:
  // Carries a descriptor out and gives its completion record; nothing of the record is written.
  // What the guest does to its memory meanwhile cannot harm us: it is copied before it is read.
  CompletionRecord execute(const Descriptor& descriptor, const WqLimits& limits,
                           const GuestMemory& memory);

 private:
  CompletionRecord compress(const Descriptor& descriptor, const GuestMemory::Access& access);
  CompletionRecord decompress(const Descriptor& descriptor, const GuestMemory::Access& access);
  std::optional<std::span<const uint8_t>> copy_in(const GuestMemory::Access& access,
                                                  uint64_t address, uint32_t size);
  std::span<uint8_t> output(uint32_t size);

  codec::Encoder encoder_;
  codec::Decoder decoder_;
  std::vector<uint8_t> in_;
  std::vector<uint8_t> out_;
};

// Writes a completion record where its descriptor says, the status last; what the driver polls on.
// False when that is not possible; `descriptor` does not ask for one: nothing is written.
bool write_completion(const Descriptor& descriptor, const CompletionRecord& record,
                      const GuestMemory& memory);

}  // namespace iaa_zswap::iax

#endif  // IAA_ZSWAP_IAX_EXECUTOR_H_
