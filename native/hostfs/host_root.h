#ifndef IAA_ZSWAP_HOSTFS_HOST_ROOT_H_
#define IAA_ZSWAP_HOSTFS_HOST_ROOT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"

namespace iaa_zswap::hostfs {

/** The most bytes a read or a listing gives; the largest kernel file we read is far below (EFBIG
 * beyond). */
inline constexpr std::size_t kReadLimit = std::size_t{1} << 20;

enum class Access : std::uint8_t { kReadOnly, kWritable };

enum class WriteMode : std::uint8_t { kTruncate, kAppend };

/** How paths are resolved: openat2(2) where the kernel offers it to us, or in any case component by
 * component. */
enum class Resolver : std::uint8_t { kAutomatic, kComponents };

/**
 * A directory tree seen as a machine's root. Paths are absolute and resolved inside the tree: no
 * symlink and no `..` leaves it. Everything is const and may be called from any thread.
 *
 * Failures that no system call reported carry one of these as their `syscall`: `file-type` (EISDIR
 * for a directory, EINVAL for a FIFO, socket or device, none of which is ever opened), `size-limit`
 * (EFBIG), `short-write` (EIO, with the bytes taken), `read-only-root` (EROFS), `name` (EINVAL: the
 * last part of a path to make or remove is not a name).
 */
class HostRoot {
 public:
  static common::Result<std::unique_ptr<const HostRoot>> open(
      const std::string& directory, Access access, Resolver resolver = Resolver::kAutomatic);

  [[nodiscard]] bool writable() const { return access_ == Access::kWritable; }
  [[nodiscard]] bool uses_openat2() const { return resolver_ == Resolver::kAutomatic; }

  /** The whole file, read to EOF: stat says 4096 for every sysfs attribute and 0 for procfs files.
   */
  [[nodiscard]] common::Result<std::string> read(const std::string& path) const;

  /** A descriptor to read a file with, for a caller that reads it again and again. */
  [[nodiscard]] common::Result<common::UniqueFd> open_to_read(const std::string& path) const;

  /** A descriptor of its own for the file that `fd` is open on, whatever its path leads to by now.
   */
  [[nodiscard]] common::Result<common::UniqueFd> reopen_to_read(const common::UniqueFd& fd) const;

  /** One write(2) of all `data` to an existing file, which is never created; it is truncated first,
   * unless it is appended to: tracefs takes a truncation for an order to remove all that is there.
   */
  [[nodiscard]] std::optional<common::Failure> write(const std::string& path,
                                                     std::span<const std::byte> data,
                                                     WriteMode mode = WriteMode::kTruncate) const;

  /** Makes one directory, mode 0755 less the umask. */
  [[nodiscard]] std::optional<common::Failure> make_directory(const std::string& path) const;

  /** Removes one empty directory. */
  [[nodiscard]] std::optional<common::Failure> remove_directory(const std::string& path) const;

  /** Names in a directory, sorted bytewise, without `.` and `..`. */
  [[nodiscard]] common::Result<std::vector<std::string>> list(const std::string& path) const;

  /** A symlink's text; EINVAL when `path` is something else. */
  [[nodiscard]] common::Result<std::string> read_link(const std::string& path) const;

  /** f_type of statfs(2): a magic number of linux/magic.h. */
  [[nodiscard]] common::Result<std::uint32_t> file_system_magic(const std::string& path) const;

 private:
  enum class LastLink : std::uint8_t { kFollow, kKeep };

  /** A directory of the tree, opened O_PATH, and the name of one entry in it. */
  struct Entry {
    common::UniqueFd directory;
    std::string name;
  };

  HostRoot(common::UniqueFd root, common::UniqueFd proc_self_fd, Access access, Resolver resolver);

  /** An O_PATH descriptor for `path`. */
  [[nodiscard]] common::Result<common::UniqueFd> find(const std::string& path,
                                                      LastLink last_link) const;
  [[nodiscard]] common::Result<common::UniqueFd> find_by_openat2(const std::string& path,
                                                                 LastLink last_link) const;
  [[nodiscard]] common::Result<common::UniqueFd> find_by_components(std::string_view path,
                                                                    LastLink last_link) const;
  [[nodiscard]] common::Result<Entry> find_entry(const std::string& path) const;
  [[nodiscard]] common::Result<common::UniqueFd> open_file(const std::string& path,
                                                           int flags) const;
  /** Opens what `fd` is, which may be an O_PATH descriptor. */
  [[nodiscard]] common::Result<common::UniqueFd> open_again(const common::UniqueFd& fd,
                                                            int flags) const;

  common::UniqueFd root_;
  common::UniqueFd proc_self_fd_;
  Access access_;
  Resolver resolver_;
};

}  // namespace iaa_zswap::hostfs

#endif  // IAA_ZSWAP_HOSTFS_HOST_ROOT_H_
