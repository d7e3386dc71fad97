#include "napi/model_config.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <utility>

#include "model/page_content.h"

namespace iaa_zswap::napi {
namespace {

using model::Config;

/** Largest whole number that JavaScript has exactly. */
constexpr double kMostInteger = 9007199254740991;

/** NaN is in no range. */
bool is_whole(double given, double most) {
  return given >= 0 && given <= most && given == std::floor(given);
}

/** A word of JavaScript for each value of an enum, in its order. */
template <std::size_t N>
using Words = std::array<std::string_view, N>;

/**
 * The fields of a JavaScript object, read one by one. The first that is missing or of another kind
 * is remembered with its path; what comes after it is left alone.
 */
class Fields {
 public:
  Fields(const Napi::Value& value, std::string path, std::string* wrong)
      : path_(std::move(path)), wrong_(wrong) {
    if (value.IsEmpty() || !value.IsObject()) {
      refuse("");
      return;
    }
    object_ = value.As<Napi::Object>();
  }

  template <typename T>
  void number(const char* name, T* to, double most = kMostInteger) {
    double given = 0;
    real(name, &given);
    if (is_whole(given, most)) {
      *to = static_cast<T>(given);
    } else {
      refuse(name);
    }
  }
  void number(const char* name, std::uint32_t* to) { number(name, to, UINT32_MAX); }

  /** Undefined is no limit. */
  void limit(const char* name, std::uint64_t* to) {
    const Napi::Value value = get(name);
    if (value.IsEmpty() || value.IsUndefined()) return;
    number(name, to);
  }

  void real(const char* name, double* to) {
    const Napi::Value value = get(name, napi_number);
    if (!value.IsEmpty()) *to = value.As<Napi::Number>().DoubleValue();
  }

  void boolean(const char* name, bool* to) {
    const Napi::Value value = get(name, napi_boolean);
    if (!value.IsEmpty()) *to = value.As<Napi::Boolean>().Value();
  }

  [[nodiscard]] std::string text(const char* name) {
    const Napi::Value value = get(name, napi_string);
    return value.IsEmpty() ? std::string() : value.As<Napi::String>().Utf8Value();
  }

  template <typename T, std::size_t N>
  void word(const char* name, const Words<N>& words, T* to) {
    const std::string given = text(name);
    for (std::size_t i = 0; i < N; ++i) {
      if (words.at(i) != given) continue;
      *to = static_cast<T>(i);
      return;
    }
    refuse(name);
  }

  /** A copy of a typed array. */
  template <typename T>
  void column(const char* name, napi_typedarray_type type, std::vector<T>* to) {
    const Napi::Value value = get(name);
    if (value.IsEmpty()) return;
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
      refuse(name);
      return;
    }
    const auto array = value.As<Napi::TypedArrayOf<T>>();
    to->assign(array.Data(), array.Data() + array.ElementLength());
  }

  void numbers(const char* name, std::vector<std::uint32_t>* to) {
    elements(name, [&](const Napi::Value& value, const std::string& path) {
      const double given = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
      if (!is_whole(given, UINT32_MAX)) {
        refuse_path(path);
        return;
      }
      to->push_back(static_cast<std::uint32_t>(given));
    });
  }
  void numbers(const char* name, std::vector<std::vector<std::uint32_t>>* to) {
    elements(name, [&](const Napi::Value& value, const std::string& path) {
      // As an object with one field, so that it is read like any other.
      auto holder = Napi::Object::New(value.Env());
      holder.Set("", value);
      to->emplace_back();
      Fields(holder, path, wrong_).numbers("", &to->back());
    });
  }

  [[nodiscard]] bool has(const char* name) {
    const Napi::Value value = get(name);
    return !value.IsEmpty() && !value.IsUndefined();
  }
  [[nodiscard]] Fields object(const char* name) { return {get(name), path_of(name), wrong_}; }
  void objects(const char* name, const std::function<void(Fields)>& read) {
    elements(name, [&](const Napi::Value& value, const std::string& path) {
      read(Fields(value, path, wrong_));
    });
  }

