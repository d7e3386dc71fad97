// clang-format off: one line for scripts/native-test.sh
// Sources: native/iax/device.cc native/iax/executor.cc native/iax/guest_memory.cc native/codec/block_avx2.cc native/codec/block_portable.cc native/codec/completion.cc native/codec/crc.cc native/codec/decoder.cc native/codec/fixed_loop_avx2.cc native/codec/dynamic_header.cc native/codec/encoder.cc
// clang-format on

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "codec/crc.h"
#include "codec/huffman.h"
#include "test/check.h"
#include "test/iax_machine.h"

namespace {

using namespace iaa_zswap;       // NOLINT(google-build-using-namespace)
using namespace iaa_zswap::iax;  // NOLINT(google-build-using-namespace)
using std::chrono::microseconds;
using std::chrono::milliseconds;
using test::check;
using test::check_equal;
using test::Machine;

constexpr uint64_t kSource = Machine::kBase + 0x10000;
constexpr uint64_t kTarget = Machine::kBase + 0x20000;
constexpr uint64_t kBack = Machine::kBase + 0x30000;
constexpr uint64_t kRecord = Machine::kBase + 0x40000;
constexpr uint32_t kPage = 4096;

uint32_t code(CommandError error) { return static_cast<uint32_t>(error); }

void fill_counters(Machine& machine, uint64_t address, uint64_t start) {
  for (uint64_t i = 0; i < kPage / 8; ++i) {
    const uint64_t word = start + i;
    std::memcpy(machine.at(address + 8 * i, 8).data(), &word, 8);
  }
}

/** What sysfs shows of a Sapphire Rapids device comes from these. */
void test_capabilities() {
  Machine machine;
  check_equal(machine.read(kVersion), 0x100U);
  check_equal(machine.read64(kGenCap), 0x71f10901f0105U);
  check_equal(machine.read64(kWqCap) & 0xffffff, uint64_t{8} << 16 | 128);
  check_equal(machine.read64(kGroupCap), 4U);
  check_equal(machine.read64(kEngineCap), 8U);
  check_equal(machine.read64(kOpCap), 0xdU);
  check_equal(machine.read64(kOpCap + 8), 0x7f331cU);
  check_equal(machine.read64(kIaaCap), 0U);
  check_equal(machine.read(kGenStatus), 0U);
  Machine second({.generation = Generation::k2});
  check_equal(second.read(kVersion), 0x200U);
  // Capabilities cannot be written.
  machine.write64(kGenCap, 0);
  check_equal(machine.read64(kGenCap), 0x71f10901f0105U);
  // Only aligned accesses of 1, 2, 4 and 8 bytes are any.
  std::array<uint8_t, 16> room{};
  check(!machine.device.read(2, std::span(room).first(4)));
  check(!machine.device.read(0, room));
  check(!machine.device.read(kBar0Bytes, std::span(room).first(4)));
  check(machine.device.read(kVersion + 1, std::span(room).first(1)));
  check_equal(int{room[0]}, 1);
}

void test_enable_device_checks() {
  const auto result = [](const auto& prepare) {
    Machine machine;
    machine.set_wq(0, 64);
    machine.set_group(0, 1, 0xff);
    prepare(machine);
    return machine.command(Command::kEnableDevice);
  };
  check_equal(result([](Machine&) {}), 0U);
  check_equal(result([](Machine& m) { m.device.set_bus_master(false); }),
              code(CommandError::kBusMasterOff));
  check_equal(result([](Machine& m) { m.set_group(0, 1, 0); }),
              code(CommandError::kGroupLacksPart));
  check_equal(result([](Machine& m) { m.set_group(1, 0, 0x80); }),
              code(CommandError::kGroupLacksPart));
  check_equal(result([](Machine& m) { m.set_group(1, 1, 0x80); }),
              code(CommandError::kWqInTwoGroups));
  check_equal(result([](Machine& m) { m.set_wq(1, 4); }), code(CommandError::kWqInTwoGroups));
  check_equal(result([](Machine& m) { m.set_group(0, 0x100, 1); }),
              code(CommandError::kWqInTwoGroups));
  check_equal(result([](Machine& m) {
                m.set_wq(1, 4);
                m.set_group(1, 2, 1);
              }),
              code(CommandError::kEngineInTwoGroups));
  check_equal(result([](Machine& m) { m.set_group(0, 1, 0x1ff); }),
              code(CommandError::kEngineInTwoGroups));
  check_equal(result([](Machine& m) { m.set_wq(0, 129); }), code(CommandError::kWqSizeSum));
  check_equal(result([](Machine& m) { check_equal(m.command(Command::kEnableDevice), 0U); }),
              code(CommandError::kDeviceNotDisabled));
}

void test_enable_wq_checks() {
  const auto result = [](const auto& prepare, uint32_t wq = 0) {
    Machine machine;
    machine.set_wq(0, 64);
    machine.set_group(0, 1, 0xff);
    prepare(machine);
    machine.command(Command::kEnableDevice);
    return machine.command(Command::kEnableWq, wq);
  };
  const uint32_t mode = kWqTable + kWqMode;
  const uint32_t transfer = kWqTable + kWqTransfer;
  check_equal(result([](Machine&) {}), 0U);
  check_equal(result([](Machine&) {}, 8), code(CommandError::kInvalidWqIndex));
  check_equal(result([](Machine& m) { m.device.set_bus_master(false); }),
              code(CommandError::kDeviceNotEnabled));
  check_equal(result([](Machine&) {}, 1), code(CommandError::kWqSizeZero));
  check_equal(result([](Machine& m) { m.set_wq(0, 64, 0); }), code(CommandError::kWqPriorityZero));
  check_equal(result([](Machine& m) { m.set_wq(0, 64, 10, 0, 0); }),
              code(CommandError::kWqBadMode));
  check_equal(result([](Machine& m) { m.set_wq(0, 64, 10, 0, 65); }),
              code(CommandError::kWqBadMode));
  check_equal(result([](Machine& m) { m.set_wq(0, 64, 10, 0, 32); }), code(CommandError::kWqPasid));
  check_equal(result([&](Machine& m) { m.write(mode, m.read(mode) | kWqModePasidEnable); }),
              code(CommandError::kWqPasid));
  check_equal(result([&](Machine& m) { m.write(transfer, 21 | 1U << 5); }),
              code(CommandError::kWqBatchSize));
  Machine machine;
  machine.enable();
  check_equal(machine.command(Command::kEnableWq, 0), code(CommandError::kWqNotDisabled));
  check_equal(machine.read(kWqTable + kWqState) >> kWqStateShift, 1U);
}

void test_other_commands() {
  Machine machine;
  check_equal(machine.command(Command::kDisableDevice), code(CommandError::kDisableNotEnabled));
  check_equal(machine.command(Command::kDrainWq, 1), code(CommandError::kWqDeviceNotEnabled));
  check_equal(machine.command_number(31), code(CommandError::kInvalidCommand));
  // The driver asks for interrupt handles only where the command is offered.
  check_equal(machine.command_number(13), code(CommandError::kInvalidCommand));
  machine.enable();
  check_equal(machine.command(Command::kResetWq, 0), code(CommandError::kInvalidWqIndex));
  check_equal(machine.command(Command::kResetWq, 0x100), code(CommandError::kInvalidWqIndex));
  check_equal(machine.command(Command::kResetWq, 0x10001), code(CommandError::kInvalidWqIndex));
  // Configuration of what is enabled stays as it is.
  machine.write(kWqTable + kWqMode, 0);
  machine.write(kWqTable + kWqSize, 5);
  machine.set_group(0, 0, 0);
  check_equal(machine.read(kWqTable + kWqMode), kWqModeDedicated | 10U << kWqModePriorityShift);
  check_equal(machine.read(kGroupTable), 1U);
  // A reset WQ keeps its entries: those are the device's configuration.
  check_equal(machine.command(Command::kResetWq, 1), 0U);
  check_equal(machine.read(kWqTable + kWqMode), 0U);
  check_equal(machine.read(kWqTable + kWqSize), 128U);
  check_equal(machine.read(kWqTable + kWqState) >> kWqStateShift, 0U);
  const uint32_t before = machine.interrupts[0];
  check_equal(machine.command(Command::kDisableDevice), 0U);
  check_equal(machine.interrupts[0].load(), before + 1);
  check_equal(machine.read(kIntCause), kCauseCommand);
  machine.write(kIntCause, kCauseCommand);
  check_equal(machine.read(kIntCause), 0U);
  check_equal(machine.command(Command::kResetDevice), 0U);
  check_equal(machine.read(kWqTable + kWqSize), 0U);
}

/** What the driver does with each page: compress, verify, decompress. */
void test_round_trip(const DeviceOptions& options) {
  Machine machine(options);
  machine.enable();
  fill_counters(machine, kSource, 1'000'000);
  const uint32_t crc = codec::crc32(machine.at(kSource, kPage));

  CompletionRecord record = machine.run(Machine::compress(kSource, kPage, kTarget, kPage, kRecord));
  check_equal(int{record.status}, 1);
  check_equal(record.crc, crc);
  check_equal(record.bytes_completed, kPage);
  check(record.output_size > 1000 && record.output_size < 2000, "ratio of counters");
  const uint32_t size = record.output_size;

  record = machine.run(Machine::decompress(kTarget, size, kSource, kPage, kRecord, true));
  check_equal(int{record.status}, 1);
  check_equal(record.crc, crc);
  check_equal(record.output_size, kPage);

  record = machine.run(Machine::decompress(kTarget, size, kBack, kPage, kRecord));
  check_equal(int{record.status}, 1);
  check_equal(record.crc, crc);
  check(std::ranges::equal(machine.at(kSource, kPage), machine.at(kBack, kPage)), "same bytes");

  const auto statistics = machine.device.statistics();
  check_equal(statistics.wqs[0].compress, 1U);
  check_equal(statistics.wqs[0].compress_pages, 1U);
  check_equal(statistics.wqs[0].verify, 1U);
  check_equal(statistics.wqs[0].decompress, 1U);
  check_equal(statistics.wqs[0].compress_out_bytes, size);
}

/** The tables are the caller's: other codes give another stream, and one without a code an error.
 */
void test_tables_are_used() {
  Machine machine;
  machine.enable();
  std::ranges::fill(machine.at(kSource, kPage), uint8_t{'*'});
  auto record = machine.run(Machine::compress(kSource, kPage, kTarget, kPage, kRecord));
  // The kernel's document: a page of 4096 `*` takes 228 bytes.
  check_equal(record.output_size, 228U);
  auto aecs = machine.at(Machine::kAecs, codec::kAecsBytes);
  const uint32_t no_code = 0;
  std::memcpy(aecs.data() + 288 + size_t{4} * '*', &no_code, sizeof no_code);
  record = machine.run(Machine::compress(kSource, kPage, kTarget, kPage, kRecord));
  check_equal(int{record.status}, 0x0a);
  check_equal(int{record.error_code}, static_cast<int>(codec::ErrorCode::kInvalidHuffmanCode));
}

void test_results_that_do_not_fit() {
  Machine machine;
  machine.enable();
  uint32_t random = 1;
  for (uint8_t& byte : machine.at(kSource, kPage)) {
    random = random * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(random >> 24);
  }
  auto record = machine.run(Machine::compress(kSource, kPage, kTarget, kPage, kRecord));
  check_equal(int{record.status}, 0x0a);
  check_equal(int{record.error_code}, 0x19);
  check_equal(machine.device.statistics().wqs[0].incompressible, 1U);
  record = machine.run(Machine::compress(kSource, kPage, kTarget, 2 * kPage, kRecord));
  check_equal(int{record.status}, 1);
  const uint32_t size = record.output_size;
  record = machine.run(Machine::decompress(kTarget, size, kBack, kPage - 1, kRecord));
  check_equal(int{record.status}, 0x0b);
  machine.at(kTarget, 1)[0] = 0x07;  // no kind of block
  record = machine.run(Machine::decompress(kTarget, size, kBack, kPage, kRecord));
  check_equal(int{record.status}, 0x0a);
  check_equal(int{record.error_code}, static_cast<int>(codec::ErrorCode::kInvalidBlockType));
}

void test_rejected_descriptors() {
  Machine machine;
  machine.enable();
  const auto status = [&](const auto& spoil, bool compress = true) {
    Descriptor descriptor = compress ? Machine::compress(kSource, kPage, kTarget, kPage, kRecord)
                                     : Machine::decompress(kSource, kPage, kTarget, kPage, kRecord);
    spoil(descriptor);
    return int{machine.run(descriptor).status};
  };
  const auto opcode = [](uint8_t value) {
    return [value](Descriptor& d) {
      d.flags_opcode = (d.flags_opcode & 0xffffff) | uint32_t{value} << 24;
    };
  };
  check_equal(status(opcode(0x01)), kStatusBadOpcode);
  // Offered by a Sapphire Rapids device, but not by this one.
  check_equal(status(opcode(0x50)), kStatusBadOpcode);
  check_equal(status(opcode(0xff)), kStatusBadOpcode);
  check_equal(status([](Descriptor& d) { d.flags_opcode |= 0x20; }), kStatusInvalidFlags);
  check_equal(status([](Descriptor& d) { d.flags_opcode &= ~kFlagSource2Aecs; }),
              kStatusInvalidFlags);
  check_equal(status([](Descriptor& d) { d.flags_opcode |= kFlagSource2Aecs; }, false),
              kStatusInvalidFlags);
  check_equal(status([](Descriptor& d) { d.operation_flags |= 1; }), kStatusInvalidOperationFlags);
  check_equal(status([](Descriptor& d) { d.operation_flags &= 0xfffe; }, false),
              kStatusInvalidOperationFlags);
  check_equal(status([](Descriptor& d) { d.filter_flags = 1; }), kStatusInvalidFilterFlags);
  check_equal(status([](Descriptor& d) { d.num_inputs = 1; }), kStatusReservedNotZero);
  check_equal(status([](Descriptor& d) { d.source1_size = 0; }), kStatusInvalidSize);
  check_equal(status([](Descriptor& d) { d.source1_size = (2 << 20) + 1; }), kStatusInvalidSize);
  check_equal(status([](Descriptor& d) { d.source2_size = 1567; }), kStatusInvalidSize);
  check_equal(status([](Descriptor& d) { d.destination_address = kSource + kPage - 1; }),
              kStatusOverlappingBuffers);
  check_equal(status([](Descriptor& d) { d.source1_address = 0; }), kStatusTranslationFailed);
  check_equal(status([](Descriptor& d) { d.source2_address = 0; }), kStatusTranslationFailed);
  check_equal(status([](Descriptor& d) { d.destination_address = ~uint64_t{0} - 100; }),
              kStatusTranslationFailed);
  check_equal(status([](Descriptor& d) {
                d.flags_opcode |= kFlagRequestInterrupt;
                d.interrupt_handle = kVectors;
              }),
              kStatusInvalidInterruptHandle);
  check_equal(status(
                  [](Descriptor& d) {
                    d.flags_opcode |= kFlagRequestInterrupt;
                    d.interrupt_handle = 3;
                  },
                  false) != 0,
              true);
  check_equal(machine.interrupts[3].load(), 1U);
}

/** Where a completion cannot be written, the software error register tells. */
void test_software_errors() {
  Machine machine;
  machine.enable();
  machine.write(kGenCtrl, kSoftErrorInterrupt);
  Descriptor descriptor = Machine::compress(kSource, kPage, kTarget, kPage, 0x1000);
  machine.submit(descriptor);
  machine.device.dispatch();
  while ((machine.read(kSwError) & kSwErrorValid) == 0) std::this_thread::yield();
  check_equal(machine.read64(kSwError + 16), 0x1000U);
  check((machine.read(kIntCause) & kCauseError) != 0);
  descriptor.completion_address = kRecord + 8;  // not aligned
  machine.submit(descriptor);
  machine.device.dispatch();
  while ((machine.read(kSwError) & kSwErrorOverflow) == 0) std::this_thread::yield();
  machine.write(kSwError, kSwErrorValid | kSwErrorOverflow);
  check_equal(machine.read(kSwError) & 3, 0U);
}

/** Descriptors are collected by slot: two CPUs may write to neighbours at the same time. */
void test_slots_and_references() {
  Machine machine;
  machine.enable();
  fill_counters(machine, kSource, 7);
  const Descriptor one = Machine::compress(kSource, kPage, kTarget, kPage, kRecord);
  const Descriptor two = Machine::compress(kSource, kPage, kBack, kPage, kRecord + 64);
  for (uint32_t i = 0; i < 8; ++i) {
    for (const auto& [descriptor, slot] : {std::pair(&one, 0U), std::pair(&two, 63U)}) {
      const auto* const raw = reinterpret_cast<const uint8_t*>(descriptor) + size_t{8} * i;
      check(machine.device.write_portal(Machine::portal(0, slot) + 8 * i, {raw, 8}));
    }
  }
  machine.device.dispatch();
  check_equal(int{machine.wait(kRecord).status}, 1);
  check_equal(int{machine.wait(kRecord + 64).status}, 1);
  // By reference: four bytes that say where the descriptor is.
  machine.status(kRecord) = 0;
  const uint64_t place = Machine::kBase + 0x50000;
  std::memcpy(machine.at(place, sizeof one).data(), &one, sizeof one);
  auto reference = static_cast<uint32_t>(place / 64);
  const std::span<const uint8_t> raw(reinterpret_cast<const uint8_t*>(&reference), 4);
  check(machine.device.write_portal(Machine::portal(0, 5), raw));
  machine.device.dispatch();
  check_equal(int{machine.wait(kRecord).status}, 1);
  reference = 1;  // nothing is mapped there
  check(machine.device.write_portal(Machine::portal(0, 5), raw));
  check_equal(machine.device.statistics().wqs[0].dropped, 1U);
  // Across slots, and beyond the portals.
  const std::array<uint8_t, 16> bytes{};
  check(!machine.device.write_portal(Machine::portal(0, 0) + 56, bytes));
  check(!machine.device.write_portal(kBar2Bytes, std::span(bytes).first(8)));
}

/** Engines work in parallel, and nothing is lost or mixed up. */
void test_parallel(const DeviceOptions& options) {
  Machine machine(options);
  machine.set_wq(0, 64);
  machine.set_wq(1, 64);
  machine.set_group(0, 1, 0x0f);
  machine.set_group(1, 2, 0xf0);
  check_equal(machine.command(Command::kEnableDevice), 0U);
  check_equal(machine.command(Command::kEnableWq, 0), 0U);
  check_equal(machine.command(Command::kEnableWq, 1), 0U);
  constexpr uint32_t kCount = 60;
  constexpr uint64_t kIn = Machine::kBase + 0x100000;
  constexpr uint64_t kOut = Machine::kBase + 0x200000;
  for (uint32_t round = 0; round < 10; ++round) {
    for (uint32_t i = 0; i < kCount; ++i) {
      fill_counters(machine, kIn + uint64_t{i} * kPage, uint64_t{round} << 32 | i << 16);
      machine.status(kRecord + uint64_t{i} * 64) = 0;
      machine.submit(Machine::compress(kIn + uint64_t{i} * kPage, kPage, kOut + uint64_t{i} * kPage,
                                       kPage, kRecord + uint64_t{i} * 64),
                     i % 2, i);
    }
    machine.device.dispatch();
    for (uint32_t i = 0; i < kCount; ++i) {
      const auto record = machine.wait(kRecord + uint64_t{i} * 64);
      check_equal(int{record.status}, 1);
      const auto back =
          machine.run(Machine::decompress(kOut + uint64_t{i} * kPage, record.output_size, kBack,
                                          kPage, kRecord + 0x8000),
                      i % 2);
      check_equal(int{back.status}, 1);
      check(std::ranges::equal(machine.at(kIn + uint64_t{i} * kPage, kPage),
                               machine.at(kBack, kPage)));
    }
  }
}

/** Engines serve their group's WQs in proportion to the priorities. */
void test_priorities() {
  Machine machine({.inline_engine = false});
  machine.set_wq(0, 64, 12);
  machine.set_wq(1, 64, 3);
  machine.set_group(0, 3, 0x01);
  check_equal(machine.command(Command::kEnableDevice), 0U);
  check_equal(machine.command(Command::kEnableWq, 0), 0U);
  check_equal(machine.command(Command::kEnableWq, 1), 0U);
  machine.device.inject(Fault::kHang, 1);
  machine.submit(Machine::base(Opcode::kNoop, kRecord));
  machine.device.dispatch();
  while (machine.device.statistics().occupancy[0] > 0) std::this_thread::yield();
  for (uint32_t i = 1; i <= 50; ++i) {
    for (const uint32_t wq : {0U, 1U})
      machine.submit(Machine::base(Opcode::kNoop, kRecord + uint64_t{2 * i + wq} * 64), wq, i);
  }
  check_equal(machine.read(kWqTable + kWqState) & 0xffff, 50U);
  machine.device.slow_engine(0, microseconds(1000));
  machine.device.release();
  DeviceStatistics statistics = machine.device.statistics();
  while (statistics.wqs[0].other < 40) statistics = machine.device.statistics();
  check(statistics.wqs[1].other >= 8 && statistics.wqs[1].other <= 12,
        std::to_string(statistics.wqs[1].other));
}

void test_drain() {
  Machine machine({.inline_engine = false});
  machine.enable();
  for (uint32_t engine = 0; engine < kMaxEngines; ++engine)
    machine.device.slow_engine(engine, microseconds(5000));
  fill_counters(machine, kSource, 3);
  for (uint32_t i = 0; i < 16; ++i) {
    machine.submit(Machine::compress(kSource, kPage, kTarget + uint64_t{i} * kPage, kPage,
                                     kRecord + 64 * uint64_t{i}),
                   0, i);
  }
  machine.submit(Machine::base(Opcode::kDrain, kRecord + 0x1000), 0, 20);
  machine.device.dispatch();
  check_equal(int{machine.wait(kRecord + 0x1000).status}, 1);
  for (uint32_t i = 0; i < 16; ++i) check_equal(int{machine.status(kRecord + 64 * uint64_t{i})}, 1);
  // The drain command waits in the same way.
  for (uint32_t i = 0; i < 16; ++i) {
    machine.status(kRecord + 64 * uint64_t{i}) = 0;
    machine.submit(Machine::base(Opcode::kNoop, kRecord + 64 * uint64_t{i}), 0, i);
  }
  machine.device.dispatch();
  check_equal(machine.command(Command::kDrainWq, 1), 0U);
  for (uint32_t i = 0; i < 16; ++i) check_equal(int{machine.status(kRecord + 64 * uint64_t{i})}, 1);
}

void test_back_pressure() {
  Machine machine({.back_pressure = milliseconds(20)});
  machine.enable(2, 0x01);
  machine.device.inject(Fault::kHang, 1);
  const Descriptor noop = Machine::base(Opcode::kNoop, kRecord);
  machine.submit(noop);
  machine.device.dispatch();
  while (machine.device.statistics().occupancy[0] > 0) std::this_thread::yield();
  machine.submit(noop);
  machine.submit(noop);
  check_equal(machine.read(kWqTable + kWqState) & 0xffff, 2U);
  const auto start = std::chrono::steady_clock::now();
  machine.submit(noop);
  check(std::chrono::steady_clock::now() - start >= milliseconds(20), "held back");
  check_equal(machine.device.statistics().wqs[0].dropped, 1U);
  // Room that comes while it is held back is used.
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(5));
    machine.device.release();
  });
  machine.submit(noop);
  other.join();
  machine.device.dispatch();
  check_equal(machine.command(Command::kDrainAll), 0U);
  check_equal(machine.device.statistics().wqs[0].dropped, 1U);
  check_equal(machine.device.statistics().wqs[0].other, 4U);
}

