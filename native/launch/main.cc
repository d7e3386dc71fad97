// Starts a program inside a cgroup and reports how it ended:
//
//     launch [--user USER[:GID]] [--directory DIR] CGROUP_DIR -- PROGRAM ARGS...
//
// The child is in the cgroup before it executes anything, so that every page it takes is charged
// there. With --user it gives all privileges up for good, and only then goes to DIR (as it is
// otherwise) and executes the program. Its stdin is /dev/null; stdout and stderr are the
// launcher's, which whoever started it has opened; no other descriptor reaches it, and no terminal.
// One line of JSON goes to descriptor 3:
//
//     {"exitCode":0,"elapsedNs":"..","userUs":"..","systemUs":"..","maxRssKiB":..}     or
//     "signal":"SIGKILL"
//     {"failure":{"errno":2,"code":"ENOENT","syscall":"execv"}}                        not started
//
// To know before anything happens whether all that is there and may be used:
//
//     launch --check [--user USER[:GID]] -- MODE:PATH...          MODE is one or more of r, w, x
//
// prints one line of JSON; each path that the user may not use so is told by its index:
//
//     {"user":{"name":"..","uid":..,"gid":..,"home":".."},"denied":[{"index":0,"code":"EACCES"}]}
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
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/error_name.h"
#include "common/result.h"
#include "common/unique_fd.h"
#include "launch/user.h"

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

/** What is to be started. */
struct Start {
  const char* cgroup = nullptr;
  /** Ends with a null pointer; the first is an absolute path. */
  char* const* program = nullptr;
  std::optional<User> user;
  /** To go to; none: the launcher's own. */
  const char* directory = nullptr;
};

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/** Runs in the child, up to the program. `join` is the cgroup to enter, when the fork itself could
 * not. */
