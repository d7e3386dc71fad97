#ifndef IAA_ZSWAP_CODEC_CRC_H_
#define IAA_ZSWAP_CODEC_CRC_H_

#include <cstdint>
#include <span>

namespace iaa_zswap::codec {

// CRC-32 as in gzip (RFC 1952): polynomial 0x04C11DB7, reflected. `crc` is that of what came
// before.
uint32_t crc32(std::span<const uint8_t> data, uint32_t crc = 0);

// The same without instruction set extensions.
uint32_t crc32_portable(std::span<const uint8_t> data, uint32_t crc = 0);

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_CRC_H_
