#ifndef IAA_ZSWAP_NAPI_ARGUMENTS_H_
#define IAA_ZSWAP_NAPI_ARGUMENTS_H_

#include <napi.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "sampler/text_template.h"

namespace iaa_zswap::napi {

/** Kinds of argument: each says what it expects and takes it from a JavaScript value, or gives
 * nothing. */
struct AbsolutePath {
  static constexpr const char* kExpected = "an absolute path without NUL";
  static std::optional<std::string> take(const Napi::Value& value) {
    if (!value.IsString()) return std::nullopt;
    std::string path = value.As<Napi::String>().Utf8Value();
    if (!path.starts_with('/') || path.find('\0') != std::string::npos) return std::nullopt;
    return path;
  }
};

struct AbsolutePaths {
  static constexpr const char* kExpected = "an array of absolute paths without NUL";
  static std::optional<std::vector<std::string>> take(const Napi::Value& value) {
    if (!value.IsArray()) return std::nullopt;
    const auto array = value.As<Napi::Array>();
    std::vector<std::string> paths;
    paths.reserve(array.Length());
    for (std::uint32_t i = 0; i < array.Length(); ++i) {
      const Napi::HandleScope scope(value.Env());
      const Napi::Value element = array.Get(i);
      // An element behind a getter may have thrown; an empty value is not to be asked anything.
      if (element.IsEmpty()) return std::nullopt;
      std::optional<std::string> path = AbsolutePath::take(element);
      if (!path) return std::nullopt;
      paths.push_back(std::move(*path));
    }
    return paths;
  }
};

/** Whatever it is: somebody else looks at it. */
struct Anything {
  static constexpr const char* kExpected = "anything";
  static std::optional<Napi::Value> take(const Napi::Value& value) { return value; }
};

struct Text {
  static constexpr const char* kExpected = "a string";
  static std::optional<std::string> take(const Napi::Value& value) {
    if (!value.IsString()) return std::nullopt;
    return value.As<Napi::String>().Utf8Value();
  }
};

struct Boolean {
  static constexpr const char* kExpected = "a boolean";
  static std::optional<bool> take(const Napi::Value& value) {
    if (!value.IsBoolean()) return std::nullopt;
    return value.As<Napi::Boolean>().Value();
  }
};

/** Whole numbers that a double holds exactly. */
struct PositiveInteger {
  static constexpr const char* kExpected = "a whole number from 1 to 2^53-1";
  static std::optional<std::uint64_t> take(const Napi::Value& value) {
    if (!value.IsNumber()) return std::nullopt;
    const double number = value.As<Napi::Number>().DoubleValue();
    constexpr double kMost = 9007199254740991.0;
    // Nothing equals NaN.
    if (number < 1 || number > kMost || std::trunc(number) != number) return std::nullopt;
    return static_cast<std::uint64_t>(number);
  }
};

struct CounterFormats {
  static constexpr const char* kExpected =
      "an array of 'number', 'flat', 'nested' or 'iaa-statistics'";
  static std::optional<std::vector<sampler::Format>> take(const Napi::Value& value) {
    if (!value.IsArray()) return std::nullopt;
    const auto array = value.As<Napi::Array>();
    std::vector<sampler::Format> formats;
    formats.reserve(array.Length());
    for (std::uint32_t i = 0; i < array.Length(); ++i) {
      const Napi::HandleScope scope(value.Env());
      const Napi::Value element = array.Get(i);
      if (element.IsEmpty()) return std::nullopt;
      const std::optional<std::string> name = Text::take(element);
      if (name == "number") {
        formats.push_back(sampler::Format::kNumber);
      } else if (name == "flat") {
        formats.push_back(sampler::Format::kFlat);
      } else if (name == "nested") {
        formats.push_back(sampler::Format::kNested);
      } else if (name == "iaa-statistics") {
        formats.push_back(sampler::Format::kIaaStatistics);
      } else {
        return std::nullopt;
      }
    }
    return formats;
  }
};

/** A copy of the bytes: the caller may change its array while the operation runs. */
struct Bytes {
  static constexpr const char* kExpected = "a Uint8Array";
  static std::optional<std::vector<std::byte>> take(const Napi::Value& value) {
    if (!value.IsTypedArray()) return std::nullopt;
    const auto array = value.As<Napi::TypedArray>();
    if (array.TypedArrayType() != napi_uint8_array) return std::nullopt;
    const auto bytes = array.As<Napi::Uint8Array>();
    const auto* first = reinterpret_cast<const std::byte*>(bytes.Data());
    return std::vector<std::byte>(first, first + bytes.ByteLength());
  }
};

/**
 * The arguments of a call as a tuple, one per kind; nothing when there are more, fewer or others.
 * Then a TypeError is pending, which names `signature` and the first argument that is wrong.
 */
template <typename... Kinds>
auto take_arguments(const Napi::CallbackInfo& info, const char* signature) {
  using Values = std::tuple<decltype(Kinds::take(std::declval<Napi::Value>()))...>;
  using Plain =
      std::tuple<typename decltype(Kinds::take(std::declval<Napi::Value>()))::value_type...>;

  const auto refuse = [&](const std::string& why) -> std::optional<Plain> {
    const Napi::Env env = info.Env();
    // What a getter threw stays.
    if (!env.IsExceptionPending()) {
      Napi::TypeError::New(env, std::string(signature) + ": " + why).ThrowAsJavaScriptException();
    }
    return std::nullopt;
  };

  if (info.Length() != sizeof...(Kinds)) {
    return refuse("the number of arguments must be " + std::to_string(sizeof...(Kinds)) +
                  ", it is " + std::to_string(info.Length()));
  }
  if constexpr (sizeof...(Kinds) == 0) {
    return std::optional<Plain>(Plain{});
  } else {
    return [&]<std::size_t... I>(std::index_sequence<I...>) -> std::optional<Plain> {
      Values values;
      const char* expected = nullptr;
      std::size_t wrong = 0;
      const auto take = [&]<typename Kind>(std::size_t index, auto& value) {
        value = Kind::take(info[index]);
        if (value) return true;
        expected = Kind::kExpected;
        wrong = index;
        return false;
      };
      if (!(take.template operator()<Kinds>(I, std::get<I>(values)) && ...)) {
        return refuse("argument " + std::to_string(wrong + 1) + " must be " + expected);
      }
      return Plain(std::move(*std::get<I>(values))...);
    }(std::index_sequence_for<Kinds...>{});
  }
}

}  // namespace iaa_zswap::napi

#endif  // IAA_ZSWAP_NAPI_ARGUMENTS_H_
