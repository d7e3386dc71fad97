#include "crew/crew.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/error_name.h"
#include "common/unique_fd.h"

namespace iaa_zswap::crew {

using common::error_name;
using common::monotonic_ns;
using common::UniqueFd;

/** What every task needs. */
struct Crew {
  const Shape* shape = nullptr;
  const std::function<void(Member&)>* work = nullptr;
  std::uint64_t online_cpus = 0;
  std::int64_t start_ns = 0;
  int ready_fd = -1;
  /** Meetings that are over; shared by all processes, a futex. */
  std::atomic<std::uint32_t>* held = nullptr;
};

namespace {

/** What a task tells the parent when it waits. One write(2) below PIPE_BUF: never torn. */
struct Ready {
  std::uint64_t task = 0;
  std::uint64_t cpu = 0;
  /** errno of a bind that failed; 0: the task waits. */
  int error = 0;
};

/** As `process 3` or `process 3, thread 1`. */
std::string name_of(const Shape& shape, std::uint64_t task) {
  if (shape.threads == 0) return "process " + std::to_string(task);
  return "process " + std::to_string(task / shape.threads) + ", thread " +
         std::to_string(task % shape.threads);
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

/** Not FUTEX_PRIVATE_FLAG, which std::atomic uses: the word is shared by processes. */
long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  static_assert(sizeof word == sizeof value && std::atomic<std::uint32_t>::is_always_lock_free);
  return syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

void run_task(const Crew& crew, std::uint64_t index) {
  const Shape& shape = *crew.shape;
  if (shape.bind_interval != 0) {
    const std::uint64_t cpu = index * shape.bind_interval % crew.online_cpus;
    const Ready failed{.task = index, .cpu = cpu, .error = bind_to(cpu)};
    if (failed.error != 0) {
      std::ignore = write_whole(crew.ready_fd, &failed, sizeof failed);
      _exit(kExitFailed);
    }
  }
  Member member(crew, index);
  (*crew.work)(member);
}

struct Thread {
  const Crew* crew = nullptr;
  std::uint64_t index = 0;
};

void* thread_main(void* given) {
  const auto& [crew, index] = *static_cast<const Thread*>(given);
  run_task(*crew, index);
  return nullptr;
}

/** Runs process `index` to its end. */
[[noreturn]] void run_process(const Crew& crew, std::uint64_t index) {
  const std::uint64_t threads = crew.shape->threads;
  if (threads == 0) {
    run_task(crew, index);
    _exit(kExitDone);
  }
  std::vector<Thread> tasks;
  tasks.reserve(threads);
  for (std::uint64_t i = 0; i < threads; ++i)
    tasks.push_back({.crew = &crew, .index = index * threads + i});
  std::vector<pthread_t> ids(threads);
  for (std::uint64_t i = 0; i < threads; ++i) {
    const int error = pthread_create(&ids[i], nullptr, thread_main, &tasks[i]);
    if (error != 0) {
      Member(crew, tasks[i].index)
          .give_up("pthread_create: " + error_name(error) +
                   "; use fewer threads, or raise pids.max, kernel.threads-max and ulimit -u");
    }
  }
  for (const pthread_t id : ids) pthread_join(id, nullptr);
  _exit(kExitDone);
}

/** The processes that the parent has forked. */
class Family {
 public:
  explicit Family(const char* program) : program_(program) {}

  /** Forks one; false (errno is set) when the kernel refuses. */
  bool add(const Crew& crew, const sigset_t& child_signals) {
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) return false;
    if (pid == 0) {
      // Whatever ends the parent ends the memory pressure.
      if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(kExitFailed);
      sigprocmask(SIG_SETMASK, &child_signals, nullptr);
      run_process(crew, pids_.size());
    }
    pids_.push_back(pid);
    ++living_;
    return true;
  }

  [[nodiscard]] bool all_ended() const { return living_ == 0; }
  [[nodiscard]] bool all_well() const { return all_well_; }
  [[nodiscard]] bool lives(std::size_t index) const { return pids_[index] != kEnded; }
  [[nodiscard]] std::size_t size() const { return pids_.size(); }

  /** Takes the status of one that has ended and reports a bad end: its index, or nothing when none
   * has (WNOHANG). */
  std::optional<std::size_t> reap(int flags) {
    for (;;) {
      int status = 0;
      const pid_t pid = waitpid(-1, &status, flags);
      if (pid < 0 && errno == EINTR) continue;
      if (pid <= 0) return std::nullopt;
      const auto found = std::ranges::find(pids_, pid);
      if (found == pids_.end()) continue;  // a child of whoever became this program by exec
      *found = kEnded;
      --living_;
      const auto index = static_cast<std::size_t>(found - pids_.begin());
      if (WIFSIGNALED(status)) complain_of_signal(index, pid, WTERMSIG(status));
      all_well_ = all_well_ && WIFEXITED(status) && WEXITSTATUS(status) == kExitDone;
      return index;
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

  void complain_of_signal(std::size_t index, pid_t pid, int signal) const {
    const char* name = sigabbrev_np(signal);
    std::string message = "process " + std::to_string(index) + " (pid " + std::to_string(pid) +
                          ") ended by SIG" + (name != nullptr ? name : std::to_string(signal));
    message += signal == SIGKILL
                   ? "; if the kernel's OOM killer did it, dmesg says so: give it more "
                     "memory or swap, or use a smaller size"
                   : "; see dmesg, and who could have sent it";
    complain(program_, message);
  }

  const char* program_;
  std::vector<pid_t> pids_;
  std::size_t living_ = 0;
  bool all_well_ = true;
};

std::string bind_failure(const Shape& shape, const Ready& ready) {
  std::string message = name_of(shape, ready.task) + " cannot be bound to CPU " +
                        std::to_string(ready.cpu) + ": " + error_name(ready.error) +
                        " from sched_setaffinity; ";
  message +=
      ready.error == EINVAL
          ? "the CPU is offline or outside the cpuset: use another -b or -n, or widen cpuset.cpus"
          : "run without -b";
  return message;
}

/** The parent's side of one meeting. */
class Meeting {
 public:
  Meeting(const Shape& shape, Family& family)
      : shape_(&shape),
        family_(&family),
        tasks_each_(shape.threads == 0 ? 1 : shape.threads),
        missing_(family.size()) {
    for (std::size_t i = 0; i < missing_.size(); ++i) {
      missing_[i] = family.lives(i) ? tasks_each_ : 0;
      waiting_ += missing_[i];
    }
  }

  /** Why it cannot be held; empty when that has been told. */
  [[nodiscard]] const std::string& why() const { return why_; }

  /** Waits until every task is there. At the `first` meeting the end of any process makes that
   * impossible. */
  bool gather(int ready_fd, int ended_fd, bool first) {
    // Some may have ended unseen since the last meeting.
    if (!first) reap_all();
    while (waiting_ > 0) {
      std::array<pollfd, 2> events = {{{.fd = ready_fd, .events = POLLIN, .revents = 0},
                                       {.fd = ended_fd, .events = POLLIN, .revents = 0}}};
      if (poll(events.data(), events.size(), -1) < 0) continue;  // EINTR
      if ((events[0].revents & POLLIN) != 0) {
        if (!take_ready(ready_fd)) return false;
      } else if (events[1].revents != 0) {
        signalfd_siginfo ended{};
        std::ignore = read(ended_fd, &ended, sizeof ended);  // only to make poll wait again
        if (first && family_->reap(WNOHANG)) return false;
        reap_all();
      }
    }
    return true;
  }

 private:
  /** Takes note of one task; false when it could not be bound. */
  bool take_ready(int ready_fd) {
    Ready ready;
    if (read(ready_fd, &ready, sizeof ready) != static_cast<ssize_t>(sizeof ready)) return true;
    if (ready.error != 0) {
      why_ = bind_failure(*shape_, ready);
      return false;
    }
    std::uint64_t& missing = missing_[ready.task / tasks_each_];
    if (missing == 0) return true;  // of a process that has ended since
    --missing;
    --waiting_;
    return true;
  }

  /** The tasks of those that have ended will not come. */
  void reap_all() {
    while (const auto ended = family_->reap(WNOHANG)) {
      waiting_ -= std::exchange(missing_[*ended], 0);
    }
  }

  const Shape* shape_;
  Family* family_;
  std::uint64_t tasks_each_;
  /** By process, the tasks that are still to come. */
  std::vector<std::uint64_t> missing_;
  std::uint64_t waiting_ = 0;
  std::string why_;
};

}  // namespace

std::int64_t Member::start_ns() const { return crew_->start_ns; }

void Member::meet() {
  const Ready ready{.task = index_};
  // When it fails the parent is gone.
  if (!write_whole(crew_->ready_fd, &ready, sizeof ready)) _exit(kExitFailed);
  while (crew_->held->load() == met_) {
    if (futex(*crew_->held, FUTEX_WAIT, met_) < 0 && errno != EAGAIN && errno != EINTR) {
      give_up("futex: " + error_name(errno) + "; run it where nothing filters system calls");
    }
  }
  ++met_;
}

void Member::print(const std::string& line) const {
  if (!write_whole(STDOUT_FILENO, line.data(), line.size())) {
    give_up("writing to stdout: " + error_name(errno) + "; send it where there is room");
  }
}

void Member::give_up(const std::string& why) const {
  complain(crew_->shape->program, name_of(*crew_->shape, index_) + ": " + why);
  _exit(kExitFailed);
}

void complain(const char* program, std::string_view message) {
  std::string line = program;
  line += ": ";
  line += message;
  line += '\n';
  // With stderr gone there is nobody to tell; the exit code still does.
  std::ignore = write_whole(STDERR_FILENO, line.data(), line.size());
}

bool write_whole(int fd, const void* data, std::size_t size) {
  ssize_t count = write(fd, data, size);
  while (count < 0 && errno == EINTR) count = write(fd, data, size);
  if (count >= 0 && static_cast<std::size_t>(count) != size) errno = ENOSPC;
  return count >= 0 && static_cast<std::size_t>(count) == size;
}

int run(const Shape& shape, const std::function<void(Member&)>& work) {
  const auto refuse = [&shape](const std::string& why) {
    complain(shape.program, why);
    return kExitFailed;
  };
  const std::uint64_t online_cpus =
      static_cast<std::uint64_t>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
  // On one CPU -b 1 means that one; elsewhere such an interval would put all tasks on few CPUs.
  if (shape.bind_interval > 1 && shape.bind_interval >= online_cpus) {
    return refuse("-b " + std::to_string(shape.bind_interval) + " is no interval for " +
                  std::to_string(online_cpus) + " online CPUs; use a smaller one");
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
  if (!ended.is_open() || pipe2(ready_ends.data(), O_CLOEXEC) < 0) {
    return refuse("pipe2 or signalfd: " + error_name(errno) + "; raise the limit on open files");
  }
  const UniqueFd ready_in(ready_ends[0]);
  const UniqueFd ready_out(ready_ends[1]);
  void* shared = mmap(nullptr, sizeof(std::atomic<std::uint32_t>), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return refuse("mmap: " + error_name(errno) + "; run it again");
  auto* const held = std::construct_at(static_cast<std::atomic<std::uint32_t>*>(shared), 0U);

  Family family(shape.program);
  const auto fail = [&](const std::string& why) {
    if (!why.empty()) complain(shape.program, why);
    family.end_all();
    return kExitFailed;
  };
  const Crew crew{.shape = &shape,
                  .work = &work,
                  .online_cpus = online_cpus,
                  .start_ns = monotonic_ns(),
                  .ready_fd = ready_out.get(),
                  .held = held};
  for (std::uint32_t i = 0; i < shape.processes; ++i) {
    if (!family.add(crew, child_signals)) {
      return fail("fork of process " + std::to_string(i) + ": " + error_name(errno) +
                  "; use fewer processes, or raise pids.max and ulimit -u");
    }
  }
  for (std::uint32_t i = 0; i < shape.meetings; ++i) {
    Meeting meeting(shape, family);
    if (!meeting.gather(ready_in.get(), ended.get(), i == 0)) return fail(meeting.why());
    held->store(i + 1);
    if (futex(*held, FUTEX_WAKE, INT_MAX) < 0) {
      return fail("futex: " + error_name(errno) + "; run it where nothing filters system calls");
    }
  }
  while (!family.all_ended() && family.reap(0)) {
  }
  return family.all_well() ? kExitDone : kExitFailed;
}

}  // namespace iaa_zswap::crew
