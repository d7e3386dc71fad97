#include "napi/model_object.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "napi/arguments.h"
#include "napi/convert.h"

namespace iaa_zswap::napi {
namespace {

using model::Machine;
using model::Time;

/** Virtual time after which the pool's thread looks whether it is wanted any more. */
constexpr Time kStep = 100'000'000;

/** A time up to which to go; Infinity is the end. */
struct Until {
  static constexpr const char* kExpected = "a number of nanoseconds, 0 or more";
  static std::optional<Time> take(const Napi::Value& value) {
    if (!value.IsNumber()) return std::nullopt;
    const double number = value.As<Napi::Number>().DoubleValue();
    if (std::isinf(number) && number > 0) return model::kNever;
    // NaN is in no range.
    const bool fits = number >= 0 && number <= 0x1p53;
    if (!fits) return std::nullopt;
    return static_cast<Time>(number);
  }
};

/** Undefined for what never was. */
Napi::Value time_to_js(Napi::Env env, Time time) {
  if (time == model::kNever) return env.Undefined();
  return Napi::Number::New(env, static_cast<double>(time));
}

Napi::Value counter_to_js(Napi::Env env, std::uint64_t counter) {
  return Napi::Number::New(env, static_cast<double>(counter));
}

const char* death_name(model::Death death) {
  switch (death) {
    case model::Death::kBusError:
      return "SIGBUS";
    case model::Death::kOutOfMemory:
      return "SIGKILL";
    default:
      return nullptr;
  }
}

}  // namespace

/** Lets time pass; it keeps the machine, and its JavaScript object, alive. */
class ModelObject::Advance final : public Napi::AsyncWorker {
 public:
  Advance(Napi::Env env, ModelObject* object, Time until)
      : Napi::AsyncWorker(env, "iaa_zswap:model"),
        deferred_(env),
        object_(Napi::Persistent(object->Value())),
        run_(object->run_),
        until_(until) {}

  [[nodiscard]] Napi::Promise promise() const { return deferred_.Promise(); }

