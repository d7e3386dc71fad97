#include "iax/pci_config.h"

#include <linux/pci_regs.h>

#include <algorithm>

#include "iax/registers.h"

namespace iaa_zswap::iax {
namespace {

constexpr uint32_t kExpressCap = 0x40;
constexpr uint32_t kMsixCap = 0x80;
constexpr uint32_t kDeviceControl = kExpressCap + PCI_EXP_DEVCTL;

}  // namespace

PciConfig::PciConfig() {
  put(PCI_VENDOR_ID, 0x8086, 2);
  put(PCI_DEVICE_ID, 0x0cfe, 2);
  put(PCI_COMMAND, 0, 2,
      PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
          PCI_COMMAND_INTX_DISABLE);
  put(PCI_STATUS, PCI_STATUS_CAP_LIST, 2);
  put(PCI_CLASS_DEVICE, 0x0880, 2);  // another system peripheral
  put(PCI_CACHE_LINE_SIZE, 0, 1, 0xff);
  // Two BARs of 64 bits: registers, portals. Which bits can be written tells their sizes.
  constexpr uint64_t kMemory64 = PCI_BASE_ADDRESS_MEM_TYPE_64;
  put(PCI_BASE_ADDRESS_0, kMemory64, 8, ~uint64_t{kBar0Bytes - 1});
  put(PCI_BASE_ADDRESS_2, kMemory64, 8, ~uint64_t{kBar2Bytes - 1});
  put(PCI_SUBSYSTEM_VENDOR_ID, 0x8086, 2);
  put(PCI_CAPABILITY_LIST, kExpressCap, 1);
  put(PCI_INTERRUPT_LINE, 0, 1, 0xff);

  put(kExpressCap, PCI_CAP_ID_EXP, 1);
  put(kExpressCap + PCI_CAP_LIST_NEXT, kMsixCap, 1);
  put(kExpressCap + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_RC_END << 4, 2);
  put(kExpressCap + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR | PCI_EXP_DEVCAP_RBER, 4);
  put(kDeviceControl, 0, 2, 0xffff & ~PCI_EXP_DEVCTL_BCR_FLR);

  put(kMsixCap, PCI_CAP_ID_MSIX, 1);
  put(kMsixCap + PCI_MSIX_FLAGS, kVectors - 1, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
  put(kMsixCap + PCI_MSIX_TABLE, kMsixTable, 4);  // in BAR0
  put(kMsixCap + PCI_MSIX_PBA, kMsixPending, 4);
  values_ = initial_;
}

void PciConfig::put(uint32_t offset, uint64_t value, uint32_t bytes, uint64_t writable) {
  for (uint32_t i = 0; i < bytes; ++i) {
    initial_.at(offset + i) = static_cast<uint8_t>(value >> (8 * i));
    writable_.at(offset + i) = static_cast<uint8_t>(writable >> (8 * i));
  }
}

void PciConfig::read(uint32_t offset, std::span<uint8_t> bytes) const {
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = offset + i < kBytes ? values_.at(offset + i) : uint8_t{0};
}

bool PciConfig::write(uint32_t offset, std::span<const uint8_t> bytes) {
  bool reset_asked = false;
  for (size_t i = 0; i < bytes.size() && offset + i < kBytes; ++i) {
    const size_t at = offset + i;
    const uint8_t mask = writable_.at(at);
    values_.at(at) = static_cast<uint8_t>((values_.at(at) & ~mask) | (bytes[i] & mask));
    if (at == kDeviceControl + 1 && (bytes[i] & PCI_EXP_DEVCTL_BCR_FLR >> 8) != 0)
      reset_asked = true;
  }
  return reset_asked;
}

bool PciConfig::bus_master() const { return (values_.at(PCI_COMMAND) & PCI_COMMAND_MASTER) != 0; }

void PciConfig::reset() { values_ = initial_; }

}  // namespace iaa_zswap::iax
