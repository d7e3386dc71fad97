#include "codec/compressor.h"

#include <dlfcn.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>
#include <vector>

#include "codec/decoder.h"
#include "codec/encoder.h"

namespace iaa_zswap::codec {
namespace {

class IaaCompressor final : public Compressor {
 public:
  explicit IaaCompressor(const Preset& preset) : preset_(preset) {}

  Outcome compress(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    return outcome(encoder_.compress(preset_, in, out), true);
  }
  Outcome decompress(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    return outcome(decoder_.decompress(in, out), false);
  }

 private:
  static Outcome outcome(const Completion& completion, bool compress) {
    const int error = completion_errno(completion, compress);
    return error != 0 ? error : static_cast<Outcome>(completion.output_size);
  }

  const Preset& preset_;
  Encoder encoder_;
  Decoder decoder_;
};

/** A shared library, loaded for good: other compressors may still use it. */
class Library {
 public:
  // RTLD_DEEPBIND: Node exports the symbols of its own zlib, which libz.so.1's calls of itself
  // would otherwise reach, with another library's state.
  explicit Library(const char* name)
      : handle_(dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)) {
    if (handle_ == nullptr) missing_ = dlerror();
  }

  template <class Function>
  void find(const char* name, Function*& function) {
    if (handle_ == nullptr) return;
    function = reinterpret_cast<Function*>(dlsym(handle_, name));
    if (function == nullptr) missing_ = dlerror();
  }

  /** Why it cannot be used; empty when it can. */
  [[nodiscard]] const std::string& missing() const { return missing_; }

 private:
  void* handle_;
  std::string missing_;
};

/** zstd at level 3, the kernel's default (crypto/zstd.c, ZSTD_DEF_LEVEL). */
class Zstd final : public Compressor {
 public:
  struct Functions {
    void* (*create_compressor)();
    size_t (*free_compressor)(void*);
    size_t (*compress)(void*, void*, size_t, const void*, size_t, int);
    void* (*create_decompressor)();
    size_t (*free_decompressor)(void*);
    size_t (*decompress)(void*, void*, size_t, const void*, size_t);
    unsigned (*is_error)(size_t);
    int (*error_code)(size_t);
  };

  static void find(Library& library, Functions& functions) {
    library.find("ZSTD_createCCtx", functions.create_compressor);
    library.find("ZSTD_freeCCtx", functions.free_compressor);
    library.find("ZSTD_compressCCtx", functions.compress);
    library.find("ZSTD_createDCtx", functions.create_decompressor);
    library.find("ZSTD_freeDCtx", functions.free_decompressor);
    library.find("ZSTD_decompressDCtx", functions.decompress);
    library.find("ZSTD_isError", functions.is_error);
    library.find("ZSTD_getErrorCode", functions.error_code);
  }

  explicit Zstd(const Functions& functions)
      : functions_(functions),
        compressor_(functions.create_compressor()),
        decompressor_(functions.create_decompressor()) {}
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;
  ~Zstd() override {
    functions_.free_compressor(compressor_);
    functions_.free_decompressor(decompressor_);
  }

  Outcome compress(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    return outcome(
        functions_.compress(compressor_, out.data(), out.size(), in.data(), in.size(), kLevel));
  }
  Outcome decompress(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    return outcome(
        functions_.decompress(decompressor_, out.data(), out.size(), in.data(), in.size()));
  }

 private:
  static constexpr int kLevel = 3;
  static constexpr int kOutputTooSmall = 70;  // zstd_errors.h, ZSTD_error_dstSize_tooSmall

  [[nodiscard]] Outcome outcome(size_t result) const {
    if (functions_.is_error(result) == 0) return static_cast<Outcome>(result);
    return functions_.error_code(result) == kOutputTooSmall ? -ENOSPC : -EINVAL;
  }

  Functions functions_;
  void* compressor_;
  void* decompressor_;
};

/** lz4's default, as crypto/lz4.c. */
class Lz4 final : public Compressor {
 public:
  struct Functions {
    int (*compress)(const char*, char*, int, int);
    int (*decompress)(const char*, char*, int, int);
  };

  static void find(Library& library, Functions& functions) {
    library.find("LZ4_compress_default", functions.compress);
    library.find("LZ4_decompress_safe", functions.decompress);
  }

  explicit Lz4(const Functions& functions) : functions_(functions) {}

  Outcome compress(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    const int size = call(functions_.compress, in, out);
    return size > 0 ? size : -ENOSPC;
  }
  Outcome decompress(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    const int size = call(functions_.decompress, in, out);
    return size >= 0 ? size : -EINVAL;  // it does not say whether the output was too small
  }

 private:
  static int call(int (*function)(const char*, char*, int, int), std::span<const uint8_t> in,
                  std::span<uint8_t> out) {
    return function(reinterpret_cast<const char*>(in.data()), reinterpret_cast<char*>(out.data()),
                    static_cast<int>(in.size()),
                    static_cast<int>(std::min<size_t>(out.size(), INT_MAX)));
  }

  Functions functions_;
};

/** LZO1X-1, as crypto/lzo.c. */
class Lzo final : public Compressor {
 public:
  using Size = unsigned long;  // lzo_uint
  struct Functions {
    int (*compress)(const uint8_t*, Size, uint8_t*, Size*, void*);
    int (*decompress)(const uint8_t*, Size, uint8_t*, Size*, void*);
  };

  static void find(Library& library, Functions& functions) {
    library.find("lzo1x_1_compress", functions.compress);
    library.find("lzo1x_decompress_safe", functions.decompress);
  }

  explicit Lzo(const Functions& functions) : functions_(functions) {}

