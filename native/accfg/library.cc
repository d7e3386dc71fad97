#include "accfg/library.h"

#include <dlfcn.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace iaa_zswap::accfg {

// The library's own types, of which only pointers are ever held, and its numbers
// (accel-config/libaccel_config.h).
struct Ctx;
struct DeviceHandle;
struct WqHandle;
struct EngineHandle;

namespace {

// The interface has been the same since the first release; a break would come with another one.
constexpr const char* kSoname = "libaccel-config.so.1";

using LogFunction = void (*)(Ctx*, int, const char*, int, const char*, const char*, va_list);

/** enum accfg_device_state. */
std::string device_state(int state) {
  constexpr std::array kNames = {"disabled", "enabled"};
  const auto index = static_cast<std::size_t>(state);
  return state >= 0 && index < kNames.size() ? kNames.at(index) : "unknown";
}

/** enum accfg_wq_state. */
std::string wq_state(int state) {
  constexpr std::array kNames = {"disabled", "enabled", "quiescing", "locked"};
  const auto index = static_cast<std::size_t>(state);
  return state >= 0 && index < kNames.size() ? kNames.at(index) : "unknown";
}

std::string text(const char* said) { return said == nullptr ? "" : said; }

/** What the library logs during a call, which else goes to our standard error. */
std::string& logged() {
  thread_local std::string text;
  return text;
}

void append(std::string& said, std::string_view more) {
  while (more.ends_with('\n')) more.remove_suffix(1);
  if (more.empty() || said.find(more) != std::string::npos) return;
  if (!said.empty()) said += "; ";
  said += more;
}

__attribute__((format(printf, 6, 0))) void take_log(Ctx* /*context*/, int /*priority*/,
                                                    const char* /*file*/, int /*line*/,
                                                    const char* /*function*/, const char* format,
                                                    va_list arguments) {
  constexpr std::size_t kLongest = 4096;
  std::array<char, 512> line{};
  static_cast<void>(vsnprintf(line.data(), line.size(), format, arguments));
  if (logged().size() < kLongest) append(logged(), line.data());
}

}  // namespace

/** The functions of the library; those from `get_command_status` on may be missing. */
struct Library::Functions {
  int (*create)(Ctx**);
  Ctx* (*release)(Ctx*);
  DeviceHandle* (*first_device)(Ctx*);
  DeviceHandle* (*next_device)(DeviceHandle*);
  const char* (*device_name)(DeviceHandle*);
  int (*device_state)(DeviceHandle*);
  int (*enable_device)(DeviceHandle*);
  int (*disable_device)(DeviceHandle*, bool force);
  WqHandle* (*first_wq)(DeviceHandle*);
  WqHandle* (*next_wq)(WqHandle*);
  const char* (*wq_name)(WqHandle*);
  int (*wq_state)(WqHandle*);
  int (*enable_wq)(WqHandle*);
  int (*disable_wq)(WqHandle*, bool force);
  EngineHandle* (*first_engine)(DeviceHandle*);
  EngineHandle* (*next_engine)(EngineHandle*);
  const char* (*engine_name)(EngineHandle*);

  unsigned (*command_status)(DeviceHandle*);
  const char* (*command_status_text)(DeviceHandle*);
  unsigned (*last_error)(Ctx*);
  const char* (*last_error_text)(Ctx*);
  void (*set_log_function)(Ctx*, LogFunction);
};

/** A view of the machine. The library reads devices once for each, so every call makes its own. */
class Library::Context {
 public:
  explicit Context(const Functions& functions)
      : functions_(functions), error_(functions_.create(&context_)) {
    logged().clear();
    if (error_ == 0 && functions_.set_log_function != nullptr) {
      functions_.set_log_function(context_, take_log);
    }
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    if (error_ == 0) functions_.release(context_);
  }

  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] Ctx* get() const { return context_; }

  /** The library's own words for a result that is not 0. */
  [[nodiscard]] Refusal refusal(int result, DeviceHandle* device) const {
    Refusal refusal{.error = result < 0 ? -result : 0, .said = std::exchange(logged(), {})};
    if (functions_.last_error != nullptr && functions_.last_error_text != nullptr && error_ == 0 &&
        functions_.last_error(context_) != 0) {
      append(refusal.said, text(functions_.last_error_text(context_)));
    }
    if (device != nullptr && functions_.command_status != nullptr &&
        functions_.command_status_text != nullptr && functions_.command_status(device) != 0) {
      append(refusal.said, text(functions_.command_status_text(device)));
    }
    return refusal;
  }

 private:
  const Functions& functions_;
  Ctx* context_ = nullptr;
  int error_;
};

