// Starts a program inside a cgroup and reports how it ended:
//
//     launch CGROUP_DIR -- PROGRAM ARGS...
//
// The child is in the cgroup before it executes anything, so that every page it takes is charged
// there. Its stdin is /dev/null; stdout and stderr are the launcher's; no other descriptor reaches
// it. One line of JSON goes to descriptor 3:
//
//     {"exitCode":0,"elapsedNs":"..","userUs":"..","systemUs":"..","maxRssKiB":..}     or
//     "signal":"SIGKILL"
//     {"failure":{"errno":2,"code":"ENOENT","syscall":"execv"}}                        not started
//
// With --hold in place of all that, it leaves one idle process behind and ends: the process that
// keeps a systemd scope alive, which is removed when it is empty.
//
// Times are of wait4(2): the child's and of all children it waited for. SIGTERM, SIGINT and SIGHUP
// kill the child. Exit code: 0 with a report, 1 when the report could not be written, 2 for wrong
// usage.

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/error_name.h"
#include "common/result.h"
#include "common/unique_fd.h"

namespace iaa_zswap::launch {
namespace {

using common::Failure;
using common::last_failure;
using common::monotonic_ns;
using common::Result;
using common::UniqueFd;

constexpr int kReportFd = 3;
constexpr int kExitNoReport = 1;
constexpr int kExitUsage = 2;
// What a shell says for a program that could not be executed; only our own pipe tells the two
// apart.
constexpr int kExitNotExecuted = 127;
constexpr int kExitNobodyToTell = 126;

/** What the child could not do, as it travels through the pipe. */
struct ChildFailure {
  int error;
  std::array<char, 24> syscall;
};

std::int64_t microseconds(const timeval& time) {
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
}

/** The signals this program waits for; blocked from the start, so that none is missed. */
sigset_t awaited_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

/** Tells the launcher which call has just failed and ends the child. */
[[noreturn]] void give_up(const UniqueFd& failure_pipe, const char* syscall) {
  ChildFailure failure{.error = errno, .syscall = {}};
  std::string_view(syscall).copy(failure.syscall.data(), failure.syscall.size() - 1);
  // A struct below PIPE_BUF goes in whole, unless the launcher is gone.
  const bool told = write(failure_pipe.get(), &failure, sizeof failure) >= 0;
  _exit(told ? kExitNotExecuted : kExitNobodyToTell);
}

void set_disposition(int signal, __sighandler_t disposition) {
  struct sigaction action{};
  action.sa_handler = disposition;
  sigaction(signal, &action, nullptr);
}

void restore_default_signals() {
  // SIGKILL, SIGSTOP and glibc's own two refuse; they have no other disposition anyway.
  for (int signal = 1; signal < NSIG; ++signal) set_disposition(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

/** Runs in the child, up to the program. `join` is the cgroup to enter, when the fork itself could
 * not. */
[[noreturn]] void execute(char* const* program, pid_t launcher, const UniqueFd& failure_pipe,
                          const UniqueFd* join) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) give_up(failure_pipe, "prctl");
  if (getppid() != launcher) _exit(kExitNotExecuted);  // it died before the prctl
  restore_default_signals();
  if (join != nullptr) {
    const UniqueFd procs(openat(join->get(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
    if (!procs.is_open()) give_up(failure_pipe, "openat(cgroup.procs)");
    if (write(procs.get(), "0", 1) != 1) give_up(failure_pipe, "write(cgroup.procs)");
  }
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null.is_open()) give_up(failure_pipe, "open(/dev/null)");
  if (dup2(null.get(), STDIN_FILENO) < 0) give_up(failure_pipe, "dup2");
  // Closed by the exec and not here: the failure pipe has to live until then.
  if (close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0) {
    give_up(failure_pipe, "close_range");
  }
  execv(program[0], program);
  give_up(failure_pipe, "execv");
}

/** Forks into the cgroup and executes the program there. */
Result<pid_t> start(const char* cgroup_path, char* const* program) {
  const UniqueFd cgroup(open(cgroup_path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.is_open()) return last_failure("open(cgroup)");
  struct statfs file_system{};
  if (fstatfs(cgroup.get(), &file_system) < 0) return last_failure("fstatfs(cgroup)");
  if (file_system.f_type != CGROUP2_SUPER_MAGIC) {
    return Failure{.error = EINVAL, .syscall = "cgroup2-magic"};
  }

  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) return last_failure("pipe2");
  const UniqueFd failure_in(ends[0]);
  UniqueFd failure_out(ends[1]);

  const pid_t launcher = getpid();
  clone_args clone{};
  clone.flags = CLONE_INTO_CGROUP;
  clone.exit_signal = SIGCHLD;
  clone.cgroup = static_cast<std::uint64_t>(cgroup.get());
  auto child = static_cast<pid_t>(syscall(SYS_clone3, &clone, sizeof clone));
  if (child == 0) execute(program, launcher, failure_out, nullptr);
  if (child < 0) {
    // Seccomp filters that do not know clone3 say ENOSYS.
    if (errno != ENOSYS) return last_failure("clone3");
    child = fork();
    if (child == 0) execute(program, launcher, failure_out, &cgroup);
    if (child < 0) return last_failure("fork");
  }

  // The exec closes the last writing end: either it succeeded or the reason why not arrives.
  failure_out.close();
  ChildFailure failure{};
  ssize_t count = -1;
  while (count < 0) {
    count = read(failure_in.get(), &failure, sizeof failure);
    if (count < 0 && errno != EINTR) break;
  }
  if (count != static_cast<ssize_t>(sizeof failure)) return child;
  waitpid(child, nullptr, 0);
  static std::array<char, sizeof failure.syscall> name = failure.syscall;
  return Failure{.error = failure.error, .syscall = name.data()};
}

/** The report on a child that has ended. */
std::string describe(int status, std::int64_t elapsed_ns, const rusage& usage) {
  std::string line;
  if (WIFSIGNALED(status)) {
    const char* name = sigabbrev_np(WTERMSIG(status));
    line = R"({"signal":"SIG)" +
           (name != nullptr ? std::string(name) : std::to_string(WTERMSIG(status))) + '"';
  } else {
    line = R"({"exitCode":)" + std::to_string(WEXITSTATUS(status));
  }
  line += R"(,"elapsedNs":")" + std::to_string(elapsed_ns) + '"';
  line += R"(,"userUs":")" + std::to_string(microseconds(usage.ru_utime)) + '"';
  line += R"(,"systemUs":")" + std::to_string(microseconds(usage.ru_stime)) + '"';
  line += R"(,"maxRssKiB":)" + std::to_string(usage.ru_maxrss) + "}\n";
  return line;
}

