#include "usemem/run.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "common/error_name.h"
#include "common/unique_fd.h"
#include "usemem/report.h"

namespace iaa_zswap::usemem {
namespace {

using common::error_name;
using common::UniqueFd;

/** What a task tells the parent before the start. One write(2) below PIPE_BUF: never torn. */
struct Ready {
  std::uint64_t task = 0;
  std::uint64_t cpu = 0;
  /** errno of a bind that failed; 0: the task waits for the start. */
  int error = 0;
};

/** What every task of a process needs. */
struct Crew {
  const Options* options = nullptr;
  const Content* content = nullptr;
  std::uint64_t online_cpus = 0;
  std::int64_t start_ns = 0;
  int ready_fd = -1;
  int go_fd = -1;
};

/** One process or one thread of one. */
struct Task {
  const Crew* crew = nullptr;
  std::uint64_t index = 0;
};

std::uint64_t usecs_since(std::int64_t begin_ns) {
  return static_cast<std::uint64_t>(monotonic_ns() - begin_ns) / 1000;
}

/** One write(2), so that lines of several processes do not mix. */
bool write_whole(int fd, const void* data, std::size_t size) {
  ssize_t count = write(fd, data, size);
  while (count < 0 && errno == EINTR) count = write(fd, data, size);
  if (count >= 0 && static_cast<std::size_t>(count) != size) errno = ENOSPC;
  return count >= 0 && static_cast<std::size_t>(count) == size;
}

/** As `process 3` or `process 3, thread 1`. */
std::string name_of(const Options& options, std::uint64_t task) {
  if (options.threads == 0) return "process " + std::to_string(task);
  return "process " + std::to_string(task / options.threads) + ", thread " +
         std::to_string(task % options.threads);
}

/** Ends the process, with all its threads. */
[[noreturn]] void give_up(const Task& task, const std::string& why) {
  complain(name_of(*task.crew->options, task.index) + ": " + why);
  _exit(kExitFailed);
}

void print_line(const Task& task, const std::string& line) {
  if (!write_whole(STDOUT_FILENO, line.data(), line.size())) {
    give_up(task, "writing to stdout: " + error_name(errno) + "; send it where there is room");
  }
}

/** Binds the calling thread to one CPU; the errno, or 0. */
int bind_to(std::uint64_t cpu) {
  const auto count = static_cast<std::size_t>(cpu) + 1;
  cpu_set_t* mask = CPU_ALLOC(count);
  if (mask == nullptr) return ENOMEM;
  const std::size_t size = CPU_ALLOC_SIZE(count);
  CPU_ZERO_S(size, mask);
  CPU_SET_S(static_cast<std::size_t>(cpu), size, mask);
  const int error = sched_setaffinity(0, size, mask) < 0 ? errno : 0;
  CPU_FREE(mask);
  return error;
}

/** Says that the task is there and waits until all are. */
void await_start(const Task& task) {
  const Crew& crew = *task.crew;
  Ready ready{.task = task.index};
  if (crew.options->bind_interval != 0) {
    ready.cpu = task.index * crew.options->bind_interval % crew.online_cpus;
    ready.error = bind_to(ready.cpu);
  }
  // When either fails the parent is gone, or ends all tasks.
  if (!write_whole(crew.ready_fd, &ready, sizeof ready) || ready.error != 0) _exit(kExitFailed);
  char go = 0;
  ssize_t count = read(crew.go_fd, &go, 1);
  while (count < 0 && errno == EINTR) count = read(crew.go_fd, &go, 1);
  if (count != 1) _exit(kExitFailed);
}

void sleep_for(std::uint32_t seconds) {
  timespec left{.tv_sec = static_cast<time_t>(seconds), .tv_nsec = 0};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
  }
}

void run_task(const Task& task) {
  const Options& options = *task.crew->options;
  const std::uint64_t unit = options.unit_bytes;
  std::vector<void*> mappings;
  mappings.reserve((options.size_bytes + unit - 1) / unit);
  await_start(task);

  std::uint64_t pages = 0;
  for (std::uint64_t done = 0; done < options.size_bytes; done += unit) {
    const std::uint64_t bytes = std::min(unit, options.size_bytes - done);
    void* area = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) {
      give_up(task, "mmap of " + std::to_string(bytes) + " bytes: " + error_name(errno) +
                        "; use a smaller size, or let the kernel promise more memory than there is "
                        "(vm.overcommit_memory=1)");
    }
    mappings.push_back(area);
    task.crew->content->fill(std::span(static_cast<std::uint64_t*>(area), bytes / kWordBytes),
                             pages, options.step_bytes / kWordBytes, task.index);
    pages += (bytes + kPageBytes - 1) / kPageBytes;
  }
  // At least 1: the rate is a quotient.
  const std::uint64_t usecs = std::max<std::uint64_t>(usecs_since(task.crew->start_ns), 1);
  print_line(task,
             throughput_line(credited_bytes(options.size_bytes, unit, options.step_bytes), usecs));

