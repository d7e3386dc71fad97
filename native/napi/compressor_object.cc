#include "napi/compressor_object.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "codec/batch.h"
#include "napi/arguments.h"

namespace iaa_zswap::napi {
namespace {

/** The bytes themselves, for the time of the call. */
struct View {
  static constexpr const char* kExpected = "a Uint8Array";
  static std::optional<std::span<uint8_t>> take(const Napi::Value& value) {
    if (!value.IsTypedArray()) return std::nullopt;
    const auto array = value.As<Napi::TypedArray>();
    if (array.TypedArrayType() != napi_uint8_array) return std::nullopt;
    auto bytes = array.As<Napi::Uint8Array>();
    return std::span(bytes.Data(), bytes.ByteLength());
  }
};

struct Memory {
  static constexpr const char* kExpected = "an ArrayBuffer";
  static std::optional<std::span<uint8_t>> take(const Napi::Value& value) {
    if (!value.IsArrayBuffer()) return std::nullopt;
    auto buffer = value.As<Napi::ArrayBuffer>();
    return std::span(static_cast<uint8_t*>(buffer.Data()), buffer.ByteLength());
  }
};

struct Slots {
  static constexpr const char* kExpected = "a Uint32Array of four numbers for each slot";
  static std::optional<std::span<const codec::Slot>> take(const Napi::Value& value) {
    if (!value.IsTypedArray()) return std::nullopt;
    const auto array = value.As<Napi::TypedArray>();
    if (array.TypedArrayType() != napi_uint32_array || array.ElementLength() % 4 != 0) {
      return std::nullopt;
    }
    static_assert(sizeof(codec::Slot) == 4 * sizeof(uint32_t));
    const auto numbers = array.As<Napi::Uint32Array>();
    return std::span(reinterpret_cast<const codec::Slot*>(numbers.Data()),
                     numbers.ElementLength() / 4);
  }
};

struct Outcomes {
  static constexpr const char* kExpected = "an Int32Array";
  static std::optional<std::span<codec::Outcome>> take(const Napi::Value& value) {
    if (!value.IsTypedArray()) return std::nullopt;
    const auto array = value.As<Napi::TypedArray>();
    if (array.TypedArrayType() != napi_int32_array) return std::nullopt;
    auto numbers = array.As<Napi::Int32Array>();
    return std::span(numbers.Data(), numbers.ElementLength());
  }
};

struct Threads {
  static constexpr const char* kExpected = "a whole number from 1 to 256";
  static std::optional<uint32_t> take(const Napi::Value& value) {
    if (!value.IsNumber()) return std::nullopt;
    const double number = value.As<Napi::Number>().DoubleValue();
    // NaN is no whole number either: it is not equal to itself.
    if (number != std::floor(number) || number < 1 || number > 256) return std::nullopt;
    return static_cast<uint32_t>(number);
  }
};

Napi::Value refuse(Napi::Env env, const char* why) {
  Napi::TypeError::New(env, why).ThrowAsJavaScriptException();
  return {};
}

}  // namespace

Napi::Function CompressorObject::define(Napi::Env env) {
  return DefineClass(env, "NativeCompressor",
                     {InstanceMethod<&CompressorObject::compress>("compress"),
                      InstanceMethod<&CompressorObject::decompress>("decompress"),
                      InstanceMethod<&CompressorObject::run_batch>("runBatch")});
}

CompressorObject::CompressorObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<CompressorObject>(info) {}

void CompressorObject::attach(std::string name, std::unique_ptr<codec::Compressor> compressor) {
  name_ = std::move(name);
  compressors_.push_back(std::move(compressor));
}

Napi::Value CompressorObject::compress(const Napi::CallbackInfo& info) {
  const auto arguments = take_arguments<View, View>(info, "compress(from, to)");
  if (!arguments) return {};
  const auto& [from, to] = *arguments;
  if (compressors_.empty() || from.empty())
    return refuse(info.Env(), "there is nothing to compress");
  return Napi::Number::New(info.Env(), compressors_.front()->compress(from, to));
}

Napi::Value CompressorObject::decompress(const Napi::CallbackInfo& info) {
  const auto arguments = take_arguments<View, View>(info, "decompress(from, to)");
  if (!arguments) return {};
  const auto& [from, to] = *arguments;
  if (compressors_.empty()) return refuse(info.Env(), "there is nothing to decompress");
  return Napi::Number::New(info.Env(), compressors_.front()->decompress(from, to));
}

Napi::Value CompressorObject::run_batch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto arguments = take_arguments<Boolean, Memory, Slots, Outcomes, Threads>(
      info, "runBatch(compress, memory, slots, outcomes, threads)");
  if (!arguments) return {};
  const auto& [compress, memory, shared_slots, outcomes, threads] = *arguments;
  // A copy: `slots` may lie in `memory`, and what has been checked must not change any more.
  const std::vector<codec::Slot> slots(shared_slots.begin(), shared_slots.end());
  if (compressors_.empty() || slots.size() != outcomes.size()) {
    return refuse(env, "runBatch: there must be one outcome for each slot");
  }
  for (const codec::Slot& slot : slots) {
    if (!codec::is_valid(slot, memory.size())) {
      return refuse(env, "runBatch: a slot is empty, lies outside the memory or overlaps itself");
    }
  }
  while (compressors_.size() < threads) {
    auto another = codec::open_compressor(name_);
    if (auto* why = std::get_if<std::string>(&another)) return refuse(env, why->c_str());
    compressors_.push_back(std::move(std::get<std::unique_ptr<codec::Compressor>>(another)));
  }
  codec::run_batch(std::span(compressors_).first(threads),
                   compress ? codec::Direction::kCompress : codec::Direction::kDecompress, memory,
                   slots, outcomes);
  return env.Undefined();
}

Napi::Value compressor_names(Napi::Env env) {
  auto array = Napi::Array::New(env, codec::kCompressors.size());
  for (uint32_t i = 0; i < codec::kCompressors.size(); ++i) {
    const auto& [name, library] = codec::kCompressors.at(i);
    auto object = Napi::Object::New(env);
    object.Set("name", std::string(name));
    object.Set("library", std::string(library));
    array.Set(i, object);
  }
  return array;
}

}  // namespace iaa_zswap::napi
