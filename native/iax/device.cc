#include "iax/device.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "codec/completion.h"

namespace iaa_zswap::iax {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kPageBytes = 4096;
// An operand names 16 WQs in its low bits, and above them which 16; this device has eight.
constexpr uint32_t kAllWqs = (1U << kMaxWqs) - 1;

constexpr bool is_in(uint32_t offset, uint32_t start, uint32_t bytes) {
  return offset >= start && offset - start < bytes;
}

bool is_access(uint32_t offset, size_t size) {
  return (size == 1 || size == 2 || size == 4 || size == 8) && offset % size == 0 &&
         offset < kBar0Bytes;
}

}  // namespace

Device::Device(const DeviceOptions& options, const GuestMemory& memory, Interrupt interrupt)
    : options_(options), memory_(memory), interrupt_(std::move(interrupt)) {
  clear_registers();
  for (uint32_t index = 0; index < kMaxEngines; ++index) {
    engines_.at(index).thread = std::thread([this, index] { run_engine(index); });
  }
}

Device::~Device() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  for (Engine& engine : engines_) engine.wake.notify_all();
  space_.notify_all();
  for (Engine& engine : engines_) engine.thread.join();
}

// Registers.

void Device::clear_registers() {
  registers_.fill(0);
  set_word(kVersion, static_cast<uint32_t>(options_.generation));
  set_long_word(kGenCap, kGenCapSpr);
  // Entries, WQs, 64 bytes of configuration each; shared, dedicated, ATS, priority, occupancy and
  // operation configuration.
  set_long_word(kWqCap, uint64_t{kTotalWqSize} | uint64_t{kMaxWqs} << 16 | uint64_t{1} << 24 |
                            uint64_t{1} << 48 | uint64_t{1} << 49 | uint64_t{1} << 50 |
                            uint64_t{1} << 51 | uint64_t{1} << 52 | uint64_t{1} << 54);
  set_long_word(kGroupCap, kMaxGroups);
  set_long_word(kEngineCap, kMaxEngines);
  set_long_word(kOpCap, kOpCap0);
  set_long_word(kOpCap + 8, kOpCap1);
  set_long_word(kTableOffsets, uint64_t{kGroupTable >> 8} | uint64_t{kWqTable >> 8} << 16 |
                                   uint64_t{kMsixPermissionTable >> 8} << 32);
  if (options_.generation == Generation::k2) set_long_word(kIaaCap, kIaaCapValue);
}

uint32_t Device::word(uint32_t offset) const {
  uint32_t value = 0;
  std::memcpy(&value, &registers_.at(offset), sizeof value);
  return value;
}

void Device::set_word(uint32_t offset, uint32_t value) {
  std::memcpy(&registers_.at(offset), &value, sizeof value);
}

uint64_t Device::long_word(uint32_t offset) const {
  return word(offset) | uint64_t{word(offset + 4)} << 32;
}

void Device::set_long_word(uint32_t offset, uint64_t value) {
  set_word(offset, static_cast<uint32_t>(value));
  set_word(offset + 4, static_cast<uint32_t>(value >> 32));
}

uint32_t Device::wq_word(uint32_t wq, uint32_t offset) const {
  return word(kWqTable + wq * kWqBytes + offset);
}

bool Device::is_dedicated(uint32_t wq) const {
  return (wq_word(wq, kWqMode) & kWqModeDedicated) != 0;
}

uint32_t Device::read_word(uint32_t offset) const {
  if (is_in(offset, kWqTable, kMaxWqs * kWqBytes) && (offset - kWqTable) % kWqBytes == kWqState) {
    const WorkQueue& queue = wqs_.at((offset - kWqTable) / kWqBytes);
    return static_cast<uint32_t>(queue.entries.size()) |
           static_cast<uint32_t>(queue.enabled ? WqState::kEnabled : WqState::kDisabled)
               << kWqStateShift;
  }
  return word(offset);
}

