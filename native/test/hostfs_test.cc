// Sources: native/hostfs/host_root.cc native/hostfs/file_lock.cc
//
// The host root on a hostile tree, by both resolvers; the lock; the writer's thread.

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "common/result.h"
#include "common/serial_thread.h"
#include "hostfs/file_lock.h"
#include "hostfs/host_root.h"
#include "test/check.h"
#include "test/temp_folder.h"

namespace {

namespace fs = std::filesystem;
using iaa_zswap::common::Failure;
using iaa_zswap::common::Result;
using iaa_zswap::common::SerialThread;
using iaa_zswap::hostfs::Access;
using iaa_zswap::hostfs::FileLock;
using iaa_zswap::hostfs::HostRoot;
using iaa_zswap::hostfs::kReadLimit;
using iaa_zswap::hostfs::Resolver;
using iaa_zswap::test::check;
using iaa_zswap::test::check_equal;
using iaa_zswap::test::TempFolder;

void put(const fs::path& file, std::string_view content) {
  std::ofstream(file, std::ios::binary) << content;
}

std::string get(const fs::path& file) {
  std::ostringstream content;
  content << std::ifstream(file, std::ios::binary).rdbuf();
  return content.str();
}

/** A failure as `errno syscall`, `ok` for none: something to compare and to show. */
std::string shown(const Failure& failure) {
  return std::string(strerrorname_np(failure.error)) + ' ' + failure.syscall;
}
std::string shown(const std::optional<Failure>& failure) {
  return failure ? shown(*failure) : "ok";
}
template <typename T>
std::string shown(const Result<T>& result) {
  return result.ok() ? "ok" : shown(result.failure());
}
std::string content(const Result<std::string>& result) {
  return result.ok() ? result.value() : shown(result.failure());
}

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::unique_ptr<const HostRoot> open_root(const fs::path& folder, Access access,
                                          Resolver resolver) {
  auto root = HostRoot::open(folder.string(), access, resolver);
  check(root.ok(), "the root opens");
  return std::move(root.value());
}

/** `outside/` and `root/`, in which links try to get out. */
struct HostileTree {
  TempFolder folder;
  fs::path outside = folder.path() / "outside";
  fs::path root = folder.path() / "root";

