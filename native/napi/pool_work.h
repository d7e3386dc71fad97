#ifndef IAA_ZSWAP_NAPI_POOL_WORK_H_
#define IAA_ZSWAP_NAPI_POOL_WORK_H_

#include <napi.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "napi/convert.h"

namespace iaa_zswap::napi {

/** Work for libuv's thread pool whose result settles a promise. It deletes itself when it is done.
 */
template <typename T>
class PoolWork final : public Napi::AsyncWorker {
 public:
  /** `work` runs on a pool thread and must not touch Node-API. */
  static Napi::Promise start(Napi::Env env, std::function<T()> work) {
    auto self = std::make_unique<PoolWork>(env, std::move(work));
    const Napi::Promise promise = self->deferred_.Promise();
    self.release()->Queue();
    return promise;
  }

  PoolWork(Napi::Env env, std::function<T()> work)
      : Napi::AsyncWorker(env, "iaa_zswap:read"), deferred_(env), work_(std::move(work)) {}

 private:
  void Execute() override { result_.emplace(work_()); }
  void OnOK() override {
    if (result_) deferred_.Resolve(to_js(Env(), *result_));
  }

  Napi::Promise::Deferred deferred_;
  std::function<T()> work_;
  std::optional<T> result_;
};

}  // namespace iaa_zswap::napi

#endif  // IAA_ZSWAP_NAPI_POOL_WORK_H_
