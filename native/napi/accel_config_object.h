#ifndef IAA_ZSWAP_NAPI_ACCEL_CONFIG_OBJECT_H_
#define IAA_ZSWAP_NAPI_ACCEL_CONFIG_OBJECT_H_

#include <napi.h>

#include <memory>

#include "accfg/library.h"

namespace iaa_zswap::napi {

/** The NativeAccelConfig of src/native/surface.ts. Its work is done on libuv's pool. */
class AccelConfigObject final : public Napi::ObjectWrap<AccelConfigObject> {
 public:
  static Napi::Function define(Napi::Env env);

  /** Makes one without a library; `attach` gives it one. */
  explicit AccelConfigObject(const Napi::CallbackInfo& info);

  void attach(std::shared_ptr<accfg::Library> library) { library_ = std::move(library); }

 private:
  Napi::Value lacks(const Napi::CallbackInfo& info);
  Napi::Value devices(const Napi::CallbackInfo& info);
  Napi::Value enable(const Napi::CallbackInfo& info);
  Napi::Value disable(const Napi::CallbackInfo& info);

  std::shared_ptr<accfg::Library> library_;
};

}  // namespace iaa_zswap::napi

#endif  // IAA_ZSWAP_NAPI_ACCEL_CONFIG_OBJECT_H_