bool Device::read(uint32_t offset, std::span<uint8_t> bytes) {
  if (!is_access(offset, bytes.size())) return false;
  const std::scoped_lock lock(mutex_);
  std::array<uint32_t, 2> words{read_word(offset & ~3U), 0};
  if (bytes.size() == 8) words[1] = read_word(offset + 4);
  std::memcpy(bytes.data(), reinterpret_cast<const uint8_t*>(words.data()) + offset % 4,
              bytes.size());
  return true;
}

bool Device::write(uint32_t offset, std::span<const uint8_t> bytes) {
  if (!is_access(offset, bytes.size())) return false;
  const Lock lock(mutex_);
  if (bytes.size() < 4) {
    uint32_t value = read_word(offset & ~3U);
    std::memcpy(reinterpret_cast<uint8_t*>(&value) + offset % 4, bytes.data(), bytes.size());
    write_word(offset & ~3U, value);
    return true;
  }
  for (uint32_t at = 0; at < bytes.size(); at += 4) {
    uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    write_word(offset + at, value);
  }
  return true;
}

void Device::write_word(uint32_t offset, uint32_t value) {
  const bool configuration =
      is_in(offset, kGroupTable, kMaxGroups * kGroupBytes) || offset == kGenCfg;
  if (is_in(offset, kWqTable, kMaxWqs * kWqBytes)) {
    write_wq_word(offset, value);
  } else if (configuration && state() != DeviceState::kDisabled) {
    return;
  } else if (configuration || is_in(offset, kMsixPermissionTable, kMsixPermissionBytes) ||
             is_in(offset, kMsixTable, 16 * kVectors) || offset == kGenCtrl) {
    set_word(offset, value);
  } else if (offset == kIntCause) {
    set_word(offset, word(offset) & ~value);
  } else if (offset == kSwError) {
    constexpr auto kClearable = static_cast<uint32_t>(kSwErrorValid | kSwErrorOverflow);
    set_word(offset, word(offset) & ~(value & kClearable));
  } else if (offset == kCommand) {
    begin_command(value);
  }
}

void Device::write_wq_word(uint32_t offset, uint32_t value) {
  const uint32_t wq = (offset - kWqTable) / kWqBytes;
  const uint32_t field = (offset - kWqTable) % kWqBytes;
  // The driver writes the configuration of all WQs again before it enables one more.
  if (wqs_.at(wq).enabled || field == kWqState) return;
  if (field == kWqSize && state() != DeviceState::kDisabled) return;
  if (field >= kWqOpConfig) value &= word(kOpCap + field - kWqOpConfig);
  set_word(offset, value);
}

DeviceState Device::state() const { return static_cast<DeviceState>(word(kGenStatus) & 3); }

void Device::set_state(DeviceState state, ResetType type) {
  set_word(kGenStatus, static_cast<uint32_t>(state) | static_cast<uint32_t>(type) << 2);
}

void Device::raise(uint32_t cause) {
  set_word(kIntCause, word(kIntCause) | cause);
  ++interrupts_;
  interrupt_(0);
}

void Device::set_bus_master(bool enabled) {
  const std::scoped_lock lock(mutex_);
  bus_master_ = enabled;
}

// Commands.

void Device::begin_command(uint32_t value) {
  // One at a time; the driver waits for the one before.
  if (pending_) return;
  ++commands_;
  set_word(kCommand, value);
  const bool interrupt = (value & kCommandInterrupt) != 0;
  const auto ended = start_command(static_cast<Command>(value >> kCommandShift & kCommandMask),
                                   value & kCommandOperandMask, interrupt);
  if (ended) {
    finish_command(*ended, interrupt);
  } else {
    progress_command();
  }
}

