#ifndef IAA_ZSWAP_TEST_IAX_MESSAGES_H_
#define IAA_ZSWAP_TEST_IAX_MESSAGES_H_

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace iaa_zswap::test {

/** Builds a vfio-user message. */
class MessageBuilder {
 public:
  explicit MessageBuilder(uint16_t command, uint32_t flags = 0) {
    add(uint16_t{7}).add(command).add(uint32_t{0}).add(flags).add(uint32_t{0});
  }
  template <typename T>
  MessageBuilder& add(const T& value) {
    const auto* const raw = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), raw, raw + sizeof value);
    return *this;
  }
  MessageBuilder& add_bytes(std::span<const uint8_t> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  /** The whole message, its length filled in. */
  [[nodiscard]] std::vector<uint8_t> end() {
    const auto size = static_cast<uint32_t>(bytes_.size());
    std::memcpy(bytes_.data() + 4, &size, sizeof size);
    return bytes_;
  }

 private:
  std::vector<uint8_t> bytes_;
};

inline std::vector<uint8_t> region_write(uint32_t region, uint64_t offset,
                                         std::span<const uint8_t> bytes, uint32_t flags = 0) {
  return MessageBuilder(10, flags)
      .add(offset)
      .add(region)
      .add(static_cast<uint32_t>(bytes.size()))
      .add_bytes(bytes)
      .end();
}
inline std::vector<uint8_t> region_read(uint32_t region, uint64_t offset, uint32_t count) {
  return MessageBuilder(9).add(offset).add(region).add(count).end();
}

}  // namespace iaa_zswap::test

#endif  // IAA_ZSWAP_TEST_IAX_MESSAGES_H_