  sleep_for(options.sleep_seconds);

  const std::int64_t freeing_ns = monotonic_ns();
  for (std::uint64_t i = 0; i < mappings.size(); ++i) {
    if (munmap(mappings[i], std::min(unit, options.size_bytes - i * unit)) < 0) {
      give_up(task,
              "munmap: " + error_name(errno) + "; raise vm.max_map_count or use a larger unit");
    }
  }
  print_line(task, free_time_line(usecs_since(freeing_ns)));
}

void* thread_main(void* task) {
  run_task(*static_cast<const Task*>(task));
  return nullptr;
}

/** Runs process `index` to its end. */
[[noreturn]] void run_process(const Crew& crew, std::uint64_t index) {
  const std::uint64_t threads = crew.options->threads;
  if (threads == 0) {
    run_task({.crew = &crew, .index = index});
    _exit(kExitDone);
  }
  std::vector<Task> tasks;
  tasks.reserve(threads);
  for (std::uint64_t i = 0; i < threads; ++i)
    tasks.push_back({.crew = &crew, .index = index * threads + i});
  std::vector<pthread_t> ids(threads);
  for (std::uint64_t i = 0; i < threads; ++i) {
    const int error = pthread_create(&ids[i], nullptr, thread_main, &tasks[i]);
    if (error != 0) {
      give_up(tasks[i],
              "pthread_create: " + error_name(error) +
                  "; use fewer threads, or raise pids.max, kernel.threads-max and ulimit -u");
    }
  }
  for (const pthread_t id : ids) pthread_join(id, nullptr);
  _exit(kExitDone);
}

/** The forked processes, as the parent sees them. */
class Family {
 public:
  /** Forks one; false (errno is set) when the kernel refuses. */
  bool add(const Crew& crew, const sigset_t& child_signals, const UniqueFd& go) {
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) return false;
    if (pid == 0) {
      // Whatever ends the parent ends the memory pressure.
      if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(kExitFailed);
      ::close(go.get());  // or the end of the parent would not be seen in the pipe
      sigprocmask(SIG_SETMASK, &child_signals, nullptr);
      run_process(crew, pids_.size());
    }
    pids_.push_back(pid);
    ++living_;
    return true;
  }

  [[nodiscard]] bool all_ended() const { return living_ == 0; }
  [[nodiscard]] bool all_well() const { return all_well_; }

  /** Takes the status of one that has ended and reports a bad end; false when none has (WNOHANG).
   */
  bool reap(int flags) {
    for (;;) {
      int status = 0;
      const pid_t pid = waitpid(-1, &status, flags);
      if (pid < 0 && errno == EINTR) continue;
      if (pid <= 0) return false;
      const auto found = std::ranges::find(pids_, pid);
      if (found == pids_.end()) continue;  // a child of whoever became usemem by exec
      *found = kEnded;
      --living_;
      if (WIFSIGNALED(status)) {
        complain_of_signal(static_cast<std::size_t>(found - pids_.begin()), pid, WTERMSIG(status));
      }
      all_well_ = all_well_ && WIFEXITED(status) && WEXITSTATUS(status) == kExitDone;
      return true;
    }
  }

  /** Ends and reaps all that are left, without a word about them. */
  void end_all() {
    all_well_ = false;
    for (pid_t& pid : pids_) {
      if (pid == kEnded) continue;
      kill(pid, SIGKILL);
      while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
      }
      pid = kEnded;
      --living_;
    }
  }

 private:
  static constexpr pid_t kEnded = -1;

  static void complain_of_signal(std::size_t index, pid_t pid, int signal) {
    const char* name = sigabbrev_np(signal);
    std::string message = "process " + std::to_string(index) + " (pid " + std::to_string(pid) +
                          ") ended by SIG" + (name != nullptr ? name : std::to_string(signal));
    message += signal == SIGKILL
                   ? "; if the kernel's OOM killer did it, dmesg says so: give it more "
                     "memory or swap, or use a smaller size"
                   : "; see dmesg, and who could have sent it";
    complain(message);
  }

  std::vector<pid_t> pids_;
  std::size_t living_ = 0;
  bool all_well_ = true;
};

/** One error for everything that keeps the tasks from starting. */
int fail_before_start(Family& family, const std::string& why) {
  if (!why.empty()) complain(why);
  family.end_all();
  return kExitFailed;
}

std::string bind_failure(const Options& options, const Ready& ready) {
  std::string message = name_of(options, ready.task) + " cannot be bound to CPU " +
                        std::to_string(ready.cpu) + ": " + error_name(ready.error) +
                        " from sched_setaffinity; ";
  message +=
      ready.error == EINVAL
          ? "the CPU is offline or outside the cpuset: use another -b or -n, or widen cpuset.cpus"
          : "run without -b";
  return message;
}

