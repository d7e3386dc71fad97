#include "hostfs/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace iaa_zswap::hostfs {

using common::Failure;
using common::last_failure;
using common::Result;
using common::UniqueFd;

Result<FileLock> FileLock::try_lock(const std::string& path) {
  // O_NONBLOCK and O_NOCTTY for the case that somebody put a FIFO or a terminal there.
  UniqueFd file(
      open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
  if (!file.is_open()) return last_failure("open");
  struct stat status{};
  if (fstat(file.get(), &status) < 0) return last_failure("fstat");
  if (!S_ISREG(status.st_mode)) return Failure{.error = EINVAL, .syscall = "file-type"};
  if (flock(file.get(), LOCK_EX | LOCK_NB) < 0) return last_failure("flock");
  return FileLock(std::move(file));
}

void FileLock::release() {
  // Explicitly, because a child between fork and exec still shares the open file.
  if (file_.is_open()) flock(file_.get(), LOCK_UN);
  file_.close();
}

}  // namespace iaa_zswap::hostfs
