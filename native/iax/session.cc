#include "iax/session.h"

#include <fcntl.h>
#include <linux/vfio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace iaa_zswap::iax {
namespace {

// The protocol's commands, and the flags of its header.
// As wide as the header's field: a wider number is no other command.
// NOLINTNEXTLINE(performance-enum-size)
enum class Message : uint16_t {
  kVersion = 1,
  kDmaMap = 2,
  kDmaUnmap = 3,
  kDeviceInfo = 4,
  kRegionInfo = 5,
  kIrqInfo = 7,
  kSetIrqs = 8,
  kRegionRead = 9,
  kRegionWrite = 10,
  kReset = 13,
  kRegionWriteMultiple = 15,
};
constexpr uint32_t kTypeMask = 0xf;
constexpr uint32_t kTypeCommand = 0;
constexpr uint32_t kTypeReply = 1;
constexpr uint32_t kNoReply = 1U << 4;
constexpr uint32_t kError = 1U << 5;

// The highest version of the protocol that is known here.
constexpr uint16_t kMajor = 0;

constexpr uint32_t kDmaRead = 1U << 0;
constexpr uint32_t kDmaWrite = 1U << 1;
constexpr uint32_t kDmaUnmapAll = 1U << 1;
constexpr size_t kMultipleDataBytes = 8;

struct Header {
  uint16_t id;
  uint16_t command;
  uint32_t size;
  uint32_t flags;
  uint32_t error;
};
static_assert(sizeof(Header) == kHeaderBytes);

template <typename T>
void append(std::vector<uint8_t>& out, const T& value) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

uint64_t region_bytes(uint32_t region) {
  switch (region) {
    case VFIO_PCI_BAR0_REGION_INDEX:
      return kBar0Bytes;
    case VFIO_PCI_BAR2_REGION_INDEX:
      return kBar2Bytes;
    case VFIO_PCI_CONFIG_REGION_INDEX:
      return PciConfig::kBytes;
    default:
      return 0;
  }
}

bool is_within(uint32_t region, uint64_t offset, uint64_t count) {
  const uint64_t size = region_bytes(region);
  return offset < size && count <= size - offset;
}

}  // namespace

/** Takes a message's body apart; what is not there reads as a failure, not as memory beyond. */
class Session::Reader {
 public:
  explicit Reader(std::span<const uint8_t> rest) : rest_(rest) {}

  template <typename T>
  [[nodiscard]] bool take(T& value) {
    if (rest_.size() < sizeof value) return false;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_ = rest_.subspan(sizeof value);
    return true;
  }
  [[nodiscard]] std::span<const uint8_t> rest() const { return rest_; }

 private:
  std::span<const uint8_t> rest_;
};

Session::Session(const SessionOptions& options)
    : options_(options),
      device_(options.device, memory_, [this](uint32_t vector) { interrupt(vector); }) {}

std::optional<size_t> Session::message_bytes(std::span<const uint8_t> header) {
  Header parsed{};
  if (header.size() < sizeof parsed) return std::nullopt;
  std::memcpy(&parsed, header.data(), sizeof parsed);
  if (parsed.size < kHeaderBytes || parsed.size > kMaxMessageBytes) return std::nullopt;
  return parsed.size;
}

void Session::handle(std::span<const uint8_t> message, std::vector<common::UniqueFd> fds,
                     std::vector<uint8_t>& reply) {
  Header header{};
  Reader body(message);
  if (!body.take(header)) return;
  // We ask nothing, so a reply answers nothing.
  if ((header.flags & kTypeMask) != kTypeCommand) return;
  Bytes out;
  int error = 0;
  const auto command = static_cast<Message>(header.command);
  switch (command) {
    case Message::kVersion:
      error = version(body, out);
      break;
    case Message::kDmaMap:
      error = dma_map(body, fds);
      break;
    case Message::kDmaUnmap:
      error = dma_unmap(body, out);
      break;
    case Message::kDeviceInfo:
      error = device_info(out);
      break;
    case Message::kRegionInfo:
      error = region_info(body, out);
      break;
    case Message::kIrqInfo:
      error = irq_info(body, out);
      break;
    case Message::kSetIrqs:
      error = set_irqs(body, fds);
      break;
    case Message::kRegionRead:
      error = region_read(body, out);
      break;
    case Message::kRegionWrite:
      error = region_write(body, out);
      break;
    case Message::kRegionWriteMultiple:
      error = region_write_multiple(body);
      break;
    case Message::kReset:
      reset();
      break;
    default:
      error = EOPNOTSUPP;
  }
  ++messages_;
  if ((header.flags & kNoReply) != 0) return;
  if (error != 0) out.clear();
  append(reply, Header{.id = header.id,
                       .command = header.command,
                       .size = static_cast<uint32_t>(kHeaderBytes + out.size()),
                       .flags = kTypeReply | (error != 0 ? kError : 0),
                       .error = static_cast<uint32_t>(error)});
  reply.insert(reply.end(), out.begin(), out.end());
}

