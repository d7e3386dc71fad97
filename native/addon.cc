#include <napi.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "accfg/library.h"
#include "codec/compressor.h"
#include "common/result.h"
#include "hostfs/file_lock.h"
#include "hostfs/host_root.h"
#include "napi/accel_config_object.h"
#include "napi/arguments.h"
#include "napi/compressor_object.h"
#include "napi/convert.h"
#include "napi/host_root_object.h"
#include "napi/lock_object.h"
#include "napi/model_config.h"
#include "napi/model_object.h"
#include "napi/sampler_object.h"

namespace iaa_zswap {

/** The export list (src/native/surface.ts declares it) and what one environment needs to serve it.
 */
class Addon final : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports)
      : host_root_class_(Napi::Persistent(napi::HostRootObject::define(env))),
        sampler_class_(Napi::Persistent(napi::SamplerObject::define(env))),
        lock_class_(Napi::Persistent(napi::LockObject::define(env))),
        compressor_class_(Napi::Persistent(napi::CompressorObject::define(env))),
        accel_config_class_(Napi::Persistent(napi::AccelConfigObject::define(env))),
        model_class_(Napi::Persistent(napi::ModelObject::define(env))) {
    DefineAddon(
        exports,
        {
            InstanceMethod<&Addon::open_host_root>("openHostRoot", napi_default_jsproperty),
            InstanceMethod<&Addon::try_lock>("tryLock", napi_default_jsproperty),
            InstanceMethod<&Addon::compressors>("compressors", napi_default_jsproperty),
            InstanceMethod<&Addon::open_accel_config>("openAccelConfig", napi_default_jsproperty),
            InstanceMethod<&Addon::open_compressor>("openCompressor", napi_default_jsproperty),
            InstanceMethod<&Addon::open_model>("openModel", napi_default_jsproperty),
            InstanceMethod<&Addon::model_constants>("modelConstants", napi_default_jsproperty),
            InstanceMethod<&Addon::model_counters>("modelCounters", napi_default_jsproperty),
        });
  }

 private:
  Napi::Value open_host_root(const Napi::CallbackInfo& info) {
    const auto arguments = napi::take_arguments<napi::AbsolutePath, napi::Boolean>(
        info, "openHostRoot(root, writable)");
    if (!arguments) return {};
    const auto& [directory, writable] = *arguments;
    auto root = hostfs::HostRoot::open(
        directory, writable ? hostfs::Access::kWritable : hostfs::Access::kReadOnly);
    if (!root.ok()) return napi::to_js(info.Env(), root.failure());
    const Napi::Object object = host_root_class_.New({});
    napi::HostRootObject::Unwrap(object)->attach(std::move(root.value()), sampler_class_);
    return object;
  }

  Napi::Value try_lock(const Napi::CallbackInfo& info) {
    const auto arguments = napi::take_arguments<napi::AbsolutePath>(info, "tryLock(path)");
    if (!arguments) return {};
    const auto& [path] = *arguments;
    auto lock = hostfs::FileLock::try_lock(path);
    if (!lock.ok()) {
      const Napi::Value failure = napi::to_js(info.Env(), lock.failure());
      // The same number; the name that flock(2) uses for it.
      if (lock.failure().error == EWOULDBLOCK)
        failure.As<Napi::Object>().Set("code", "EWOULDBLOCK");
      return failure;
    }
    const Napi::Object object = lock_class_.New({});
    napi::LockObject::Unwrap(object)->hold(std::move(lock.value()));
    return object;
  }

  // Not static: Addon's instance methods are members.
  // NOLINTNEXTLINE(readability-convert-member-functions-to-static)
  Napi::Value compressors(const Napi::CallbackInfo& info) {
    if (!napi::take_arguments<>(info, "compressors()")) return {};
    return napi::compressor_names(info.Env());
  }

  // NOLINTNEXTLINE(readability-convert-member-functions-to-static)
  Napi::Value open_compressor(const Napi::CallbackInfo& info) {
    const auto arguments = napi::take_arguments<napi::Text>(info, "openCompressor(name)");
    if (!arguments) return {};
    const auto& [name] = *arguments;
    auto opened = codec::open_compressor(name);
    if (const auto* why = std::get_if<std::string>(&opened)) return napi::to_js(info.Env(), *why);
    const Napi::Object object = compressor_class_.New({});
    napi::CompressorObject::Unwrap(object)->attach(
        name, std::move(std::get<std::unique_ptr<codec::Compressor>>(opened)));
    return object;
  }

  Napi::Value open_model(const Napi::CallbackInfo& info) {
    const auto arguments = napi::take_arguments<napi::Anything>(info, "openModel(config)");
    if (!arguments) return {};
    const auto& [given] = *arguments;
    auto config = napi::model_config(given);
    // What a getter threw stays.
    if (info.Env().IsExceptionPending()) return {};
    if (const auto* why = std::get_if<std::string>(&config)) return napi::to_js(info.Env(), *why);
    const Napi::Object object = model_class_.New({});
    napi::ModelObject::Unwrap(object)->attach(std::move(std::get<model::Config>(config)));
    return object;
  }

  // NOLINTNEXTLINE(readability-convert-member-functions-to-static)
  Napi::Value model_constants(const Napi::CallbackInfo& info) {
    if (!napi::take_arguments<>(info, "modelConstants()")) return {};
    return napi::model_constants(info.Env());
  }

  // NOLINTNEXTLINE(readability-convert-member-functions-to-static)
  Napi::Value model_counters(const Napi::CallbackInfo& info) {
    if (!napi::take_arguments<>(info, "modelCounters()")) return {};
    return napi::model_counters(info.Env());
  }

  // NOLINTNEXTLINE(readability-convert-member-functions-to-static)
  Napi::Value open_accel_config(const Napi::CallbackInfo& info) {
    if (!napi::take_arguments<>(info, "openAccelConfig()")) return {};
    auto opened = accfg::Library::open();
    if (const auto* why = std::get_if<std::string>(&opened)) return napi::to_js(info.Env(), *why);
    const Napi::Object object = accel_config_class_.New({});
    napi::AccelConfigObject::Unwrap(object)->attach(
        std::move(std::get<std::unique_ptr<accfg::Library>>(opened)));
    return object;
  }

  Napi::FunctionReference host_root_class_;
  Napi::FunctionReference sampler_class_;
  Napi::FunctionReference lock_class_;
  Napi::FunctionReference compressor_class_;
  Napi::FunctionReference accel_config_class_;
  Napi::FunctionReference model_class_;
};

}  // namespace iaa_zswap

// The macro makes a name of its argument, so it takes no qualified one.
using iaa_zswap::Addon;
NODE_API_ADDON(Addon)
