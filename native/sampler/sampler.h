#ifndef IAA_ZSWAP_SAMPLER_SAMPLER_H_
#define IAA_ZSWAP_SAMPLER_SAMPLER_H_

#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "common/result.h"
#include "sampler/counter_file.h"
#include "sampler/histogram.h"
#include "sampler/row_encoder.h"

namespace iaa_zswap::sampler {

/** How sampling went so far. Each tick since the start is a row, or dropped, or missed. */
struct Statistics {
  std::uint64_t rows = 0;
  /** Rows that were read and found no room: nobody had taken the earlier ones. */
  std::uint64_t dropped = 0;
  /** Ticks that passed while an earlier row was still being read, or the thread did not run. */
  std::uint64_t missed = 0;
  /** From each tick to the begin of its reading: the jitter. */
  Histogram late_ns;
  Histogram reading_ns;
};

/**
 * Reads counter files at a fixed rate on a thread of its own. Tick k is at the start + k intervals
 * of CLOCK_MONOTONIC, whatever happened before; a tick that has passed when its turn comes is left
 * out, not made up for. Rows are kept encoded until somebody takes them.
 */
class Sampler {
 public:
  /** `buffer_bytes` bounds the rows that wait to be taken. */
  Sampler(std::vector<CounterFile> files, std::uint64_t interval_ns, std::size_t buffer_bytes);
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;
  ~Sampler() { stop(); }

  /** Starts the thread; tick 0 is now. Called once. */
  [[nodiscard]] std::optional<common::Failure> start();

  /** Ends the thread, after the row that it is at. Calling it again does nothing. */
  void stop();

  /** CLOCK_MONOTONIC of tick 0, ns. */
  [[nodiscard]] std::uint64_t start_ns() const { return start_ns_; }

  /** The rows since the last call, encoded one after the other (RowEncoder). */
  std::vector<std::uint8_t> take();

  [[nodiscard]] Statistics statistics() const;

 private:
  static void* enter(void* self);
  void loop();
  /** False when the thread is to end. */
  bool wait_until(std::uint64_t ns);
  void read_all();
  void keep(const RowTime& time);

  // The thread's own while it runs.
  std::vector<CounterFile> files_;
  TextBuffer buffer_;
  std::vector<Cell> cells_;
  RowEncoder encoder_;

  std::uint64_t interval_ns_;
  std::size_t buffer_bytes_;
  std::uint64_t start_ns_ = 0;
  std::optional<pthread_t> thread_;

  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  // Under the mutex.
  bool stopping_ = false;
  std::vector<std::uint8_t> rows_;
  Statistics statistics_;
};

}  // namespace iaa_zswap::sampler

#endif  // IAA_ZSWAP_SAMPLER_SAMPLER_H_