  HostileTree() {
    fs::create_directories(outside);
    fs::create_directories(root / "sys/deep/er");
    put(outside / "secret", "secret");
    put(root / "sys/attribute", "old and long\n");
    put(root / "sys/deep/er/file", "deep");
    put(root / "secret", "inside");
    fs::create_symlink("attribute", root / "sys/relative");
    fs::create_symlink("/sys/attribute", root / "sys/absolute");
    fs::create_symlink("../../../../../../../outside/secret", root / "sys/escape-up");
    fs::create_symlink(outside / "secret", root / "sys/escape-absolute");
    fs::create_symlink("../../../secret", root / "sys/up-to-root");
    fs::create_symlink("/sys/deep", root / "sys/folder");
    fs::create_symlink("loop", root / "sys/loop");
    fs::create_symlink("nowhere", root / "sys/dangling");
    std::string chain = "attribute";
    for (int i = 1; i <= 41; ++i) {
      const std::string name = "link" + std::to_string(i);
      fs::create_symlink(chain, root / "sys" / name);
      chain = name;
    }
    check(mkfifo((root / "sys/fifo").c_str(), 0600) == 0, "mkfifo");
  }
};

void resolves_inside(Resolver resolver) {
  const HostileTree tree;
  const auto root = open_root(tree.root, Access::kReadOnly, resolver);
  const std::string call = root->uses_openat2() ? "openat2" : "openat";

  check_equal(content(root->read("/sys/attribute")), "old and long\n");
  check_equal(content(root->read("/sys/relative")), "old and long\n");
  check_equal(content(root->read("/sys/absolute")), "old and long\n");
  check_equal(content(root->read("/sys/folder/er/file")), "deep");
  check_equal(content(root->read("/sys/folder/../attribute")), "old and long\n");
  check_equal(content(root->read("//sys/./deep//er/file")), "deep");
  check_equal(content(root->read("/../../../../secret")), "inside");
  check_equal(content(root->read("/sys/up-to-root")), "inside");
  check_equal(content(root->read("/sys/escape-up")), "ENOENT " + call);
  check_equal(content(root->read("/sys/escape-absolute")), "ENOENT " + call);
  check_equal(content(root->read("/../outside/secret")), "ENOENT " + call);
  check_equal(content(root->read("/sys/loop")), "ELOOP " + call);
  check_equal(content(root->read("/sys/dangling")), "ENOENT " + call);
  check_equal(content(root->read("/sys/attribute/")), "ENOTDIR " + call);
  check_equal(content(root->read("/sys/attribute/.")), "ENOTDIR " + call);
  check_equal(content(root->read("/sys/attribute/..")), "ENOTDIR " + call);
  check_equal(content(root->read("/sys/attribute/x")), "ENOTDIR " + call);
  check_equal(content(root->read("/" + std::string(256, 'n'))), "ENAMETOOLONG " + call);
  // MAXSYMLINKS: forty are followed, the next is one too many.
  check_equal(content(root->read("/sys/link40")), "old and long\n");
  check_equal(content(root->read("/sys/link41")), "ELOOP " + call);
}

void reads_only_files(Resolver resolver) {
  const HostileTree tree;
  const int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(socket_fd >= 0, "socket");
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string name = (tree.root / "sys/socket").string();
  check(name.size() < sizeof address.sun_path, "the socket's name fits");
  name.copy(static_cast<char*>(address.sun_path), name.size());
  check(bind(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");

  const auto root = open_root(tree.root, Access::kWritable, resolver);
  check_equal(content(root->read("/sys")), "EISDIR file-type");
  check_equal(content(root->read("/")), "EISDIR file-type");
  check_equal(content(root->read("/sys/fifo")), "EINVAL file-type");
  check_equal(content(root->read("/sys/socket")), "EINVAL file-type");
  check_equal(shown(root->write("/sys", bytes("x"))), "EISDIR file-type");
  check_equal(shown(root->write("/sys/fifo", bytes("x"))), "EINVAL file-type");
  check_equal(shown(root->write("/sys/socket", bytes("x"))), "EINVAL file-type");
  close(socket_fd);

  put(tree.root / "full", std::string(kReadLimit, 'x'));
  put(tree.root / "more", std::string(kReadLimit + 1, 'x'));
  check_equal(root->read("/full").value().size(), kReadLimit);
  check_equal(content(root->read("/more")), "EFBIG size-limit");
}

void writes_one_value(Resolver resolver) {
  const HostileTree tree;
  const auto root = open_root(tree.root, Access::kWritable, resolver);
  const std::string call = root->uses_openat2() ? "openat2" : "openat";

  check_equal(shown(root->write("/sys/absolute", bytes("lzo"))), "ok");
  check_equal(get(tree.root / "sys/attribute"), "lzo");
  check_equal(shown(root->write("/sys/missing", bytes("1"))), "ENOENT " + call);
  check(!fs::exists(tree.root / "sys/missing"), "nothing is created");
  check_equal(shown(root->write("/sys/dangling", bytes("1"))), "ENOENT " + call);
  check(!fs::exists(tree.root / "sys/nowhere"), "nothing is created through a link");
  check_equal(shown(root->write("/sys/escape-up", bytes("1"))), "ENOENT " + call);
  check_equal(shown(root->write("/sys/escape-absolute", bytes("1"))), "ENOENT " + call);
  check_equal(get(tree.outside / "secret"), "secret");
}

void changes_directories(Resolver resolver) {
  const HostileTree tree;
  fs::create_symlink("../../../outside", tree.root / "sys/out");
  const auto root = open_root(tree.root, Access::kWritable, resolver);
  const std::string call = root->uses_openat2() ? "openat2" : "openat";

  check_equal(shown(root->make_directory("/sys/group")), "ok");
  check(fs::is_directory(tree.root / "sys/group"), "it is made");
  check_equal(shown(root->make_directory("/sys/group")), "EEXIST mkdirat");
  check_equal(shown(root->make_directory("/sys/none/group")), "ENOENT " + call);
  check_equal(shown(root->make_directory("/sys/out/group")), "ENOENT " + call);
  check(!fs::exists(tree.outside / "group"), "nothing is made outside");
  check_equal(shown(root->make_directory("/sys/..")), "EINVAL name");
  check_equal(shown(root->make_directory("/")), "EINVAL name");
  check_equal(shown(root->remove_directory("/sys/deep")), "ENOTEMPTY unlinkat");
  check_equal(shown(root->remove_directory("/sys/folder")), "ENOTDIR unlinkat");
  check_equal(shown(root->remove_directory("/sys/attribute")), "ENOTDIR unlinkat");
  check_equal(shown(root->remove_directory("/sys/group/.")), "EINVAL name");
  check_equal(shown(root->remove_directory("/sys/group")), "ok");
  check(!fs::exists(tree.root / "sys/group"), "it is gone");
}

void lists_and_reads_links(Resolver resolver) {
  const HostileTree tree;
  fs::create_directories(tree.root / "list");
  for (const std::string_view name : {"b", "a", "B", ".hidden", "a-b"}) {
    put(tree.root / "list" / name, "");
  }
  const auto root = open_root(tree.root, Access::kReadOnly, resolver);
  const std::string call = root->uses_openat2() ? "openat2" : "openat";

  const std::vector<std::string> sorted = {".hidden", "B", "a", "a-b", "b"};
  check(root->list("/list").value() == sorted, "sorted bytewise");
  check_equal(shown(root->list("/none")), "ENOENT " + call);
  check_equal(shown(root->list("/sys/attribute")), "ENOTDIR openat");
  check_equal(shown(root->list("/sys/fifo")), "ENOTDIR openat");
  check_equal(content(root->read_link("/sys/escape-absolute")), (tree.outside / "secret").string());
  check_equal(content(root->read_link("/sys/dangling")), "nowhere");
  check_equal(content(root->read_link("/sys/attribute")), "EINVAL readlinkat");
  check_equal(content(root->read_link("/sys")), "EINVAL readlinkat");
  check_equal(content(root->read_link("/sys/none")), "ENOENT " + call);
  // With a slash behind it the link is followed.
  check_equal(content(root->read_link("/sys/folder/")), "EINVAL readlinkat");
}

void read_only_refuses(Resolver resolver) {
  const HostileTree tree;
  const auto root = open_root(tree.root, Access::kReadOnly, resolver);
  check_equal(shown(root->write("/sys/attribute", bytes("x"))), "EROFS read-only-root");
  check_equal(shown(root->write("/none", bytes("x"))), "EROFS read-only-root");
  check_equal(shown(root->make_directory("/new")), "EROFS read-only-root");
  check_equal(shown(root->remove_directory("/sys/deep/er")), "EROFS read-only-root");
  check_equal(get(tree.root / "sys/attribute"), "old and long\n");
}

void sees_the_running_kernel(Resolver resolver) {
  const auto root = open_root("/", Access::kReadOnly, resolver);
  check_equal(content(root->read_link("/proc/self")), std::to_string(getpid()));
  check(root->read("/proc/self/status").ok(), "an ordinary link is followed");
  check(root->read("/proc/stat").value().starts_with("cpu "), "procfs is read to its end");
  check_equal(root->file_system_magic("/proc").value(), std::uint32_t{PROC_SUPER_MAGIC});
  check_equal(root->file_system_magic("/sys").value(), std::uint32_t{SYSFS_MAGIC});
  check_equal(content(root->read("/dev/null")), "EINVAL file-type");
  if (root->uses_openat2()) {
    check_equal(content(root->read("/proc/self/root/proc/stat")), "ELOOP openat2");
  }
}

/** Another thread swaps a folder for a link to the outside while files are read and directories
 * made. */
void survives_a_race(Resolver resolver) {
  const HostileTree tree;
  fs::create_directories(tree.root / "swap");
  put(tree.root / "swap/secret", "inside");
  fs::create_symlink(tree.outside, tree.root / "link");
  const auto root = open_root(tree.root, Access::kWritable, resolver);

  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    const std::string folder = (tree.root / "swap").string();
    const std::string link = (tree.root / "link").string();
    bool swapped = true;
    while (!stop && swapped) {
      swapped = renameat2(AT_FDCWD, folder.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE) == 0;
    }
    check(swapped, "renameat2");
  });
  int read = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string text = content(root->read("/swap/secret"));
    check(text == "inside" || text.starts_with('E'), text);
    if (text == "inside") ++read;
    // What the write found may by now lie elsewhere; it is inside all the same.
    static_cast<void>(root->write("/swap/../swap/secret", bytes("inside")));
  }
  stop = true;
  swapper.join();
  check(read > 0, "some reads won the race");
  check_equal(get(tree.outside / "secret"), "secret");
}

