#ifndef IAA_ZSWAP_NAPI_CONVERT_H_
#define IAA_ZSWAP_NAPI_CONVERT_H_

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