 private:
  void Execute() override {
    Run& run = *run_;
    if (run.machine == nullptr) {
      auto made = Machine::create(std::move(run.config));
      if (auto* why = std::get_if<std::string>(&made)) {
        why_not_ = std::move(*why);
        return;
      }
      run.machine = std::move(*std::get_if<std::unique_ptr<Machine>>(&made));
    }
    while (!ended_ && !run.cancelled && run.machine->now() < until_) {
      const Time rest = until_ - run.machine->now();
      ended_ = run.machine->run_until(run.machine->now() + std::min(rest, kStep));
    }
    ended_ = ended_ || run.machine->is_done();
  }
  void OnOK() override {
    ModelObject::Unwrap(object_.Value())->busy_ = false;
    if (why_not_.empty()) {
      deferred_.Resolve(Napi::Boolean::New(Env(), ended_));
    } else {
      deferred_.Resolve(Napi::String::New(Env(), why_not_));
    }
  }

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference object_;
  std::shared_ptr<Run> run_;
  Time until_;
  bool ended_ = false;
  std::string why_not_;
};

Napi::Function ModelObject::define(Napi::Env env) {
  return DefineClass(env, "NativeModel",
                     {
                         InstanceMethod<&ModelObject::advance>("advance"),
                         InstanceMethod<&ModelObject::now>("now"),
                         InstanceMethod<&ModelObject::events>("events"),
                         InstanceMethod<&ModelObject::counters>("counters"),
                         InstanceMethod<&ModelObject::wq_counters>("wqCounters"),
                         InstanceMethod<&ModelObject::take_samples>("takeSamples"),
                         InstanceMethod<&ModelObject::results>("results"),
                         InstanceMethod<&ModelObject::trace>("trace"),
                     });
}

ModelObject::ModelObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ModelObject>(info), env_(info.Env()) {
  napi_add_env_cleanup_hook(env_, at_environment_exit, this);
}

ModelObject::~ModelObject() { napi_remove_env_cleanup_hook(env_, at_environment_exit, this); }

// An environment waits for its pool's work before it ends.
void ModelObject::at_environment_exit(void* self) {
  const std::shared_ptr<Run>& run = static_cast<ModelObject*>(self)->run_;
  if (run != nullptr) run->cancelled = true;
}

void ModelObject::attach(model::Config config) {
  run_ = std::make_shared<Run>();
  run_->config = std::move(config);
}

Napi::Value ModelObject::advance(const Napi::CallbackInfo& info) {
  const auto arguments = take_arguments<Until>(info, "advance(untilNs)");
  if (!arguments) return {};
  if (busy_ || run_ == nullptr) {
    Napi::TypeError::New(info.Env(), "advance(untilNs): the model is under way, or there is none")
        .ThrowAsJavaScriptException();
    return {};
  }
  const auto& [until] = *arguments;
  busy_ = true;
  auto work = std::make_unique<Advance>(info.Env(), this, until);
  const Napi::Promise promise = work->promise();
  work.release()->Queue();
  return promise;
}

Machine* ModelObject::machine(const Napi::CallbackInfo& info, const char* method) {
  if (!take_arguments<>(info, method)) return nullptr;
  if (!busy_ && run_ != nullptr && run_->machine != nullptr) return run_->machine.get();
  Napi::TypeError::New(
      info.Env(), std::string(method) + ": the model is under way, or has not been advanced yet")
      .ThrowAsJavaScriptException();
  return nullptr;
}

Napi::Value ModelObject::now(const Napi::CallbackInfo& info) {
  const Machine* found = machine(info, "now()");
  if (found == nullptr) return {};
  return time_to_js(info.Env(), found->now());
}

Napi::Value ModelObject::events(const Napi::CallbackInfo& info) {
  const Machine* found = machine(info, "events()");
  if (found == nullptr) return {};
  return counter_to_js(info.Env(), found->events());
}

Napi::Value ModelObject::counters(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Machine* found = machine(info, "counters()");
  if (found == nullptr) return {};
  const model::Counters counters = found->counters();
  auto object = Napi::Object::New(env);
  for (const model::CounterName& name : model::all_counters()) {
    object.Set(std::string(name.name), counter_to_js(env, counters.*name.value));
  }
  return object;
}

Napi::Value ModelObject::wq_counters(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Machine* found = machine(info, "wqCounters()");
  if (found == nullptr) return {};
  auto array = Napi::Array::New(env);
  for (const model::WqCounters& wq : found->wq_counters()) {
    const Napi::HandleScope scope(env);
    auto object = Napi::Object::New(env);
    object.Set("compCalls", counter_to_js(env, wq.comp_calls));
    object.Set("compBytes", counter_to_js(env, wq.comp_bytes));
    object.Set("decompCalls", counter_to_js(env, wq.decomp_calls));
    object.Set("decompBytes", counter_to_js(env, wq.decomp_bytes));
    array.Set(array.Length(), object);
  }
  return array;
}

Napi::Value ModelObject::take_samples(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Machine* found = machine(info, "takeSamples()");
  if (found == nullptr) return {};
  const std::vector<model::Sample> samples = found->take_samples();
  const auto names = model::all_counters();
  auto times = Napi::Float64Array::New(env, samples.size());
  auto values = Napi::Float64Array::New(env, samples.size() * names.size());
  for (std::size_t row = 0; row < samples.size(); ++row) {
    times[row] = static_cast<double>(samples[row].time);
    for (std::size_t column = 0; column < names.size(); ++column) {
      values[row * names.size() + column] =
          static_cast<double>(samples[row].counters.*names[column].value);
    }
  }
  auto object = Napi::Object::New(env);
  object.Set("timesNs", times);
  object.Set("values", values);
  return object;
}

Napi::Value ModelObject::results(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Machine* found = machine(info, "results()");
  if (found == nullptr) return {};
  auto array = Napi::Array::New(env);
  for (const model::TaskResult& result : found->results()) {
    const Napi::HandleScope scope(env);
    auto object = Napi::Object::New(env);
    object.Set("workedNs", time_to_js(env, result.worked));
    object.Set("freeingBeganNs", time_to_js(env, result.freeing_began));
    object.Set("freedNs", time_to_js(env, result.freed));
    object.Set("maxResidentPages", counter_to_js(env, result.max_resident_pages));
    if (const char* signal = death_name(result.death)) object.Set("signal", signal);
    array.Set(array.Length(), object);
  }
  return array;
}

Napi::Value ModelObject::trace(const Napi::CallbackInfo& info) {
  const Machine* found = machine(info, "trace()");
  if (found == nullptr) return {};
  return Napi::String::New(info.Env(), found->trace());
}

Napi::Value model_constants(Napi::Env env) {
  const model::Constants defaults;
  auto array = Napi::Array::New(env);
  for (const model::Constant& constant : model::all_constants()) {
    const Napi::HandleScope scope(env);
    auto object = Napi::Object::New(env);
    object.Set("name", std::string(constant.name));
    object.Set("unit", std::string(constant.unit));
    object.Set("source", std::string(model::source_name(constant.source)));
    object.Set("meaning", std::string(constant.meaning));
    object.Set("value", Napi::Number::New(env, static_cast<double>(defaults.*constant.value)));
    array.Set(array.Length(), object);
  }
  return array;
}

Napi::Value model_counters(Napi::Env env) {
  auto array = Napi::Array::New(env);
  for (const model::CounterName& name : model::all_counters()) {
    array.Set(array.Length(), std::string(name.name));
  }
  return array;
}

}  // namespace iaa_zswap::napi
