#include "model/iaa_crypto.h"

#include <algorithm>
#include <array>
#include <coroutine>

namespace iaa_zswap::model {
namespace {

// iaa_crypto.h; numbers of tries.
constexpr std::int64_t kCompletionTimeout = 1'000'000;
constexpr std::int64_t kCompressDescriptorTries = 1'000;
constexpr std::int64_t kDecompressDescriptorTries = 500;
// drivers/dma/idxd: IDXD_ENQCMDS_RETRIES.
constexpr std::int64_t kEnqcmdsTries = 32;

/** Tries for a descriptor that are made in one go where nobody knows when there will be one. */
constexpr std::int64_t kTriesAtOnce = 8;
/** Goes on when the devices have said when the batch completes, and it has. */
struct Known {
  Batch* batch;
  [[nodiscard]] bool await_ready() const { return batch->open == 0; }
  void await_suspend(std::coroutine_handle<> waiting) const { batch->waiter = waiting; }
  void await_resume() const { batch->waiter = nullptr; }
};

}  // namespace

IaaCrypto::IaaCrypto(Simulation* simulation, Scheduler* scheduler, Idxd* idxd,
                     const IaaConfig& config, const KernelFeatures& features,
                     const Constants& constants, Counters* counters)
    : simulation_(simulation),
      scheduler_(scheduler),
      idxd_(idxd),
      config_(config),
      features_(features),
      constants_(constants),
      counters_(counters),
      wq_counters_(config.wqs.size()),
      cursors_(scheduler->cpus()),
      bound_(config.wqs.size()) {
  use_mapping(0);
  for (const std::vector<std::uint32_t>& table : mapping_->tables) {
    for (const std::uint32_t wq : table) bound_[wq] = true;
  }
  enabled_ = std::ranges::find(bound_, true) != bound_.end();
}

void IaaCrypto::use_mapping(std::uint32_t number) {
  mapping_ = &config_.mappings[number];
  for (std::uint32_t cpu = 0; cpu < mapping_->cpus.size(); ++cpu) {
    cursors_[cpu] = {.compress = mapping_->cpus[cpu].compress_first,
                     .decompress = mapping_->cpus[cpu].decompress_first};
  }
}

void IaaCrypto::bind(std::uint32_t wq, bool bound, std::uint32_t mapping) {
  const bool was_empty = std::ranges::find(bound_, true) == bound_.end();
  bound_[wq] = bound;
  const bool is_empty = std::ranges::find(bound_, true) == bound_.end();
  // The first queue enables the driver, the last one disables it; those between change nothing,
  // not even after a time-out.
  if (was_empty && !is_empty) enabled_ = true;
  if (!was_empty && is_empty) disable();
  use_mapping(mapping);
}

void IaaCrypto::disable() {
  if (enabled_) ++counters_->driver_disabled;
  enabled_ = false;
}

std::uint32_t IaaCrypto::next_wq(std::uint32_t cpu, Operation operation) {
  if (mapping_->cpus.empty()) return kNoWq;
  // A kernel worker is on some CPU, but on none of the workload's.
  const CpuWqs& wqs = mapping_->cpus[cpu % mapping_->cpus.size()];
  const bool compress = operation == Operation::kCompress;
  const std::vector<std::uint32_t>& table =
      mapping_->tables[compress ? wqs.compress_table : wqs.decompress_table];
  if (table.empty()) return kNoWq;
  Cursors& cursors = cursors_[cpu];
  std::uint32_t& cursor =
      compress || !features_.separate_cursors ? cursors.compress : cursors.decompress;
  // One cursor may serve two tables.
  if (cursor >= table.size()) cursor = 0;
  const std::uint32_t wq = table[cursor];
  ++cursor;
  // iaa_wq_get() refuses a queue that is gone but still in a table.
  return bound_[wq] ? wq : kNoWq;
}

Co<int> IaaCrypto::wait_for_descriptor(Task* task, std::uint32_t wq, Operation operation) {
  const Time begin = simulation_->now();
  const Time retry = constants_.iaa_descriptor_retry;
  if (!features_.bounded_descriptors) {
    // IDXD_OP_BLOCK: sleeps until one is given back.
    for (;;) {
      const Time now = simulation_->now();
      const Time next = idxd_->next_free(wq);
      co_await scheduler_->sleep_until(task, next == kNever ? now + 1'000 * retry : next);
      if (idxd_->allocate(wq)) co_return 0;
      if (simulation_->now() - begin > kHungTask) co_await Scheduler::hang(task);
    }
  }
  const bool compress = operation == Operation::kCompress;
  const Time end =
      begin + retry * (compress ? kCompressDescriptorTries : kDecompressDescriptorTries);
  while (simulation_->now() < end) {
    const Time next = std::min(idxd_->next_free(wq), simulation_->now() + kTriesAtOnce * retry);
    co_await scheduler_->spin_until(task, std::min(next, end));
    if (idxd_->allocate(wq)) co_return 0;
  }
  ++(compress ? counters_->compress_descriptor_timeouts
              : counters_->decompress_descriptor_timeouts);
  co_return -EAGAIN;
}

Co<int> IaaCrypto::retry_submission(Task* task, std::uint32_t wq) {
  for (std::int64_t tries = 0; tries < kEnqcmdsTries; ++tries) {
    co_await scheduler_->run(task, constants_.iaa_enqcmds_retry, Mode::kSystem);
    if (idxd_->accepts(wq)) co_return 0;
  }
  idxd_->release(wq);
  co_return -EAGAIN;
}

Co<> IaaCrypto::wait(Task* task, Batch* batch) {
  const Time begin = simulation_->now();
  co_await Known{batch};
  task->system_time += simulation_->now() - begin;
  if (batch->done == kNever) co_return;
  if (uses_interrupts()) {
    co_await scheduler_->sleep_until(task, batch->done + constants_.iaa_interrupt);
  } else {
    co_await scheduler_->spin_until(task, batch->done);
  }
}

Co<int> IaaCrypto::time_out(Task* task, std::uint32_t wq, bool holds_descriptor) {
  // Nobody counts how long an interrupt takes.
  if (uses_interrupts()) co_await Scheduler::hang(task);
  co_await scheduler_->run(task, kCompletionTimeout * constants_.iaa_poll, Mode::kSystem);
  if (holds_descriptor) idxd_->release(wq);
  ++counters_->total_completion_timeout_errors;
  disable();
  co_return -ETIMEDOUT;
}

void IaaCrypto::count_call(std::uint32_t wq, Operation operation) {
  if (operation == Operation::kCompress) {
    ++counters_->total_comp_calls;
    ++wq_counters_[wq].comp_calls;
  } else {
    ++counters_->total_decomp_calls;
    ++wq_counters_[wq].decomp_calls;
  }
}

Co<int> IaaCrypto::execute(Task* task, std::uint32_t wq, Operation operation, bool counted,
                           Time after) {
  if (!idxd_->allocate(wq)) {
    const int error = co_await wait_for_descriptor(task, wq, operation);
    if (error != 0) co_return error;
  }
  if (!idxd_->accepts(wq)) {
    const int error = co_await retry_submission(task, wq);
    if (error != 0) co_return error;
  }
  Batch batch;
  const Time arrival = simulation_->now() + constants_.iaa_submit;
  idxd_->submit(wq, operation, arrival, Release::kAtCompletion, &batch);
  if (counted) count_call(wq, operation);
  if (batch.open == 0 && batch.done != kNever && !uses_interrupts()) [[likely]] {
    co_await scheduler_->spin_until(task, batch.done + scheduler_->vary(task, after));
  } else {
    co_await wait(task, &batch);
    co_await scheduler_->work(task, after, Mode::kSystem);
  }
  if (!idxd_->completes(wq, batch.done)) {
    co_return co_await time_out(task, wq, batch.done == kNever);
  }
  co_return 0;
}

int IaaCrypto::completed(std::uint32_t wq, std::uint32_t bytes) {
  if (bytes > kPageBytes) {
    ++counters_->total_completion_comp_buf_overflow_errors;
    return -E2BIG;
  }
  counters_->total_comp_bytes_out += bytes;
  wq_counters_[wq].comp_bytes += bytes;
  return 0;
}

int IaaCrypto::conclude(std::uint32_t wq, Operation operation, std::uint32_t bytes) {
  idxd_->release(wq);
  if (operation == Operation::kCompress) return completed(wq, bytes);
  count_decompressed(wq, bytes);
  return 0;
}

/** What a batch does about a page that failed, or that is to be verified. */
Co<int> IaaCrypto::follow_up(Task* task, std::uint32_t wq, Operation operation, bool submitted,
                             int error) {
  if (operation == Operation::kCompress) {
    if (!submitted) co_return -EINVAL;
    if (error != 0) co_return error;
    co_return co_await execute(task, wq, Operation::kDecompress, false, 0);
  }
  const bool by_software = error != 0 && error != -ENODEV && features_.decompresses_in_software;
  if (!by_software) co_return error;
  co_return co_await decompress_in_software(task);
}

Co<int> IaaCrypto::compress(Task* task, std::uint32_t bytes, Time after) {
  const std::uint32_t wq = enabled_ ? next_wq(task->cpu, Operation::kCompress) : kNoWq;
  if (wq == kNoWq) co_return -ENODEV;
  if (!config_.verify_compress) {
    const int error = co_await execute(task, wq, Operation::kCompress, true, after);
    co_return error == 0 ? completed(wq, bytes) : error;
  }
  int error = co_await execute(task, wq, Operation::kCompress, true, 0);
  if (error == 0) error = completed(wq, bytes);
  if (error == 0) error = co_await execute(task, wq, Operation::kDecompress, false, after);
  co_return error;
}

void IaaCrypto::submit_polled(std::uint32_t wq, Operation operation, Time* submitted,
                              Batch* batch) {
  *submitted += constants_.iaa_submit;
  idxd_->submit(wq, operation, *submitted, Release::kByCaller, batch);
  count_call(wq, operation);
}

Co<int> IaaCrypto::submit_slowly(Task* task, std::uint32_t wq, Operation operation,
                                 bool has_descriptor, Time* submitted, Batch* batch) {
  co_await scheduler_->spin_until(task, *submitted);
  if (!has_descriptor) {
    const int error = co_await wait_for_descriptor(task, wq, operation);
    *submitted = simulation_->now();
    if (error != 0) co_return error;
  }
  if (!idxd_->accepts(wq)) {
    const int error = co_await retry_submission(task, wq);
    *submitted = simulation_->now();
    if (error != 0) co_return error;
  }
  submit_polled(wq, operation, submitted, batch);
  co_return -EINPROGRESS;
}

Co<bool> IaaCrypto::run_batch(Task* task, Operation operation, std::span<const std::uint32_t> bytes,
                              std::span<int> errors) {
  std::array<std::uint32_t, kMaxBatch> wqs{};
  std::array<Batch, kMaxBatch> batches{};
  Time end = simulation_->now();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint32_t wq = enabled_ ? next_wq(task->cpu, operation) : kNoWq;
    wqs[i] = wq;
    errors[i] = -EINPROGRESS;
    if (wq == kNoWq) {
      errors[i] = -ENODEV;
      continue;
    }
    const bool has_descriptor = idxd_->allocate(wq);
    if (!has_descriptor || !idxd_->accepts(wq)) [[unlikely]] {
      errors[i] = co_await submit_slowly(task, wq, operation, has_descriptor, &end, &batches[i]);
    } else {
      submit_polled(wq, operation, &end, &batches[i]);
    }
  }
  // The caller looks at one completion after the other, round and round, until it has seen all.
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (batches[i].open > 0) co_await wait(task, &batches[i]);
    end = std::max(end, batches[i].done);
  }
  if (end != kNever) co_await scheduler_->spin_until(task, end);
  bool done = true;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    // A look at a completion that does not come counts no tries: it goes on for ever.
    const bool submitted = errors[i] == -EINPROGRESS;
    if (submitted && !idxd_->completes(wqs[i], batches[i].done)) {
      co_await Scheduler::hang(task);
    }
    if (submitted) errors[i] = conclude(wqs[i], operation, bytes[i]);
    if (errors[i] != 0 || config_.verify_compress) {
      errors[i] = co_await follow_up(task, wqs[i], operation, submitted, errors[i]);
    }
    done = done && errors[i] == 0;
  }
  co_return done;
}