void test_shared_wq() {
  Machine machine({.inline_engine = false});
  machine.set_wq(0, 4, 10, kWqModePasidEnable, 2);
  machine.set_group(0, 1, 0x01);
  check_equal(machine.command(Command::kEnableDevice), 0U);
  check_equal(machine.command(Command::kEnableWq, 0), 0U);
  machine.device.inject(Fault::kHang, 1);
  const Descriptor noop = Machine::base(Opcode::kNoop, kRecord);
  check(machine.device.submit_shared(0, noop, true));
  machine.device.dispatch();
  while (machine.device.statistics().occupancy[0] > 0) std::this_thread::yield();
  check(machine.device.submit_shared(0, noop, true));
  check(machine.device.submit_shared(0, noop, true));
  check(!machine.device.submit_shared(0, noop, true), "the threshold is 2");
  check(machine.device.submit_shared(0, noop, false));
  check(machine.device.submit_shared(0, noop, false));
  check(!machine.device.submit_shared(0, noop, false), "the size is 4");
  // MOVDIR64B is not for shared WQs.
  machine.submit(noop);
  check_equal(machine.device.statistics().wqs[0].dropped, 1U);
  machine.device.release();
  check_equal(machine.command(Command::kDrainAll), 0U);
  check_equal(machine.device.statistics().wqs[0].other, 5U);
}

