#ifndef IAA_ZSWAP_MODEL_SCHEDULER_H_
#define IAA_ZSWAP_MODEL_SCHEDULER_H_

#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/random.h"
#include "model/simulation.h"

namespace iaa_zswap::model {

/** What a CPU's time is charged to. */
enum class Mode : std::uint8_t { kUser, kSystem };

/** Why a task ends before its work is done. */
enum class Death : std::uint8_t { kNone, kBusError, kOutOfMemory };

class Scheduler;

/** A task of the modelled kernel, with what its task_struct would hold. */
struct Task {
  std::uint32_t number = 0;
  std::uint32_t cpu = 0;
  Time user_time = 0;
  Time system_time = 0;
  /** memcg_nr_pages_over_high. */
  std::uint32_t pages_over_high = 0;
  /** A signal that will end the task is pending. */
  Death death = Death::kNone;
  /** It polls for something that will never come, as the kernel's would: a soft lockup. */
  bool hung = false;
  Random random;

  // For the scheduler.
  Scheduler* scheduler = nullptr;
  std::coroutine_handle<> waiting;
  Task* next = nullptr;
  Time burst = 0;
};

/** kernel.hung_task_timeout_secs: what a task waits for longer is taken for never to come. */
inline constexpr Time kHungTask = 120'000'000'000;

/** sched_base_slice of machines with eight CPUs and more. */
inline constexpr Time kSlice = 3'000'000;

/**
 * CPUs and the tasks on them. A task computes while it is its CPU's current one; others that want
 * the CPU queue, and get it when it is given up, or at the end of its slice. One more CPU than the
 * machine's is there for kernel workers, which run wherever nothing else does.
 */
class Scheduler {
 public:
  Scheduler(Simulation* simulation, std::uint32_t cpus, std::int64_t jitter_permille)
      : simulation_(simulation),
        jitter_(static_cast<double>(jitter_permille) / 1000),
        cpus_(cpus + 1) {}

  /** A task that sleeps; it is the scheduler's and stays to the end. */
  Task* add_task(std::uint32_t cpu, std::uint64_t seed) {
    auto task = std::make_unique<Task>();
    task->number = static_cast<std::uint32_t>(tasks_.size());
    task->cpu = cpu;
    task->random = Random(seed, task->number);
    task->scheduler = this;
    tasks_.push_back(std::move(task));
    return tasks_.back().get();
  }
  [[nodiscard]] const std::vector<std::unique_ptr<Task>>& tasks() const { return tasks_; }
  /** All CPUs, with the one for kernel workers, which is the last. */
  [[nodiscard]] std::uint32_t cpus() const { return static_cast<std::uint32_t>(cpus_.size()); }
  [[nodiscard]] std::uint32_t worker_cpu() const { return cpus() - 1; }
  [[nodiscard]] bool is_online(std::uint32_t cpu) const { return cpus_[cpu].online; }

  /** A piece of work, which takes a little more or less each time. */
  [[nodiscard]] Time vary(Task* task, Time span) const {
    const double part = static_cast<double>(task->random.next() >> 11U) * 0x1p-52 - 1;
    return span + static_cast<Time>(static_cast<double>(span) * jitter_ * part);
  }

  /** Computes for `span`, once the CPU is the task's. */
  auto run(Task* task, Time span, Mode mode) {
    struct Run {
      Scheduler* scheduler;
      Task* task;
      Time span;
      [[nodiscard]] bool await_ready() const {
        const Cpu& cpu = scheduler->cpus_[task->cpu];
        return scheduler->keeps_cpu(cpu, task) &&
               (span == 0 || scheduler->simulation_->skip_to(scheduler->now() + span));
      }
      void await_suspend(std::coroutine_handle<> waiting) const {
        task->waiting = waiting;
        scheduler->compute(task, span);
      }
      void await_resume() const {}
    };
    (mode == Mode::kUser ? task->user_time : task->system_time) += span;
    return Run{.scheduler = this, .task = task, .span = span};
  }

  /** Computes for about `span`. */
  auto work(Task* task, Time span, Mode mode) { return run(task, vary(task, span), mode); }

  /** Polls until `time`: the CPU is busy with nothing. */
  auto spin_until(Task* task, Time time) {
    return run(task, std::max<Time>(0, time - now()), Mode::kSystem);
  }

  /** Gives the CPU up until `time`. */
  auto sleep_until(Task* task, Time time) {
    struct Sleep {
      Scheduler* scheduler;
      Task* task;
      Time time;
      [[nodiscard]] bool await_ready() const { return time <= scheduler->now(); }
      void await_suspend(std::coroutine_handle<> waiting) const {
        task->waiting = waiting;
        scheduler->leave(task);
        scheduler->simulation_->at(time, Priority::kTask, wake_up, task);
      }
      void await_resume() const {}
    };
    return Sleep{.scheduler = this, .task = task, .time = time};
  }

