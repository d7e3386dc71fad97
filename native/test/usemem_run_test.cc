// clang-format off: one line for scripts/native-test.sh
// Sources: native/usemem/run.cc native/usemem/passes.cc native/usemem/report.cc native/usemem/content.cc native/crew/crew.cc
// clang-format on
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <variant>

#include "common/clock.h"
#include "crew/crew.h"
#include "test/check.h"
#include "test/child.h"
#include "usemem/run.h"

namespace iaa_zswap::usemem {
namespace {

using common::kMaxBytes;
using common::monotonic_ns;
using crew::kExitDone;
using crew::kExitFailed;
using test::check;
using test::check_equal;
using test::Outcome;

constexpr std::uint64_t kPage = 4096;

// Exit codes of outcome()'s process, beside those of usemem.
constexpr int kSpoilingFailed = 98;
constexpr int kChildrenLeft = 99;

/** Calls run() in a process of its own, after `before`, which may spoil that process. */
Outcome outcome(const Options& options, const std::function<void()>& before = [] {}) {
  return test::in_child([&] {
    before();
    const auto content = Content::prepare(options.content);
    const int exit_code = run(options, *std::get_if<Content>(&content), monotonic_ns());
    // Whatever the result, nobody is left behind.
    return waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD ? exit_code : kChildrenLeft;
  });
}

/** From here on the kernel answers one system call of this process and its children so. */
void answer(std::uint32_t system_call, std::uint32_t action) {
  std::array<sock_filter, 4> program = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
    _exit(kSpoilingFailed);
  }
}

constexpr std::uint32_t error_answer(int error) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

/** The text with N for every number: what does not depend on time, CPU or process id. */
std::string shape(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit) {
      result += c;
    } else if (!result.ends_with('N')) {
      result += 'N';
    }
  }
  return result;
}