void test_hang() {
  Machine machine;
  machine.enable();
  machine.device.inject(Fault::kHang, 1);
  fill_counters(machine, kSource, 5);
  machine.submit(Machine::compress(kSource, kPage, kTarget, kPage, kRecord));
  machine.device.dispatch();
  // The others go on.
  check_equal(
      int{machine.run(Machine::compress(kSource, kPage, kBack, kPage, kRecord + 64)).status}, 1);
  check_equal(int{machine.status(kRecord)}, 0);
  machine.begin(Command::kDrainWq, 1);
  std::this_thread::sleep_for(milliseconds(5));
  check_equal(machine.read(kCommandStatus), kCommandActive);
  machine.device.release();
  check_equal(int{machine.wait(kRecord).status}, 1);
  while (machine.read(kCommandStatus) == kCommandActive) std::this_thread::yield();
  // A reset ends it, too.
  machine.device.inject(Fault::kHang, 1);
  machine.submit(Machine::compress(kSource, kPage, kTarget, kPage, kRecord));
  machine.device.dispatch();
  while (machine.device.statistics().occupancy[0] > 0) std::this_thread::yield();
  check_equal(machine.command(Command::kResetWq, 1), 0U);
  check_equal(machine.device.statistics().wqs[0].aborted, 1U);
}

