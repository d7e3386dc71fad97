#include "guest/session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"
#include "guest/wire.h"

namespace iaa_zswap::guest {
namespace {

using common::last_failure;
using common::Result;
using common::UniqueFd;
using Clock = std::chrono::steady_clock;

/** How long a program whose client went away gets between SIGHUP and SIGKILL: it may have to
 * restore. */
constexpr std::chrono::seconds kHangupGrace{30};

constexpr std::string_view kHello = "hello ";

constexpr int kForever = -1;

/**
 * How long the machine's side has to be closed for its client to be gone, ms. When one client
 * follows another at once, the kernel may tell of the first one's end only after it has given us
 * the second one's words: data and the state of the port come by different queues.
 */
constexpr int kFlickerMs = 500;

/** How long after the boot the holder of the lease may not be seen yet, ms. */
constexpr int kLeaseLimitMs = 5000;

/** The most that a pipe can hold (fs.pipe-max-size, unless an administrator has raised it), bytes.
 */
constexpr std::size_t kMaxPipeBytes = std::size_t{1} << 20;

/** A program that was started for a request; it leads a process group of its own. */
struct Program {
  pid_t pid;
  UniqueFd exited;  // pidfd: readable when it has ended
  UniqueFd out;
  UniqueFd err;
};

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

/** The environment that every program gets; a request's own entries come after it and win. */
std::vector<std::string> environment(const std::vector<std::string>& requested) {
  std::vector<std::string> result;
  const auto put = [&result](const std::string& entry) {
    const std::string_view name = std::string_view(entry).substr(0, entry.find('=') + 1);
    std::erase_if(result, [name](const std::string& have) { return have.starts_with(name); });
    result.push_back(entry);
  };
  put("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  put("HOME=/root");
  put("LC_ALL=C");
  put("IAA_ZSWAP_GUEST=1");
  for (const std::string& entry : requested) put(entry);
  return result;
}

/** Exit codes of a program that could not be executed are env(1)'s: 125 our own failure, 126 found,
 * 127 not. */
[[noreturn]] void fail_child(int code, const std::string& what, int error) {
  const std::string message = what + ": " + std::strerror(error) + "\n";
  // Nothing is left to be done when stderr is gone too.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, message.data(), message.size());
  ::_exit(code);
}

[[noreturn]] void execute(RunRequest& request, int out, int err) {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0) fail_child(125, "/dev/null", errno);
  ::dup2(err, STDERR_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(null, STDIN_FILENO);
  if (::close_range(STDERR_FILENO + 1, ~0U, 0) != 0) fail_child(125, "close_range", errno);
  // The agent itself must survive a guest that is short of memory; what it runs must not.
  const UniqueFd score(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (::write(score.get(), "0", 1) != 1) fail_child(125, "/proc/self/oom_score_adj", errno);
  if (::chdir(request.cwd.c_str()) != 0) fail_child(125, "chdir " + request.cwd, errno);
  std::vector<std::string> env = environment(request.env);
  // execvpe looks the program up in the caller's PATH, which has to be the program's own.
  for (const std::string& entry : env) {
    if (entry.starts_with("PATH=")) ::setenv("PATH", entry.c_str() + 5, 1);
  }
  const std::vector<char*> argv = pointers(request.argv);
  const std::vector<char*> envp = pointers(env);
  ::execvpe(argv[0], argv.data(), envp.data());
  const int error = errno;
  fail_child(error == ENOENT ? 127 : 126, request.argv[0], error);
}

struct Pipe {
  UniqueFd reader;  // non-blocking
  UniqueFd writer;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return last_failure("pipe2");
  Pipe pipe{.reader = UniqueFd(ends[0]), .writer = UniqueFd(ends[1])};
  if (::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK) != 0) return last_failure("fcntl");
  return pipe;
}

Result<Program> start(RunRequest& request) {
  auto out = make_pipe();
  if (!out.ok()) return out.failure();
  auto err = make_pipe();
  if (!err.ok()) return err.failure();
  const pid_t pid = ::fork();
  if (pid < 0) return last_failure("fork");
  // Both sides set the group: neither may go on before it is there.
  ::setpgid(pid, pid);
  if (pid == 0) execute(request, out.value().writer.get(), err.value().writer.get());
  // glibc has pidfd_open only since 2.36.
  UniqueFd exited(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  if (!exited.is_open()) {
    const auto failure = last_failure("pidfd_open");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return failure;
  }
  return Program{.pid = pid,
                 .exited = std::move(exited),
                 .out = std::move(out.value().reader),
                 .err = std::move(err.value().reader)};
}

/** `exit CODE` or `signal NUMBER`, once the program has ended. */
std::string reap(const Program& program) {
  int status = 0;
  while (::waitpid(program.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit " + std::to_string(WEXITSTATUS(status));
}

class Channel {
 public:
  Channel(int port, Lease lease) : port_(port), lease_(lease) {}

  [[noreturn]] void serve() {
    const bool leased = lease_ == Lease::kConnected;
    connected_ = wait_connected(leased ? kLeaseLimitMs : kForever);
    for (;;) {
      while (const auto line = next_line()) handle(*line);
      if (leased) power_off();
      connected_ = wait_connected(kForever);
    }
  }

 private:
  /**
   * Waits until the machine has its side open; false when it has not after `limit_ms`. A port whose
   * other side is closed is always readable, so only an edge tells of a change.
   */
  [[nodiscard]] bool wait_connected(int limit_ms) const {
    const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.fd = port_}};
    ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, port_, &event);
    for (;;) {
      pollfd port{.fd = port_, .events = POLLIN, .revents = 0};
      ::poll(&port, 1, 0);
      if ((port.revents & POLLHUP) == 0) return true;
      if (::epoll_wait(epoll.get(), &event, 1, limit_ms) == 0) return false;
    }
  }

  /** Takes in what the machine has sent; notes that it has closed its side. */
  void fill() {
    std::array<char, 4096> buffer{};
    for (;;) {
      const ssize_t got = ::read(port_, buffer.data(), buffer.size());
      if (got > 0) {
        input_.append(buffer.data(), static_cast<std::size_t>(got));
        if (input_.size() > kMaxLineBytes) input_.clear();
        continue;
      }
      if (got < 0 && errno == EINTR) continue;
      if (got == 0 || errno != EAGAIN) connected_ = wait_connected(kFlickerMs);
      return;
    }
  }

  std::optional<std::string> take_line() {
    const std::size_t end = input_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    return line;
  }

  /** Blocks for the next line; nullopt when the client has gone. */
  std::optional<std::string> next_line() {
    for (;;) {
      if (auto line = take_line()) return line;
      if (!connected_) return std::nullopt;
      pollfd port{.fd = port_, .events = POLLIN, .revents = 0};
      ::poll(&port, 1, -1);
      fill();
    }
  }

  /** Sends all bytes, waiting while the machine is slow; drops them when the client has gone. */
  void send_bytes(std::string_view bytes) {
    while (!bytes.empty() && connected_) {
      const ssize_t put = ::write(port_, bytes.data(), bytes.size());
      if (put > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(put));
        continue;
      }
      if (put < 0 && errno == EINTR) continue;
      pollfd port{.fd = port_, .events = POLLOUT, .revents = 0};
      ::poll(&port, 1, -1);
      if ((port.revents & POLLHUP) != 0) connected_ = wait_connected(kFlickerMs);
    }
  }

  void send(FrameType type, std::string_view payload) {
    const auto header = frame_header(type, static_cast<std::uint32_t>(payload.size()));
    std::string frame(header.data(), header.size());
    frame += payload;
    send_bytes(frame);
  }

  void handle(const std::string& line) {
    // An empty line ends what a client before may have left.
    if (line.empty()) return;
    auto words = decode_line(line);
    if (!words) {
      send(FrameType::kRefused, "malformed line");
      return;
    }
    const std::string& verb = words->front();
    if (verb == "hello" && words->size() == 2) {
      send(FrameType::kHello, words->back());
    } else if (verb == "run") {
      handle_run(*words);
    } else if (verb == "poweroff") {
      power_off();
    } else if (verb != "signal") {  // whose program may have ended before it came
      send(FrameType::kRefused, "unknown request");
    }
  }

  void handle_run(const std::vector<std::string>& words) {
    auto request = decode_run(words);
    if (!request) {
      send(FrameType::kRefused, "malformed run request");
      return;
    }
    auto program = start(*request);
    if (!program.ok()) {
      const auto& [error, syscall, written] = program.failure();
      send(FrameType::kRefused, std::string(syscall) + ": " + std::strerror(error));
      return;
    }
    attend(program.value());
    send(FrameType::kEnd, reap(program.value()));
  }

  /** Sends at most one frame of what the pipe holds; false when it held less than that. Closes it
   * at its end. */
  bool forward(UniqueFd& pipe, FrameType type) {
    std::string buffer(kMaxPayloadBytes, '\0');
    ssize_t got = ::read(pipe.get(), buffer.data(), buffer.size());
    while (got < 0 && errno == EINTR) got = ::read(pipe.get(), buffer.data(), buffer.size());
    if (got > 0) {
      send(type, std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
      return static_cast<std::size_t>(got) == buffer.size();
    }
    if (got == 0 || errno != EAGAIN) pipe = UniqueFd();
    return false;
  }

  /** Sends what an ended program left in the pipe; whatever it started may hold the pipe open and
   * go on writing. */
  void drain(UniqueFd& pipe, FrameType type) {
    for (std::size_t sent = 0; sent < kMaxPipeBytes && forward(pipe, type);
         sent += kMaxPayloadBytes) {
    }
  }

  /** Passes on what a program writes and what the client says, until the program has ended. */
  void attend(Program& program) {
    std::optional<Clock::time_point> kill_at;
    for (;;) {
      const bool abandoned = !connected_ || next_client_waits();
      if (abandoned && !kill_at) {
        ::kill(-program.pid, SIGHUP);
        kill_at = Clock::now() + kHangupGrace;
      }
      if (kill_at && Clock::now() >= *kill_at) ::kill(-program.pid, SIGKILL);
      std::array<pollfd, 4> polled{{
          {.fd = program.exited.get(), .events = POLLIN, .revents = 0},
          {.fd = program.out.get(), .events = POLLIN, .revents = 0},
          {.fd = program.err.get(), .events = POLLIN, .revents = 0},
          {.fd = abandoned ? -1 : port_, .events = POLLIN, .revents = 0},
      }};
      ::poll(polled.data(), polled.size(), kill_at ? 1000 : -1);
      if (polled[0].revents != 0) break;
      if (polled[1].revents != 0) forward(program.out, FrameType::kStdout);
      if (polled[2].revents != 0) forward(program.err, FrameType::kStderr);
      if (polled[3].revents != 0) {
        fill();
        pass_signals(program);
      }
    }
    drain(program.out, FrameType::kStdout);
    drain(program.err, FrameType::kStderr);
  }

  /** Another client has greeted us: the one that runs a program has gone, and its program has to
   * end first. */
  [[nodiscard]] bool next_client_waits() const { return input_.starts_with(kHello); }

  void pass_signals(const Program& program) {
    while (!next_client_waits()) {
      const auto line = take_line();
      if (!line) return;
      constexpr std::string_view kVerb = "signal ";
      if (!line->starts_with(kVerb)) continue;
      const auto number = decode_number(std::string_view(*line).substr(kVerb.size()));
      if (number && *number > 0 && *number < NSIG) ::kill(-program.pid, static_cast<int>(*number));
    }
  }

  int port_;
  Lease lease_;
  bool connected_ = false;
  std::string input_;
};

}  // namespace

void serve_channel(int port, Lease lease) { Channel(port, lease).serve(); }

void power_off() {
  ::sync();
  ::reboot(RB_POWER_OFF);
  // Only without CAP_SYS_BOOT, which the agent has.
  ::_exit(1);
}

}  // namespace iaa_zswap::guest
