#ifndef IAA_ZSWAP_MODEL_EVENT_QUEUE_H_
#define IAA_ZSWAP_MODEL_EVENT_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace iaa_zswap::model {

/** Virtual time and spans of it, in nanoseconds. */
using Time = std::int64_t;

inline constexpr Time kNever = std::numeric_limits<Time>::max();

/** What goes first of what happens at the same time. */
enum class Priority : std::uint8_t { kOutside, kTask, kObserver };

/** Something that will be done: `action(subject)`. */
struct Event {
  Time time;
  /** Priority in the highest byte, then the number of the event: what came first goes first. */
  std::uint64_t order;
  void (*action)(void*);
  void* subject;

  [[nodiscard]] bool before(const Event& other) const {
    return time != other.time ? time < other.time : order < other.order;
  }
};

/**
 * Events in order of time, priority and arrival: a heap with four children to a node. An event that
 * was popped leaves a hole at the top, which the next one pushed fills: most events push one.
 */
class EventQueue {
 public:
  void push(Time time, Priority priority, void (*action)(void*), void* subject) {
    const Event event{.time = time,
                      .order = (std::uint64_t{static_cast<std::uint8_t>(priority)} << 56U) | count_,
                      .action = action,
                      .subject = subject};
    ++count_;
    if (hole_) {
      hole_ = false;
      heap_.front() = event;
      sift_down();
      return;
    }
    heap_.push_back(event);
    std::size_t at = heap_.size() - 1;
    while (at > 0) {
      const std::size_t parent = (at - 1) / kChildren;
      if (!event.before(heap_[parent])) break;
      heap_[at] = heap_[parent];
      at = parent;
    }
    heap_[at] = event;
  }

  [[nodiscard]] bool empty() const { return heap_.size() == (hole_ ? 1 : 0); }

  /** Time of the next event; kNever when there is none. */
  [[nodiscard]] Time next_time() const {
    if (!hole_) return heap_.empty() ? kNever : heap_.front().time;
    Time next = kNever;
    const std::size_t end = std::min(heap_.size(), kChildren + 1);
    for (std::size_t i = 1; i < end; ++i) next = std::min(next, heap_[i].time);
    return next;
  }

  /** The next event; only when not empty(). */
  Event pop() {
    fill_hole();
    hole_ = true;
    return heap_.front();
  }

 private:
  static constexpr std::size_t kChildren = 4;

  void fill_hole() {
    if (!hole_) return;
    hole_ = false;
    heap_.front() = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sift_down();
  }

  void sift_down() {
    const Event event = heap_.front();
    std::size_t at = 0;
    for (;;) {
      const std::size_t first = kChildren * at + 1;
      if (first >= heap_.size()) break;
      const std::size_t end = std::min(first + kChildren, heap_.size());
      std::size_t least = first;
      for (std::size_t child = first + 1; child < end; ++child) {
        if (heap_[child].before(heap_[least])) least = child;
      }
      if (!heap_[least].before(event)) break;
      heap_[at] = heap_[least];
      at = least;
    }
    heap_[at] = event;
  }

  std::vector<Event> heap_;
  bool hole_ = false;
  std::uint64_t count_ = 0;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_EVENT_QUEUE_H_