void roots_that_cannot_be_opened() {
  const TempFolder folder;
  put(folder.path() / "file", "");
  const auto open = [](const fs::path& path) {
    return shown(HostRoot::open(path.string(), Access::kReadOnly));
  };
  check_equal(open(folder.path() / "none"), "ENOENT open");
  check_equal(open(folder.path() / "file"), "ENOTDIR open");
}

void locks_are_exclusive() {
  const TempFolder folder;
  const std::string file = (folder.path() / "lock").string();
  {
    auto first = FileLock::try_lock(file);
    check(first.ok(), "the first gets it");
    struct stat status{};
    check(stat(file.c_str(), &status) == 0, "the file is there");
    check_equal(status.st_mode & 0777U, 0600U);
    check_equal(shown(FileLock::try_lock(file)), "EAGAIN flock");
    first.value().release();
    first.value().release();
    auto second = FileLock::try_lock(file);
    check(second.ok(), "released, it can be taken again");
  }
  check(FileLock::try_lock(file).ok(), "destroyed, it can be taken again");

  fs::create_symlink(file, folder.path() / "link");
  check_equal(shown(FileLock::try_lock((folder.path() / "link").string())), "ELOOP open");
  check(mkfifo((folder.path() / "fifo").c_str(), 0600) == 0, "mkfifo");
  check_equal(shown(FileLock::try_lock((folder.path() / "fifo").string())), "EINVAL file-type");
  check_equal(shown(FileLock::try_lock(folder.path().string())), "EISDIR open");
  check_equal(shown(FileLock::try_lock((folder.path() / "none/lock").string())), "ENOENT open");
}