Co<bool> IaaCrypto::compress_batch(Task* task, std::span<const std::uint32_t> bytes,
                                   std::span<int> errors) {
  return polls() ? run_batch(task, Operation::kCompress, bytes, errors)
                 : compress_each(task, bytes, errors);
}

Co<bool> IaaCrypto::compress_each(Task* task, std::span<const std::uint32_t> bytes,
                                  std::span<int> errors) {
  // Without interrupts each request is done when it returns, and only -EINPROGRESS is taken for
  // success. With them it is in progress, but the poll looks for a descriptor that is not noted.
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    errors[i] = co_await compress(task, bytes[i], 0);
    if (uses_interrupts() && errors[i] == 0) co_await Scheduler::hang(task);
    errors[i] = -EINVAL;
  }
  co_return false;
}

Co<int> IaaCrypto::decompress_in_software(Task* task) {
  ++counters_->total_sw_decomp_calls;
  co_await scheduler_->run(task,
                           constants_.zstd_compress * constants_.deflate_decompress_permille / 1000,
                           Mode::kSystem);
  co_return 0;
}

Co<int> IaaCrypto::decompress(Task* task, std::uint32_t bytes) {
  const std::uint32_t wq = enabled_ ? next_wq(task->cpu, Operation::kDecompress) : kNoWq;
  if (wq == kNoWq) co_return -ENODEV;
  int error = co_await execute(task, wq, Operation::kDecompress, true, 0);
  if (error != 0) {
    if (features_.decompresses_in_software) error = co_await decompress_in_software(task);
    co_return error;
  }
  count_decompressed(wq, bytes);
  co_return 0;
}

void IaaCrypto::count_decompressed(std::uint32_t wq, std::uint32_t bytes) {
  counters_->total_decomp_bytes_in += bytes;
  wq_counters_[wq].decomp_bytes += bytes;
}

Co<bool> IaaCrypto::decompress_batch(Task* task, std::span<const std::uint32_t> bytes,
                                     std::span<int> errors) {
  return polls() ? run_batch(task, Operation::kDecompress, bytes, errors)
                 : decompress_each(task, bytes, errors);
}

Co<bool> IaaCrypto::decompress_each(Task* task, std::span<const std::uint32_t> bytes,
                                    std::span<int> errors) {
  bool done = true;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    errors[i] = co_await decompress(task, bytes[i]);
    done = done && errors[i] == 0;
  }
  co_return done;
}

}  // namespace iaa_zswap::model
