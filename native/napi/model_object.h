#ifndef IAA_ZSWAP_NAPI_MODEL_OBJECT_H_
#define IAA_ZSWAP_NAPI_MODEL_OBJECT_H_

#include <napi.h>

#include <atomic>
#include <memory>

#include "model/machine.h"

namespace iaa_zswap::napi {

/** The NativeModel of src/native/surface.ts. Time passes on a thread of libuv's pool. */
class ModelObject final : public Napi::ObjectWrap<ModelObject> {
 public:
  static Napi::Function define(Napi::Env env);

  /** Makes one without a machine; `attach` says which. */
  explicit ModelObject(const Napi::CallbackInfo& info);
  ModelObject(const ModelObject&) = delete;
  ModelObject& operator=(const ModelObject&) = delete;
  ~ModelObject() override;

  void attach(model::Config config);

 private:
  class Advance;
  /** What the pool's thread and JavaScript share; only one of them uses it at a time. */
  struct Run {
    model::Config config;
    std::unique_ptr<model::Machine> machine;
    /** The environment ends: the pool's thread is to come back soon. */
    std::atomic<bool> cancelled = false;
  };

  Napi::Value advance(const Napi::CallbackInfo& info);
  Napi::Value now(const Napi::CallbackInfo& info);
  Napi::Value events(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  Napi::Value wq_counters(const Napi::CallbackInfo& info);
  Napi::Value take_samples(const Napi::CallbackInfo& info);
  Napi::Value results(const Napi::CallbackInfo& info);
  Napi::Value trace(const Napi::CallbackInfo& info);

  /** The machine, when nobody else works with it; otherwise an exception is pending. */
  model::Machine* machine(const Napi::CallbackInfo& info, const char* method);
  static void at_environment_exit(void* self);

  std::shared_ptr<Run> run_;
  bool busy_ = false;
  napi_env env_;
};

/** All constants, with their defaults. */
Napi::Value model_constants(Napi::Env env);
/** The names of all counters, in the order of a sample. */
Napi::Value model_counters(Napi::Env env);

}  // namespace iaa_zswap::napi

#endif  // IAA_ZSWAP_NAPI_MODEL_OBJECT_H_
