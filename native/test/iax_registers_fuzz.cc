// clang-format off: one line for scripts/fuzz
// Sources: native/iax/device.cc native/iax/executor.cc native/iax/guest_memory.cc native/codec/block_avx2.cc native/codec/block_portable.cc native/codec/completion.cc native/codec/crc.cc native/codec/decoder.cc native/codec/fixed_loop_avx2.cc native/codec/dynamic_header.cc native/codec/encoder.cc
// clang-format on
//
// Any bytes as accesses to the registers and portals, with faults among them: eight bytes each, of
// which
// the first says what is done. The device answers, and a reset makes it as new.

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "test/iax_machine.h"

namespace {

using namespace iaa_zswap;       // NOLINT(google-build-using-namespace)
using namespace iaa_zswap::iax;  // NOLINT(google-build-using-namespace)
using test::Machine;

void require(bool holds) {
  if (!holds) std::abort();
}

void step(Machine& machine, std::span<const uint8_t, 8> bytes) {
  uint16_t offset = 0;
  uint32_t value = 0;
  std::memcpy(&offset, &bytes[2], sizeof offset);
  std::memcpy(&value, &bytes[4], sizeof value);
  std::array<uint8_t, 8> wide{};
  std::memcpy(wide.data(), &value, sizeof value);
  std::memcpy(wide.data() + 4, &value, sizeof value);
  // Registers and tables are in the first 4 KiB; the rest of BAR0 is empty.
  const uint32_t at = (bytes[1] & 0x80) != 0 ? offset : offset & 0xfff;
  const size_t size = size_t{1} << (bytes[1] & 3);
  switch (bytes[0] % 12) {
    case 0:
      machine.device.read(at, std::span(wide).first(size));
      break;
    case 1:
    case 2:
      machine.device.write(at, std::span(wide).first(size));
      break;
    case 3:
      machine.begin_number(bytes[1] & 0x1fU, value & kCommandOperandMask);
      break;
    case 4:
      machine.device.write_portal(value % (kBar2Bytes + 64), std::span(wide).first(size));
      break;
    case 5: {
      Descriptor descriptor =
          Machine::compress(Machine::kBase + 4096, 64 + offset % 4096, Machine::kBase + 0x10000,
                            4096, Machine::kBase + 0x20000);
      if ((bytes[1] & 1) != 0) descriptor = Machine::base(Opcode::kDrain, Machine::kBase + 0x20000);
      machine.submit(descriptor, value % kMaxWqs, offset % 64);
      break;
    }
    case 6:
      machine.device.dispatch();
      break;
    case 7:
      machine.device.inject(static_cast<Fault>(bytes[1] % 3), offset % 4);
      break;
    case 8:
      machine.device.halt(static_cast<ResetType>(bytes[1] & 3));
      break;
    case 9:
      machine.device.software_error(bytes[1]);
      break;
    case 10:
      machine.device.release();
      break;
    default:
      machine.device.set_bus_master((bytes[1] & 1) != 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Machine machine({.back_pressure = std::chrono::milliseconds(0)});
  if (size == 0) return 0;
  machine.device.set_bus_master(true);
  // Half of the inputs begin with what the driver sets up.
  if ((data[0] & 1) != 0) machine.enable();
  for (size_t at = 1; at + 8 <= size; at += 8)
    step(machine, std::span<const uint8_t, 8>(data + at, 8));
  machine.device.dispatch();
  for (const Fault fault : {Fault::kHang, Fault::kLose, Fault::kWrongCrc})
    machine.device.inject(fault, 0);
  machine.device.reset();
  machine.device.set_bus_master(true);
  require(machine.read(kGenStatus) == 0 && machine.read64(kGenCap) == kGenCapSpr);
  machine.enable();
  const auto record = machine.run(Machine::base(Opcode::kNoop, Machine::kBase + 0x30000));
  require(record.status == kStatusSuccess);
  machine.device.reset();
  return 0;
}