[[noreturn]] void execute(const Start& start, char* const* environment, pid_t launcher,
                          const UniqueFd& failure_pipe, const UniqueFd* join) {
  restore_default_signals();
  if (join != nullptr) {
    const UniqueFd procs(openat(join->get(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
    if (!procs.is_open()) give_up(failure_pipe, "openat(cgroup.procs)");
    if (write(procs.get(), "0", 1) != 1) give_up(failure_pipe, "write(cgroup.procs)");
  }
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null.is_open()) give_up(failure_pipe, "open(/dev/null)");
  if (dup2(null.get(), STDIN_FILENO) < 0) give_up(failure_pipe, "dup2");
  // Without a terminal: its Ctrl-C is for the tool, and a user who is not the terminal's could put
  // words into its input (TIOCSTI).
  if (setsid() < 0) give_up(failure_pipe, "setsid");
  if (start.user) {
    if (const auto failure = become(*start.user)) {
      errno = failure->error;
      give_up(failure_pipe, failure->syscall);
    }
  }
  // After that: a change of user clears it.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) give_up(failure_pipe, "prctl");
  if (getppid() != launcher) _exit(kExitNotExecuted);  // it died before the prctl
  if (start.directory != nullptr && chdir(start.directory) < 0) give_up(failure_pipe, "chdir");
  // Closed by the exec and not here: the failure pipe has to live until then.
  if (close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0) {
    give_up(failure_pipe, "close_range");
  }
  execve(start.program[0], start.program, environment);
  give_up(failure_pipe, "execve");
}

/** Forks into the cgroup and executes the program there. */
Result<pid_t> start_program(const Start& start) {
  const UniqueFd cgroup(open(start.cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC));
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

  std::vector<std::string> words;
  if (start.user) words = environment_of(*start.user);
  std::vector<char*> pointers = pointers_to(words);
  char* const* const environment = start.user ? pointers.data() : environ;
  const pid_t launcher = getpid();
  clone_args clone{};
  clone.flags = CLONE_INTO_CGROUP;
  clone.exit_signal = SIGCHLD;
  clone.cgroup = static_cast<std::uint64_t>(cgroup.get());
  auto child = static_cast<pid_t>(syscall(SYS_clone3, &clone, sizeof clone));
  if (child == 0) execute(start, environment, launcher, failure_out, nullptr);
  if (child < 0) {
    // Seccomp filters that do not know clone3 say ENOSYS.
    if (errno != ENOSYS) return last_failure("clone3");
    child = fork();
    if (child == 0) execute(start, environment, launcher, failure_out, &cgroup);
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

bool report(int fd, std::string_view line) {
  while (!line.empty()) {
    const ssize_t count = write(fd, line.data(), line.size());
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

/** As a JSON string. */
std::string json(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    // What remains has no place in a name or a path.
    result += static_cast<unsigned char>(c) < ' ' ? '?' : c;
  }
  return result + '"';
}

/** access(2)'s mode of letters; -1 for none. */
int mode_of(std::string_view letters) {
  int mode = 0;
  for (const char letter : letters) {
    switch (letter) {
      case 'r':
        mode |= R_OK;
        break;
      case 'w':
        mode |= W_OK;
        break;
      case 'x':
        mode |= X_OK;
        break;
      default:
        return -1;
    }
  }
  return mode == 0 ? -1 : mode;
}

struct Wish {
  int mode = 0;
  const char* path = nullptr;
};

/** `rx:/path` of an absolute path. */
std::optional<Wish> parse_wish(const char* word) {
  const std::string_view text(word);
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const Wish wish{.mode = mode_of(text.substr(0, colon)), .path = word + colon + 1};
  if (wish.mode < 0 || wish.path[0] != '/') return std::nullopt;
  return wish;
}

/** Tells which of the wishes are not granted to the user. */
int check(const std::optional<User>& user, const std::vector<Wish>& wishes) {
  std::string line = "{";
  if (user) {
    if (const auto failure = become(*user)) {
      return report(STDOUT_FILENO, describe(*failure)) ? 0 : kExitNoReport;
    }
    line += R"("user":{"name":)" + json(user->name) + R"(,"uid":)" + std::to_string(user->uid) +
            R"(,"gid":)" + std::to_string(user->gid) + R"(,"home":)" + json(user->home) + "},";
  }
  line += R"("denied":[)";
  bool first = true;
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    if (faccessat(AT_FDCWD, wishes[i].path, wishes[i].mode, AT_EACCESS) == 0) continue;
    line += std::string(first ? "" : ",") + R"({"index":)" + std::to_string(i) + R"(,"code":")" +
            common::error_name(errno) + "\"}";
    first = false;
  }
  return report(STDOUT_FILENO, line + "]}\n") ? 0 : kExitNoReport;
}

int run_program(const Start& start) {
  const sigset_t awaited = awaited_signals();
  sigprocmask(SIG_BLOCK, &awaited, nullptr);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
    return report(kReportFd, describe(last_failure("prctl"))) ? 0 : kExitNoReport;
  }
  // Whoever started us and died before the prctl has closed its end of the report.
  pollfd reader{.fd = kReportFd, .events = 0, .revents = 0};
  if (poll(&reader, 1, 0) > 0 && (reader.revents & (POLLERR | POLLHUP)) != 0) return kExitNoReport;

  const std::int64_t started_ns = monotonic_ns();
  const Result<pid_t> child = start_program(start);
  const std::string line =
      child.ok() ? wait_for(child.value(), started_ns) : describe(child.failure());
  return report(kReportFd, line) ? 0 : kExitNoReport;
}

/** The words before `--` and those after it. */
struct Words {
  bool is_check = false;
  const char* user = nullptr;
  const char* directory = nullptr;
  const char* cgroup = nullptr;
  /** Ends with a null pointer. */
  char** rest = nullptr;
};

std::optional<Words> parse(char** argv) {
  Words words;
  char** at = argv + 1;
  for (; *at != nullptr && std::string_view(*at) != "--"; ++at) {
    const std::string_view word(*at);
    if (word == "--check") {
      words.is_check = true;
    } else if ((word == "--user" || word == "--directory") && at[1] != nullptr) {
      ++at;
      (word == "--user" ? words.user : words.directory) = *at;
    } else if (words.cgroup == nullptr && word.starts_with('/')) {
      words.cgroup = *at;
    } else {
      return std::nullopt;
    }
  }
  if (*at == nullptr) return std::nullopt;
  words.rest = at + 1;
  if (words.is_check) {
    if (words.cgroup != nullptr || words.directory != nullptr) return std::nullopt;
  } else if (words.cgroup == nullptr || *words.rest == nullptr || words.rest[0][0] != '/' ||
             (words.directory != nullptr && words.directory[0] != '/') ||
             fcntl(kReportFd, F_GETFL) < 0) {
    return std::nullopt;
  }
  return words;
}

int usage() {
  static_cast<void>(std::fputs(
      "usage: launch [--user USER[:GID]] [--directory DIR] CGROUP_DIR -- PROGRAM ARGS... "
      "3>REPORT,\n"
      "       launch --check [--user USER[:GID]] -- MODE:PATH..., or launch --hold\n"
      "All paths are absolute. This is a part of iaa-zswap, started by it.\n",
      stderr));
  return kExitUsage;
}

int run(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--hold") return hold();
  const std::optional<Words> words = argc == 0 ? std::nullopt : parse(argv);
  if (!words) return usage();
  set_disposition(SIGPIPE, SIG_IGN);  // a report nobody reads is an exit code
  set_disposition(SIGCHLD, SIG_DFL);  // inherited SIG_IGN would have the kernel reap the child

  std::optional<User> user;
  if (words->user != nullptr) {
    Result<User> found = find_user(words->user);
    if (!found.ok()) {
      const int fd = words->is_check ? STDOUT_FILENO : kReportFd;
      return report(fd, describe(found.failure())) ? 0 : kExitNoReport;
    }
    user = std::move(found.value());
  }
  if (!words->is_check) {
    return run_program({.cgroup = words->cgroup,
                        .program = words->rest,
                        .user = std::move(user),
                        .directory = words->directory});
  }
  std::vector<Wish> wishes;
  for (char** at = words->rest; *at != nullptr; ++at) {
    const std::optional<Wish> wish = parse_wish(*at);
    if (!wish) return usage();
    wishes.push_back(*wish);
  }
  return check(user, wishes);
}

}  // namespace
}  // namespace iaa_zswap::launch

int main(int argc, char** argv) { return iaa_zswap::launch::run(argc, argv); }
