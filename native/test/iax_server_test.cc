// clang-format off: one line for scripts/native-test.sh
// Sources: native/iax/server.cc native/iax/statistics_text.cc native/iax/device.cc native/iax/executor.cc native/iax/guest_memory.cc native/iax/pci_config.cc native/iax/session.cc native/codec/block_avx2.cc native/codec/block_portable.cc native/codec/completion.cc native/codec/crc.cc native/codec/decoder.cc native/codec/fixed_loop_avx2.cc native/codec/dynamic_header.cc native/codec/encoder.cc
// clang-format on

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "iax/server.h"
#include "test/check.h"
#include "test/iax_machine.h"
#include "test/iax_messages.h"
#include "test/temp_folder.h"

namespace {

using namespace iaa_zswap;       // NOLINT(google-build-using-namespace)
using namespace iaa_zswap::iax;  // NOLINT(google-build-using-namespace)
using test::check;
using test::check_equal;
using test::MessageBuilder;
using Bytes = std::vector<uint8_t>;

common::UniqueFd connect_to(const std::string& path) {
  common::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) std::exit(1);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(address.sun_path), path.c_str(), path.size() + 1);
  check(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
        path);
  return socket;
}

void send_bytes(int socket, Bytes bytes, int fd = -1) {
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (fd >= 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* const one = CMSG_FIRSTHDR(&header);
    one->cmsg_level = SOL_SOCKET;
    one->cmsg_type = SCM_RIGHTS;
    one->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(one), &fd, sizeof fd);
  }
  check_equal(::sendmsg(socket, &header, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

/** The next reply's error and body; -1 when the server has hung up. */
std::pair<int, Bytes> reply_of(int socket) {
  std::array<uint32_t, 4> header{};
  if (::recv(socket, header.data(), sizeof header, MSG_WAITALL) != sizeof header) return {-1, {}};
  Bytes body(header[1] - sizeof header);
  if (body.empty()) return {static_cast<int>(header[3]), body};
  check_equal(::recv(socket, body.data(), body.size(), MSG_WAITALL),
              static_cast<ssize_t>(body.size()));
  return {static_cast<int>(header[3]), body};
}

std::pair<int, Bytes> ask(int socket, const Bytes& message, int fd = -1) {
  send_bytes(socket, message, fd);
  return reply_of(socket);
}

std::string control(const std::string& folder, const std::string& request) {
  const common::UniqueFd socket = connect_to(folder + "/control.sock");
  const std::string line = request + "\n";
  check_equal(::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(line.size()));
  std::string answer;
  std::array<char, 4096> room{};
  for (ssize_t got = 0; (got = ::recv(socket.get(), room.data(), room.size(), 0)) > 0;)
    answer.append(room.data(), static_cast<size_t>(got));
  return answer;
}

Bytes map_message(uint64_t size) {
  return MessageBuilder(2)
      .add(uint32_t{32})
      .add(uint32_t{3})
      .add(uint64_t{0})
      .add(uint64_t{0})
      .add(size)
      .end();
}

void test_clients(const std::string& folder, Server& server) {
  check(!server.is_abandoned(), "nobody came yet");
  const std::string path = folder + "/iax1.sock";
  struct stat status{};
  check(::stat(path.c_str(), &status) == 0 && (status.st_mode & 0777) == 0600, "for its owner");
  constexpr uint64_t kSize = 0x10000;
  {
    const common::UniqueFd client = connect_to(path);
    const common::UniqueFd memory = test::sealed_memory(kSize);
    check_equal(ask(client.get(), map_message(kSize), memory.get()).first, 0);
    // In parts, and several at once.
    const Bytes read = test::region_read(0, 0, 4);
    for (const uint8_t byte : read) send_bytes(client.get(), {byte});
    check_equal(reply_of(client.get()).first, 0);
    Bytes twice = read;
    twice.insert(twice.end(), read.begin(), read.end());
    send_bytes(client.get(), twice);
    check_equal(reply_of(client.get()).first, 0);
    check_equal(reply_of(client.get()).first, 0);
    // A posted write, then a read that sees it.
    const uint32_t value = 3;
    send_bytes(client.get(),
               test::region_write(0, kGenCtrl, {reinterpret_cast<const uint8_t*>(&value), 4}, 16));
    const auto [error, body] = ask(client.get(), test::region_read(0, kGenCtrl, 4));
    check_equal(error, 0);
    check_equal(int{body.at(16)}, 3);
  }
  {
    // The next client finds the device as new, and its memory is its own.
    const common::UniqueFd client = connect_to(path);
    const auto [error, body] = ask(client.get(), test::region_read(0, kGenCtrl, 4));
    check_equal(error, 0);
    check_equal(int{body.at(16)}, 0);
    const common::UniqueFd memory = test::sealed_memory(kSize);
    check_equal(ask(client.get(), map_message(kSize), memory.get()).first, 0);
    // What is no message ends the connection, and only that.
    const Bytes garbage(16, 0xff);
    send_bytes(client.get(), garbage);
    check_equal(reply_of(client.get()).first, -1);
  }
  const common::UniqueFd client = connect_to(path);
  check_equal(ask(client.get(), MessageBuilder(4).end()).first, 0);
  // More descriptors than a message may have are not kept.
  const common::UniqueFd memory = test::sealed_memory(kSize);
  for (int i = 0; i < 40; ++i) {
    Bytes part = {0x07};
    iovec one{.iov_base = part.data(), .iov_len = 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
    msghdr header{};
    header.msg_iov = &one;
    header.msg_iovlen = 1;
    header.msg_control = space.data();
    header.msg_controllen = space.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    const int fd = memory.get();
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    if (::sendmsg(client.get(), &header, MSG_NOSIGNAL) < 0) break;
  }
  check_equal(reply_of(client.get()).first, -1);
}

void test_control(const std::string& folder) {
  const std::string statistics = control(folder, "stats");
  check(statistics.starts_with(R"([{"state":"disabled",)"), statistics);
  check(statistics.find(R"("compress":0)") != std::string::npos);
  check_equal(control(folder, "hang 0 1"), std::string("ok\n"));
  check_equal(control(folder, "release 0"), std::string("ok\n"));
  check_equal(control(folder, "lose 1 5"), std::string("ok\n"));
  check_equal(control(folder, "wrong-crc 1 5"), std::string("ok\n"));
  check_equal(control(folder, "slow 1 7 100"), std::string("ok\n"));
  check_equal(control(folder, "error 1 64"), std::string("ok\n"));
  check_equal(control(folder, "pull-out 1"), std::string("ok\n"));
  check_equal(control(folder, "halt 1 warm"), std::string("ok\n"));
  check(control(folder, "stats").find(R"("state":"halted")") != std::string::npos);
  for (const char* wrong :
       {"", "stats 0", "hang", "hang 2 1", "hang x 1", "hang 0 -1", "slow 0 8 1",
        "slow 0 0 1000001", "halt 0 never", "error 0 256", "release 0 1", "sing 0"})
    check(control(folder, wrong).starts_with("error: "), wrong);
  check(control(folder, std::string(300, 'a')).starts_with("error: "));
}

}  // namespace

int main() {
  const test::TempFolder temporary;
  const std::string folder = temporary.path();
  {
    Server server({.folder = folder, .devices = 2, .session = {}});
    check(!server.start(), "start");
    test_clients(folder, server);
    test_control(folder);
    for (int i = 0; i < 500 && !server.is_abandoned(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    check(server.is_abandoned(), "all have gone");
    const common::UniqueFd idle = connect_to(folder + "/iax0.sock");
    server.stop();
    check(std::filesystem::is_empty(folder), "no socket is left");
  }
  Server nowhere({.folder = folder + "/absent", .devices = 1, .session = {}});
  const auto failed = nowhere.start();
  check(failed && failed->error == ENOENT, "there is no such folder");
}
