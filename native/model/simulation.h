#ifndef IAA_ZSWAP_MODEL_SIMULATION_H_
#define IAA_ZSWAP_MODEL_SIMULATION_H_

#include <coroutine>
#include <cstdint>

#include "model/coroutine.h"
#include "model/event_queue.h"

namespace iaa_zswap::model {

/** The virtual clock: does one event after another, and lets coroutines wait for a time. */
class Simulation {
 public:
  Simulation() = default;
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;
  ~Simulation() = default;

  [[nodiscard]] Time now() const { return now_; }
  /** Waits that have ended so far. */
  [[nodiscard]] std::uint64_t events() const { return events_; }
  FramePool& frame_pool() { return frames_; }

  /** Does all that happens up to `limit`, which is the time then; stop() ends it before. */
  void run_until(Time limit) {
    limit_ = limit;
    stopped_ = false;
    while (!stopped_ && !queue_.empty() && queue_.next_time() <= limit_) {
      const Event event = queue_.pop();
      now_ = event.time;
      ++events_;
      event.action(event.subject);
    }
    if (!stopped_ && limit != kNever) now_ = limit;
  }
  void stop() {
    stopped_ = true;
    limit_ = now_;
  }
  [[nodiscard]] bool has_events() const { return !queue_.empty(); }

  void at(Time time, Priority priority, void (*action)(void*), void* subject) {
    queue_.push(time, priority, action, subject);
  }
  void resume_at(Time time, Priority priority, std::coroutine_handle<> waiting) {
    at(time, priority, resume, waiting.address());
  }

  /** Moves the clock to `time` when nothing else happens up to then; otherwise does nothing. */
  bool skip_to(Time time) {
    if (time >= queue_.next_time() || time > limit_) return false;
    now_ = time;
    ++events_;
    return true;
  }

  /** `co_await until(t)`: goes on at `t`, or at once when that is past. */
  auto until(Time time, Priority priority = Priority::kTask) {
    struct Wait {
      Simulation* simulation;
      Time time;
      Priority priority;
      [[nodiscard]] bool await_ready() const {
        return time <= simulation->now_ || simulation->skip_to(time);
      }
      void await_suspend(std::coroutine_handle<> waiting) const {
        simulation->resume_at(time, priority, waiting);
      }
      void await_resume() const {}
    };
    return Wait{.simulation = this, .time = time, .priority = priority};
  }

 private:
  static void resume(void* frame) { std::coroutine_handle<>::from_address(frame).resume(); }

  EventQueue queue_;
  FramePool frames_;
  Time now_ = 0;
  Time limit_ = 0;
  bool stopped_ = false;
  std::uint64_t events_ = 0;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_SIMULATION_H_
