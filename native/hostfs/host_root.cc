#include "hostfs/host_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <utility>

namespace iaa_zswap::hostfs {
namespace {

using common::Failure;
using common::last_failure;
using common::Result;
using common::UniqueFd;

// MAXSYMLINKS of include/linux/namei.h: after as many the kernel says ELOOP.
constexpr int kMaxLinks = 40;

// openat2 answers EAGAIN when a rename raced with a `..`. Whoever can rename in the tree could make
// it do so for ever, so we give up some time.
constexpr int kMaxRaces = 128;

/** Calls again while a signal interrupts it. */
template <typename Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

Result<UniqueFd> openat2_in_root(int root, const char* path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags;
  // A magic link of procfs (/proc/PID/root, /proc/PID/fd/N) leads anywhere, past any root.
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  for (int races = 0;;) {
    UniqueFd fd(static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof how)));
    if (fd.is_open()) return fd;
    if (errno == EINTR) continue;
    if (errno == EAGAIN && ++races < kMaxRaces) continue;
    return last_failure("openat2");
  }
}

/** The text of the symlink that `link` (O_PATH | O_NOFOLLOW) is. */
Result<std::string> link_text(const UniqueFd& link) {
  std::array<char, PATH_MAX> text{};
  const ssize_t length = readlinkat(link.get(), "", text.data(), text.size());
  if (length < 0) return last_failure("readlinkat");
  return std::string(text.data(), static_cast<std::size_t>(length));
}

