#ifndef IAA_ZSWAP_COMMON_THREAD_H_
#define IAA_ZSWAP_COMMON_THREAD_H_

#include <pthread.h>

#include <csignal>

#include "common/result.h"

namespace iaa_zswap::common {

/**
 * Starts a thread at `enter(argument)`, to be joined by the caller. It inherits a mask that blocks
 * every signal: a signal to the process must reach the thread that handles it and not interrupt a
 * system call here.
 */
inline Result<pthread_t> start_thread(void* (*enter)(void*), void* argument) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  // pthread_create: std::thread can only throw when the kernel grants no thread (pids.max).
  const int error = pthread_create(&thread, nullptr, enter, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return Failure{.error = error, .syscall = "pthread_create"};
  return thread;
}

}  // namespace iaa_zswap::common

#endif  // IAA_ZSWAP_COMMON_THREAD_H_