void test_lost_and_wrong() {
  Machine machine;
  machine.enable();
  fill_counters(machine, kSource, 9);
  machine.device.inject(Fault::kWrongCrc, 1);
  const auto compress = Machine::compress(kSource, kPage, kTarget, kPage, kRecord);
  check_equal(machine.run(compress).crc, codec::crc32(machine.at(kSource, kPage)) ^ 1);
  check_equal(machine.run(compress).crc, codec::crc32(machine.at(kSource, kPage)));
  machine.device.inject(Fault::kLose, 1);
  machine.status(kRecord) = 0;
  machine.submit(compress);
  machine.device.dispatch();
  check_equal(machine.command(Command::kDrainAll), 0U);
  check_equal(int{machine.status(kRecord)}, 0);
  check_equal(int{machine.run(compress).status}, 1);
}

void test_halt() {
  Machine machine;
  machine.enable();
  machine.write(kGenCtrl, kHaltInterrupt);
  const uint32_t before = machine.interrupts[0];
  machine.device.halt(ResetType::kFunctionLevel);
  check_equal(machine.read(kGenStatus), 3U | 1U << 2);
  check((machine.read(kIntCause) & kCauseHalt) != 0);
  check_equal(machine.interrupts[0].load(), before + 1);
  check_equal(machine.command(Command::kResetDevice), code(CommandError::kHardware));
  machine.submit(Machine::base(Opcode::kNoop, kRecord));
  check_equal(machine.device.statistics().wqs[0].dropped, 1U);
  machine.device.reset();
  check_equal(machine.read(kGenStatus), 0U);
  check_equal(machine.read(kWqTable + kWqSize), 0U);
  machine.enable();
  check_equal(int{machine.run(Machine::base(Opcode::kNoop, kRecord)).status}, 1);
  machine.device.halt(ResetType::kSoftware);
  check_equal(machine.command(Command::kResetDevice), 0U);
  check_equal(machine.read(kGenStatus), 0U);
}

