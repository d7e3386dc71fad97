// The guest's first program: sets the machine's root up from an initramfs that holds only this
// program and a few kernel modules, then serves the machine's requests (docs/guest.md).

#include <dirent.h>
#include <fcntl.h>
#include <linux/module.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "common/unique_fd.h"
#include "guest/session.h"

namespace iaa_zswap::guest {
namespace {

constexpr const char* kModules = "/modules";
constexpr const char* kLower = "/lower";
constexpr const char* kOverlay = "/overlay";
constexpr const char* kNewRoot = "/root";
constexpr const char* kSwapDisk = "/dev/vda";
constexpr const char* kSwapDiskRotates = "/sys/block/vda/queue/rotational";
constexpr std::string_view kChannelPrefix = "iaa-zswap.";
constexpr std::string_view kLeaseChannel = "iaa-zswap.0";
// 512 KiB less a page is the most that the kernel's virtio transport takes in one message
// (net/9p/trans_virtio.c).
constexpr const char* k9p = "trans=virtio,version=9p2000.L,access=any,msize=507904,cache=";

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::vector<std::string> names_in(const std::string& directory) {
  DIR* const stream = ::opendir(directory.c_str());
  if (stream == nullptr) fail(directory);
  std::vector<std::string> names;
  while (const dirent* const entry = ::readdir(stream)) {
    const std::string name = static_cast<const char*>(entry->d_name);
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(stream);
  std::ranges::sort(names);
  return names;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

void make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) fail("mkdir " + path);
}

void mount_at(const std::string& target, const char* type, const char* source, unsigned long flags,
              const std::string& options) {
  make_directory(target);
  if (::mount(source, target.c_str(), type, flags, options.c_str()) != 0) {
    fail("mount " + std::string(type) + " on " + target);
  }
}

/** Loads /modules/NN-*.ko or .ko.xz in the order of their names, which is that of their
 * dependencies. */
void load_modules() {
  for (const std::string& name : names_in(kModules)) {
    const std::string path = std::string(kModules) + "/" + name;
    const common::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) fail(path);
    const int flags = name.ends_with(".ko") ? 0 : MODULE_INIT_COMPRESSED_FILE;
    if (::syscall(SYS_finit_module, file.get(), "", flags) != 0) fail("load " + path);
  }
}

/** Stacks a writable layer in memory on the machine's root and makes the result our root. */
void switch_root() {
  mount_at(kLower, "9p", "root", MS_RDONLY, std::string(k9p) + "loose");
  mount_at(kOverlay, "tmpfs", "tmpfs", 0, "mode=0755");
  make_directory("/overlay/upper");
  make_directory("/overlay/work");
  mount_at(kNewRoot, "overlay", "overlay", 0,
           "lowerdir=/lower,upperdir=/overlay/upper,workdir=/overlay/work");
  if (::chdir(kNewRoot) != 0 || ::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 ||
      ::chroot(".") != 0 || ::chdir("/") != 0) {
    fail("switch root");
  }
}

void mount_all() {
  utsname kernel{};
  ::uname(&kernel);
  const std::string release = static_cast<const char*>(kernel.release);
  constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  mount_at("/proc", "proc", "proc", kPlain, "");
  mount_at("/sys", "sysfs", "sysfs", kPlain, "");
  mount_at("/sys/kernel/debug", "debugfs", "debugfs", kPlain, "");
  mount_at("/sys/fs/cgroup", "cgroup2", "cgroup2", kPlain, "");
  mount_at("/dev", "devtmpfs", "devtmpfs", MS_NOSUID, "mode=0755");
  mount_at("/dev/pts", "devpts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666");
  mount_at("/dev/shm", "tmpfs", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
  // The machine's own /run would make its services look as if they ran here.
  mount_at("/run", "tmpfs", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
  make_directory("/usr/lib/modules");
  mount_at("/usr/lib/modules/" + release, "9p", "modules", MS_RDONLY, std::string(k9p) + "loose");
  // Uncached: both sides see each other's files at once.
  mount_at("/share", "9p", "share", MS_NOSUID | MS_NODEV, std::string(k9p) + "none");
}

void open_standard_streams() {
  const int null = ::open("/dev/null", O_RDONLY);
  const int console = ::open("/dev/console", O_WRONLY | O_NOCTTY);
  if (null < 0 || console < 0) fail("/dev/console");
  ::dup2(null, STDIN_FILENO);
  ::dup2(console, STDOUT_FILENO);
  ::dup2(console, STDERR_FILENO);
  for (const int fd : {null, console}) {
    if (fd > STDERR_FILENO) ::close(fd);
  }
}

/** Forks one server for each virtio-serial port that is a channel; gives their process ids. */
std::vector<pid_t> start_channels(Lease lease) {
  const std::string ports = "/sys/class/virtio-ports/";
  std::vector<pid_t> servers;
  for (const std::string& port : names_in(ports)) {
    const std::string name = first_line(ports + port + "/name");
    if (!name.starts_with(kChannelPrefix)) continue;
    const pid_t pid = ::fork();
    if (pid < 0) fail("fork");
    if (pid == 0) {
      const int fd = ::open(("/dev/" + port).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
      if (fd < 0) fail("/dev/" + port);
      // The machine must be able to reach a guest that is out of memory.
      std::ofstream("/proc/self/oom_score_adj") << "-1000";
      serve_channel(fd, name == kLeaseChannel ? lease : Lease::kNone);
    }
    servers.push_back(pid);
  }
  if (servers.empty()) throw std::runtime_error("no channel to the machine");
  return servers;
}

/** The kernel hands NAME=VALUE words of its command line that it does not know to us as the
 * environment. */
std::string boot_option(const char* name) {
  const char* const value = std::getenv(name);
  const std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

/**
 * Becomes the machine's own systemd, which is to manage cgroups and scopes and to start none of the
 * machine's services.
 */
[[noreturn]] void become_systemd() {
  for (const char* directory : {"/run/systemd", "/run/systemd/system"}) make_directory(directory);
  std::ofstream("/run/systemd/system/iaa-zswap.target")
      << "[Unit]\nDescription=A guest of iaa-zswap\nDefaultDependencies=no\n";
  constexpr const char* kSystemd = "/lib/systemd/systemd";
  ::execl(kSystemd, kSystemd, "--unit=iaa-zswap.target", "--show-status=no", "--log-target=kmsg",
          nullptr);
  fail(kSystemd);
}

/** systemctl and systemd-run talk to systemd by this socket. The machine's limit on booting bounds
 * the wait. */
void wait_for_systemd() {
  constexpr const char* kSocket = "/run/systemd/private";
  while (::access(kSocket, F_OK) != 0) ::usleep(50'000);
}

/** Loads the drivers of the IAA devices, as udev does where it runs. */
void load_device_drivers() {
  for (const char* module : {"idxd", "iaa_crypto"}) {
    const pid_t pid = ::fork();
    if (pid < 0) fail("fork");
    if (pid == 0) {
      ::execl("/sbin/modprobe", "modprobe", module, nullptr);
      fail("/sbin/modprobe");
    }
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid || status != 0)
      throw std::runtime_error(std::string("modprobe ") + module + " failed");
  }
}

/** Reaps orphans. A guest that lost a server could keep the machine waiting for ever: it is given
 * up. */
void reap(const std::vector<pid_t>& servers) {
  for (;;) {
    int status = 0;
    const pid_t pid = ::wait(&status);
    if (std::ranges::find(servers, pid) != servers.end()) {
      throw std::runtime_error("a channel's server ended with status " + std::to_string(status));
    }
  }
}

/**
 * On an SSD, as the machines are that this stands for. virtio's disks count as rotational, where
 * kernels before 6.13 find no run of swap entries for a large folio.
 */
void turn_swap_on() {
  std::ofstream rotates(kSwapDiskRotates);
  rotates << '0' << std::flush;
  if (!rotates) fail(std::string("writing ") + kSwapDiskRotates);
  if (::swapon(kSwapDisk, 0) != 0) fail(std::string("swapon ") + kSwapDisk);
}

void boot() {
  mount_at("/dev", "devtmpfs", "devtmpfs", MS_NOSUID, "mode=0755");
  open_standard_streams();
  load_modules();
  switch_root();
  mount_all();
  turn_swap_on();
  const bool leased = boot_option("IAA_ZSWAP_LEASE") == "connected";
  const bool systemd = boot_option("IAA_ZSWAP_INIT") == "systemd";
  if (boot_option("IAA_ZSWAP_DEVICES") == "yes") load_device_drivers();
  if (systemd) {
    const pid_t agent = ::fork();
    if (agent < 0) fail("fork");
    if (agent > 0) become_systemd();
    wait_for_systemd();
  }
  reap(start_channels(leased ? Lease::kConnected : Lease::kNone));
}

}  // namespace
}  // namespace iaa_zswap::guest

int main() {
  try {
    iaa_zswap::guest::boot();
  } catch (const std::exception& error) {
    // The machine shows the console's last lines when the guest has gone.
    (void)std::fprintf(stderr, "iaa-zswap guest: %s\n", error.what());
  }
  iaa_zswap::guest::power_off();
}
