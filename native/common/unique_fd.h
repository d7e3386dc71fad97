#ifndef IAA_ZSWAP_COMMON_UNIQUE_FD_H_
#define IAA_ZSWAP_COMMON_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace iaa_zswap::common {

/** Owns one file descriptor; -1 is none. */
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = other.release();
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { close(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

  /** close(2)'s result. The descriptor is gone either way: Linux frees it before it reports an
   * error. */
  int close() {
    const int fd = release();
    return fd < 0 ? 0 : ::close(fd);
  }

 private:
  int fd_ = -1;
};

}  // namespace iaa_zswap::common

#endif  // IAA_ZSWAP_COMMON_UNIQUE_FD_H_