int Session::version(Reader& body, Bytes& out) const {
  uint16_t major = 0;
  uint16_t minor = 0;
  if (!body.take(major) || !body.take(minor)) return EINVAL;
  if (major != kMajor) return ENOTSUP;
  append(out, major);
  append(out, minor);
  std::string capabilities = R"({"capabilities":{"max_msg_fds":)" + std::to_string(kMaxMessageFds) +
                             R"(,"max_data_xfer_size":)" + std::to_string(kMaxTransferBytes) +
                             R"(,"pgsizes":4096)";
  if (options_.write_multiple) capabilities += R"(,"write_multiple":true)";
  capabilities += "}}";
  out.insert(out.end(), capabilities.begin(), capabilities.end());
  out.push_back(0);
  return 0;
}

int Session::dma_map(Reader& body, Fds& fds) {
  uint32_t argsz = 0;
  uint32_t flags = 0;
  uint64_t offset = 0;
  uint64_t address = 0;
  uint64_t size = 0;
  if (!body.take(argsz) || !body.take(flags) || !body.take(offset) || !body.take(address) ||
      !body.take(size) || fds.size() > 1 || (flags & kDmaRead) == 0) {
    return EINVAL;
  }
  common::UniqueFd fd = fds.empty() ? common::UniqueFd() : std::move(fds.front());
  const auto failed = memory_.map(address, size, std::move(fd), offset, (flags & kDmaWrite) != 0);
  return failed ? failed->error : 0;
}

int Session::dma_unmap(Reader& body, Bytes& out) {
  uint32_t argsz = 0;
  uint32_t flags = 0;
  uint64_t address = 0;
  uint64_t size = 0;
  const std::span<const uint8_t> given = body.rest();
  if (!body.take(argsz) || !body.take(flags) || !body.take(address) || !body.take(size))
    return EINVAL;
  if ((flags & ~kDmaUnmapAll) != 0) return EOPNOTSUPP;
  if ((flags & kDmaUnmapAll) != 0) {
    memory_.unmap_all();
  } else if (const auto failed = memory_.unmap(address, size)) {
    return failed->error;
  }
  out.assign(given.begin(), given.begin() + 24);
  return 0;
}

int Session::device_info(Bytes& out) {
  append(out, uint32_t{16});
  append(out, uint32_t{VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI});
  append(out, uint32_t{VFIO_PCI_NUM_REGIONS});
  append(out, uint32_t{VFIO_PCI_NUM_IRQS});
  return 0;
}

int Session::region_info(Reader& body, Bytes& out) {
  uint32_t argsz = 0;
  uint32_t flags = 0;
  uint32_t region = 0;
  if (!body.take(argsz) || !body.take(flags) || !body.take(region)) return EINVAL;
  if (region >= VFIO_PCI_NUM_REGIONS) return EINVAL;
  const uint64_t bytes = region_bytes(region);
  append(out, uint32_t{sizeof(vfio_region_info)});
  append(out, uint32_t{bytes > 0 ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0U});
  append(out, region);
  append(out, uint32_t{0});
  append(out, bytes);
  append(out, uint64_t{0});
  return 0;
}

int Session::irq_info(Reader& body, Bytes& out) {
  uint32_t argsz = 0;
  uint32_t flags = 0;
  uint32_t index = 0;
  if (!body.take(argsz) || !body.take(flags) || !body.take(index)) return EINVAL;
  if (index >= VFIO_PCI_NUM_IRQS) return EINVAL;
  const bool msix = index == VFIO_PCI_MSIX_IRQ_INDEX;
  append(out, uint32_t{sizeof(vfio_irq_info)});
  append(out, uint32_t{msix ? VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE : 0U});
  append(out, index);
  append(out, msix ? kVectors : 0U);
  return 0;
}

