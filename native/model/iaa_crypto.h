#ifndef IAA_ZSWAP_MODEL_IAA_CRYPTO_H_
#define IAA_ZSWAP_MODEL_IAA_CRYPTO_H_

#include <cerrno>
#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"
#include "model/coroutine.h"
#include "model/counters.h"
#include "model/idxd.h"
#include "model/scheduler.h"

namespace iaa_zswap::model {

/** IAA_CRYPTO_MAX_BATCH_SIZE, and zswap's ZSWAP_MAX_BATCH_SIZE. */
inline constexpr std::uint32_t kMaxBatch = 8;

/**
 * The driver drivers/crypto/intel/iaa/iaa_crypto_main.c: which queue a CPU uses next, descriptors
 * and their limits, submission and completion in the three sync modes, verification, time-outs that
 * disable it, and decompression in software. Errors are the kernel's, negative; 0 is success.
 */
class IaaCrypto {
 public:
  IaaCrypto(Simulation* simulation, Scheduler* scheduler, Idxd* idxd, const IaaConfig& config,
            const KernelFeatures& features, const Constants& constants, Counters* counters);

  [[nodiscard]] FramePool& frame_pool() const { return simulation_->frame_pool(); }

  /** iaa_crypto_enabled. */
  [[nodiscard]] bool is_enabled() const { return enabled_; }
  /** crypto_acomp_batch_size(). */
  [[nodiscard]] std::uint32_t batch_size() const { return features_.batched_store ? kMaxBatch : 1; }
  [[nodiscard]] std::span<const WqCounters> wq_counters() const { return wq_counters_; }

  /**
   * crypto_acomp_compress() of a page that takes `bytes` when compressed, one that does not fit
   * when more than a page; `after` is work of the caller's that follows at once.
   */
  Co<int> compress(Task* task, std::uint32_t bytes, Time after);
  /** crypto_acomp_batch_compress(); all errors are 0 when it gives true. */
  Co<bool> compress_batch(Task* task, std::span<const std::uint32_t> bytes, std::span<int> errors);
  /** crypto_acomp_decompress() of `bytes`. */
  Co<int> decompress(Task* task, std::uint32_t bytes);
  /** crypto_acomp_batch_decompress(); likewise. */
  Co<bool> decompress_batch(Task* task, std::span<const std::uint32_t> bytes,
                            std::span<int> errors);

  // From outside.
  void bind(std::uint32_t wq, bool bound, std::uint32_t mapping);
  void lose_device(std::uint32_t device) { idxd_->lose(device); }

 private:
  static constexpr std::uint32_t kNoWq = UINT32_MAX;

  struct Cursors {
    std::uint32_t compress = 0;
    std::uint32_t decompress = 0;
  };

  /** The CPU's next queue (wq_table_next_wq() and its successors); kNoWq when it has none. */
  std::uint32_t next_wq(std::uint32_t cpu, Operation operation);
  void use_mapping(std::uint32_t number);
  void disable();

  Co<int> wait_for_descriptor(Task* task, std::uint32_t wq, Operation operation);
  Co<int> retry_submission(Task* task, std::uint32_t wq);
  Co<> wait(Task* task, Batch* batch);
  Co<int> time_out(Task* task, std::uint32_t wq, bool holds_descriptor);
  Co<int> execute(Task* task, std::uint32_t wq, Operation operation, bool counted, Time after);
  Co<int> submit_slowly(Task* task, std::uint32_t wq, Operation operation, bool has_descriptor,
                        Time* submitted, Batch* batch);
  Co<bool> run_batch(Task* task, Operation operation, std::span<const std::uint32_t> bytes,
                     std::span<int> errors);
  Co<bool> compress_each(Task* task, std::span<const std::uint32_t> bytes, std::span<int> errors);
  Co<bool> decompress_each(Task* task, std::span<const std::uint32_t> bytes, std::span<int> errors);
  Co<int> decompress_in_software(Task* task);

  void submit_polled(std::uint32_t wq, Operation operation, Time* submitted, Batch* batch);
  void count_call(std::uint32_t wq, Operation operation);
  void count_decompressed(std::uint32_t wq, std::uint32_t bytes);
  int completed(std::uint32_t wq, std::uint32_t bytes);
  int conclude(std::uint32_t wq, Operation operation, std::uint32_t bytes);
  Co<int> follow_up(Task* task, std::uint32_t wq, Operation operation, bool submitted, int error);
  [[nodiscard]] bool polls() const {
    return config_.sync_mode == SyncMode::kAsync && features_.polls_async;
  }
  [[nodiscard]] bool uses_interrupts() const { return config_.sync_mode == SyncMode::kAsyncIrq; }

  Simulation* simulation_;
  Scheduler* scheduler_;
  Idxd* idxd_;
  IaaConfig config_;
  KernelFeatures features_;
  Constants constants_;
  Counters* counters_;
  std::vector<WqCounters> wq_counters_;
  const Mapping* mapping_ = nullptr;
  std::vector<Cursors> cursors_;
  std::vector<bool> bound_;
  bool enabled_ = false;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_IAA_CRYPTO_H_