/** What has come of a command at once; nullopt when it waits for descriptors. */
std::optional<CommandError> Device::start_command(Command command, uint32_t operand,
                                                  bool interrupt) {
  const bool enabled = state() == DeviceState::kEnabled;
  if (state() == DeviceState::kHalted &&
      (command != Command::kResetDevice || word(kGenStatus) >> 2 != 0)) {
    return CommandError::kHardware;
  }
  uint32_t wqs = kAllWqs;
  switch (command) {
    case Command::kEnableDevice: {
      const CommandError error = check_enable_device();
      if (error == CommandError::kNone) set_state(DeviceState::kEnabled);
      return error;
    }
    case Command::kEnableWq: {
      const CommandError error = check_enable_wq(operand);
      if (error == CommandError::kNone) wqs_.at(operand).enabled = true;
      return error;
    }
    case Command::kDisableDevice:
      if (!enabled) return CommandError::kDisableNotEnabled;
      break;
    case Command::kResetDevice:
      break;
    case Command::kDrainAll:
    case Command::kAbortAll:
      if (!enabled) return CommandError::kWqDeviceNotEnabled;
      break;
    case Command::kDisableWq:
    case Command::kDrainWq:
    case Command::kAbortWq:
    case Command::kResetWq:
      if (!enabled) return CommandError::kWqDeviceNotEnabled;
      if (operand == 0 || operand > kAllWqs) return CommandError::kInvalidWqIndex;
      wqs = operand;
      break;
    default:
      return CommandError::kInvalidCommand;
  }
  set_word(kCommandStatus, kCommandActive);
  pending_ = {.command = command, .interrupt = interrupt, .wqs = wqs};
  if (command == Command::kAbortAll || command == Command::kAbortWq ||
      command == Command::kResetWq || command == Command::kResetDevice) {
    discard(wqs);
  }
  return std::nullopt;
}

/** Ends the command that is carried out once the descriptors that it waits for are done. */
void Device::progress_command() {
  if (!pending_) return;
  const PendingCommand pending = *pending_;
  for (uint32_t wq = 0; wq < kMaxWqs; ++wq) {
    const WorkQueue& queue = wqs_.at(wq);
    if ((pending.wqs >> wq & 1) != 0 && (queue.in_flight > 0 || !queue.entries.empty())) return;
  }
  pending_.reset();
  for (uint32_t wq = 0; wq < kMaxWqs; ++wq) {
    if ((pending.wqs >> wq & 1) == 0) continue;
    if (pending.command == Command::kDisableWq || pending.command == Command::kDisableDevice)
      wqs_.at(wq).enabled = false;
    if (pending.command == Command::kResetWq) reset_wq(wq, true);
  }
  if (pending.command == Command::kDisableDevice) set_state(DeviceState::kDisabled);
  if (pending.command == Command::kResetDevice) reset_device();
  finish_command(CommandError::kNone, pending.interrupt);
}

void Device::finish_command(CommandError error, bool interrupt) {
  set_word(kCommandStatus, static_cast<uint32_t>(error));
  if (interrupt) raise(kCauseCommand);
}

CommandError Device::check_enable_device() const {
  if (state() != DeviceState::kDisabled) return CommandError::kDeviceNotDisabled;
  if (!bus_master_) return CommandError::kBusMasterOff;
  uint32_t grouped_wqs = 0;
  uint64_t grouped_engines = 0;
  for (uint32_t group = 0; group < kMaxGroups; ++group) {
    const uint32_t base = kGroupTable + group * kGroupBytes;
    const uint64_t wqs = long_word(base);
    const uint64_t engines = long_word(base + kGroupEngines);
    if ((wqs == 0) != (engines == 0)) return CommandError::kGroupLacksPart;
    if ((wqs & ~uint64_t{kAllWqs}) != 0 || (wqs & grouped_wqs) != 0)
      return CommandError::kWqInTwoGroups;
    if (engines >> kMaxEngines != 0 || (engines & grouped_engines) != 0)
      return CommandError::kEngineInTwoGroups;
    grouped_wqs |= static_cast<uint32_t>(wqs);
    grouped_engines |= engines;
  }
  uint32_t entries = 0;
  for (uint32_t wq = 0; wq < kMaxWqs; ++wq) {
    entries += wq_size(wq);
    if (wq_size(wq) > 0 && (grouped_wqs >> wq & 1) == 0) return CommandError::kWqInTwoGroups;
  }
  return entries > kTotalWqSize ? CommandError::kWqSizeSum : CommandError::kNone;
}

