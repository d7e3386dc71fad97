#include "common/serial_thread.h"

#include <csignal>
#include <utility>

namespace iaa_zswap::common {

std::optional<Failure> SerialThread::start() {
  // The thread inherits a mask that blocks every signal: a signal to the process must reach the
  // thread that handles it and not interrupt a write here.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  // pthread_create, because std::thread can only throw when the kernel grants no thread (pids.max).
  const int error = pthread_create(
      &thread, nullptr,
      [](void* self) -> void* {
        static_cast<SerialThread*>(self)->loop();
        return nullptr;
      },
      this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return Failure{.error = error, .syscall = "pthread_create"};
  thread_ = thread;
  return std::nullopt;
}

void SerialThread::post(std::unique_ptr<Job> job) {
  {
    const std::scoped_lock lock(mutex_);
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void SerialThread::stop() {
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

void SerialThread::loop() {
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

}  // namespace iaa_zswap::common