Library::Library(void* handle, std::unique_ptr<const Functions> functions,
                 std::vector<std::string> lacks)
    : handle_(handle), functions_(std::move(functions)), lacks_(std::move(lacks)) {}

Library::~Library() { dlclose(handle_); }

std::variant<std::unique_ptr<Library>, std::string> Library::open() {
  void* const handle = dlopen(kSoname, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return text(dlerror());

  std::vector<std::string> lacks;
  const auto find = [&](auto& function, const char* name) {
    // What dlsym gives for a function is a function's address (POSIX).
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    if (function == nullptr) lacks.emplace_back(name);
  };
  auto functions = std::make_unique<Functions>();
  find(functions->create, "accfg_new");
  find(functions->release, "accfg_unref");
  find(functions->first_device, "accfg_device_get_first");
  find(functions->next_device, "accfg_device_get_next");
  find(functions->device_name, "accfg_device_get_devname");
  find(functions->device_state, "accfg_device_get_state");
  find(functions->enable_device, "accfg_device_enable");
  find(functions->disable_device, "accfg_device_disable");
  find(functions->first_wq, "accfg_wq_get_first");
  find(functions->next_wq, "accfg_wq_get_next");
  find(functions->wq_name, "accfg_wq_get_devname");
  find(functions->wq_state, "accfg_wq_get_state");
  find(functions->enable_wq, "accfg_wq_enable");
  find(functions->disable_wq, "accfg_wq_disable");
  find(functions->first_engine, "accfg_engine_get_first");
  find(functions->next_engine, "accfg_engine_get_next");
  find(functions->engine_name, "accfg_engine_get_devname");
  if (!lacks.empty()) {
    dlclose(handle);
    return std::string(kSoname) + " has no " + lacks.front();
  }
  find(functions->command_status, "accfg_device_get_cmd_status");
  find(functions->command_status_text, "accfg_device_get_cmd_status_str");
  find(functions->last_error, "accfg_ctx_get_last_error");
  find(functions->last_error_text, "accfg_ctx_get_last_error_str");
  find(functions->set_log_function, "accfg_set_log_fn");
  return std::unique_ptr<Library>(new Library(handle, std::move(functions), std::move(lacks)));
}

std::variant<std::vector<Device>, Refusal> Library::devices() {
  const std::scoped_lock lock(mutex_);
  const Context context(*functions_);
  if (context.error() != 0) return context.refusal(context.error(), nullptr);
  std::vector<Device> devices;
  for (DeviceHandle* device = functions_->first_device(context.get()); device != nullptr;
       device = functions_->next_device(device)) {
    Device seen{.name = text(functions_->device_name(device)),
                .state = device_state(functions_->device_state(device)),
                .wqs = {},
                .engines = {}};
    for (WqHandle* wq = functions_->first_wq(device); wq != nullptr; wq = functions_->next_wq(wq)) {
      seen.wqs.push_back(
          {.name = text(functions_->wq_name(wq)), .state = wq_state(functions_->wq_state(wq))});
    }
    for (EngineHandle* engine = functions_->first_engine(device); engine != nullptr;
         engine = functions_->next_engine(engine)) {
      seen.engines.push_back(text(functions_->engine_name(engine)));
    }
    devices.push_back(std::move(seen));
  }
  return devices;
}

std::optional<Refusal> Library::enable(const std::string& name) {
  return change(name, Change::kEnable);
}

std::optional<Refusal> Library::disable(const std::string& name) {
  return change(name, Change::kDisable);
}

std::optional<Refusal> Library::change(const std::string& name, Change change) {
  const std::scoped_lock lock(mutex_);
  const Context context(*functions_);
  if (context.error() != 0) return context.refusal(context.error(), nullptr);
  const auto outcome = [&](int result, DeviceHandle* device) -> std::optional<Refusal> {
    if (result == 0) return std::nullopt;
    return context.refusal(result, device);
  };
  for (DeviceHandle* device = functions_->first_device(context.get()); device != nullptr;
       device = functions_->next_device(device)) {
    if (text(functions_->device_name(device)) == name) {
      return outcome(change == Change::kEnable ? functions_->enable_device(device)
                                               : functions_->disable_device(device, false),
                     device);
    }
    for (WqHandle* wq = functions_->first_wq(device); wq != nullptr; wq = functions_->next_wq(wq)) {
      if (text(functions_->wq_name(wq)) != name) continue;
      return outcome(
          change == Change::kEnable ? functions_->enable_wq(wq) : functions_->disable_wq(wq, false),
          device);
    }
  }
  Refusal refusal = context.refusal(-ENODEV, nullptr);
  append(refusal.said, "it sees no such device or WQ");
  return refusal;
}

}  // namespace iaa_zswap::accfg