/**
 * Waits until every task is ready. False with a reason when one cannot start; with an empty reason
 * when one has ended and that has been reported.
 */
bool await_ready(Family& family, const Options& options, int ready_fd, int ended_fd,
                 std::string& why) {
  std::uint64_t waiting = options.tasks();
  while (waiting > 0) {
    std::array<pollfd, 2> events = {{{.fd = ready_fd, .events = POLLIN, .revents = 0},
                                     {.fd = ended_fd, .events = POLLIN, .revents = 0}}};
    if (poll(events.data(), events.size(), -1) < 0) continue;  // EINTR
    if ((events[0].revents & POLLIN) != 0) {
      Ready ready;
      if (read(ready_fd, &ready, sizeof ready) != static_cast<ssize_t>(sizeof ready)) continue;
      if (ready.error != 0) {
        why = bind_failure(options, ready);
        return false;
      }
      --waiting;
    } else if (events[1].revents != 0) {
      signalfd_siginfo ended{};
      std::ignore = read(ended_fd, &ended, sizeof ended);  // only to make poll wait again
      if (family.reap(WNOHANG)) return false;
    }
  }
  return true;
}

bool send_go(int go_fd, std::uint64_t tasks) {
  const std::array<char, 4096> bytes{};
  while (tasks > 0) {
    const ssize_t count = write(go_fd, bytes.data(), std::min<std::uint64_t>(tasks, bytes.size()));
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) tasks -= static_cast<std::uint64_t>(count);
  }
  return true;
}

}  // namespace

std::int64_t monotonic_ns() {
  timespec now{};
  std::ignore = clock_gettime(CLOCK_MONOTONIC, &now);  // cannot fail for this clock
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void complain(std::string_view message) {
  std::string line = "usemem: ";
  line += message;
  line += '\n';
  // With stderr gone there is nobody to tell; the exit code still does.
  std::ignore = write_whole(STDERR_FILENO, line.data(), line.size());
}

int run(const Options& options, const Content& content, std::int64_t began_ns) {
  const std::uint64_t online_cpus =
      static_cast<std::uint64_t>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
  // On one CPU -b 1 means that one; elsewhere such an interval would put all tasks on few CPUs.
  if (options.bind_interval > 1 && options.bind_interval >= online_cpus) {
    complain("-b " + std::to_string(options.bind_interval) + " is no interval for " +
             std::to_string(online_cpus) + " online CPUs; use a smaller one");
    return kExitFailed;
  }

  std::ignore =
      signal(SIGCHLD, SIG_DFL);  // inherited SIG_IGN would have the kernel reap the processes
  sigset_t ended_signal;
  sigset_t child_signals;
  sigemptyset(&ended_signal);
  sigaddset(&ended_signal, SIGCHLD);
  sigprocmask(SIG_BLOCK, &ended_signal, &child_signals);
  const UniqueFd ended(signalfd(-1, &ended_signal, SFD_CLOEXEC | SFD_NONBLOCK));
  std::array<int, 2> ready_ends = {-1, -1};
  std::array<int, 2> go_ends = {-1, -1};
  if (!ended.is_open() || pipe2(ready_ends.data(), O_CLOEXEC) < 0 ||
      pipe2(go_ends.data(), O_CLOEXEC) < 0) {
    complain("pipe2 or signalfd: " + error_name(errno) + "; raise the limit on open files");
    return kExitFailed;
  }
  const UniqueFd ready_in(ready_ends[0]);
  const UniqueFd ready_out(ready_ends[1]);
  const UniqueFd go_in(go_ends[0]);
  const UniqueFd go_out(go_ends[1]);

  if (options.init_time) {
    const std::string line = init_time_line(usecs_since(began_ns));
    if (!write_whole(STDOUT_FILENO, line.data(), line.size())) {
      complain("writing to stdout: " + error_name(errno) + "; send it where there is room");
      return kExitFailed;
    }
  }

  Family family;
  const Crew crew{.options = &options,
                  .content = &content,
                  .online_cpus = online_cpus,
                  .start_ns = monotonic_ns(),
                  .ready_fd = ready_out.get(),
                  .go_fd = go_in.get()};
  for (std::uint32_t i = 0; i < options.processes; ++i) {
    if (!family.add(crew, child_signals, go_out)) {
      return fail_before_start(family,
                               "fork of process " + std::to_string(i) + ": " + error_name(errno) +
                                   "; use fewer processes, or raise pids.max and ulimit -u");
    }
  }
  std::string why;
  if (!await_ready(family, options, ready_in.get(), ended.get(), why)) {
    return fail_before_start(family, why);
  }
  if (!send_go(go_out.get(), options.tasks())) {
    return fail_before_start(family, "starting the tasks: " + error_name(errno) + "; run it again");
  }
  while (!family.all_ended() && family.reap(0)) {
  }
  return family.all_well() ? kExitDone : kExitFailed;
}

}  // namespace iaa_zswap::usemem
