// iaa-device: software IAX devices that QEMU attaches to a guest (docs/device.md).

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error_name.h"
#include "iax/server.h"

namespace iaa_zswap::iax {
namespace {

constexpr const char* kUsage =
    "usage: iaa_device --folder DIR [--devices N] [--version 1|2] [--once]\n"
    "                  [--engine-threads] [--no-write-multiple] [--no-priority]\n";
constexpr uint32_t kMaxDevices = 16;
// How long --once waits for its first client, seconds.
constexpr int kFirstClientSeconds = 60;

struct Options {
  ServerOptions server;
  bool once = false;
  bool priority = true;
};

std::optional<Options> parse(const std::vector<std::string>& arguments) {
  Options options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const auto value = [&]() -> std::string { return ++i < arguments.size() ? arguments[i] : ""; };
    if (word == "--folder") {
      options.server.folder = value();
    } else if (word == "--devices") {
      const std::string text = value();
      uint32_t& devices = options.server.devices;
      const char* const end = text.data() + text.size();
      const auto [stopped, error] = std::from_chars(text.data(), end, devices);
      if (error != std::errc() || stopped != end || devices < 1 || devices > kMaxDevices)
        return std::nullopt;
    } else if (word == "--version") {
      const std::string text = value();
      if (text != "1" && text != "2") return std::nullopt;
      options.server.session.device.generation = text == "1" ? Generation::k1 : Generation::k2;
    } else if (word == "--once") {
      options.once = true;
    } else if (word == "--engine-threads") {
      options.server.session.device.inline_engine = false;
    } else if (word == "--no-write-multiple") {
      options.server.session.write_multiple = false;
    } else if (word == "--no-priority") {
      options.priority = false;
    } else {
      return std::nullopt;
    }
  }
  if (options.server.folder.empty()) return std::nullopt;
  return options;
}

// struct sched_attr (include/uapi/linux/sched/types.h), which the C library has only since 2.41.
struct SchedulingAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime_ns;
  uint64_t deadline_ns;
  uint64_t period_ns;
};

/**
 * Asks for little time at once, but soon: the guest's CPUs spin while they wait for a completion,
 * and where they take all the machine's CPUs, the device would wait for the end of their time
 * slice. Threads that are started later inherit it. What is not permitted is left as it is.
 */
void ask_for_short_slices() {
  constexpr uint64_t kSliceNs = 100'000;  // the shortest that the kernel takes (since 6.12)
  constexpr int kNice = -10;
  SchedulingAttributes attributes{};
  attributes.size = sizeof attributes;
  attributes.policy = SCHED_OTHER;
  attributes.nice = ::geteuid() == 0 ? kNice : 0;
  attributes.runtime_ns = kSliceNs;
  const bool taken = ::syscall(SYS_sched_setattr, 0, &attributes, 0U) == 0;
  if (::geteuid() != 0) return;
  if (!taken) ::setpriority(PRIO_PROCESS, 0, kNice);
  // Where the kernel groups tasks by session (CONFIG_SCHED_AUTOGROUP), nice counts within a session
  // only: against the guest's CPUs and all else, the session's own counts.
  if (::getsid(0) != ::getpid()) return;
  std::ofstream("/proc/self/autogroup") << kNice;
}

int serve(Options options) {
  if (options.priority) ask_for_short_slices();
  // Inherited by all threads: signals are for the one below.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  (void)std::signal(SIGPIPE, SIG_IGN);

  Server server(std::move(options.server));
  if (const auto failed = server.start()) {
    (void)std::fprintf(stderr, "error: %s: %s\n", failed->syscall,
                       common::error_name(failed->error).c_str());
    return 1;
  }
  (void)std::printf("listening\n");
  (void)std::fflush(stdout);

  bool seen = false;
  for (int waited = 0;; ++waited) {
    constexpr timespec kSecond{.tv_sec = 1, .tv_nsec = 0};
    if (sigtimedwait(&signals, nullptr, &kSecond) > 0) break;
    seen = seen || server.has_had_client();
    if (!options.once) continue;
    if (server.is_abandoned() || (!seen && waited >= kFirstClientSeconds)) break;
  }
  server.stop();
  return 0;
}

}  // namespace
}  // namespace iaa_zswap::iax

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto options = iaa_zswap::iax::parse(arguments);
  if (!options) {
    (void)std::fputs(iaa_zswap::iax::kUsage, stderr);
    return 2;
  }
  return iaa_zswap::iax::serve(*options);
}
