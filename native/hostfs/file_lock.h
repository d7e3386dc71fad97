#ifndef IAA_ZSWAP_HOSTFS_FILE_LOCK_H_
#define IAA_ZSWAP_HOSTFS_FILE_LOCK_H_

#include <string>

#include "common/result.h"
#include "common/unique_fd.h"

namespace iaa_zswap::hostfs {

/**
 * An exclusive flock(2). It belongs to the open file: the kernel drops it when the last thread of
 * the process is gone, also one that is stuck in a write, and not before.
 */
class FileLock {
 public:
  /**
   * Locks `path` without waiting (EWOULDBLOCK when another holds it). The file is created with mode
   * 0600 where it is missing; a symlink is ELOOP, anything but a regular file EINVAL from
   * `file-type`.
   */
  static common::Result<FileLock> try_lock(const std::string& path);

  /** Unlocks; later calls do nothing. */
  void release();

 private:
  explicit FileLock(common::UniqueFd file) : file_(std::move(file)) {}

  common::UniqueFd file_;
};

}  // namespace iaa_zswap::hostfs

#endif  // IAA_ZSWAP_HOSTFS_FILE_LOCK_H_
