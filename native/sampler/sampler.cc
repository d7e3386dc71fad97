#include "sampler/sampler.h"

#include <sys/prctl.h>

#include <chrono>
#include <numeric>
#include <span>
#include <utility>

#include "common/thread.h"

namespace iaa_zswap::sampler {
namespace {

/** steady_clock is CLOCK_MONOTONIC (libstdc++ and libc++ on Linux), as process.hrtime. */
using Clock = std::chrono::steady_clock;

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(Clock::now().time_since_epoch()).count());
}

std::size_t columns_of(const std::vector<CounterFile>& files) {
  return std::accumulate(
      files.begin(), files.end(), std::size_t{0},
      [](std::size_t sum, const CounterFile& file) { return sum + file.keys().size(); });
}

}  // namespace

Sampler::Sampler(std::vector<CounterFile> files, std::uint64_t interval_ns,
                 std::size_t buffer_bytes)
    : files_(std::move(files)),
      cells_(columns_of(files_)),
      encoder_(cells_.size()),
      interval_ns_(interval_ns),
      buffer_bytes_(buffer_bytes) {}

std::optional<common::Failure> Sampler::start() {
  start_ns_ = now_ns();
  const common::Result<pthread_t> thread = common::start_thread(&Sampler::enter, this);
  if (!thread.ok()) return thread.failure();
  thread_ = thread.value();
  return std::nullopt;
}

void Sampler::stop() {
  if (!thread_) return;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_one();
  pthread_join(*thread_, nullptr);
  thread_.reset();
}

std::vector<std::uint8_t> Sampler::take() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(rows_, {});
}

Statistics Sampler::statistics() const {
  const std::scoped_lock lock(mutex_);
  return statistics_;
}

void* Sampler::enter(void* self) {
  // Else the kernel may wake us 50 us late, to save wake-ups.
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  static_cast<Sampler*>(self)->loop();
  return nullptr;
}

void Sampler::loop() {
  for (std::uint64_t tick = 0;;) {
    const std::uint64_t due = start_ns_ + tick * interval_ns_;
    if (!wait_until(due)) return;
    const std::uint64_t begin = now_ns();
    read_all();
    const std::uint64_t end = now_ns();
    keep({.tick = tick, .late_ns = begin - due, .reading_ns = end - begin});
    const std::uint64_t next = (end - start_ns_) / interval_ns_ + 1;
    if (next > tick + 1) {
      const std::scoped_lock lock(mutex_);
      statistics_.missed += next - tick - 1;
    }
    tick = next;
  }
}

// An absolute time of CLOCK_MONOTONIC down to the kernel (FUTEX_WAIT_BITSET), as clock_nanosleep
// has it with TIMER_ABSTIME, and stop() can end the wait.
bool Sampler::wait_until(std::uint64_t ns) {
  const Clock::time_point due(std::chrono::nanoseconds{ns});
  std::unique_lock lock(mutex_);
  return !stopped_.wait_until(lock, due, [this] { return stopping_; });
}

void Sampler::read_all() {
  std::span<Cell> rest(cells_);
  for (CounterFile& file : files_) {
    const std::size_t count = file.keys().size();
    file.read(buffer_, rest.first(count));
    rest = rest.subspan(count);
  }
}

void Sampler::keep(const RowTime& time) {
  const std::span<const std::uint8_t> row = encoder_.encode(time, cells_);
  const std::scoped_lock lock(mutex_);
  statistics_.late_ns.add(time.late_ns);
  statistics_.reading_ns.add(time.reading_ns);
  if (rows_.size() + row.size() > buffer_bytes_) {
    ++statistics_.dropped;
    return;
  }
  rows_.insert(rows_.end(), row.begin(), row.end());
  encoder_.commit(cells_);
  ++statistics_.rows;
}

}  // namespace iaa_zswap::sampler
