#ifndef IAA_ZSWAP_COMMON_RESULT_H_
#define IAA_ZSWAP_COMMON_RESULT_H_

#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>

namespace iaa_zswap::common {

/** A failed system call as data. */
struct Failure {
  /** errno, positive. */
  int error = 0;
  /** The call that failed, a string literal. */
  const char* syscall = "";
  /** Bytes the kernel took, for a short write. */
  std::optional<std::size_t> written = std::nullopt;
};

/** The failure of the call that has just set errno. */
inline Failure last_failure(const char* syscall) { return {.error = errno, .syscall = syscall}; }

/** A value, or why there is none. Calls without a value give std::optional<Failure> instead. */
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) : content_(std::in_place_index<1>, failure) {}

  [[nodiscard]] bool ok() const { return content_.index() == 0; }
  /** Only when ok(). */
  [[nodiscard]] T& value() { return *std::get_if<0>(&content_); }
  [[nodiscard]] const T& value() const { return *std::get_if<0>(&content_); }
  /** Only when not ok(). */
  [[nodiscard]] const Failure& failure() const { return *std::get_if<1>(&content_); }

 private:
  std::variant<T, Failure> content_;
};

}  // namespace iaa_zswap::common

#endif  // IAA_ZSWAP_COMMON_RESULT_H_