std::string describe(const Failure& failure) {
  return R"({"failure":{"errno":)" + std::to_string(failure.error) + R"(,"code":")" +
         common::error_name(failure.error) + R"(","syscall":")" + failure.syscall + "\"}}\n";
}

/** Waits for the child; until it has ended, a signal to us kills it. */
std::string wait_for(pid_t child, std::int64_t started_ns) {
  const sigset_t awaited = awaited_signals();
  for (;;) {
    int status = 0;
    rusage usage{};
    if (wait4(child, &status, WNOHANG, &usage) == child) {
      return describe(status, monotonic_ns() - started_ns, usage);
    }
    // The child is not reaped yet, so its number is still its own.
    const int signal = sigwaitinfo(&awaited, nullptr);
    if (signal > 0 && signal != SIGCHLD) kill(child, SIGKILL);
  }
}

bool report(std::string_view line) {
  while (!line.empty()) {
    const ssize_t count = write(kReportFd, line.data(), line.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    line.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

/** Leaves an idle process behind that holds no descriptor of ours and no terminal. */
int hold() {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.is_open()) return kExitNoReport;
  const pid_t child = fork();
  if (child < 0) return kExitNoReport;
  if (child > 0) return 0;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (dup2(null.get(), fd) < 0) _exit(kExitNoReport);
  }
  if (setsid() < 0 || close_range(STDERR_FILENO + 1, UINT_MAX, 0) < 0) _exit(kExitNoReport);
  for (;;) pause();
}

int run(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--hold") return hold();
  if (argc < 4 || std::string_view(argv[2]) != "--" || argv[1][0] != '/' || argv[3][0] != '/' ||
      fcntl(kReportFd, F_GETFL) < 0) {
    static_cast<void>(std::fputs(
        "usage: launch CGROUP_DIR -- PROGRAM ARGS... 3>REPORT, or launch --hold\n"
        "CGROUP_DIR and PROGRAM are absolute paths. This is a part of iaa-zswap, started by it.\n",
        stderr));
    return kExitUsage;
  }
  set_disposition(SIGPIPE, SIG_IGN);  // a report nobody reads is an exit code
  set_disposition(SIGCHLD, SIG_DFL);  // inherited SIG_IGN would have the kernel reap the child
  const sigset_t awaited = awaited_signals();
  sigprocmask(SIG_BLOCK, &awaited, nullptr);

  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
    return report(describe(last_failure("prctl"))) ? 0 : kExitNoReport;
  }
  // Whoever started us and died before the prctl has closed its end of the report.
  pollfd reader{.fd = kReportFd, .events = 0, .revents = 0};
  if (poll(&reader, 1, 0) > 0 && (reader.revents & (POLLERR | POLLHUP)) != 0) return kExitNoReport;

  const std::int64_t started_ns = monotonic_ns();
  const Result<pid_t> child = start(argv[1], argv + 3);
  const std::string line =
      child.ok() ? wait_for(child.value(), started_ns) : describe(child.failure());
  return report(line) ? 0 : kExitNoReport;
}

}  // namespace
}  // namespace iaa_zswap::launch

int main(int argc, char** argv) { return iaa_zswap::launch::run(argc, argv); }
