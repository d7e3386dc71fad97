#ifndef IAA_ZSWAP_IAX_PCI_CONFIG_H_
#define IAA_ZSWAP_IAX_PCI_CONFIG_H_

#include <array>
#include <cstdint>
#include <span>

namespace iaa_zswap::iax {

/**
 * The PCI configuration space of an IAX function: 8086:0cfe, a root complex integrated endpoint
 * with function level reset and MSI-X, without PASID, ATS and PRI.
 */
class PciConfig {
 public:
  static constexpr uint32_t kBytes = 4096;

  PciConfig();

  /** Bytes outside the space read as zeros; writes to them, and to what is read-only, do nothing.
   */
  void read(uint32_t offset, std::span<uint8_t> bytes) const;

  /** True when the write asks for a function level reset. */
  bool write(uint32_t offset, std::span<const uint8_t> bytes);

  /** Whether the function may reach memory. */
  [[nodiscard]] bool bus_master() const;

  /** All that can be written is as at the start. */
  void reset();

 private:
  void put(uint32_t offset, uint64_t value, uint32_t bytes, uint64_t writable = 0);

  std::array<uint8_t, kBytes> values_{};
  std::array<uint8_t, kBytes> initial_{};
  std::array<uint8_t, kBytes> writable_{};
};

}  // namespace iaa_zswap::iax

#endif  // IAA_ZSWAP_IAX_PCI_CONFIG_H_