void test_guest_memory() {
  GuestMemory memory;
  constexpr uint64_t kSize = 8192;
  check(!memory.map(0x10000, kSize, test::sealed_memory(kSize), 0, false));
  const auto refused = [&](uint64_t address, uint64_t size, common::UniqueFd fd, uint64_t offset) {
    const auto failed = memory.map(address, size, std::move(fd), offset, true);
    return failed && failed->error == EINVAL;
  };
  check(refused(0x11000, kSize, test::sealed_memory(kSize), 0), "overlaps at its end");
  check(refused(0xf000, kSize, test::sealed_memory(kSize), 0), "overlaps at its start");
  check(refused(0x20001, 4096, test::sealed_memory(kSize), 0), "no page");
  check(refused(0x20000, 0, test::sealed_memory(kSize), 0), "empty");
  check(refused(~uint64_t{0xfff}, kSize, test::sealed_memory(kSize), 0), "around the end");
  check(refused(0x20000, kSize, test::sealed_memory(kSize), 4096), "beyond the file");
  common::UniqueFd unsealed(::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  check(::ftruncate(unsealed.get(), kSize) == 0);
  check(refused(0x20000, kSize, std::move(unsealed), 0), "could shrink");
  check(!memory.map(0x40000, kSize, common::UniqueFd(), 0, true), "memory without a file");
  const GuestMemory::Access access(memory);
  check(access.read(0x10000, kSize).has_value());
  check(access.read(0x11fff, 1).has_value());
  check(!access.read(0x11fff, 2).has_value(), "beyond");
  check(!access.read(0xffff, 1).has_value(), "before");
  check(!access.write(0x10000, 1).has_value(), "only for reading");
  check(!access.read(0x40000, 1).has_value(), "not reachable");
}

}  // namespace

int main() {
  test_capabilities();
  test_enable_device_checks();
  test_enable_wq_checks();
  test_other_commands();
  test_round_trip({});
  test_round_trip({.inline_engine = false});
  test_tables_are_used();
  test_results_that_do_not_fit();
  test_rejected_descriptors();
  test_software_errors();
  test_slots_and_references();
  test_parallel({});
  test_parallel({.inline_engine = false});
  test_priorities();
  test_drain();
  test_back_pressure();
  test_shared_wq();
  test_hang();
  test_lost_and_wrong();
  test_halt();
  test_guest_memory();
}