  /** Every field that the object has, by name. */
  void all(const std::function<void(const std::string&)>& read) {
    if (!wrong_->empty()) return;
    const Napi::Array names = object_.GetPropertyNames();
    for (std::uint32_t i = 0; i < names.Length() && wrong_->empty(); ++i) {
      read(names.Get(i).As<Napi::String>().Utf8Value());
    }
  }

  void refuse(const std::string& name) { refuse_path(path_of(name)); }

 private:
  [[nodiscard]] std::string path_of(const std::string& name) const {
    return path_.empty() || name.empty() ? path_ + name : path_ + "." + name;
  }
  void refuse_path(const std::string& path) {
    if (wrong_->empty()) *wrong_ = path.empty() ? "it is no object" : "its " + path + " is wrong";
  }

  /** Empty when something is wrong already, or a getter has thrown. */
  Napi::Value get(const char* name) {
    if (!wrong_->empty()) return {};
    const Napi::Value value = object_.Get(name);
    if (value.IsEmpty()) refuse(name);
    return value;
  }

  /** The same for one of another kind. */
  Napi::Value get(const char* name, napi_valuetype type) {
    const Napi::Value value = get(name);
    if (value.IsEmpty() || value.Type() == type) return value;
    refuse(name);
    return {};
  }

  void elements(const char* name,
                const std::function<void(const Napi::Value&, const std::string&)>& read) {
    const Napi::Value value = get(name);
    if (value.IsEmpty()) return;
    if (!value.IsArray()) {
      refuse(name);
      return;
    }
    const auto array = value.As<Napi::Array>();
    for (std::uint32_t i = 0; i < array.Length() && wrong_->empty(); ++i) {
      const Napi::HandleScope scope(value.Env());
      const std::string path = path_of(name) + "[" + std::to_string(i) + "]";
      const Napi::Value element = array.Get(i);
      if (element.IsEmpty()) {
        refuse_path(path);
      } else {
        read(element, path);
      }
    }
  }