std::deque<std::string> components(std::string_view path) {
  std::deque<std::string> parts;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t to = std::min(path.find('/', from), path.size());
    parts.emplace_back(path.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

std::optional<Failure> require_directory(int fd) {
  struct stat status{};
  if (fstat(fd, &status) < 0) return last_failure("fstat");
  if (!S_ISDIR(status.st_mode)) return Failure{.error = ENOTDIR, .syscall = "openat"};
  return std::nullopt;
}

/**
 * Resolves a path without openat2: one openat(O_NOFOLLOW) per component, symlinks followed by us.
 * `..` goes back to the descriptor we came from and never asks the kernel, so no rename can carry
 * us out of the root. Magic links are followed by their text, inside the root, like any other.
 */
class Walk {
 public:
  Walk(int root, std::string_view path, bool keep_last_link)
      : root_(root), keep_last_link_(keep_last_link), pending_(components(path)) {}

  /** The O_PATH descriptor at the end of the path. */
  Result<UniqueFd> finish() {
    while (!pending_.empty()) {
      const std::string name = std::move(pending_.front());
      pending_.pop_front();
      if (const std::optional<Failure> failure = step(name)) return *failure;
    }
    if (!trail_.empty()) return std::move(trail_.back());
    UniqueFd root(fcntl(root_, F_DUPFD_CLOEXEC, 0));
    if (!root.is_open()) return last_failure("fcntl");
    return root;
  }

 private:
  [[nodiscard]] int here() const { return trail_.empty() ? root_ : trail_.back().get(); }

  std::optional<Failure> step(const std::string& name) {
    if (name.empty() || name == "." || name == "..") {
      // `file/`, `file/.` and `file/..` are ENOTDIR to the kernel.
      if (const std::optional<Failure> failure = require_directory(here())) return failure;
      if (name == ".." && !trail_.empty()) trail_.pop_back();
      return std::nullopt;
    }
    UniqueFd next(uninterrupted(
        [&] { return openat(here(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC); }));
    if (!next.is_open()) return last_failure("openat");
    struct stat status{};
    if (fstat(next.get(), &status) < 0) return last_failure("fstat");
    const bool is_last = pending_.empty();
    if (S_ISLNK(status.st_mode) && !(is_last && keep_last_link_)) return follow(next);
    trail_.push_back(std::move(next));
    return std::nullopt;
  }

  /** Puts the link's own components before those still to come. */
  std::optional<Failure> follow(const UniqueFd& link) {
    if (++links_ > kMaxLinks) return Failure{.error = ELOOP, .syscall = "openat"};
    const Result<std::string> text = link_text(link);
    if (!text.ok()) return text.failure();
    if (text.value().starts_with('/')) trail_.clear();
    const std::deque<std::string> parts = components(text.value());
    pending_.insert(pending_.begin(), parts.begin(), parts.end());
    return std::nullopt;
  }

  int root_;
  bool keep_last_link_;
  std::deque<std::string> pending_;
  /** The way from the root, without it. */
  std::vector<UniqueFd> trail_;
  int links_ = 0;
};

}  // namespace

HostRoot::HostRoot(UniqueFd root, UniqueFd proc_self_fd, Access access, Resolver resolver)
    : root_(std::move(root)),
      proc_self_fd_(std::move(proc_self_fd)),
      access_(access),
      resolver_(resolver) {}

Result<std::unique_ptr<const HostRoot>> HostRoot::open(const std::string& directory, Access access,
                                                       Resolver resolver) {
  UniqueFd root(
      uninterrupted([&] { return ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }));
  if (!root.is_open()) return last_failure("open");

  UniqueFd proc_self_fd(
      uninterrupted([] { return ::open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC); }));
  if (!proc_self_fd.is_open()) return last_failure("open(/proc/self/fd)");
  struct statfs proc{};
  if (fstatfs(proc_self_fd.get(), &proc) < 0) return last_failure("fstatfs(/proc/self/fd)");
  if (proc.f_type != PROC_SUPER_MAGIC) {
    return Failure{.error = ENODEV, .syscall = "fstatfs(/proc/self/fd)"};
  }

  if (resolver == Resolver::kAutomatic) {
    // Kernels before 5.6 say ENOSYS, container seccomp filters ENOSYS or EPERM. Asked about the
    // root itself, which we hold open, the answer can mean nothing else; about a file EPERM could
    // be the file's own.
    const Result<UniqueFd> probe = openat2_in_root(root.get(), "/", O_PATH | O_CLOEXEC);
    if (!probe.ok()) {
      const int error = probe.failure().error;
      if (error != ENOSYS && error != EPERM) return probe.failure();
      resolver = Resolver::kComponents;
    }
  }
  return std::unique_ptr<const HostRoot>(
      new HostRoot(std::move(root), std::move(proc_self_fd), access, resolver));
}

Result<UniqueFd> HostRoot::find(const std::string& path, LastLink last_link) const {
  return resolver_ == Resolver::kAutomatic ? find_by_openat2(path, last_link)
                                           : find_by_components(path, last_link);
}

Result<UniqueFd> HostRoot::find_by_openat2(const std::string& path, LastLink last_link) const {
  const int keep = last_link == LastLink::kKeep ? O_NOFOLLOW : 0;
  return openat2_in_root(root_.get(), path.c_str(),
                         static_cast<std::uint64_t>(O_PATH | O_CLOEXEC | keep));
}

Result<UniqueFd> HostRoot::find_by_components(std::string_view path, LastLink last_link) const {
  return Walk(root_.get(), path, last_link == LastLink::kKeep).finish();
}

Result<HostRoot::Entry> HostRoot::find_entry(const std::string& path) const {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return Failure{.error = EINVAL, .syscall = "name"};
  std::string name = path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") {
    return Failure{.error = EINVAL, .syscall = "name"};
  }
  Result<UniqueFd> directory = find(path.substr(0, slash + 1), LastLink::kFollow);
  if (!directory.ok()) return directory.failure();
  return Entry{.directory = std::move(directory.value()), .name = std::move(name)};
}

// Finds before it opens: to open a FIFO would wait for its other end, and to open a device can do
// anything. What was found and judged is then opened through /proc/self/fd, so nothing can take its
// place in between.
Result<UniqueFd> HostRoot::open_file(const std::string& path, int flags) const {
  const Result<UniqueFd> found = find(path, LastLink::kFollow);
  if (!found.ok()) return found.failure();
  struct stat status{};
  if (fstat(found.value().get(), &status) < 0) return last_failure("fstat");
  if (S_ISDIR(status.st_mode)) return Failure{.error = EISDIR, .syscall = "file-type"};
  if (!S_ISREG(status.st_mode)) return Failure{.error = EINVAL, .syscall = "file-type"};
  return open_again(found.value(), flags);
}

Result<UniqueFd> HostRoot::open_again(const UniqueFd& fd, int flags) const {
  const std::string name = std::to_string(fd.get());
  UniqueFd file(uninterrupted(
      [&] { return openat(proc_self_fd_.get(), name.c_str(), flags | O_NOCTTY | O_CLOEXEC); }));
  if (!file.is_open()) return last_failure("openat");
  return file;
}

// O_NONBLOCK: files like trace_pipe then answer EAGAIN, and nobody's lease on a file makes us wait.
Result<UniqueFd> HostRoot::open_to_read(const std::string& path) const {
  return open_file(path, O_RDONLY | O_NONBLOCK);
}

