#ifndef IAA_ZSWAP_NAPI_COMPRESSOR_OBJECT_H_
#define IAA_ZSWAP_NAPI_COMPRESSOR_OBJECT_H_

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "codec/compressor.h"

namespace iaa_zswap::napi {

/** The NativeCompressor of src/native/surface.ts. */
class CompressorObject final : public Napi::ObjectWrap<CompressorObject> {
 public:
  static Napi::Function define(Napi::Env env);

  /** Makes one that compresses nothing; `attach` gives it its compressor. */
  explicit CompressorObject(const Napi::CallbackInfo& info);

  void attach(std::string name, std::unique_ptr<codec::Compressor> compressor);

 private:
  Napi::Value compress(const Napi::CallbackInfo& info);
  Napi::Value decompress(const Napi::CallbackInfo& info);
  Napi::Value run_batch(const Napi::CallbackInfo& info);

  std::string name_;
  // The first serves single calls; the others are made when a batch first asks for as many threads.
  std::vector<std::unique_ptr<codec::Compressor>> compressors_;
};

/** The names that open_compressor knows, as an array of `{ name, library }`. */
Napi::Value compressor_names(Napi::Env env);

}  // namespace iaa_zswap::napi

#endif  // IAA_ZSWAP_NAPI_COMPRESSOR_OBJECT_H_