  Napi::Object object_;
  std::string path_;
  std::string* wrong_;
};

model::Compressor compressor(Fields& fields, const char* name) {
  const auto found = model::compressor_of(fields.text(name));
  if (!found) fields.refuse(name);
  return found.value_or(model::Compressor::kZstd);
}

void read_kernel(Fields fields, Config* config) {
  const std::string name = fields.text("name");
  const auto features = model::kernel_features(name);
  if (!features) fields.refuse("name");
  config->kernel = features.value_or(model::KernelFeatures{});
  Fields switches = fields.object("switches");
  const std::array<std::pair<const char*, bool model::KernelFeatures::*>, 12> known = {{
      {"largeFolios", &model::KernelFeatures::large_folios},
      {"exactCharge", &model::KernelFeatures::exact_charge},
      {"batchedStore", &model::KernelFeatures::batched_store},
      {"storesIncompressible", &model::KernelFeatures::stores_incompressible},
      {"contextsLiveWithPool", &model::KernelFeatures::contexts_live_with_pool},
      {"boundedDescriptors", &model::KernelFeatures::bounded_descriptors},
      {"decompressesInSoftware", &model::KernelFeatures::decompresses_in_software},
      {"pollsAsync", &model::KernelFeatures::polls_async},
      {"separateCursors", &model::KernelFeatures::separate_cursors},
      {"reclaimBatching", &model::KernelFeatures::reclaim_batching},
      {"swapinBatching", &model::KernelFeatures::swapin_batching},
      {"zram", &model::KernelFeatures::zram},
  }};
  switches.all([&](const std::string& given) {
    for (const auto& [each, feature] : known) {
      if (given != each) continue;
      switches.boolean(each, &(config->kernel.*feature));
      return;
    }
    switches.refuse(given);
  });
}

void read_constants(Fields fields, Config* config) {
  fields.all([&](const std::string& given) {
    for (const model::Constant& constant : model::all_constants()) {
      if (given != constant.name) continue;
      fields.number(given.c_str(), &(config->constants.*constant.value));
      return;
    }
    fields.refuse(given);
  });
}

void read_iaa(Fields fields, model::IaaConfig* iaa) {
  constexpr Words<3> kModes = {"sync", "async", "async_irq"};
  fields.objects("devices", [&](Fields device) {
    iaa->devices.emplace_back();
    device.numbers("groupEngines", &iaa->devices.back().group_engines);
  });
  fields.objects("wqs", [&](Fields wq) {
    model::WqConfig& to = iaa->wqs.emplace_back();
    wq.number("device", &to.device);
    wq.number("group", &to.group);
    wq.number("size", &to.size);
    wq.number("threshold", &to.threshold);
    wq.number("priority", &to.priority);
    wq.boolean("shared", &to.shared);
    wq.number("foreign", &to.foreign);
  });
  fields.boolean("verifyCompress", &iaa->verify_compress);
  fields.word("syncMode", kModes, &iaa->sync_mode);
  iaa->mappings.clear();
  fields.objects("mappings", [&](Fields mapping) {
    model::Mapping& to = iaa->mappings.emplace_back();
    mapping.numbers("tables", &to.tables);
    mapping.objects("cpus", [&](Fields cpu) {
      model::CpuWqs& wqs = to.cpus.emplace_back();
      cpu.number("compressTable", &wqs.compress_table);
      cpu.number("compressFirst", &wqs.compress_first);
      cpu.number("decompressTable", &wqs.decompress_table);
      cpu.number("decompressFirst", &wqs.decompress_first);
    });
  });
}

void read_memory(Fields fields, Config* config) {
  constexpr Words<3> kDefrags = {"no-reclaim", "wake-kswapd", "direct-reclaim"};
  Fields machine = fields.object("machine");
  machine.number("cpus", &config->machine.cpus);
  machine.number("memoryPages", &config->machine.memory_pages);
  machine.number("swapPages", &config->machine.swap_pages);
  machine.number("pageCluster", &config->machine.page_cluster);
  Fields zswap = fields.object("zswap");
  zswap.boolean("enabled", &config->zswap.enabled);
  config->zswap.compressor = compressor(zswap, "compressor");
  zswap.number("maxPoolPercent", &config->zswap.max_pool_percent);
  zswap.number("acceptThresholdPercent", &config->zswap.accept_threshold_percent);
  zswap.objects("classes", [&](Fields each) {
    model::ZsmallocClass& to = config->zswap.classes.emplace_back();
    each.number("bytes", &to.bytes);
    each.number("zspagePages", &to.zspage_pages);
    each.number("zspageObjects", &to.zspage_objects);
  });
  Fields memcg = fields.object("memcg");
  memcg.limit("highPages", &config->memcg.high);
  memcg.limit("maxPages", &config->memcg.max);
  memcg.limit("swapMaxPages", &config->memcg.swap_max);
  memcg.limit("zswapMaxPages", &config->memcg.zswap_max);
  memcg.boolean("zswapWriteback", &config->memcg.zswap_writeback);
  Fields thp = fields.object("thp");
  thp.number("order", &config->thp.order);
  thp.word("defrag", kDefrags, &config->thp.defrag);
}

void read_content(Fields fields, model::ContentConfig* content) {
  constexpr Words<6> kKinds = {"counter", "random", "zero", "ratio", "program", "corpus"};
  fields.word("kind", kKinds, &content->kind);
  if (fields.has("ratio")) fields.real("ratio", &content->ratio);
  if (fields.has("seed")) fields.number("seed", &content->seed);
  if (fields.has("corpus")) {
    std::vector<std::uint8_t> corpus;
    fields.column("corpus", napi_uint8_array, &corpus);
    const auto bytes = std::as_bytes(std::span(corpus));
    content->corpus.assign(bytes.begin(), bytes.end());
  }
  fields.boolean("calibrated", &content->calibrated);
  fields.number("incompressiblePerMillion", &content->incompressible_per_million);
  fields.boolean("exact", &content->exact);
}

model::UsememConfig read_usemem(Fields fields) {
  model::UsememConfig usemem;
  fields.number("tasks", &usemem.tasks);
  fields.number("bindInterval", &usemem.bind_interval);
  fields.number("taskPages", &usemem.task_pages);
  fields.number("unitPages", &usemem.unit_pages);
  fields.number("stepBytes", &usemem.step_bytes);
  fields.number("sleepNs", &usemem.sleep);
  return usemem;
}

model::BuildConfig read_build(Fields fields) {
  model::BuildConfig build;
  fields.number("workers", &build.workers);
  fields.number("partPerMillion", &build.part_per_million);
  return build;
}

/** A trace comes as columns: it may have millions of accesses. */
model::TraceConfig read_trace(Fields fields) {
  model::TraceConfig trace;
  fields.number("tasks", &trace.tasks);
  fields.number("taskPages", &trace.task_pages);
  std::vector<double> times;
  std::vector<std::uint32_t> tasks;
  std::vector<std::uint32_t> pages;
  std::vector<std::uint8_t> kinds;
  fields.column("timesNs", napi_float64_array, &times);
  fields.column("accessTasks", napi_uint32_array, &tasks);
  fields.column("accessPages", napi_uint32_array, &pages);
  fields.column("accessKinds", napi_uint8_array, &kinds);
  const std::size_t count = times.size();
  if (tasks.size() != count || pages.size() != count || kinds.size() != count) {
    fields.refuse("accessTasks");
    return trace;
  }
  trace.accesses.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_whole(times[i], kMostInteger) || kinds[i] > 2) {
      fields.refuse("timesNs");
      return trace;
    }
    trace.accesses.push_back({.time = static_cast<model::Time>(times[i]),
                              .task = tasks[i],
                              .page = pages[i],
                              .kind = static_cast<model::AccessKind>(kinds[i])});
  }
  return trace;
}

