#ifndef IAA_ZSWAP_CODEC_COMPRESSOR_H_
#define IAA_ZSWAP_CODEC_COMPRESSOR_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace iaa_zswap::codec {

/** Bytes given, or an errno, negative, as the kernel's compressors return it. */
using Outcome = int32_t;

/**
 * A compressor as zswap knows it: one buffer to another. What does not fit is -E2BIG from the
 * accelerator's formats (kernel.md: iaa_crypto) and -ENOSPC from the others when compressing,
 * -EOVERFLOW and -ENOSPC when decompressing; a damaged stream is -EINVAL. Not for two threads at
 * once.
 */
class Compressor {
 public:
  Compressor() = default;
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  virtual ~Compressor() = default;

  virtual Outcome compress(std::span<const uint8_t> in, std::span<uint8_t> out) = 0;
  virtual Outcome decompress(std::span<const uint8_t> in, std::span<uint8_t> out) = 0;
};

/** The name in /proc/crypto, and where the code is: ours, or a library by its file name. */
struct CompressorName {
  std::string_view name;
  std::string_view library;
};

/** All that open_compressor knows. lzo-rle, a kernel format, is in no library, and so not among
 * them. */
inline constexpr std::array<CompressorName, 6> kCompressors = {{
    {.name = "deflate-iaa", .library = ""},
    {.name = "deflate-iaa-dynamic", .library = ""},
    {.name = "zstd", .library = "libzstd.so.1"},
    {.name = "lz4", .library = "liblz4.so.1"},
    {.name = "lzo", .library = "liblzo2.so.2"},
    {.name = "deflate", .library = "libz.so.1"},
}};

/** A new compressor, or why there is none: its library is not here, or the name is not known. */
std::variant<std::unique_ptr<Compressor>, std::string> open_compressor(std::string_view name);

}  // namespace iaa_zswap::codec

#endif  // IAA_ZSWAP_CODEC_COMPRESSOR_H_
