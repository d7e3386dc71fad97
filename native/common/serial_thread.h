#ifndef IAA_ZSWAP_COMMON_SERIAL_THREAD_H_
#define IAA_ZSWAP_COMMON_SERIAL_THREAD_H_

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "common/result.h"
#include "common/thread.h"

namespace iaa_zswap::common {

/** A thread that calls `run()` of one `Job` after the other, in the order they were posted. */
template <typename Job>
class SerialThread {
 public:
  /** `done` gets each job that has run, on the thread. */
  explicit SerialThread(std::function<void(std::unique_ptr<Job>)> done) : done_(std::move(done)) {}
  SerialThread(const SerialThread&) = delete;
  SerialThread& operator=(const SerialThread&) = delete;
  ~SerialThread() { stop(); }

  /** Starts the thread. Called once, before the first post. */
  [[nodiscard]] std::optional<Failure> start() {
    const Result<pthread_t> thread = start_thread(&SerialThread::enter, this);
    if (!thread.ok()) return thread.failure();
    thread_ = thread.value();
    return std::nullopt;
  }

  /** Queues a job. */
  void post(std::unique_ptr<Job> job) {
    {
      const std::scoped_lock lock(mutex_);
      queue_.push_back(std::move(job));
    }
    wake_.notify_one();
  }

  /**
   * Drops the jobs that have not begun, waits for the one that runs and joins the thread. Nothing
   * is posted afterwards. Calling it again does nothing.
   */
  void stop() {
    if (!thread_) return;
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      queue_.clear();
    }
    wake_.notify_one();
    pthread_join(*thread_, nullptr);
    thread_.reset();
  }

 private:
  static void* enter(void* self) {
    static_cast<SerialThread*>(self)->loop();
    return nullptr;
  }

  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      std::unique_ptr<Job> job = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      job->run();
      done_(std::move(job));
      lock.lock();
    }
  }

  std::function<void(std::unique_ptr<Job>)> done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queue_;
  bool stopping_ = false;
  std::optional<pthread_t> thread_;
};

}  // namespace iaa_zswap::common

#endif  // IAA_ZSWAP_COMMON_SERIAL_THREAD_H_