CommandError Device::check_enable_wq(uint32_t wq) const {
  if (wq >= kMaxWqs) return CommandError::kInvalidWqIndex;
  if (state() != DeviceState::kEnabled) return CommandError::kDeviceNotEnabled;
  if (wqs_.at(wq).enabled) return CommandError::kWqNotDisabled;
  const uint32_t mode = wq_word(wq, kWqMode);
  const uint32_t threshold = wq_word(wq, kWqThreshold) & 0xffff;
  const uint32_t transfer = wq_word(wq, kWqTransfer);
  if (wq_size(wq) == 0) return CommandError::kWqSizeZero;
  if ((mode >> kWqModePriorityShift & 0xf) == 0) return CommandError::kWqPriorityZero;
  const bool dedicated = (mode & kWqModeDedicated) != 0;
  if (!dedicated && (threshold == 0 || threshold > wq_size(wq))) return CommandError::kWqBadMode;
  // A shared WQ tells its submitters apart by PASID; this device has no PASID capability, so no
  // dedicated WQ may ask for one.
  if (((mode & kWqModePasidEnable) != 0) == dedicated) return CommandError::kWqPasid;
  if ((transfer >> 5 & 0xf) != 0) return CommandError::kWqBatchSize;
  if ((transfer & 0x1f) > kMaxTransferShift) return CommandError::kWqTransferSize;
  return CommandError::kNone;
}

/** Takes away what is queued, and what hangs. */
void Device::discard(uint32_t wqs) {
  for (uint32_t wq = 0; wq < kMaxWqs; ++wq) {
    if ((wqs >> wq & 1) == 0) continue;
    WorkQueue& queue = wqs_.at(wq);
    queue.statistics.aborted += queue.entries.size();
    queue.entries.clear();
  }
  release(wqs, false);
  space_.notify_all();
}

void Device::reset_wq(uint32_t wq, bool keep_size) {
  const uint32_t size = wq_size(wq);
  const uint32_t base = kWqTable + wq * kWqBytes;
  std::fill_n(&registers_.at(base), kWqBytes, uint8_t{0});
  if (keep_size) set_word(base + kWqSize, size);
  wqs_.at(wq).enabled = false;
  wqs_.at(wq).credit = 0;
}

void Device::reset_device() {
  for (uint32_t wq = 0; wq < kMaxWqs; ++wq) reset_wq(wq, false);
  std::fill_n(&registers_.at(kGroupTable), kMaxGroups * kGroupBytes, uint8_t{0});
  set_word(kGenCfg, 0);
  set_word(kGenCtrl, 0);
  set_state(DeviceState::kDisabled);
}

void Device::reset() {
  Lock lock(mutex_);
  discard(kAllWqs);
  pending_.reset();
  for (WorkQueue& queue : wqs_) queue.enabled = false;
  space_.wait(lock, [this] {
    return std::ranges::all_of(wqs_, [](const WorkQueue& queue) { return queue.in_flight == 0; });
  });
  clear_registers();
  reset_device();
  for (auto& slot : slots_) slot.fill(0);
}

// Submission.

bool Device::write_portal(uint32_t offset, std::span<const uint8_t> bytes) {
  const uint32_t within = offset % kDescriptorBytes;
  if (offset >= kBar2Bytes || bytes.empty() || bytes.size() > kDescriptorBytes - within)
    return false;
  const uint32_t wq = offset / (kPortalPages * kPortalPageBytes);
  Descriptor descriptor{};
  if (within == 0 && bytes.size() == 4) {
    uint32_t reference = 0;
    std::memcpy(&reference, bytes.data(), sizeof reference);
    const GuestMemory::Access access(memory_);
    const auto found = access.read(uint64_t{reference} * kDescriptorBytes, kDescriptorBytes);
    if (!found) {
      const std::scoped_lock lock(mutex_);
      ++wqs_.at(wq).statistics.dropped;
      return true;
    }
    std::memcpy(&descriptor, found->data(), sizeof descriptor);
  } else {
    auto& slot = slots_.at(offset / kDescriptorBytes);
    std::memcpy(slot.data() + within, bytes.data(), bytes.size());
    if (within + bytes.size() < kDescriptorBytes) return true;
    std::memcpy(&descriptor, slot.data(), sizeof descriptor);
  }
  submit(wq, descriptor);
  return true;
}