Result<UniqueFd> HostRoot::reopen_to_read(const UniqueFd& fd) const {
  return open_again(fd, O_RDONLY | O_NONBLOCK);
}

Result<std::string> HostRoot::read(const std::string& path) const {
  const Result<UniqueFd> file = open_to_read(path);
  if (!file.ok()) return file.failure();
  std::string content;
  std::array<char, 16384> chunk{};
  for (;;) {
    const ssize_t count =
        uninterrupted([&] { return ::read(file.value().get(), chunk.data(), chunk.size()); });
    if (count < 0) return last_failure("read");
    if (count == 0) return content;
    content.append(chunk.data(), static_cast<std::size_t>(count));
    if (content.size() > kReadLimit) return Failure{.error = EFBIG, .syscall = "size-limit"};
  }
}

std::optional<Failure> HostRoot::write(const std::string& path, std::span<const std::byte> data,
                                       WriteMode mode) const {
  if (!writable()) return Failure{.error = EROFS, .syscall = "read-only-root"};
  // Not O_NONBLOCK: memory.high and memory.max then skip the reclaim that a write of theirs is for.
  Result<UniqueFd> file =
      open_file(path, O_WRONLY | (mode == WriteMode::kAppend ? O_APPEND : O_TRUNC));
  if (!file.ok()) return file.failure();
  // Once and no more, not even after EINTR: the kernel takes each write as a value of its own.
  const ssize_t count = ::write(file.value().get(), data.data(), data.size());
  if (count < 0) return last_failure("write");
  const auto written = static_cast<std::size_t>(count);
  if (written != data.size()) {
    return Failure{.error = EIO, .syscall = "short-write", .written = written};
  }
  if (file.value().close() < 0) return last_failure("close");
  return std::nullopt;
}

std::optional<Failure> HostRoot::make_directory(const std::string& path) const {
  if (!writable()) return Failure{.error = EROFS, .syscall = "read-only-root"};
  const Result<Entry> entry = find_entry(path);
  if (!entry.ok()) return entry.failure();
  if (mkdirat(entry.value().directory.get(), entry.value().name.c_str(), 0755) < 0) {
    return last_failure("mkdirat");
  }
  return std::nullopt;
}

std::optional<Failure> HostRoot::remove_directory(const std::string& path) const {
  if (!writable()) return Failure{.error = EROFS, .syscall = "read-only-root"};
  const Result<Entry> entry = find_entry(path);
  if (!entry.ok()) return entry.failure();
  if (unlinkat(entry.value().directory.get(), entry.value().name.c_str(), AT_REMOVEDIR) < 0) {
    return last_failure("unlinkat");
  }
  return std::nullopt;
}

Result<std::vector<std::string>> HostRoot::list(const std::string& path) const {
  const Result<UniqueFd> found = find(path, LastLink::kFollow);
  if (!found.ok()) return found.failure();
  UniqueFd directory(uninterrupted(
      [&] { return openat(found.value().get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!directory.is_open()) return last_failure("openat");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(directory.get()), closedir);
  if (!stream) return last_failure("fdopendir");
  static_cast<void>(directory.release());  // closedir closes it

  std::vector<std::string> names;
  std::size_t bytes = 0;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name(static_cast<const char*>(entry->d_name));
    if (name == "." || name == "..") continue;
    bytes += name.size() + 1;
    if (bytes > kReadLimit) return Failure{.error = EFBIG, .syscall = "size-limit"};
    names.emplace_back(name);
  }
  if (errno != 0) return last_failure("getdents64");
  std::ranges::sort(names);
  return names;
}

Result<std::string> HostRoot::read_link(const std::string& path) const {
  const Result<UniqueFd> found = find(path, LastLink::kKeep);
  if (!found.ok()) return found.failure();
  struct stat status{};
  if (fstat(found.value().get(), &status) < 0) return last_failure("fstat");
  // readlinkat with an empty path would say ENOENT here, as if nothing were there.
  if (!S_ISLNK(status.st_mode)) return Failure{.error = EINVAL, .syscall = "readlinkat"};
  return link_text(found.value());
}

Result<std::uint32_t> HostRoot::file_system_magic(const std::string& path) const {
  const Result<UniqueFd> found = find(path, LastLink::kFollow);
  if (!found.ok()) return found.failure();
  struct statfs status{};
  if (fstatfs(found.value().get(), &status) < 0) return last_failure("fstatfs");
  return static_cast<std::uint32_t>(status.f_type);
}

}  // namespace iaa_zswap::hostfs
