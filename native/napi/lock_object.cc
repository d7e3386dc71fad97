#include "napi/lock_object.h"

#include <utility>

#include "napi/arguments.h"

namespace iaa_zswap::napi {

Napi::Function LockObject::define(Napi::Env env) {
  return DefineClass(env, "NativeLock", {InstanceMethod<&LockObject::release>("release")});
}

LockObject::LockObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<LockObject>(info) {}

void LockObject::hold(hostfs::FileLock lock) {
  lock_ = std::move(lock);
  Ref();  // a lock that the collector let go of would be no lock
}

void LockObject::release(const Napi::CallbackInfo& info) {
  if (!take_arguments<>(info, "release()")) return;
  if (!lock_) return;
  lock_->release();
  lock_.reset();
  Unref();
}

}  // namespace iaa_zswap::napi