void Device::submit(uint32_t wq, const Descriptor& descriptor) {
  Lock lock(mutex_);
  WorkQueue& queue = wqs_.at(wq);
  const auto accepts = [&] {
    return queue.enabled && state() == DeviceState::kEnabled && is_dedicated(wq);
  };
  const auto may_go_on = [&] {
    return stopping_ || !accepts() || queue.entries.size() < wq_size(wq);
  };
  if (!may_go_on()) {
    // Back pressure: what brings the descriptors is held until there is room.
    dispatch(lock);
    space_.wait_for(lock, options_.back_pressure, may_go_on);
  }
  if (!accepts() || queue.entries.size() >= wq_size(wq)) {
    ++queue.statistics.dropped;
    return;
  }
  enqueue(wq, descriptor);
}

bool Device::submit_shared(uint32_t wq, const Descriptor& descriptor, bool limited) {
  const std::scoped_lock lock(mutex_);
  if (wq >= kMaxWqs || state() != DeviceState::kEnabled || !wqs_.at(wq).enabled ||
      is_dedicated(wq)) {
    return false;
  }
  const uint32_t room = limited ? wq_word(wq, kWqThreshold) & 0xffff : wq_size(wq);
  if (wqs_.at(wq).entries.size() >= room) return false;
  enqueue(wq, descriptor);
  return true;
}

void Device::enqueue(uint32_t wq, const Descriptor& descriptor) {
  WorkQueue& queue = wqs_.at(wq);
  queue.entries.push_back(descriptor);
  ++queue.statistics.submitted;
  queue.statistics.max_occupancy =
      std::max(queue.statistics.max_occupancy, static_cast<uint32_t>(queue.entries.size()));
}

// Engines.

std::optional<uint32_t> Device::group_of_engine(uint32_t engine) const {
  for (uint32_t group = 0; group < kMaxGroups; ++group) {
    const uint32_t engines = word(kGroupTable + group * kGroupBytes + kGroupEngines);
    if ((engines >> engine & 1) != 0) return group;
  }
  return std::nullopt;
}

bool Device::is_eligible(uint32_t wq) const {
  const WorkQueue& queue = wqs_.at(wq);
  if (!queue.enabled || queue.entries.empty()) return false;
  // A drain is done when all before it are.
  return queue.in_flight == 0 ||
         queue.entries.front().opcode() != static_cast<uint8_t>(Opcode::kDrain);
}

/** The WQs that an engine could take a descriptor from now, one bit for each. */
uint32_t Device::eligible_wqs(uint32_t engine) const {
  if (state() != DeviceState::kEnabled) return 0;
  const auto group = group_of_engine(engine);
  if (!group) return 0;
  uint32_t wqs = word(kGroupTable + *group * kGroupBytes);
  for (uint32_t wq = 0; wq < kMaxWqs; ++wq) {
    if (!is_eligible(wq)) wqs &= ~(1U << wq);
  }
  return wqs;
}

/** Chooses among WQs in proportion to their priorities, evenly spread: none of them starves. */
uint32_t Device::pick(uint32_t wqs) {
  int32_t total = 0;
  uint32_t best = kMaxWqs;
  for (uint32_t wq = 0; wq < kMaxWqs; ++wq) {
    if ((wqs >> wq & 1) == 0) continue;
    const auto priority = static_cast<int32_t>(wq_word(wq, kWqMode) >> kWqModePriorityShift & 0xf);
    total += priority;
    wqs_.at(wq).credit += priority;
    if (best == kMaxWqs || wqs_.at(wq).credit > wqs_.at(best).credit) best = wq;
  }
  wqs_.at(best).credit -= total;
  return best;
}

WqLimits Device::limits_of(uint32_t wq) const {
  WqLimits limits{.max_transfer_bytes = uint64_t{1} << (wq_word(wq, kWqTransfer) & 0x1f),
                  .op_config = {},
                  .vectors = kVectors};
  for (uint32_t i = 0; i < 4; ++i)
    limits.op_config[i] = long_word(kWqTable + wq * kWqBytes + kWqOpConfig + 8 * i);
  return limits;
}

bool Device::take_fault(Fault fault) {
  uint32_t& left = faults_.at(static_cast<size_t>(fault));
  if (left == 0) return false;
  --left;
  return true;
}