std::ptrdiff_t count(const std::string& text, const std::string& part) {
  std::ptrdiff_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

void test_lines() {
  const Outcome three =
      outcome({.processes = 3, .size_bytes = 1048576, .unit_bytes = 1048576, .init_time = true});
  check_equal(three.exit_code, kExitDone);
  check_equal(three.err, "");
  check(shape(three.out).starts_with("the initialization time is N secs N usecs\n"));
  check_equal(count(three.out, "\n1179648 bytes / "), 3);
  check_equal(count(shape(three.out), "\nN bytes / N usecs = N KB/s\n"), 3);
  check_equal(count(shape(three.out), "\nN usecs to free memory\n"), 3);
  check_equal(count(three.out, "\n"), 7);

  const Outcome six = outcome({.processes = 2,
                               .threads = 3,
                               .size_bytes = 100000,
                               .unit_bytes = 40000,
                               .step_bytes = 4096});
  check_equal(six.exit_code, kExitDone);
  // 40000/8 and 10 words, twice; 20000/8 and 5 words.
  check_equal(count("\n" + six.out, "\n12700 bytes / "), 6);
  check_equal(count(six.out, "\n"), 12);
  check_equal(six.err, "");
}

void test_passes() {
  const Outcome twice = outcome({.processes = 2,
                                 .size_bytes = 100000,
                                 .unit_bytes = 40000,
                                 .step_bytes = 4096,
                                 .repeat = 2,
                                 .read_again = true});
  check_equal(twice.exit_code, kExitDone);
  check_equal(twice.err, "");
  // The allocation once, 25 words twice; read again nothing is allocated.
  check_equal(count("\n" + twice.out, "\n12900 bytes / "), 2);
  check_equal(count("\n" + twice.out, "\nread again 400 bytes / "), 2);
  check_equal(count(shape(twice.out), "read again N bytes / N usecs = N KB/s\n"), 2);
  check_equal(count(twice.out, "\n"), 6);

  const Outcome together = outcome({.processes = 2,
                                    .threads = 2,
                                    .size_bytes = kPage,
                                    .unit_bytes = kPage,
                                    .sync_rw = true,
                                    .sync_free = true});
  check_equal(together.exit_code, kExitDone);
  // Every throughput line before every line of the freeing: nobody frees before all are through.
  check_equal(shape(together.out), repeated("N bytes / N usecs = N KB/s\n", 4) +
                                       repeated("N usecs to free memory\n", 4));
}

/** With -y the mapping comes before the start, without it after. */
void test_sync_rw() {
  const auto no_start = [](bool sync_rw) {
    return outcome({.size_bytes = kMaxBytes, .unit_bytes = kMaxBytes, .sync_rw = sync_rw},
                   [] { answer(SYS_futex, error_answer(EPERM)); });
  };
  const Outcome before = no_start(true);
  check_equal(before.exit_code, kExitFailed);
  check_equal(count(before.err, "mmap of 72057594037927936 bytes: ENOMEM"), 1);
  const Outcome after = no_start(false);
  check_equal(after.exit_code, kExitFailed);
  check_equal(count(after.err, "mmap of"), 0);
  check(after.err.find("futex: EPERM") != std::string::npos);
}

void test_bind_failure() {
  const Outcome outside =
      outcome({.processes = 4, .bind_interval = 1, .size_bytes = kPage, .unit_bytes = kPage},
              [] { answer(SYS_sched_setaffinity, error_answer(EINVAL)); });
  check_equal(outside.exit_code, kExitFailed);
  check_equal(outside.out, "");
  check_equal(
      shape(outside.err),
      "usemem: process N cannot be bound to CPU N: EINVAL from sched_setaffinity; the CPU is "
      "offline or outside the cpuset: use another -b or -n, or widen cpuset.cpus\n");

  const Outcome forbidden = outcome(
      {.processes = 2, .threads = 2, .bind_interval = 1, .size_bytes = kPage, .unit_bytes = kPage},
      [] { answer(SYS_sched_setaffinity, error_answer(EPERM)); });
  check_equal(forbidden.exit_code, kExitFailed);
  check_equal(forbidden.out, "");
  check_equal(
      shape(forbidden.err),
      "usemem: process N, thread N cannot be bound to CPU N: EPERM from sched_setaffinity; run "
      "without -b\n");

  const Outcome too_far =
      outcome({.bind_interval = 4000, .size_bytes = kPage, .unit_bytes = kPage});
  check_equal(too_far.exit_code, kExitFailed);
  check_equal(shape(too_far.err),
              "usemem: -b N is no interval for N online CPUs; use a smaller one\n");
}

void test_failures_before_start() {
  const Outcome killed =
      outcome({.processes = 3, .bind_interval = 1, .size_bytes = kPage, .unit_bytes = kPage},
              [] { answer(SYS_sched_setaffinity, SECCOMP_RET_KILL_PROCESS); });
  check_equal(killed.exit_code, kExitFailed);
  check_equal(killed.out, "");
  check_equal(shape(killed.err),
              "usemem: process N (pid N) ended by SIGSYS; see dmesg, and who could have sent it\n");

  const Outcome no_fork = outcome({.processes = 3, .size_bytes = kPage, .unit_bytes = kPage},
                                  [] { answer(SYS_clone, error_answer(EAGAIN)); });
  check_equal(no_fork.exit_code, kExitFailed);
  check_equal(
      no_fork.err,
      "usemem: fork of process 0: EAGAIN; use fewer processes, or raise pids.max and ulimit "
      "-u\n");

  const Outcome no_thread = outcome({.threads = 2, .size_bytes = kPage, .unit_bytes = kPage},
                                    [] { answer(SYS_clone3, error_answer(EAGAIN)); });
  check_equal(no_thread.exit_code, kExitFailed);
  check_equal(no_thread.err,
              "usemem: process 0, thread 0: pthread_create: EAGAIN; use fewer threads, or raise "
              "pids.max, kernel.threads-max and ulimit -u\n");
  check_equal(no_thread.out, "");
}

void test_failures_after_start() {
  const Outcome no_memory = outcome({.size_bytes = kMaxBytes, .unit_bytes = kMaxBytes});
  check_equal(no_memory.exit_code, kExitFailed);
  check_equal(no_memory.out, "");
  check_equal(
      no_memory.err,
      "usemem: process 0: mmap of 72057594037927936 bytes: ENOMEM; use a smaller size, or let "
      "the kernel promise more memory than there is (vm.overcommit_memory=1)\n");

  const Outcome full = outcome({.size_bytes = kPage, .unit_bytes = kPage}, [] {
    const int device = open("/dev/full", O_WRONLY);
    if (device < 0 || dup2(device, STDOUT_FILENO) < 0) _exit(kSpoilingFailed);
  });
  check_equal(full.exit_code, kExitFailed);
  check_equal(full.err,
              "usemem: process 0: writing to stdout: ENOSPC; send it where there is room\n");
}

/** What usemem may have inherited from whoever executed it. */
void test_inheritance() {
  const Options options{.processes = 2, .size_bytes = kPage, .unit_bytes = kPage};
  const Outcome ignoring = outcome(options, [] { std::ignore = signal(SIGCHLD, SIG_IGN); });
  check_equal(ignoring.exit_code, kExitDone);
  check_equal(count(ignoring.out, " KB/s\n"), 2);

  const Outcome adopting = outcome(options, [] {
    const pid_t pid = fork();
    if (pid == 0) _exit(7);  // a child that is not usemem's: its status is no concern
    siginfo_t ended{};
    waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT);
  });
  check_equal(adopting.exit_code, kExitDone);
  check_equal(adopting.err, "");
  check_equal(count(adopting.out, " KB/s\n"), 2);
}

}  // namespace
}  // namespace iaa_zswap::usemem

int main() {
  iaa_zswap::usemem::test_lines();
  iaa_zswap::usemem::test_passes();
  iaa_zswap::usemem::test_sync_rw();
  iaa_zswap::usemem::test_bind_failure();
  iaa_zswap::usemem::test_failures_before_start();
  iaa_zswap::usemem::test_failures_after_start();
  iaa_zswap::usemem::test_inheritance();
}
