#ifndef IAA_ZSWAP_COMMON_SERIAL_THREAD_H_
#define IAA_ZSWAP_COMMON_SERIAL_THREAD_H_

#include <pthread.h>

#include <condition_variable>
#include <csignal>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "common/result.h"

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
    // The thread inherits a mask that blocks every signal: a signal to the process must reach the
    // thread that handles it and not interrupt a write here.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread{};
    // pthread_create: std::thread can only throw when the kernel grants no thread (pids.max).
    const int error = pthread_create(&thread, nullptr, &SerialThread::enter, this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) return Failure{.error = error, .syscall = "pthread_create"};
    thread_ = thread;
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
