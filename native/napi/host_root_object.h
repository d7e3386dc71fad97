#ifndef IAA_ZSWAP_NAPI_HOST_ROOT_OBJECT_H_
#define IAA_ZSWAP_NAPI_HOST_ROOT_OBJECT_H_

#include <napi.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include "common/result.h"
#include "common/serial_thread.h"
#include "hostfs/host_root.h"

namespace iaa_zswap::napi {

/** The NativeHostRoot of src/native/surface.ts. Reads go to libuv's pool, writes to a thread of its
 * own. */
class HostRootObject final : public Napi::ObjectWrap<HostRootObject> {
 public:
  static Napi::Function define(Napi::Env env);

  /** Makes a closed root; open_root attaches the real one. So `new root.constructor()` is harmless.
   */
  explicit HostRootObject(const Napi::CallbackInfo& info);
  HostRootObject(const HostRootObject&) = delete;
  HostRootObject& operator=(const HostRootObject&) = delete;
  ~HostRootObject() override;

  /** `sampler_class` outlives this object. */
  void attach(std::shared_ptr<const hostfs::HostRoot> root,
              const Napi::FunctionReference& sampler_class) {
    root_ = std::move(root);
    sampler_class_ = &sampler_class;
  }

 private:
  using Change = std::function<std::optional<common::Failure>(const hostfs::HostRoot&)>;
  class ChangeJob;
  static void settle(Napi::Env env, Napi::Function callback, HostRootObject* self,
                     ChangeJob* settled);
  using Settlements =
      Napi::TypedThreadSafeFunction<HostRootObject, ChangeJob, &HostRootObject::settle>;

  Napi::Value read_many(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value append(const Napi::CallbackInfo& info);
  Napi::Value make_directory(const Napi::CallbackInfo& info);
  Napi::Value remove_directory(const Napi::CallbackInfo& info);
  Napi::Value list(const Napi::CallbackInfo& info);
  Napi::Value read_link(const Napi::CallbackInfo& info);
  Napi::Value file_system_magic(const Napi::CallbackInfo& info);
  Napi::Value sample(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  /** Promise of `work` done on the pool, or EBADF when closed. */
  template <typename T>
  Napi::Value read(Napi::Env env, std::function<T(const hostfs::HostRoot&)> work);
  Napi::Value write_as(const Napi::CallbackInfo& info, const char* signature,
                       hostfs::WriteMode mode);
  /** Promise of `change` done on the writer thread, or of the failure that keeps it from being
   * tried. */
  Napi::Value enqueue(Napi::Env env, Change change);
  std::optional<common::Failure> begin_writing(Napi::Env env);
  void end_writing();
  static void at_environment_exit(void* self);

  std::shared_ptr<const hostfs::HostRoot> root_;
  const Napi::FunctionReference* sampler_class_ = nullptr;
  napi_env env_;

  // From the first write until close or the end of the environment.
  std::unique_ptr<common::SerialThread<ChangeJob>> writer_;
  Settlements settlements_;
  std::size_t pending_ = 0;
};

}  // namespace iaa_zswap::napi

#endif  // IAA_ZSWAP_NAPI_HOST_ROOT_OBJECT_H_
