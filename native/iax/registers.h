#ifndef IAA_ZSWAP_IAX_REGISTERS_H_
#define IAA_ZSWAP_IAX_REGISTERS_H_

#include <cstdint>

// The registers of an IAX device as the idxd driver reads and writes them (kernel:
// drivers/dma/idxd/registers.h). Values that are not the driver's are those of a Sapphire Rapids
// device as its sysfs shows them.
namespace iaa_zswap::iax {

inline constexpr uint32_t kMaxGroups = 4;
inline constexpr uint32_t kMaxWqs = 8;
inline constexpr uint32_t kMaxEngines = 8;
// Entries that all WQs of a device share.
inline constexpr uint32_t kTotalWqSize = 128;
inline constexpr uint32_t kMaxTransferShift = 31;
// One for commands and errors, and one for each WQ.
inline constexpr uint32_t kVectors = 1 + kMaxWqs;

// BAR0.
inline constexpr uint32_t kBar0Bytes = 0x10000;
inline constexpr uint32_t kVersion = 0x00;
inline constexpr uint32_t kGenCap = 0x10;
inline constexpr uint32_t kWqCap = 0x20;
inline constexpr uint32_t kGroupCap = 0x30;
inline constexpr uint32_t kEngineCap = 0x38;
inline constexpr uint32_t kOpCap = 0x40;  // 256 bits
inline constexpr uint32_t kTableOffsets = 0x60;
inline constexpr uint32_t kGenCfg = 0x80;
inline constexpr uint32_t kGenCtrl = 0x88;
inline constexpr uint32_t kGenStatus = 0x90;
inline constexpr uint32_t kIntCause = 0x98;
inline constexpr uint32_t kCommand = 0xa0;
inline constexpr uint32_t kCommandStatus = 0xa8;
inline constexpr uint32_t kCommandCap = 0xb0;
inline constexpr uint32_t kSwError = 0xc0;  // 256 bits
inline constexpr uint32_t kIaaCap = 0x180;  // version 0x200 and later
// Where the tables are is the device's choice; it says so in kTableOffsets, in units of 0x100.
inline constexpr uint32_t kGroupTable = 0x400;
inline constexpr uint32_t kGroupBytes = 64;
inline constexpr uint32_t kGroupEngines = 32;  // within a group: one bit for each engine
inline constexpr uint32_t kWqTable = 0x500;
inline constexpr uint32_t kWqBytes = 64;
inline constexpr uint32_t kMsixPermissionTable = 0x800;
inline constexpr uint32_t kMsixPermissionBytes = 8 * kVectors;
inline constexpr uint32_t kMsixTable = 0x2000;
inline constexpr uint32_t kMsixPending = 0x3000;

// Words of a WQ's 64 bytes of configuration.
inline constexpr uint32_t kWqSize = 0;
inline constexpr uint32_t kWqThreshold = 4;
inline constexpr uint32_t kWqMode = 8;
inline constexpr uint32_t kWqTransfer = 12;
inline constexpr uint32_t kWqState = 24;  // occupancy below, state on top
inline constexpr uint32_t kWqOpConfig = 32;
inline constexpr uint32_t kWqModeDedicated = 1U << 0;
inline constexpr uint32_t kWqModeBlockOnFault = 1U << 1;
inline constexpr uint32_t kWqModePriorityShift = 4;
inline constexpr uint32_t kWqModePasidEnable = 1U << 28;
inline constexpr uint32_t kWqStateShift = 30;

// BAR2: four portal pages for each WQ, each with 64 slots of one descriptor.
inline constexpr uint32_t kPortalPageBytes = 4096;
inline constexpr uint32_t kPortalPages = 4;
inline constexpr uint32_t kBar2Bytes = kMaxWqs * kPortalPages * kPortalPageBytes;

// GENCAP: `0x71f10901f0105` in sysfs of a Sapphire Rapids device: block on fault, cache control,
// destination readback, transfers of 2^31 bytes, configurable; no command capabilities register.
inline constexpr uint64_t kGenCapSpr = 0x71f10901f0105;
// OPCAP: `0xd 0x7f331c 0 0` there. Of these, noop, drain, decompress and compress are executed.
inline constexpr uint64_t kOpCap0 = 0xd;
inline constexpr uint64_t kOpCap1 = 0x7f331c;
// IAACAP of the second generation: header generation is what the driver looks at (bit 8). It is not
// offered, because the device here does not generate headers.
inline constexpr uint64_t kIaaCapValue = 0;

// kGenStatus: state in bits 0-1, what ends a halt in bits 2-3.
enum class DeviceState : uint8_t { kDisabled = 0, kEnabled = 1, kDraining = 2, kHalted = 3 };
enum class ResetType : uint8_t { kSoftware = 0, kFunctionLevel = 1, kWarm = 2, kCold = 3 };
enum class WqState : uint8_t { kDisabled = 0, kEnabled = 1 };

// kGenCtrl.
inline constexpr uint32_t kSoftErrorInterrupt = 1U << 0;
inline constexpr uint32_t kHaltInterrupt = 1U << 1;

// kIntCause.
inline constexpr uint32_t kCauseError = 1U << 0;
inline constexpr uint32_t kCauseCommand = 1U << 1;
inline constexpr uint32_t kCauseHalt = 1U << 4;

// kCommand: operand in bits 0-19, command in 20-24, bit 31 asks for an interrupt.
inline constexpr uint32_t kCommandOperandMask = 0xfffff;
inline constexpr uint32_t kCommandShift = 20;
inline constexpr uint32_t kCommandMask = 0x1f;
inline constexpr uint32_t kCommandInterrupt = 1U << 31;
// kCommandStatus: error in bits 0-7, bit 31 while the command is carried out.
inline constexpr uint32_t kCommandActive = 1U << 31;

enum class Command : uint8_t {
  kEnableDevice = 1,
  kDisableDevice = 2,
  kDrainAll = 3,
  kAbortAll = 4,
  kResetDevice = 5,
  kEnableWq = 6,
  kDisableWq = 7,
  kDrainWq = 8,
  kAbortWq = 9,
  kResetWq = 10,
};

// enum idxd_cmdsts_err.
enum class CommandError : uint8_t {
  kNone = 0,
  kInvalidCommand = 0x01,
  kInvalidWqIndex = 0x02,
  kHardware = 0x03,
  kDeviceNotDisabled = 0x10,
  kBusMasterOff = 0x12,
  kWqSizeSum = 0x14,
  kGroupLacksPart = 0x15,     // a WQ without an engine, or an engine without a WQ
  kWqInTwoGroups = 0x16,      // or one that has entries and is in none
  kEngineInTwoGroups = 0x17,  // or one that there is not
  kDeviceNotEnabled = 0x20,
  kWqNotDisabled = 0x21,
  kWqSizeZero = 0x22,
  kWqPriorityZero = 0x23,
  kWqBadMode = 0x24,
  kWqBlockOnFault = 0x25,
  kWqPasid = 0x26,
  kWqBatchSize = 0x27,
  kWqTransferSize = 0x28,
  kDisableNotEnabled = 0x31,
  kWqDeviceNotEnabled = 0x32,
};

// kSwError, first word.
inline constexpr uint64_t kSwErrorValid = 1U << 0;
inline constexpr uint64_t kSwErrorOverflow = 1U << 1;
inline constexpr uint64_t kSwErrorDescriptor = 1U << 2;
inline constexpr uint64_t kSwErrorWq = 1U << 3;

}  // namespace iaa_zswap::iax

#endif  // IAA_ZSWAP_IAX_REGISTERS_H_