struct Numbered {
  int number;
  std::atomic<bool>* gate;
  std::atomic<bool>* began;
  void run() const {
    if (began != nullptr) *began = true;
    while (gate != nullptr && !*gate) std::this_thread::yield();
  }
};

void serial_thread_keeps_the_order() {
  std::vector<int> ended;
  std::atomic<int> count = 0;
  SerialThread<Numbered> thread([&](const std::unique_ptr<Numbered>& job) {
    ended.push_back(job->number);
    ++count;
  });
  check_equal(shown(thread.start()), "ok");
  for (int i = 0; i < 100; ++i) {
    thread.post(
        std::make_unique<Numbered>(Numbered{.number = i, .gate = nullptr, .began = nullptr}));
  }
  while (count < 100) std::this_thread::yield();
  thread.stop();
  thread.stop();
  check_equal(ended.size(), 100U);
  for (int i = 0; i < 100; ++i) check_equal(ended[static_cast<std::size_t>(i)], i);
}

void serial_thread_drops_what_has_not_begun() {
  std::atomic<bool> gate = false;
  std::atomic<bool> began = false;
  std::atomic<int> ended = 0;
  SerialThread<Numbered> thread([&](const std::unique_ptr<Numbered>&) { ++ended; });
  check_equal(shown(thread.start()), "ok");
  for (int i = 0; i < 3; ++i)
    thread.post(std::make_unique<Numbered>(Numbered{.number = i, .gate = &gate, .began = &began}));
  while (!began) std::this_thread::yield();
  std::thread opener([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    gate = true;
  });
  thread.stop();  // waits for the first, whose gate opens while it waits
  opener.join();
  check_equal(ended.load(), 1);
}

void never_started_thread_stops() {
  SerialThread<Numbered> thread([](const std::unique_ptr<Numbered>&) {});
  thread.stop();
}

}  // namespace

int main() {
  for (const Resolver resolver : {Resolver::kAutomatic, Resolver::kComponents}) {
    resolves_inside(resolver);
    reads_only_files(resolver);
    writes_one_value(resolver);
    changes_directories(resolver);
    lists_and_reads_links(resolver);
    read_only_refuses(resolver);
    sees_the_running_kernel(resolver);
    survives_a_race(resolver);
  }
  roots_that_cannot_be_opened();
  locks_are_exclusive();
  serial_thread_keeps_the_order();
  serial_thread_drops_what_has_not_begun();
  never_started_thread_stops();
  return 0;
}