  /** Gives the CPU up until wake(). */
  auto block(Task* task) {
    struct Block : std::suspend_always {
      Block(Scheduler* of, Task* who) : scheduler(of), task(who) {}
      void await_suspend(std::coroutine_handle<> waiting) const {
        task->waiting = waiting;
        scheduler->leave(task);
      }
      Scheduler* scheduler;
      Task* task;
    };
    return Block(this, task);
  }
  void wake(Task* task) {
    task->burst = 0;
    enter(task);
  }

  /** Keeps the CPU for ever: nothing that the task waits for will come. */
  static std::suspend_always hang(Task* task) {
    task->hung = true;
    return {};
  }

  /** The task's end: its CPU is free. */
  void exit(Task* task) { leave(task); }

  /** No other task wants this one's CPU. */
  [[nodiscard]] bool is_alone(const Task* task) const { return cpus_[task->cpu].first == nullptr; }

  /** Brings a CPU up or takes it down; false when it is the last one. */
  bool set_online(std::uint32_t number, bool online);

 private:
  struct Cpu {
    Task* current = nullptr;
    Task* first = nullptr;
    Task* last = nullptr;
    Time slice_end = 0;
    bool online = true;
  };

  [[nodiscard]] Time now() const { return simulation_->now(); }

  [[nodiscard]] bool keeps_cpu(const Cpu& cpu, const Task* task) const {
    return cpu.current == task && cpu.online && (cpu.first == nullptr || now() < cpu.slice_end);
  }

  static void wake_up(void* subject) {
    auto* task = static_cast<Task*>(subject);
    task->scheduler->wake(task);
  }

  void compute(Task* task, Time span) {
    Cpu& cpu = cpus_[task->cpu];
    if (keeps_cpu(cpu, task)) {
      simulation_->resume_at(now() + span, Priority::kTask, task->waiting);
      return;
    }
    task->burst = span;
    // The current one goes when its slice is over, or its CPU.
    if (cpu.current == task) cpu.current = nullptr;
    enter(task);
  }

  void enter(Task* task) {
    if (!cpus_[task->cpu].online) task->cpu = next_online(task->cpu);
    Cpu& cpu = cpus_[task->cpu];
    append(cpu, task);
    if (cpu.current == nullptr) dispatch(cpu);
  }

  void leave(Task* task) {
    Cpu& cpu = cpus_[task->cpu];
    if (cpu.current != task) return;
    cpu.current = nullptr;
    dispatch(cpu);
  }

  void dispatch(Cpu& cpu) {
    Task* task = cpu.first;
    if (task == nullptr) return;
    cpu.first = task->next;
    if (cpu.first == nullptr) cpu.last = nullptr;
    task->next = nullptr;
    cpu.current = task;
    cpu.slice_end = now() + kSlice;
    simulation_->resume_at(now() + task->burst, Priority::kTask, task->waiting);
  }

  static void append(Cpu& cpu, Task* task) {
    (cpu.last == nullptr ? cpu.first : cpu.last->next) = task;
    cpu.last = task;
  }

  [[nodiscard]] std::uint32_t next_online(std::uint32_t number) const {
    for (std::uint32_t i = 1; i < worker_cpu(); ++i) {
      const std::uint32_t other = (number + i) % worker_cpu();
      if (cpus_[other].online) return other;
    }
    return number;
  }

  Simulation* simulation_;
  double jitter_;
  std::vector<Cpu> cpus_;
  std::vector<std::unique_ptr<Task>> tasks_;
};

/** A lock whose waiters sleep, first come, first served. */
class Mutex {
 public:
  /** `co_await lock(...)`. */
  auto lock(Scheduler* scheduler, Task* task) {
    struct Lock {
      Mutex* mutex;
      Scheduler* scheduler;
      Task* task;
      [[nodiscard]] bool await_ready() const { return mutex->try_lock(task); }
      void await_suspend(std::coroutine_handle<> waiting) const {
        mutex->waiters_.push_back(task);
        scheduler->block(task).await_suspend(waiting);
      }
      void await_resume() const {}
    };
    return Lock{.mutex = this, .scheduler = scheduler, .task = task};
  }
  bool try_lock(Task* task) {
    if (holder_ != nullptr) return false;
    holder_ = task;
    return true;
  }
  /** Hands the lock to the one that waits longest. */
  void unlock(Scheduler* scheduler) {
    if (waiters_.empty()) {
      holder_ = nullptr;
      return;
    }
    holder_ = waiters_.front();
    waiters_.erase(waiters_.begin());
    scheduler->wake(holder_);
  }

 private:
  Task* holder_ = nullptr;
  std::vector<Task*> waiters_;
};

/**
 * Something that serves one after the other in the order of arrival, with a known time for each: a
 * contended spin lock, a device's pipe.
 */
class Server {
 public:
  /** When what arrives now and takes `span` is done. */
  Time serve(Time arrival, Time span) {
    free_at_ = std::max(free_at_, arrival) + span;
    return free_at_;
  }

 private:
  Time free_at_ = 0;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_SCHEDULER_H_
