// clang-format off: one line for scripts/native-test.sh
// Sources: native/iax/device.cc native/iax/executor.cc native/iax/guest_memory.cc native/iax/pci_config.cc native/iax/session.cc native/codec/block_avx2.cc native/codec/block_portable.cc native/codec/completion.cc native/codec/crc.cc native/codec/decoder.cc native/codec/fixed_loop_avx2.cc native/codec/dynamic_header.cc native/codec/encoder.cc
// clang-format on

#include <linux/pci_regs.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <string>
#include <utility>
#include <vector>

#include "iax/session.h"
#include "test/check.h"
#include "test/iax_machine.h"
#include "test/iax_messages.h"

namespace {

using namespace iaa_zswap;       // NOLINT(google-build-using-namespace)
using namespace iaa_zswap::iax;  // NOLINT(google-build-using-namespace)
using test::check;
using test::check_equal;
using test::MessageBuilder;
using Bytes = std::vector<uint8_t>;

constexpr uint32_t kBar0 = 0;
constexpr uint32_t kBar2 = 2;
constexpr uint32_t kConfig = 7;
constexpr uint32_t kNoReplyFlag = 0x10;

struct Reply {
  uint32_t error = 0;
  Bytes body;
};

Reply ask(Session& session, const Bytes& message, std::vector<common::UniqueFd> fds = {}) {
  Bytes bytes;
  session.handle(message, std::move(fds), bytes);
  check(bytes.size() >= kHeaderBytes, "a reply");
  std::array<uint32_t, 4> header{};
  std::memcpy(header.data(), bytes.data(), kHeaderBytes);
  check_equal(header[0] & 0xffff, 7U);
  check_equal(size_t{header[1]}, bytes.size());
  check_equal(header[2], header[3] != 0 ? 0x21U : 1U);
  return {.error = header[3], .body = Bytes(bytes.begin() + kHeaderBytes, bytes.end())};
}

uint32_t error_of(Session& session, const Bytes& message) { return ask(session, message).error; }

template <typename T>
T value_at(const Bytes& bytes, size_t offset) {
  check(bytes.size() >= offset + sizeof(T), "long enough");
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::vector<common::UniqueFd> one_fd(common::UniqueFd fd) {
  std::vector<common::UniqueFd> fds;
  fds.push_back(std::move(fd));
  return fds;
}

Bytes map_message(uint64_t address, uint64_t size, uint64_t offset = 0, uint32_t flags = 3) {
  return MessageBuilder(2).add(uint32_t{32}).add(flags).add(offset).add(address).add(size).end();
}

template <typename T>
Bytes write_value(uint32_t region, uint64_t offset, T value, uint32_t flags = 0) {
  return test::region_write(region, offset,
                            {reinterpret_cast<const uint8_t*>(&value), sizeof value}, flags);
}

void test_negotiation() {
  Session session({});
  const std::string client = R"({"capabilities":{}})";
  const auto version = [&](uint16_t major) {
    return MessageBuilder(1)
        .add(major)
        .add(uint16_t{1})
        .add_bytes({reinterpret_cast<const uint8_t*>(client.data()), client.size()})
        .end();
  };
  const Reply reply = ask(session, version(0));
  check_equal(reply.error, 0U);
  check_equal(int{value_at<uint16_t>(reply.body, 0)}, 0);
  check_equal(int{value_at<uint16_t>(reply.body, 2)}, 1);
  const std::string text(reply.body.begin() + 4, reply.body.end() - 1);
  check_equal(text, std::string(R"({"capabilities":{"max_msg_fds":16,)"
                                R"("max_data_xfer_size":1048576,"pgsizes":4096,)"
                                R"("write_multiple":true}})"));
  check_equal(int{reply.body.back()}, 0);
  check_equal(error_of(session, version(1)), uint32_t{ENOTSUP});
  check_equal(error_of(session, MessageBuilder(1).add(uint16_t{0}).end()), uint32_t{EINVAL});

  const Reply info = ask(session, MessageBuilder(4).end());
  check_equal(value_at<uint32_t>(info.body, 4), 3U);
  check_equal(value_at<uint32_t>(info.body, 8), 9U);
  const auto region = [&](uint32_t index) {
    return MessageBuilder(5).add(uint32_t{32}).add(uint32_t{0}).add(index).end();
  };
  check_equal(value_at<uint64_t>(ask(session, region(kBar0)).body, 16), uint64_t{0x10000});
  check_equal(value_at<uint64_t>(ask(session, region(kBar2)).body, 16), uint64_t{0x20000});
  check_equal(value_at<uint64_t>(ask(session, region(kConfig)).body, 16), uint64_t{4096});
  check_equal(value_at<uint64_t>(ask(session, region(1)).body, 16), uint64_t{0});
  check_equal(error_of(session, region(9)), uint32_t{EINVAL});
  const auto irq = [&](uint32_t index) {
    return MessageBuilder(7).add(uint32_t{16}).add(uint32_t{0}).add(index).end();
  };
  check_equal(value_at<uint32_t>(ask(session, irq(2)).body, 12), 9U);
  check_equal(value_at<uint32_t>(ask(session, irq(1)).body, 12), 0U);
  check_equal(error_of(session, irq(5)), uint32_t{EINVAL});
  // Commands that are none, or are not for this device.
  for (const unsigned command : {0U, 6U, 11U, 12U, 14U, 16U, 0xffffU}) {
    check_equal(error_of(session, MessageBuilder(static_cast<uint16_t>(command)).end()),
                uint32_t{EOPNOTSUPP});
  }
}

void test_message_lengths() {
  const auto said = [](uint32_t size) {
    Bytes header = MessageBuilder(4).end();
    std::memcpy(header.data() + 4, &size, sizeof size);
    return Session::message_bytes(header);
  };
  check(said(16) == 16);
  check(said(kMaxMessageBytes) == kMaxMessageBytes);
  check(!said(15) && !said(0) && !said(kMaxMessageBytes + 1) && !said(0xffffffff));
  check(!Session::message_bytes(Bytes(15)));
  // Each command with every length that is too short.
  Session session({});
  for (uint16_t command = 0; command < 20; ++command) {
    for (size_t bytes = 0; bytes < 48; ++bytes) {
      MessageBuilder message(command);
      for (size_t i = 0; i < bytes; ++i) message.add(uint8_t{0xff});
      Bytes reply;
      session.handle(message.end(), {}, reply);
    }
  }
  Bytes reply;
  session.handle(Bytes(3), {}, reply);
  check(reply.empty(), "no message, no reply");
}

void test_config_space() {
  Session session({});
  const auto read = [&](uint32_t offset, uint32_t count) {
    const Reply reply = ask(session, test::region_read(kConfig, offset, count));
    check_equal(reply.error, 0U);
    uint64_t value = 0;
    std::memcpy(&value, reply.body.data() + 16, count);
    return value;
  };
  check_equal(read(PCI_VENDOR_ID, 4), uint64_t{0x0cfe8086});
  check_equal(read(PCI_CLASS_REVISION, 4), uint64_t{0x08800000});
  // The size of a BAR shows in the bits that take ones.
  check_equal(ask(session, write_value(kConfig, PCI_BASE_ADDRESS_0, 0xffffffffU)).error, 0U);
  check_equal(read(PCI_BASE_ADDRESS_0, 4), uint64_t{0xffff0004});
  check_equal(ask(session, write_value(kConfig, PCI_BASE_ADDRESS_2, 0xffffffffU)).error, 0U);
  check_equal(read(PCI_BASE_ADDRESS_2, 4), uint64_t{0xfffe0004});
  check_equal(ask(session, write_value(kConfig, PCI_VENDOR_ID, uint16_t{0})).error, 0U);
  check_equal(read(PCI_VENDOR_ID, 2), uint64_t{0x8086});
  // Capabilities: PCI Express, then MSI-X with its table in BAR0.
  const auto express = static_cast<uint32_t>(read(PCI_CAPABILITY_LIST, 1));
  check_equal(read(express, 1), uint64_t{PCI_CAP_ID_EXP});
  const auto msix = static_cast<uint32_t>(read(express + 1, 1));
  check_equal(read(msix, 1), uint64_t{PCI_CAP_ID_MSIX});
  check_equal(read(msix + PCI_MSIX_FLAGS, 2), uint64_t{8});
  check_equal(read(msix + PCI_MSIX_TABLE, 4), uint64_t{0x2000});
  check_equal(read(msix + 1, 1), uint64_t{0});
  // Function level reset.
  check_equal(ask(session, write_value(kConfig, PCI_COMMAND, uint16_t{6})).error, 0U);
  check_equal(ask(session, write_value(kConfig, express + PCI_EXP_DEVCTL, uint16_t{0x8000})).error,
              0U);
  check_equal(read(PCI_COMMAND, 2), uint64_t{0});
  check_equal(error_of(session, test::region_read(kConfig, 4095, 2)), uint32_t{EINVAL});
  check_equal(error_of(session, test::region_read(kConfig, ~uint64_t{0}, 1)), uint32_t{EINVAL});
}

void test_regions() {
  Session session({});
  check_equal(value_at<uint32_t>(ask(session, test::region_read(kBar0, 0, 4)).body, 16), 0x100U);
  check_equal(value_at<uint64_t>(ask(session, test::region_read(kBar2, 0, 8)).body, 16),
              uint64_t{0});
  for (const auto& [region, offset, count] : {std::tuple{kBar0, 0x10000U, 4U},
                                              {kBar0, 0xfffeU, 4U},
                                              {kBar0, 1U, 4U},
                                              {kBar0, 0U, 3U},
                                              {kBar2, 0x20000U, 8U},
                                              {1U, 0U, 4U},
                                              {8U, 0U, 4U},
                                              {99U, 0U, 4U},
                                              {kBar0, 0U, 0xffffffffU}})
    check_equal(error_of(session, test::region_read(region, offset, count)), uint32_t{EINVAL});
  // A write that says another length than it has.
  Bytes wrong = write_value(kBar0, kGenCtrl, 1U);
  wrong.push_back(0);
  check_equal(error_of(session, wrong), uint32_t{EINVAL});
  // A posted write has no reply, whatever comes of it.
  Bytes reply;
  session.handle(write_value(kBar0, 0x10000, 1U, kNoReplyFlag), {}, reply);
  check(reply.empty());
  session.handle(write_value(kBar0, kGenCtrl, 3U, kNoReplyFlag), {}, reply);
  check(reply.empty());
  check_equal(value_at<uint32_t>(ask(session, test::region_read(kBar0, kGenCtrl, 4)).body, 16), 3U);
  // Several in one message.
  const auto multiple = [](uint64_t count, uint32_t size) {
    return MessageBuilder(15)
        .add(count)
        .add(uint64_t{kGenCtrl})
        .add(kBar0)
        .add(uint32_t{4})
        .add(uint64_t{0})
        .add(uint64_t{kGenCtrl})
        .add(kBar0)
        .add(size)
        .add(uint64_t{2})
        .end();
  };
  check_equal(error_of(session, multiple(2, 4)), 0U);
  check_equal(value_at<uint32_t>(ask(session, test::region_read(kBar0, kGenCtrl, 4)).body, 16), 2U);
  check_equal(error_of(session, multiple(3, 4)), uint32_t{EINVAL});
  check_equal(error_of(session, multiple(~uint64_t{0}, 4)), uint32_t{EINVAL});
  check_equal(error_of(session, multiple(2, 9)), uint32_t{EINVAL});
  Session plain({.device = {}, .write_multiple = false});
  check_equal(error_of(plain, multiple(2, 4)), uint32_t{EINVAL});
}

void test_memory_and_interrupts() {
  Session session({});
  constexpr uint64_t kSize = 0x200000;
  const auto descriptor_of = [](const Reply& reply) { return reply.error; };
  check_equal(
      descriptor_of(ask(session, map_message(0, kSize), one_fd(test::sealed_memory(kSize)))), 0U);
  check_equal(
      descriptor_of(ask(session, map_message(0x1000, kSize), one_fd(test::sealed_memory(kSize)))),
      uint32_t{EINVAL});
  check_equal(error_of(session, map_message(kSize, 0x1000, 0, 2)), uint32_t{EINVAL});
  const auto unmap = [](uint64_t address, uint64_t size, uint32_t flags = 0) {
    return MessageBuilder(3).add(uint32_t{24}).add(flags).add(address).add(size).end();
  };
  check_equal(error_of(session, unmap(0, 0x1000)), uint32_t{EINVAL});
  check_equal(error_of(session, unmap(0, kSize, 1)), uint32_t{EOPNOTSUPP});
  check_equal(error_of(session, unmap(0, kSize)), 0U);
  check_equal(error_of(session, unmap(0, kSize)), uint32_t{EINVAL});
  check_equal(error_of(session, unmap(0, 0, 2)), 0U);

  const auto set_irqs = [](uint32_t flags, uint32_t start, uint32_t count, uint32_t index = 2) {
    return MessageBuilder(8).add(uint32_t{20}).add(flags).add(index).add(start).add(count).end();
  };
  constexpr uint32_t kEventfd = 4 | 32;
  const common::UniqueFd counter(::eventfd(0, EFD_CLOEXEC));
  check_equal(ask(session, set_irqs(kEventfd, 0, 1),
                  one_fd(common::UniqueFd(::fcntl(counter.get(), F_DUPFD_CLOEXEC, 3))))
                  .error,
              0U);
  // Commands that are asked to interrupt do; the device cannot be enabled without a WQ.
  check_equal(
      ask(session, write_value(kBar0, kCommand, 1U << kCommandShift | kCommandInterrupt)).error,
      0U);
  pollfd polled{.fd = counter.get(), .events = POLLIN, .revents = 0};
  check_equal(::poll(&polled, 1, 1000), 1);
  for (const auto& [flags, start, count] :
       {std::tuple{kEventfd, 9U, 1U}, {kEventfd, 0U, 10U}, {kEventfd, 0xffffffffU, 2U}})
    check_equal(error_of(session, set_irqs(flags, start, count)), uint32_t{EINVAL});
  check_equal(
      ask(session, set_irqs(kEventfd, 0, 2), one_fd(common::UniqueFd(::eventfd(0, EFD_CLOEXEC))))
          .error,
      uint32_t{EINVAL});
  check_equal(error_of(session, set_irqs(1 | 32, 0, 0)), 0U);
  check_equal(error_of(session, set_irqs(1 | 32, 0, 0, 5)), uint32_t{EINVAL});
  session.pull_out();
  check_equal(value_at<uint32_t>(ask(session, test::region_read(kBar0, kVersion, 4)).body, 16),
              0xffffffffU);
  check_equal(ask(session, write_value(kBar0, kGenCtrl, 1U)).error, 0U);
  session.disconnect();
  check_equal(value_at<uint32_t>(ask(session, test::region_read(kBar0, kVersion, 4)).body, 16),
              0x100U);
  check_equal(value_at<uint32_t>(ask(session, test::region_read(kBar0, kGenCtrl, 4)).body, 16), 0U);
}

}  // namespace

int main() {
  test_negotiation();
  test_message_lengths();
  test_config_space();
  test_regions();
  test_memory_and_interrupts();
}