/** Takes one descriptor and carries it out; false when there is none for this engine. */
bool Device::run_one(Engine& engine, uint32_t index, Lock& lock) {
  const uint32_t wqs = eligible_wqs(index);
  if (wqs == 0) return false;
  const uint32_t wq = pick(wqs);
  WorkQueue& queue = wqs_.at(wq);
  const Descriptor descriptor = queue.entries.front();
  queue.entries.pop_front();
  ++queue.in_flight;
  engine.busy = true;
  space_.notify_all();
  if (take_fault(Fault::kHang)) {
    engine.hung_in = wq;
    engine.hung = descriptor;
    return true;
  }
  const bool lose = take_fault(Fault::kLose);
  const bool wrong_crc = descriptor.opcode() == static_cast<uint8_t>(Opcode::kCompress) &&
                         take_fault(Fault::kWrongCrc);
  execute(engine, wq, descriptor, lose, wrong_crc, lock);
  return true;
}

void Device::execute(Engine& engine, uint32_t wq, const Descriptor& descriptor, bool lose,
                     bool wrong_crc, Lock& lock) {
  const WqLimits limits = limits_of(wq);
  const auto delay = engine.delay;
  lock.unlock();
  const auto start = Clock::now();
  if (delay.count() > 0) std::this_thread::sleep_for(delay);
  CompletionRecord record = engine.executor.execute(descriptor, limits, memory_);
  if (wrong_crc) record.crc ^= 1;
  const bool told = lose || write_completion(descriptor, record, memory_);
  const bool interrupts = !lose && (descriptor.flags() & kFlagRequestInterrupt) != 0 &&
                          descriptor.interrupt_handle < kVectors;
  if (interrupts) interrupt_(descriptor.interrupt_handle);
  const auto end = Clock::now();
  lock.lock();
  interrupts_ += interrupts ? 1 : 0;
  ++engine.statistics.descriptors;
  engine.statistics.busy_ns += static_cast<uint64_t>((end - start).count());
  account(wq, descriptor, record);
  if (!told) set_software_error(record.status, wq, &descriptor);
  --wqs_.at(wq).in_flight;
  engine.busy = false;
  space_.notify_all();
  progress_command();
}

void Device::account(uint32_t wq, const Descriptor& descriptor, const CompletionRecord& record) {
  WqStatistics& statistics = wqs_.at(wq).statistics;
  const auto opcode = static_cast<Opcode>(descriptor.opcode());
  if (record.status != kStatusSuccess) {
    const bool too_small =
        opcode == Opcode::kCompress &&
        record.status == static_cast<uint8_t>(codec::Status::kAnalyticsError) &&
        record.error_code == static_cast<uint8_t>(codec::ErrorCode::kOutputTooSmall);
    if (too_small) {
      ++statistics.incompressible;
    } else {
      ++statistics.errors;
      statistics.last_error_status = record.status;
      statistics.last_error_code = record.error_code;
    }
  } else if (opcode == Opcode::kCompress) {
    ++statistics.compress;
    if (descriptor.source1_size == kPageBytes) ++statistics.compress_pages;
    statistics.compress_in_bytes += record.bytes_completed;
    statistics.compress_out_bytes += record.output_size;
  } else if (opcode != Opcode::kDecompress) {
    ++statistics.other;
  } else if ((descriptor.operation_flags & kDecompressSuppressOutput) != 0) {
    ++statistics.verify;
  } else {
    ++statistics.decompress;
    statistics.decompress_in_bytes += record.bytes_completed;
    statistics.decompress_out_bytes += record.output_size;
  }
}

void Device::run_engine(uint32_t index) {
  Engine& engine = engines_.at(index);
  Lock lock(mutex_);
  for (;;) {
    engine.wake.wait(lock, [&] { return stopping_ || (!engine.busy && eligible_wqs(index) != 0); });
    if (stopping_) return;
    run_one(engine, index, lock);
  }
}

void Device::dispatch() {
  Lock lock(mutex_);
  dispatch(lock);
}

