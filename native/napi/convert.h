#ifndef IAA_ZSWAP_NAPI_CONVERT_H_
#define IAA_ZSWAP_NAPI_CONVERT_H_

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "accfg/library.h"
#include "common/error_name.h"
#include "common/result.h"

namespace iaa_zswap::napi {

/** The NativeFailure of src/native/surface.ts. */
inline Napi::Value to_js(Napi::Env env, const common::Failure& failure) {
  auto object = Napi::Object::New(env);
  object.Set("errno", failure.error);
  object.Set("code", common::error_name(failure.error));
  object.Set("syscall", failure.syscall);
  if (failure.written) object.Set("written", static_cast<double>(*failure.written));
  return object;
}

inline Napi::Value to_js(Napi::Env env, const std::string& text) {
  return Napi::String::New(env, text);
}

inline Napi::Value to_js(Napi::Env env, std::uint32_t number) {
  return Napi::Number::New(env, number);
}

inline Napi::Value to_js(Napi::Env env, const std::vector<std::string>& texts) {
  auto array = Napi::Array::New(env, texts.size());
  for (std::uint32_t i = 0; i < texts.size(); ++i) array.Set(i, texts[i]);
  return array;
}

/** The value or the NativeFailure. */
template <typename T>
Napi::Value to_js(Napi::Env env, const common::Result<T>& result) {
  return result.ok() ? to_js(env, result.value()) : to_js(env, result.failure());
}

/** Undefined or the NativeFailure. */
inline Napi::Value to_js(Napi::Env env, const std::optional<common::Failure>& failure) {
  return failure ? to_js(env, *failure) : env.Undefined();
}

/** The NativeRefusal of src/native/surface.ts. */
inline Napi::Value to_js(Napi::Env env, const accfg::Refusal& refusal) {
  auto object = Napi::Object::New(env);
  object.Set("errno", refusal.error);
  object.Set("code", refusal.error == 0 ? "" : common::error_name(refusal.error));
  object.Set("said", refusal.said);
  return object;
}

/** Undefined or the NativeRefusal. */
inline Napi::Value to_js(Napi::Env env, const std::optional<accfg::Refusal>& refusal) {
  return refusal ? to_js(env, *refusal) : env.Undefined();
}

/** The NativeAccelDevices of src/native/surface.ts, or the NativeRefusal. */
inline Napi::Value to_js(Napi::Env env,
                         const std::variant<std::vector<accfg::Device>, accfg::Refusal>& outcome) {
  const auto* devices = std::get_if<std::vector<accfg::Device>>(&outcome);
  if (devices == nullptr) return to_js(env, std::get<accfg::Refusal>(outcome));
  auto array = Napi::Array::New(env, devices->size());
  for (std::uint32_t i = 0; i < devices->size(); ++i) {
    const Napi::HandleScope scope(env);
    const accfg::Device& device = (*devices)[i];
    auto wqs = Napi::Array::New(env, device.wqs.size());
    for (std::uint32_t j = 0; j < device.wqs.size(); ++j) {
      auto wq = Napi::Object::New(env);
      wq.Set("name", device.wqs[j].name);
      wq.Set("state", device.wqs[j].state);
      wqs.Set(j, wq);
    }
    auto object = Napi::Object::New(env);
    object.Set("name", device.name);
    object.Set("state", device.state);
    object.Set("wqs", wqs);
    object.Set("engines", to_js(env, device.engines));
    array.Set(i, object);
  }
  return array;
}

/** Each file's bytes as a Buffer, or its NativeFailure. */
inline Napi::Value to_js(Napi::Env env, const std::vector<common::Result<std::string>>& files) {
  auto array = Napi::Array::New(env, files.size());
  for (std::uint32_t i = 0; i < files.size(); ++i) {
    const Napi::HandleScope scope(env);
    const common::Result<std::string>& file = files[i];
    if (file.ok()) {
      array.Set(i, Napi::Buffer<char>::Copy(env, file.value().data(), file.value().size()));
    } else {
      array.Set(i, to_js(env, file.failure()));
    }
  }
  return array;
}

}  // namespace iaa_zswap::napi

#endif  // IAA_ZSWAP_NAPI_CONVERT_H_