int Session::set_irqs(Reader& body, Fds& fds) {
  uint32_t argsz = 0;
  uint32_t flags = 0;
  uint32_t index = 0;
  uint32_t start = 0;
  uint32_t count = 0;
  if (!body.take(argsz) || !body.take(flags) || !body.take(index) || !body.take(start) ||
      !body.take(count) || index >= VFIO_PCI_NUM_IRQS) {
    return EINVAL;
  }
  if (index != VFIO_PCI_MSIX_IRQ_INDEX) return 0;
  if (start > kVectors || count > kVectors - start) return EINVAL;
  const uint32_t data = flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
  const bool trigger = (flags & VFIO_IRQ_SET_ACTION_TRIGGER) != 0;
  // The client masks vectors itself: it holds the MSI-X table.
  if (!trigger) return EOPNOTSUPP;
  const std::scoped_lock lock(vectors_mutex_);
  if (data == VFIO_IRQ_SET_DATA_NONE && count == 0) {
    for (common::UniqueFd& vector : vectors_) vector = common::UniqueFd();
    return 0;
  }
  if (data != VFIO_IRQ_SET_DATA_EVENTFD) return EOPNOTSUPP;
  if (!fds.empty() && fds.size() != count) return EINVAL;
  for (uint32_t i = 0; i < count; ++i) {
    common::UniqueFd vector = fds.empty() ? common::UniqueFd() : std::move(fds.at(i));
    // A counter that the client never reads must not hold us up.
    if (vector.is_open() && ::fcntl(vector.get(), F_SETFL, O_NONBLOCK) != 0) return errno;
    vectors_.at(start + i) = std::move(vector);
  }
  return 0;
}

int Session::region_read(Reader& body, Bytes& out) {
  uint64_t offset = 0;
  uint32_t region = 0;
  uint32_t count = 0;
  if (!body.take(offset) || !body.take(region) || !body.take(count)) return EINVAL;
  if (count > kMaxTransferBytes || !is_within(region, offset, count)) return EINVAL;
  append(out, offset);
  append(out, region);
  append(out, count);
  const size_t start = out.size();
  out.resize(start + count);
  const std::span<uint8_t> bytes = std::span(out).subspan(start);
  const auto at = static_cast<uint32_t>(offset);
  if (pulled_out_) {
    std::ranges::fill(bytes, uint8_t{0xff});
  } else if (region == VFIO_PCI_CONFIG_REGION_INDEX) {
    config_.read(at, bytes);
  } else if (region == VFIO_PCI_BAR0_REGION_INDEX && !device_.read(at, bytes)) {
    return EINVAL;
  }
  // Portals read as zeros.
  return 0;
}

int Session::write(uint32_t region, uint64_t offset, std::span<const uint8_t> bytes) {
  if (!is_within(region, offset, bytes.size())) return EINVAL;
  if (pulled_out_) return 0;
  const auto at = static_cast<uint32_t>(offset);
  bool taken = true;
  if (region == VFIO_PCI_BAR2_REGION_INDEX) {
    ++portal_writes_;
    taken = device_.write_portal(at, bytes);
  } else if (region == VFIO_PCI_BAR0_REGION_INDEX) {
    taken = device_.write(at, bytes);
  } else {
    if (config_.write(at, bytes)) reset();
    device_.set_bus_master(config_.bus_master());
  }
  return taken ? 0 : EINVAL;
}

int Session::region_write(Reader& body, Bytes& out) {
  uint64_t offset = 0;
  uint32_t region = 0;
  uint32_t count = 0;
  if (!body.take(offset) || !body.take(region) || !body.take(count)) return EINVAL;
  if (count != body.rest().size()) return EINVAL;
  append(out, offset);
  append(out, region);
  append(out, count);
  return write(region, offset, body.rest());
}

int Session::region_write_multiple(Reader& body) {
  uint64_t writes = 0;
  if (!options_.write_multiple || !body.take(writes)) return EINVAL;
  int error = 0;
  for (; writes > 0; --writes) {
    uint64_t offset = 0;
    uint32_t region = 0;
    uint32_t count = 0;
    std::array<uint8_t, kMultipleDataBytes> data{};
    if (!body.take(offset) || !body.take(region) || !body.take(count) || !body.take(data) ||
        count > data.size()) {
      return EINVAL;
    }
    const int failed = write(region, offset, std::span(data).first(count));
    if (error == 0) error = failed;
  }
  return error;
}

void Session::reset() {
  device_.reset();
  config_.reset();
  device_.set_bus_master(false);
}

void Session::disconnect() {
  pulled_out_ = false;
  reset();
  memory_.unmap_all();
  const std::scoped_lock lock(vectors_mutex_);
  for (common::UniqueFd& vector : vectors_) vector = common::UniqueFd();
}

void Session::interrupt(uint32_t vector) {
  const std::scoped_lock lock(vectors_mutex_);
  const common::UniqueFd& fd = vectors_.at(vector);
  if (!fd.is_open()) return;
  constexpr uint64_t kOne = 1;
  // Only a counter that nobody reads can be full, and then it has told already.
  [[maybe_unused]] const ssize_t written = ::write(fd.get(), &kOne, sizeof kOne);
}

Session::Traffic Session::traffic() const {
  return {.messages = messages_, .portal_writes = portal_writes_};
}

}  // namespace iaa_zswap::iax
