// clang-format off: one line for scripts/fuzz
// Sources: native/iax/device.cc native/iax/executor.cc native/iax/guest_memory.cc native/iax/pci_config.cc native/iax/session.cc native/codec/block_avx2.cc native/codec/block_portable.cc native/codec/completion.cc native/codec/crc.cc native/codec/decoder.cc native/codec/fixed_loop_avx2.cc native/codec/dynamic_header.cc native/codec/encoder.cc
// clang-format on
//
// Any bytes as what a client sends: cut into messages as the server does it, with descriptors of
// memory
// and counters beside them. Every reply is well-formed, and the next client is served.

#include <sys/eventfd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "iax/session.h"
#include "test/iax_machine.h"

namespace {

using namespace iaa_zswap;       // NOLINT(google-build-using-namespace)
using namespace iaa_zswap::iax;  // NOLINT(google-build-using-namespace)

constexpr uint64_t kMemoryBytes = 1 << 16;

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<common::UniqueFd> descriptors(uint16_t id) {
  std::vector<common::UniqueFd> fds;
  fds.reserve(3);
  for (uint32_t i = 0; i < id % 4; ++i) {
    fds.push_back((id & 0x100) != 0 ? common::UniqueFd(::eventfd(0, EFD_CLOEXEC))
                                    : test::sealed_memory(kMemoryBytes));
  }
  return fds;
}

void check_reply(std::span<const uint8_t> reply) {
  if (reply.empty()) return;
  uint32_t size = 0;
  require(reply.size() >= kHeaderBytes);
  std::memcpy(&size, reply.data() + 4, sizeof size);
  require(size == reply.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Session session({.device = {.back_pressure = std::chrono::milliseconds(0)}});
  std::span<const uint8_t> rest(data, size);
  std::vector<uint8_t> reply;
  while (const auto bytes = Session::message_bytes(rest)) {
    if (*bytes > rest.size()) break;
    uint16_t id = 0;
    std::memcpy(&id, rest.data(), sizeof id);
    reply.clear();
    session.handle(rest.first(*bytes), descriptors(id), reply);
    check_reply(reply);
    rest = rest.subspan(*bytes);
  }
  session.dispatch();
  session.disconnect();
  require(session.device().statistics().state == DeviceState::kDisabled);
  return 0;
}