  Outcome compress(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    // It takes no limit, so it writes where the worst case fits (LZO.FAQ: n + n / 16 + 64 + 3).
    output_.resize(in.size() + in.size() / 16 + 67);
    Size size = 0;
    if (functions_.compress(in.data(), in.size(), output_.data(), &size,
                            static_cast<void*>(work_.data())) != 0) {
      return -EINVAL;
    }
    if (size > out.size()) return -ENOSPC;
    std::copy_n(output_.data(), size, out.data());
    return static_cast<Outcome>(size);
  }
  Outcome decompress(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    Size size = out.size();
    const int result = functions_.decompress(in.data(), in.size(), out.data(), &size, nullptr);
    if (result == 0) return static_cast<Outcome>(size);
    return result == kOutputOverrun ? -ENOSPC : -EINVAL;
  }

 private:
  static constexpr int kOutputOverrun = -5;  // LZO_E_OUTPUT_OVERRUN

  Functions functions_;
  std::vector<uint8_t> output_;
  std::vector<void*> work_ = std::vector<void*>(16384);  // LZO1X_1_MEM_COMPRESS
};

/** zlib with the kernel's parameters (crypto/deflate.c): raw deflate, level 6, 2 KiB window, memory
 * level 8. */
class Deflate final : public Compressor {
 public:
  // z_stream of zlib 1.x, whose size the library checks.
  struct Stream {
    const uint8_t* next_in = nullptr;
    unsigned available_in = 0;
    unsigned long total_in = 0;
    uint8_t* next_out = nullptr;
    unsigned available_out = 0;
    unsigned long total_out = 0;
    const char* message = nullptr;
    void* state = nullptr;
    void* (*allocate)(void*, unsigned, unsigned) = nullptr;
    void (*release)(void*, void*) = nullptr;
    void* opaque = nullptr;
    int data_type = 0;
    unsigned long adler = 0;
    unsigned long reserved = 0;
  };
  struct Functions {
    int (*deflate_init)(Stream*, int, int, int, int, int, const char*, int);
    int (*deflate_reset)(Stream*);
    int (*deflate)(Stream*, int);
    int (*deflate_end)(Stream*);
    int (*inflate_init)(Stream*, int, const char*, int);
    int (*inflate_reset)(Stream*);
    int (*inflate)(Stream*, int);
    int (*inflate_end)(Stream*);
  };

  static void find(Library& library, Functions& functions) {
    library.find("deflateInit2_", functions.deflate_init);
    library.find("deflateReset", functions.deflate_reset);
    library.find("deflate", functions.deflate);
    library.find("deflateEnd", functions.deflate_end);
    library.find("inflateInit2_", functions.inflate_init);
    library.find("inflateReset", functions.inflate_reset);
    library.find("inflate", functions.inflate);
    library.find("inflateEnd", functions.inflate_end);
  }

  explicit Deflate(const Functions& functions) : functions_(functions) {
    constexpr int kMethod = 8;  // Z_DEFLATED
    functions_.deflate_init(&deflate_, kLevel, kMethod, kWindowBits, kMemoryLevel, 0, kVersion,
                            sizeof(Stream));
    functions_.inflate_init(&inflate_, kWindowBits, kVersion, sizeof(Stream));
  }
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;
  ~Deflate() override {
    functions_.deflate_end(&deflate_);
    functions_.inflate_end(&inflate_);
  }

  Outcome compress(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    functions_.deflate_reset(&deflate_);
    return run(functions_.deflate, deflate_, in, out);
  }
  Outcome decompress(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    functions_.inflate_reset(&inflate_);
    return run(functions_.inflate, inflate_, in, out);
  }

 private:
  static constexpr int kLevel = 6;         // DEFLATE_DEF_LEVEL, Z_DEFAULT_COMPRESSION
  static constexpr int kWindowBits = -11;  // DEFLATE_DEF_WINBITS
  static constexpr int kMemoryLevel = 8;   // DEFLATE_DEF_MEMLEVEL
  static constexpr const char* kVersion = "1";
  static constexpr int kFinish = 4;     // Z_FINISH
  static constexpr int kStreamEnd = 1;  // Z_STREAM_END

  static Outcome run(int (*function)(Stream*, int), Stream& stream, std::span<const uint8_t> in,
                     std::span<uint8_t> out) {
    stream.next_in = in.data();
    stream.available_in = static_cast<unsigned>(in.size());
    stream.next_out = out.data();
    stream.available_out = static_cast<unsigned>(out.size());
    if (function(&stream, kFinish) == kStreamEnd) return static_cast<Outcome>(stream.total_out);
    return stream.available_out == 0 ? -ENOSPC : -EINVAL;
  }

  Functions functions_;
  Stream deflate_;
  Stream inflate_;
};

using Opened = std::variant<std::unique_ptr<Compressor>, std::string>;

template <class Kind>
Opened open_in_library(std::string_view file) {
  Library library(std::string(file).c_str());
  typename Kind::Functions functions{};
  Kind::find(library, functions);
  if (!library.missing().empty()) return library.missing();
  return std::make_unique<Kind>(functions);
}

}  // namespace

Opened open_compressor(std::string_view name) {
  const auto* found = std::ranges::find(kCompressors, name, &CompressorName::name);
  if (found == kCompressors.end()) return "there is no compressor of this name";
  if (name == "deflate-iaa") return std::make_unique<IaaCompressor>(kIaa1Fixed);
  if (name == "deflate-iaa-dynamic") return std::make_unique<IaaCompressor>(kIaa2Dynamic);
  if (name == "zstd") return open_in_library<Zstd>(found->library);
  if (name == "lz4") return open_in_library<Lz4>(found->library);
  if (name == "lzo") return open_in_library<Lzo>(found->library);
  return open_in_library<Deflate>(found->library);
}

}  // namespace iaa_zswap::codec
