#include "iax/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <map>
#include <sstream>
#include <string_view>

#include "iax/statistics_text.h"

namespace iaa_zswap::iax {
namespace {

using common::Failure;
using common::last_failure;
using common::UniqueFd;

constexpr size_t kMaxControlLine = 256;
constexpr uint32_t kMaxDelayMicroseconds = 1'000'000;

/** Sends all; false when the client has gone. */
bool send_all(int client, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
  return true;
}

/** Receives some bytes and the descriptors that come with them; 0 or less at the end. */
ssize_t receive(int client, std::span<uint8_t> room, std::vector<UniqueFd>& fds) {
  iovec part{.iov_base = room.data(), .iov_len = room.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxMessageFds * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t got = ::recvmsg(client, &header, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR) got = ::recvmsg(client, &header, MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  for (cmsghdr* one = CMSG_FIRSTHDR(&header); one != nullptr; one = CMSG_NXTHDR(&header, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(one) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return got;
}

std::optional<uint32_t> parse_number(const std::string& word, uint32_t limit) {
  uint32_t value = 0;
  const char* const end = word.data() + word.size();
  const auto [stopped, error] = std::from_chars(word.data(), end, value);
  if (error != std::errc() || stopped != end || value > limit) return std::nullopt;
  return value;
}

std::string halt(Device& device, const std::string& reset) {
  const std::map<std::string_view, ResetType> resets = {{"software", ResetType::kSoftware},
                                                        {"flr", ResetType::kFunctionLevel},
                                                        {"warm", ResetType::kWarm},
                                                        {"cold", ResetType::kCold}};
  const auto type = resets.find(reset);
  if (type == resets.end()) return "error: expected software, flr, warm or cold";
  device.halt(type->second);
  return "ok";
}

}  // namespace

Server::~Server() { stop(); }

common::Result<UniqueFd> Server::listen_on(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Failure{.error = ENAMETOOLONG, .syscall = "bind"};
  std::memcpy(static_cast<char*>(address.sun_path), path.c_str(), path.size() + 1);
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.is_open()) return last_failure("socket");
  ::unlink(path.c_str());
  const mode_t before = ::umask(0177);
  const int bound =
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(before);
  if (bound != 0) return Failure{.error = error, .syscall = "bind"};
  if (::listen(listener.get(), 1) != 0) return last_failure("listen");
  return listener;
}

std::optional<Failure> Server::start() {
  stop_event_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!stop_event_.is_open()) return last_failure("eventfd");
  control_path_ = options_.folder + "/control.sock";
  auto control = listen_on(control_path_);
  if (!control.ok()) return control.failure();
  control_ = std::move(control.value());
  for (uint32_t i = 0; i < options_.devices; ++i) {
    auto port = std::make_unique<Port>(options_.session);
    port->path = options_.folder + "/iax" + std::to_string(i) + ".sock";
    auto listener = listen_on(port->path);
    if (!listener.ok()) return listener.failure();
    port->listener = std::move(listener.value());
    ports_.push_back(std::move(port));
  }
  for (const auto& port : ports_)
    port->thread = std::thread([this, at = port.get()] { serve_device(*at); });
  control_thread_ = std::thread([this] { serve_control(); });
  return std::nullopt;
}

void Server::stop() {
  if (stop_event_.is_open()) {
    constexpr uint64_t kOne = 1;
    [[maybe_unused]] const ssize_t told = ::write(stop_event_.get(), &kOne, sizeof kOne);
  }
  for (const auto& port : ports_) {
    if (port->thread.joinable()) port->thread.join();
    ::unlink(port->path.c_str());
  }
  if (control_thread_.joinable()) control_thread_.join();
  if (control_.is_open()) ::unlink(control_path_.c_str());
  ports_.clear();
  control_.close();
  stop_event_.close();
}

/** Waits for a client; none when it is time to stop. */
UniqueFd Server::next_client(int listener) const {
  for (;;) {
    std::array<pollfd, 2> polled{{{.fd = stop_event_.get(), .events = POLLIN, .revents = 0},
                                  {.fd = listener, .events = POLLIN, .revents = 0}}};
    ::poll(polled.data(), polled.size(), -1);
    if (polled[0].revents != 0) return {};
    UniqueFd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (client.is_open()) return client;
  }
}

void Server::serve_device(Port& port) {
  for (;;) {
    const UniqueFd client = next_client(port.listener.get());
    if (!client.is_open()) return;
    ++connected_;
    seen_ = true;
    serve_client(client.get(), port.session);
    port.session.disconnect();
    --connected_;
  }
}

/** Serves one client until it goes, sends what is no message, or it is time to stop. */
void Server::serve_client(int client, Session& session) const {
  std::vector<uint8_t> buffer(64 << 10);
  std::vector<uint8_t> reply;
  std::vector<UniqueFd> fds;
  size_t filled = 0;
  for (;;) {
    std::array<pollfd, 2> polled{{{.fd = client, .events = POLLIN, .revents = 0},
                                  {.fd = stop_event_.get(), .events = POLLIN, .revents = 0}}};
    ::poll(polled.data(), polled.size(), -1);
    if (polled[1].revents != 0) return;
    const ssize_t got = receive(client, std::span(buffer).subspan(filled), fds);
    if (got <= 0) return;
    filled += static_cast<size_t>(got);

    size_t at = 0;
    while (filled - at >= kHeaderBytes) {
      const auto rest = std::span<const uint8_t>(buffer).subspan(at, filled - at);
      const auto bytes = Session::message_bytes(rest);
      if (!bytes) return;
      if (buffer.size() < *bytes) buffer.resize(*bytes);
      if (rest.size() < *bytes) break;
      // Descriptors come with the last message of what one recvmsg(2) gives (unix(7)).
      std::vector<UniqueFd> own;
      if (rest.size() == *bytes) own = std::exchange(fds, {});
      session.handle(rest.first(*bytes), std::move(own), reply);
      at += *bytes;
    }
    std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(at),
              buffer.begin() + static_cast<std::ptrdiff_t>(filled), buffer.begin());
    filled -= at;
    if (fds.size() > kMaxMessageFds) return;
    if (!send_all(client, reply)) return;
    reply.clear();
    session.dispatch();
  }
}

void Server::serve_control() {
  for (;;) {
    const UniqueFd client = next_client(control_.get());
    if (!client.is_open()) return;
    std::string line;
    for (;;) {
      std::array<pollfd, 2> polled{{{.fd = client.get(), .events = POLLIN, .revents = 0},
                                    {.fd = stop_event_.get(), .events = POLLIN, .revents = 0}}};
      ::poll(polled.data(), polled.size(), -1);
      if (polled[1].revents != 0) return;
      std::array<char, kMaxControlLine> room{};
      const ssize_t got = ::recv(client.get(), room.data(), room.size(), 0);
      if (got <= 0) break;
      line.append(room.data(), static_cast<size_t>(got));
      const size_t end = line.find('\n');
      if (end == std::string::npos && line.size() <= kMaxControlLine) continue;
      const std::string text =
          end == std::string::npos ? "error: too long" : answer(line.substr(0, end));
      const std::string whole = text + "\n";
      send_all(client.get(), {reinterpret_cast<const uint8_t*>(whole.data()), whole.size()});
      break;
    }
  }
}

std::string Server::statistics() {
  std::string text = "[";
  for (const auto& port : ports_) {
    if (text.size() > 1) text += ',';
    text += statistics_text(port->session.device().statistics(), port->session.traffic());
  }
  return text + "]";
}

/** One request of the control socket: see docs/device.md. */
std::string Server::answer(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words.empty()) return "error: empty request";
  if (words == std::vector<std::string>{"stats"}) return statistics();
  const auto number = [&](size_t index, uint32_t limit) -> std::optional<uint32_t> {
    return index < words.size() ? parse_number(words[index], limit) : std::nullopt;
  };
  const auto index = number(1, static_cast<uint32_t>(ports_.size()) - 1);
  if (!index) return "error: expected the number of a device";
  Device& device = ports_.at(*index)->session.device();
  const std::string& verb = words.front();
  if (verb == "release" && words.size() == 2) {
    device.release();
    return "ok";
  }
  if (verb == "pull-out" && words.size() == 2) {
    ports_.at(*index)->session.pull_out();
    return "ok";
  }
  const std::map<std::string_view, Fault> faults = {
      {"hang", Fault::kHang}, {"lose", Fault::kLose}, {"wrong-crc", Fault::kWrongCrc}};
  if (const auto fault = faults.find(verb); fault != faults.end() && words.size() == 3) {
    const auto count = number(2, UINT32_MAX);
    if (!count) return "error: expected how many descriptors";
    device.inject(fault->second, *count);
    return "ok";
  }
  if (verb == "slow" && words.size() == 4) {
    const auto engine = number(2, kMaxEngines - 1);
    const auto delay = number(3, kMaxDelayMicroseconds);
    if (!engine || !delay) return "error: expected an engine and microseconds";
    device.slow_engine(*engine, std::chrono::microseconds(*delay));
    return "ok";
  }
  if (verb == "halt" && words.size() == 3) return halt(device, words[2]);
  if (verb == "error" && words.size() == 3) {
    const auto code = number(2, UINT8_MAX);
    if (!code) return "error: expected an error code";
    device.software_error(static_cast<uint8_t>(*code));
    return "ok";
  }
  return "error: unknown request";
}

}  // namespace iaa_zswap::iax