void read_workload(Fields fields, Config* config) {
  const std::string kind = fields.text("kind");
  if (kind == "usemem") {
    config->workload = read_usemem(fields);
  } else if (kind == "build") {
    config->workload = read_build(fields);
  } else if (kind == "trace") {
    config->workload = read_trace(fields);
  } else {
    fields.refuse("kind");
  }
}

void read_events(Fields& fields, Config* config) {
  constexpr Words<13> kKinds = {
      "cpu-offline", "cpu-online",    "wq-unbind",        "wq-bind",          "device-loss",
      "compressor",  "zswap-enabled", "max-pool-percent", "accept-threshold", "memory-high",
      "memory-max",  "swap-max",      "zswap-max",
  };
  fields.objects("events", [&](Fields each) {
    model::OutsideEvent& event = config->events.emplace_back();
    each.number("timeNs", &event.time);
    each.word("kind", kKinds, &event.kind);
    each.number("subject", &event.subject);
    if (event.kind == model::OutsideKind::kCompressor) {
      event.value = static_cast<std::uint64_t>(compressor(each, "value"));
    } else {
      event.value = model::kUnlimited;
      each.limit("value", &event.value);
    }
  });
}

}  // namespace

std::variant<Config, std::string> model_config(const Napi::Value& value) {
  std::string wrong;
  Config config;
  Fields fields(value, "", &wrong);
  fields.number("seed", &config.seed);
  if (wrong.empty()) read_kernel(fields.object("kernel"), &config);
  if (wrong.empty()) read_constants(fields.object("constants"), &config);
  if (wrong.empty()) read_iaa(fields.object("iaa"), &config.iaa);
  if (wrong.empty()) read_memory(fields, &config);
  if (wrong.empty()) read_content(fields.object("content"), &config.content);
  if (wrong.empty()) read_workload(fields.object("workload"), &config);
  if (wrong.empty()) read_events(fields, &config);
  if (wrong.empty()) {
    Fields failures = fields.object("failures");
    failures.number("zswapEntryPerMillion", &config.failures.zswap_entry);
    failures.number("zsmallocPerMillion", &config.failures.zsmalloc);
    failures.number("xarrayPerMillion", &config.failures.xarray);
  }
  fields.number("sampleIntervalNs", &config.sample_interval);
  fields.number("traceSpans", &config.trace.spans);
  if (!wrong.empty()) return wrong;
  if (auto why = model::why_not(config)) return std::move(*why);
  return config;
}

}  // namespace iaa_zswap::napi
