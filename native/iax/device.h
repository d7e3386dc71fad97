#ifndef IAA_ZSWAP_IAX_DEVICE_H_
#define IAA_ZSWAP_IAX_DEVICE_H_

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "iax/descriptor.h"
#include "iax/executor.h"
#include "iax/guest_memory.h"
#include "iax/registers.h"

namespace iaa_zswap::iax {

/** The version register: Sapphire Rapids, or the second generation with IAACAP. */
enum class Generation : uint16_t { k1 = 0x100, k2 = 0x200 };

struct DeviceOptions {
  Generation generation = Generation::k1;
  /** The thread that brings descriptors works as one of the engines while it has nothing else. */
  bool inline_engine = true;
  /** How long a full WQ holds back the thread that brings descriptors before one is dropped. */
  std::chrono::milliseconds back_pressure{5000};
};

/** What a WQ has done since the device was made. */
struct WqStatistics {
  uint64_t submitted = 0;
  /** Sent to a WQ that was disabled, shared, or full for too long. */
  uint64_t dropped = 0;
  /** Queued or with an engine when the WQ or the device was aborted or reset. */
  uint64_t aborted = 0;
  uint64_t compress = 0;
  /** Of these, the ones of 4096 bytes: zswap's; the kernel's self-test uses others. */
  uint64_t compress_pages = 0;
  uint64_t compress_in_bytes = 0;
  uint64_t compress_out_bytes = 0;
  /** Compressions whose output did not fit. */
  uint64_t incompressible = 0;
  uint64_t decompress = 0;
  uint64_t decompress_in_bytes = 0;
  uint64_t decompress_out_bytes = 0;
  /** Decompressions without output: what verify_compress asks for. */
  uint64_t verify = 0;
  /** Noop and drain. */
  uint64_t other = 0;
  uint64_t errors = 0;
  /** Status and error code of the last of them. */
  uint8_t last_error_status = 0;
  uint8_t last_error_code = 0;
  uint32_t max_occupancy = 0;
};

struct EngineStatistics {
  uint64_t descriptors = 0;
  uint64_t busy_ns = 0;
};

struct DeviceStatistics {
  DeviceState state = DeviceState::kDisabled;
  uint64_t commands = 0;
  uint64_t interrupts = 0;
  std::array<WqStatistics, kMaxWqs> wqs;
  std::array<uint32_t, kMaxWqs> occupancy{};
  std::array<bool, kMaxWqs> enabled{};
  std::array<EngineStatistics, kMaxEngines> engines;
};

/** Faults that the next descriptors meet. */
enum class Fault : uint8_t {
  kHang,      // it stays in its engine, which takes no other, until it is released or aborted
  kLose,      // it is carried out, but its completion record is never written
  kWrongCrc,  // the CRC of a compression is wrong
};

/**
 * One IAX device apart from how it is reached: registers, commands, WQs, groups and engines. For
 * any thread. Work is done by a thread for each engine, and by whoever calls dispatch().
 */
class Device {
 public:
  /** Called for each interrupt with its vector; from any thread, and must not call back. */
  using Interrupt = std::function<void(uint32_t vector)>;

  Device(const DeviceOptions& options, const GuestMemory& memory, Interrupt interrupt);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  /** BAR0: 1, 2, 4 or 8 bytes, aligned; false for any other access, which does nothing. */
  bool read(uint32_t offset, std::span<uint8_t> bytes);
  bool write(uint32_t offset, std::span<const uint8_t> bytes);

  /**
   * BAR2. A descriptor is complete when the last byte of its 64-byte slot is written; several are
   * under way in different slots. A write of 4 bytes to the start of a slot is a descriptor by
   * reference: its address in the guest's memory, divided by 64 (docs/device.md).
   */
  bool write_portal(uint32_t offset, std::span<const uint8_t> bytes);

  /** What ENQCMD does; false: the submitter has to try again. */
  bool submit_shared(uint32_t wq, const Descriptor& descriptor, bool limited);

  /** Has what was submitted carried out: wakes engines, and works as one if the options say so. */
  void dispatch();

  /** The command register refuses to enable a device that may not reach memory. */
  void set_bus_master(bool enabled);

  /** Function level reset: all is as at the start, descriptors are aborted. */
  void reset();

  void inject(Fault fault, uint32_t count);
  /** Each descriptor of an engine takes this much longer. */
  void slow_engine(uint32_t engine, std::chrono::microseconds delay);
  /** Lets hung descriptors go on. */
  void release();
  /** Stops the device as after a hardware error; only a reset of this type ends that. */
  void halt(ResetType type);
  void software_error(uint8_t code);