Device::Engine* Device::idle_engine(uint32_t& index) {
  for (; index < kMaxEngines; ++index) {
    Engine& engine = engines_.at(index);
    if (!engine.busy && eligible_wqs(index) != 0) return &engine;
  }
  return nullptr;
}

void Device::dispatch(Lock& lock) {
  size_t queued = 0;
  for (const WorkQueue& queue : wqs_) queued += queue.entries.size();
  const bool faults = faults_ != std::array<uint32_t, 3>{};
  Engine* own = nullptr;
  uint32_t own_index = 0;
  uint32_t index = 0;
  for (Engine* engine = idle_engine(index); engine != nullptr && queued > 0;
       ++index, engine = idle_engine(index)) {
    --queued;
    if (own == nullptr && options_.inline_engine && !faults && engine->delay.count() == 0) {
      own = engine;
      own_index = index;
    } else {
      engine->wake.notify_one();
    }
  }
  while (own != nullptr && !own->busy && own->delay.count() == 0 &&
         run_one(*own, own_index, lock)) {
  }
}

// Faults.

void Device::inject(Fault fault, uint32_t count) {
  const std::scoped_lock lock(mutex_);
  faults_.at(static_cast<size_t>(fault)) = count;
}

void Device::slow_engine(uint32_t engine, std::chrono::microseconds delay) {
  const std::scoped_lock lock(mutex_);
  engines_.at(engine).delay = delay;
}

void Device::release() {
  Lock lock(mutex_);
  release(kAllWqs, true);
  dispatch(lock);
}

/** Frees the engines that hang with a descriptor of these WQs; it is queued again, or dropped. */
void Device::release(uint32_t wqs, bool carry_out) {
  for (Engine& engine : engines_) {
    if (!engine.hung_in || (wqs >> *engine.hung_in & 1) == 0) continue;
    WorkQueue& queue = wqs_.at(*engine.hung_in);
    --queue.in_flight;
    if (carry_out) {
      queue.entries.push_front(engine.hung);
    } else {
      ++queue.statistics.aborted;
    }
    engine.hung_in.reset();
    engine.busy = false;
  }
}

void Device::halt(ResetType type) {
  const std::scoped_lock lock(mutex_);
  set_state(DeviceState::kHalted, type);
  space_.notify_all();
  if ((word(kGenCtrl) & kHaltInterrupt) != 0) raise(kCauseHalt);
}

void Device::software_error(uint8_t code) {
  const std::scoped_lock lock(mutex_);
  set_software_error(code, std::nullopt, nullptr);
}

void Device::set_software_error(uint8_t code, std::optional<uint32_t> wq,
                                const Descriptor* descriptor) {
  if ((word(kSwError) & kSwErrorValid) != 0) {
    set_word(kSwError, word(kSwError) | static_cast<uint32_t>(kSwErrorOverflow));
    return;
  }
  uint64_t first = kSwErrorValid | uint64_t{code} << 8;
  if (wq) first |= kSwErrorWq | uint64_t{*wq} << 16;
  if (descriptor != nullptr) {
    first |= kSwErrorDescriptor | uint64_t{descriptor->opcode()} << 32;
    set_long_word(kSwError + 16, descriptor->completion_address);
  }
  set_long_word(kSwError, first);
  if ((word(kGenCtrl) & kSoftErrorInterrupt) != 0) raise(kCauseError);
}

DeviceStatistics Device::statistics() {
  const std::scoped_lock lock(mutex_);
  DeviceStatistics all{.state = state(),
                       .commands = commands_,
                       .interrupts = interrupts_,
                       .wqs = {},
                       .occupancy = {},
                       .enabled = {},
                       .engines = {}};
  for (uint32_t wq = 0; wq < kMaxWqs; ++wq) {
    all.wqs.at(wq) = wqs_.at(wq).statistics;
    all.occupancy.at(wq) = static_cast<uint32_t>(wqs_.at(wq).entries.size());
    all.enabled.at(wq) = wqs_.at(wq).enabled;
  }
  for (uint32_t index = 0; index < kMaxEngines; ++index)
    all.engines.at(index) = engines_.at(index).statistics;
  return all;
}

}  // namespace iaa_zswap::iax
