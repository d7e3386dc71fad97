#ifndef IAA_ZSWAP_COMMON_SERIAL_THREAD_H_
#define IAA_ZSWAP_COMMON_SERIAL_THREAD_H_

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "common/result.h"

namespace iaa_zswap::common {

/** One piece of work for a SerialThread. */
class Job {
 public:
  Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  virtual ~Job() = default;
  /** Called once, on the thread. */
  virtual void run() = 0;
};

/** A thread that runs jobs one at a time in the order they were posted. */
class SerialThread {
 public:
  using Done = std::function<void(std::unique_ptr<Job>)>;

  /** `done` gets each job that has run, on the thread. */
  explicit SerialThread(Done done) : done_(std::move(done)) {}
  SerialThread(const SerialThread&) = delete;
  SerialThread& operator=(const SerialThread&) = delete;
  ~SerialThread() { stop(); }

  /** Starts the thread. Called once, before the first post. */
  [[nodiscard]] std::optional<Failure> start();

  /** Queues a job. */
  void post(std::unique_ptr<Job> job);

  /**
   * Drops the jobs that have not begun, waits for the one that runs and joins the thread. Nothing
   * is posted afterwards. Calling it again does nothing.
   */
  void stop();

 private:
  void loop();

  Done done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queue_;
  bool stopping_ = false;
  std::optional<pthread_t> thread_;
};

}  // namespace iaa_zswap::common

#endif  // IAA_ZSWAP_COMMON_SERIAL_THREAD_H_
