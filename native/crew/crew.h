#ifndef IAA_ZSWAP_CREW_CREW_H_
#define IAA_ZSWAP_CREW_CREW_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace iaa_zswap::crew {

/** Exit codes of a program whose work a crew does. */
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

/** PID_MAX_LIMIT of 64-bit kernels (include/linux/threads.h): there are never more tasks. */
inline constexpr std::uint64_t kMaxTasks = std::uint64_t{4} << 20U;

/** How many tasks work side by side, and where. */
struct Shape {
  /** The program's name, for its messages. */
  const char* program = "";
  std::uint32_t processes = 1;
  /** In each process; 0: the process itself does the work. */
  std::uint32_t threads = 0;
  /** Task i is bound to CPU (i x interval) modulo the online CPUs; 0: not bound. */
  std::uint32_t bind_interval = 0;
  /** How often every task calls Member::meet(), at least once. */
  std::uint32_t meetings = 1;

  /** Every process, or every thread of every process. */
  [[nodiscard]] std::uint64_t tasks() const {
    return std::uint64_t{processes} * (threads == 0 ? 1 : threads);
  }
};

struct Crew;

/** One task, as its work sees itself. */
class Member {
 public:
  Member(const Crew& crew, std::uint64_t index) : crew_(&crew), index_(index) {}

  /** process x threads + thread. */
  [[nodiscard]] std::uint64_t index() const { return index_; }

  /** When the crew began to be made, CLOCK_MONOTONIC in ns: the same for all. */
  [[nodiscard]] std::int64_t start_ns() const;

  /** Waits until all tasks that live are here. */
  void meet();

  /** A line of output, in one write(2), so that those of several tasks do not mix. */
  void print(const std::string& line) const;

  /** Says why on stderr and ends the process, with all its threads. */
  [[noreturn]] void give_up(const std::string& why) const;

 private:
  const Crew* crew_;
  std::uint64_t index_;
  /** Meetings this task has been to. */
  std::uint32_t met_ = 0;
};

/** `PROGRAM: MESSAGE` as one line on stderr. */
void complain(const char* program, std::string_view message);

/** One write(2) of all of it; false (errno is set) when that failed. */
[[nodiscard]] bool write_whole(int fd, const void* data, std::size_t size);

/**
 * Forks the processes, makes their threads, binds each task and has it do `work`; waits until all
 * have ended. Before the first meeting the end of one task is the end of all; afterwards the others
 * go on. What went wrong is said on stderr. Returns the exit code: kExitDone when every task did
 * its work. The caller has one thread only.
 */
[[nodiscard]] int run(const Shape& shape, const std::function<void(Member&)>& work);

}  // namespace iaa_zswap::crew

#endif  // IAA_ZSWAP_CREW_CREW_H_
