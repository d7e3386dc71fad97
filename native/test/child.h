#ifndef IAA_ZSWAP_TEST_CHILD_H_
#define IAA_ZSWAP_TEST_CHILD_H_

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <functional>
#include <string>

namespace iaa_zswap::test {

/** How a process ended, and what it has printed. */
struct Outcome {
  /** Negative for the signal that ended it. */
  int exit_code = -1;
  std::string out;
  std::string err;
};

inline std::string text_of(int fd) {
  std::string text;
  std::array<char, 4096> piece{};
  for (off_t at = 0;;) {
    const ssize_t count = pread(fd, piece.data(), piece.size(), at);
    if (count <= 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(count));
    at += count;
  }
}

/** Does `work` in a process of its own, which ends with its exit code. */
inline Outcome in_child(const std::function<int()>& work) {
  const int out = memfd_create("out", 0);
  const int err = memfd_create("err", 0);
  // A memfd's position is not locked as that of a file that was opened (mm/shmem.c makes it without
  // FMODE_ATOMIC_POS): without O_APPEND processes that write at once overwrite each other.
  fcntl(out, F_SETFL, O_APPEND);
  fcntl(err, F_SETFL, O_APPEND);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    _exit(work());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  const Outcome result{.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
                       .out = text_of(out),
                       .err = text_of(err)};
  close(out);
  close(err);
  return result;
}

}  // namespace iaa_zswap::test

#endif  // IAA_ZSWAP_TEST_CHILD_H_
