#include "napi/accel_config_object.h"

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "napi/arguments.h"
#include "napi/convert.h"
#include "napi/pool_work.h"

namespace iaa_zswap::napi {

using accfg::Device;
using accfg::Refusal;

namespace {

using Devices = std::variant<std::vector<Device>, Refusal>;
using Change = std::optional<Refusal>;

// An object of the class's own making has no library.
const Refusal kNone = {.error = EBADF, .said = "no library"};

}  // namespace

Napi::Function AccelConfigObject::define(Napi::Env env) {
  return DefineClass(env, "NativeAccelConfig",
                     {
                         InstanceMethod<&AccelConfigObject::lacks>("lacks"),
                         InstanceMethod<&AccelConfigObject::devices>("devices"),
                         InstanceMethod<&AccelConfigObject::enable>("enable"),
                         InstanceMethod<&AccelConfigObject::disable>("disable"),
                     });
}

AccelConfigObject::AccelConfigObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<AccelConfigObject>(info) {}

Napi::Value AccelConfigObject::lacks(const Napi::CallbackInfo& info) {
  if (!take_arguments<>(info, "lacks()")) return {};
  return to_js(info.Env(), library_ ? library_->lacks() : std::vector<std::string>());
}

Napi::Value AccelConfigObject::devices(const Napi::CallbackInfo& info) {
  if (!take_arguments<>(info, "devices()")) return {};
  return PoolWork<Devices>::start(
      info.Env(), [library = library_] { return library ? library->devices() : Devices(kNone); });
}

Napi::Value AccelConfigObject::enable(const Napi::CallbackInfo& info) {
  auto arguments = take_arguments<Text>(info, "enable(name)");
  if (!arguments) return {};
  auto& [given] = *arguments;
  return PoolWork<Change>::start(info.Env(), [library = library_, name = std::move(given)] {
    return library ? library->enable(name) : Change(kNone);
  });
}

Napi::Value AccelConfigObject::disable(const Napi::CallbackInfo& info) {
  auto arguments = take_arguments<Text>(info, "disable(name)");
  if (!arguments) return {};
  auto& [given] = *arguments;
  return PoolWork<Change>::start(info.Env(), [library = library_, name = std::move(given)] {
    return library ? library->disable(name) : Change(kNone);
  });
}

}  // namespace iaa_zswap::napi