  [[nodiscard]] DeviceStatistics statistics();

 private:
  struct WorkQueue {
    std::deque<Descriptor> entries;
    bool enabled = false;
    uint32_t in_flight = 0;
    int32_t credit = 0;
    WqStatistics statistics;
  };
  struct Engine {
    bool busy = false;
    std::optional<uint32_t> hung_in;  // its WQ, with `hung`
    Descriptor hung{};
    std::chrono::microseconds delay{0};
    EngineStatistics statistics;
    Executor executor;
    std::condition_variable wake;
    std::thread thread;
  };
  struct PendingCommand {
    Command command;
    bool interrupt;
    uint32_t wqs;  // one bit for each
  };
  using Lock = std::unique_lock<std::mutex>;

  void clear_registers();
  [[nodiscard]] uint32_t word(uint32_t offset) const;
  void set_word(uint32_t offset, uint32_t value);
  [[nodiscard]] uint64_t long_word(uint32_t offset) const;
  void set_long_word(uint32_t offset, uint64_t value);
  [[nodiscard]] uint32_t read_word(uint32_t offset) const;
  void write_word(uint32_t offset, uint32_t value);
  void write_wq_word(uint32_t offset, uint32_t value);
  [[nodiscard]] uint32_t wq_word(uint32_t wq, uint32_t offset) const;
  [[nodiscard]] uint32_t wq_size(uint32_t wq) const { return wq_word(wq, kWqSize) & 0xffff; }
  [[nodiscard]] bool is_dedicated(uint32_t wq) const;
  [[nodiscard]] uint32_t wq_mask() const;

  [[nodiscard]] DeviceState state() const;
  void set_state(DeviceState state, ResetType type = ResetType::kSoftware);
  void raise(uint32_t cause);
  void begin_command(uint32_t value);
  std::optional<CommandError> start_command(Command command, uint32_t operand, bool interrupt);
  void progress_command();
  void finish_command(CommandError error, bool interrupt);
  [[nodiscard]] CommandError check_enable_device() const;
  [[nodiscard]] CommandError check_enable_wq(uint32_t wq) const;
  void discard(uint32_t wqs);
  void reset_wq(uint32_t wq, bool keep_size);
  void reset_device();

  void submit(uint32_t wq, const Descriptor& descriptor);
  void enqueue(uint32_t wq, const Descriptor& descriptor);
  [[nodiscard]] WqLimits limits_of(uint32_t wq) const;
  [[nodiscard]] std::optional<uint32_t> group_of_engine(uint32_t engine) const;
  [[nodiscard]] bool is_eligible(uint32_t wq) const;
  [[nodiscard]] uint32_t eligible_wqs(uint32_t engine) const;
  uint32_t pick(uint32_t wqs);
  bool run_one(Engine& engine, uint32_t index, Lock& lock);
  void execute(Engine& engine, uint32_t wq, const Descriptor& descriptor, bool lose, bool wrong_crc,
               Lock& lock);
  void account(uint32_t wq, const Descriptor& descriptor, const CompletionRecord& record);
  void run_engine(uint32_t index);
  [[nodiscard]] Engine* idle_engine(uint32_t& index);
  void dispatch(Lock& lock);
  void set_software_error(uint8_t code, std::optional<uint32_t> wq, const Descriptor* descriptor);
  bool take_fault(Fault fault);
  void release(uint32_t wqs, bool carry_out);

  const DeviceOptions options_;
  const GuestMemory& memory_;
  const Interrupt interrupt_;

  std::mutex mutex_;
  std::condition_variable space_;
  bool stopping_ = false;
  bool bus_master_ = false;
  alignas(8) std::array<uint8_t, kBar0Bytes> registers_{};
  std::array<WorkQueue, kMaxWqs> wqs_;
  std::array<Engine, kMaxEngines> engines_;
  std::optional<PendingCommand> pending_;
  std::array<uint32_t, 3> faults_{};
  uint64_t commands_ = 0;
  uint64_t interrupts_ = 0;

  // Descriptors under way, by slot; only the thread that brings them uses these.
  std::array<std::array<uint8_t, kDescriptorBytes>, kBar2Bytes / kDescriptorBytes> slots_{};
};

}  // namespace iaa_zswap::iax

#endif  // IAA_ZSWAP_IAX_DEVICE_H_
