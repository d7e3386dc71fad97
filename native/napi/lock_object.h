#ifndef IAA_ZSWAP_NAPI_LOCK_OBJECT_H_
#define IAA_ZSWAP_NAPI_LOCK_OBJECT_H_

#include <napi.h>

#include <optional>

#include "hostfs/file_lock.h"

namespace iaa_zswap::napi {

/** The NativeLock of src/native/surface.ts. */
class LockObject final : public Napi::ObjectWrap<LockObject> {
 public:
  static Napi::Function define(Napi::Env env);

  /** Makes a lock that holds nothing; `hold` gives it one. */
  explicit LockObject(const Napi::CallbackInfo& info);

  /** Holds `lock` until release, whether or not JavaScript still knows this object. */
  void hold(hostfs::FileLock lock);

 private:
  void release(const Napi::CallbackInfo& info);

  std::optional<hostfs::FileLock> lock_;
};

}  // namespace iaa_zswap::napi

#endif  // IAA_ZSWAP_NAPI_LOCK_OBJECT_H_
