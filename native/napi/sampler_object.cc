#include "napi/sampler_object.h"

#include <cstdint>
#include <utility>

#include "napi/arguments.h"
#include "napi/convert.h"
#include "sampler/counter_file.h"

namespace iaa_zswap::napi {

namespace {

Napi::Value to_js(Napi::Env env, const sampler::Histogram& histogram) {
  auto object = Napi::Object::New(env);
  object.Set("p50", static_cast<double>(histogram.quantile(0.5)));
  object.Set("p99", static_cast<double>(histogram.quantile(0.99)));
  object.Set("max", static_cast<double>(histogram.largest()));
  return object;
}

}  // namespace

Napi::Function SamplerObject::define(Napi::Env env) {
  return DefineClass(env, "NativeSampler",
                     {
                         InstanceMethod<&SamplerObject::files>("files"),
                         InstanceMethod<&SamplerObject::start_ns>("startNs"),
                         InstanceMethod<&SamplerObject::take>("take"),
                         InstanceMethod<&SamplerObject::statistics>("statistics"),
                         InstanceMethod<&SamplerObject::stop>("stop"),
                     });
}

SamplerObject::SamplerObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<SamplerObject>(info),
      env_(info.Env()),
      sampler_(std::make_unique<sampler::Sampler>(std::vector<sampler::CounterFile>(), 1, 0)) {}

SamplerObject::~SamplerObject() { end(); }

std::optional<common::Failure> SamplerObject::start(
    const std::shared_ptr<const hostfs::HostRoot>& root, const Request& request) {
  sampler::TextBuffer buffer;
  std::vector<sampler::CounterFile> opened;
  for (std::size_t i = 0; i < request.paths.size(); ++i) {
    auto file = sampler::CounterFile::open(root, request.paths[i], request.formats[i], buffer);
    if (!file.ok()) {
      files_.emplace_back(file.failure());
      continue;
    }
    files_.emplace_back(file.value().keys());
    opened.push_back(std::move(file.value()));
  }
  sampler_ = std::make_unique<sampler::Sampler>(std::move(opened), request.interval_ns,
                                                request.buffer_bytes);
  if (const std::optional<common::Failure> failure = sampler_->start()) return failure;
  runs_ = true;
  napi_add_env_cleanup_hook(env_, at_environment_exit, this);
  return std::nullopt;
}

Napi::Value SamplerObject::files(const Napi::CallbackInfo& info) {
  if (!take_arguments<>(info, "files()")) return {};
  auto array = Napi::Array::New(info.Env(), files_.size());
  for (std::uint32_t i = 0; i < files_.size(); ++i) {
    const Napi::HandleScope scope(info.Env());
    array.Set(i, napi::to_js(info.Env(), files_[i]));
  }
  return array;
}

Napi::Value SamplerObject::start_ns(const Napi::CallbackInfo& info) {
  if (!take_arguments<>(info, "startNs()")) return {};
  return Napi::BigInt::New(info.Env(), sampler_->start_ns());
}

Napi::Value SamplerObject::take(const Napi::CallbackInfo& info) {
  if (!take_arguments<>(info, "take()")) return {};
  const std::vector<std::uint8_t> rows = sampler_->take();
  const auto copy = Napi::Buffer<std::uint8_t>::Copy(info.Env(), rows.data(), rows.size());
  return {info.Env(), copy};
}

Napi::Value SamplerObject::statistics(const Napi::CallbackInfo& info) {
  if (!take_arguments<>(info, "statistics()")) return {};
  const Napi::Env env = info.Env();
  const sampler::Statistics statistics = sampler_->statistics();
  auto object = Napi::Object::New(env);
  object.Set("rows", static_cast<double>(statistics.rows));
  object.Set("dropped", static_cast<double>(statistics.dropped));
  object.Set("missed", static_cast<double>(statistics.missed));
  object.Set("lateNs", to_js(env, statistics.late_ns));
  object.Set("readingNs", to_js(env, statistics.reading_ns));
  return object;
}

void SamplerObject::stop(const Napi::CallbackInfo& info) {
  if (take_arguments<>(info, "stop()")) end();
}

void SamplerObject::end() {
  if (!runs_) return;
  runs_ = false;
  sampler_->stop();
  napi_remove_env_cleanup_hook(env_, at_environment_exit, this);
}

void SamplerObject::at_environment_exit(void* self) { static_cast<SamplerObject*>(self)->end(); }

}  // namespace iaa_zswap::napi
