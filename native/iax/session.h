#ifndef IAA_ZSWAP_IAX_SESSION_H_
#define IAA_ZSWAP_IAX_SESSION_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "iax/device.h"
#include "iax/guest_memory.h"
#include "iax/pci_config.h"

namespace iaa_zswap::iax {

// vfio-user, as QEMU's client speaks it: each message is a header and a body, little-endian, sent
// over a UNIX socket with file descriptors beside it (the protocol's document: QEMU's
// docs/interop/vfio-user.rst).
inline constexpr size_t kHeaderBytes = 16;
// The most that one message's data may be; a client learns it from our capabilities.
inline constexpr uint32_t kMaxTransferBytes = 1U << 20;
inline constexpr size_t kMaxMessageBytes = kMaxTransferBytes + 4096;
inline constexpr uint32_t kMaxMessageFds = 16;

struct SessionOptions {
  DeviceOptions device;
  // Offer to take several writes in one message.
  bool write_multiple = true;
};

/**
 * One device and its client's side of the protocol, apart from the socket. Messages come from one
 * thread; faults and statistics from any.
 */
class Session {
 public:
  explicit Session(const SessionOptions& options);

  /**
   * The length that a message says it has, from its header; nullopt for one that cannot be: then
   * nothing that follows can be understood either.
   */
  static std::optional<size_t> message_bytes(std::span<const uint8_t> header);

  /**
   * Takes one whole message and the descriptors that came with it, and appends the reply, if there
   * is one, to `reply`. Whatever is wrong with it becomes an error reply.
   */
  void handle(std::span<const uint8_t> message, std::vector<common::UniqueFd> fds,
              std::vector<uint8_t>& reply);

  /** After all messages that were there: what was submitted is carried out. */
  void dispatch() { device_.dispatch(); }

  /**
   * From now on until the client goes, the device is as one that was pulled out: reads are all
   * ones, writes are lost.
   */
  void pull_out() { pulled_out_ = true; }

  /** The client has gone: forgets its memory and interrupts, and resets the device. */
  void disconnect();

  [[nodiscard]] Device& device() { return device_; }

  /** Messages so far, and how many of them were writes to a portal. */
  struct Traffic {
    uint64_t messages = 0;
    uint64_t portal_writes = 0;
  };
  [[nodiscard]] Traffic traffic() const;

 private:
  class Reader;
  using Fds = std::vector<common::UniqueFd>;
  using Bytes = std::vector<uint8_t>;

  int version(Reader& body, Bytes& out) const;
  int dma_map(Reader& body, Fds& fds);
  int dma_unmap(Reader& body, Bytes& out);
  static int device_info(Bytes& out);
  static int region_info(Reader& body, Bytes& out);
  static int irq_info(Reader& body, Bytes& out);
  int set_irqs(Reader& body, Fds& fds);
  int region_read(Reader& body, Bytes& out);
  int region_write(Reader& body, Bytes& out);
  int region_write_multiple(Reader& body);
  int write(uint32_t region, uint64_t offset, std::span<const uint8_t> bytes);
  void reset();
  void interrupt(uint32_t vector);

  const SessionOptions options_;
  std::mutex vectors_mutex_;
  std::array<common::UniqueFd, kVectors> vectors_;
  GuestMemory memory_;
  PciConfig config_;
  Device device_;
  std::atomic<bool> pulled_out_ = false;
  std::atomic<uint64_t> messages_ = 0;
  std::atomic<uint64_t> portal_writes_ = 0;
};

}  // namespace iaa_zswap::iax

#endif  // IAA_ZSWAP_IAX_SESSION_H_
