#ifndef IAA_ZSWAP_MODEL_COROUTINE_H_
#define IAA_ZSWAP_MODEL_COROUTINE_H_

#include <array>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <new>
#include <utility>

namespace iaa_zswap::model {

/** Memory of coroutine frames: what one leaves, the next one of its size takes. */
class FramePool {
 public:
  FramePool() = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool() {
    for (Block* block : free_) {
      while (block != nullptr) ::operator delete(std::exchange(block, block->next));
    }
  }

  void* allocate(std::size_t bytes) {
    const std::size_t size = (bytes + sizeof(Block) + kStep - 1) / kStep;
    if (size < free_.size() && free_[size] != nullptr) {
      Block* block = free_[size];
      free_[size] = block->next;
      return begin(block, size);
    }
    return begin(static_cast<Block*>(::operator new(size * kStep)), size);
  }

  static void release(void* memory) {
    Block* block = static_cast<Block*>(memory) - 1;
    FramePool* pool = block->pool;
    const std::size_t size = block->size;
    if (size >= pool->free_.size()) {
      ::operator delete(block);
      return;
    }
    block->next = pool->free_[size];
    pool->free_[size] = block;
  }

 private:
  static constexpr std::size_t kStep = 64;

  /** Before each frame. */
  struct alignas(std::max_align_t) Block {
    union {
      FramePool* pool;
      Block* next;
    };
    std::size_t size;
  };

  void* begin(Block* block, std::size_t size) {
    block->pool = this;
    block->size = size;
    return block + 1;
  }

  std::array<Block*, 64> free_{};
};

namespace detail {

/** What every coroutine's promise has; `Derived` adds the result. */
struct PromiseBase {
  struct Final : std::suspend_always {
    // Not static, though it could be: the compiler calls what a promise has through an object.
    template <typename Promise>
    // NOLINTNEXTLINE(readability-convert-member-functions-to-static)
    void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      // The caller goes on, and may destroy this frame while it does.
      if (ended.promise().caller) ended.promise().caller.resume();
    }
  };

  /** The frame comes from the pool of the coroutine's first argument: the object it belongs to. */
  // NOLINTBEGIN(cert-dcl54-cpp,misc-new-delete-overloads): frames are made with arguments only.
  template <typename Owner, typename... Arguments>
  static void* operator new(std::size_t bytes, Owner& owner, Arguments&&... /*unused*/) {
    return owner.frame_pool().allocate(bytes);
  }
  static void operator delete(void* memory, std::size_t /*bytes*/) { FramePool::release(memory); }
  // NOLINTEND(cert-dcl54-cpp,misc-new-delete-overloads)

  // NOLINTBEGIN(readability-convert-member-functions-to-static): as above.
  [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
  [[nodiscard]] Final final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const { std::terminate(); }
  // NOLINTEND(readability-convert-member-functions-to-static)

  std::coroutine_handle<> caller;
};

template <typename T>
struct Promise : PromiseBase {
  void return_value(T given) { value = std::move(given); }
  T take() { return value; }

  T value{};
};

template <>
struct Promise<void> : PromiseBase {
  // NOLINTBEGIN(readability-convert-member-functions-to-static): as above.
  void return_void() const {}
  void take() const {}
  // NOLINTEND(readability-convert-member-functions-to-static)
};

}  // namespace detail

/**
 * What a kernel path is written as: a member function that may let virtual time pass. It runs at
 * once until it first waits; `co_await` of it goes on when it has ended. One that is not awaited
 * runs for itself and is ended by its destructor.
 */
template <typename T = void>
class [[nodiscard]] Co {
 public:
  struct promise_type : detail::Promise<T> {
    Co get_return_object() { return Co(std::coroutine_handle<promise_type>::from_promise(*this)); }
  };

  Co() = default;
  Co(const Co&) = delete;
  Co& operator=(const Co&) = delete;
  Co(Co&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Co& operator=(Co&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~Co() {
    if (frame_) frame_.destroy();
  }

  [[nodiscard]] bool done() const { return frame_ && frame_.done(); }

  [[nodiscard]] bool await_ready() const noexcept { return frame_.done(); }
  void await_suspend(std::coroutine_handle<> caller) noexcept { frame_.promise().caller = caller; }
  T await_resume() { return frame_.promise().take(); }

 private:
  explicit Co(std::coroutine_handle<promise_type> frame) : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_COROUTINE_H_
