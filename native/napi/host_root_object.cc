#include "napi/host_root_object.h"

#include <cerrno>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "napi/arguments.h"
#include "napi/convert.h"
#include "napi/pool_work.h"
#include "napi/sampler_object.h"

namespace iaa_zswap::napi {

using common::Failure;
using common::Result;
using common::SerialThread;
using hostfs::HostRoot;

namespace {

constexpr Failure kClosed = {.error = EBADF, .syscall = "closed-root"};

template <typename T>
Napi::Promise resolved(Napi::Env env, const T& value) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  deferred.Resolve(to_js(env, value));
  return deferred.Promise();
}

}  // namespace

/** One write, mkdir or rmdir; it keeps its root open. */
class HostRootObject::ChangeJob {
 public:
  ChangeJob(Napi::Env env, std::shared_ptr<const HostRoot> root, Change change)
      : deferred_(env), root_(std::move(root)), change_(std::move(change)) {}

  void run() { failure_ = change_(*root_); }

  [[nodiscard]] Napi::Promise promise() const { return deferred_.Promise(); }
  void resolve(Napi::Env env) const { deferred_.Resolve(to_js(env, failure_)); }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<const HostRoot> root_;
  Change change_;
  std::optional<Failure> failure_;
};

Napi::Function HostRootObject::define(Napi::Env env) {
  return DefineClass(env, "NativeHostRoot",
                     {
                         InstanceMethod<&HostRootObject::read_many>("readMany"),
                         InstanceMethod<&HostRootObject::write>("write"),
                         InstanceMethod<&HostRootObject::append>("append"),
                         InstanceMethod<&HostRootObject::make_directory>("mkdir"),
                         InstanceMethod<&HostRootObject::remove_directory>("rmdir"),
                         InstanceMethod<&HostRootObject::list>("list"),
                         InstanceMethod<&HostRootObject::read_link>("readlink"),
                         InstanceMethod<&HostRootObject::file_system_magic>("statfsMagic"),
                         InstanceMethod<&HostRootObject::sample>("sample"),
                         InstanceMethod<&HostRootObject::close>("close"),
                     });
}

HostRootObject::HostRootObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<HostRootObject>(info), env_(info.Env()) {}

HostRootObject::~HostRootObject() { end_writing(); }

template <typename T>
Napi::Value HostRootObject::read(Napi::Env env, std::function<T(const HostRoot&)> work) {
  if (!root_) return resolved(env, kClosed);
  return PoolWork<T>::start(env, [root = root_, work = std::move(work)] { return work(*root); });
}

Napi::Value HostRootObject::read_many(const Napi::CallbackInfo& info) {
  auto arguments = take_arguments<AbsolutePaths>(info, "readMany(paths)");
  if (!arguments) return {};
  auto& [given] = *arguments;
  using Files = std::vector<Result<std::string>>;
  if (!root_) return resolved(info.Env(), Files(given.size(), kClosed));
  return read<Files>(info.Env(), [paths = std::move(given)](const HostRoot& root) {
    Files files;
    files.reserve(paths.size());
    for (const std::string& path : paths) files.push_back(root.read(path));
    return files;
  });
}

Napi::Value HostRootObject::list(const Napi::CallbackInfo& info) {
  auto arguments = take_arguments<AbsolutePath>(info, "list(path)");
  if (!arguments) return {};
  auto& [given] = *arguments;
  return read<Result<std::vector<std::string>>>(
      info.Env(), [path = std::move(given)](const HostRoot& root) { return root.list(path); });
}

Napi::Value HostRootObject::read_link(const Napi::CallbackInfo& info) {
  auto arguments = take_arguments<AbsolutePath>(info, "readlink(path)");
  if (!arguments) return {};
  auto& [given] = *arguments;
  return read<Result<std::string>>(
      info.Env(), [path = std::move(given)](const HostRoot& root) { return root.read_link(path); });
}

Napi::Value HostRootObject::file_system_magic(const Napi::CallbackInfo& info) {
  auto arguments = take_arguments<AbsolutePath>(info, "statfsMagic(path)");
  if (!arguments) return {};
  auto& [given] = *arguments;
  return read<Result<std::uint32_t>>(info.Env(), [path = std::move(given)](const HostRoot& root) {
    return root.file_system_magic(path);
  });
}

Napi::Value HostRootObject::sample(const Napi::CallbackInfo& info) {
  const char* const signature = "sample(paths, formats, intervalNs, bufferBytes)";
  auto arguments = take_arguments<AbsolutePaths, CounterFormats, PositiveInteger, PositiveInteger>(
      info, signature);
  if (!arguments) return {};
  auto& [paths, formats, interval_ns, buffer_bytes] = *arguments;
  const Napi::Env env = info.Env();
  if (formats.size() != paths.size()) {
    Napi::TypeError::New(env, std::string(signature) + ": argument 2 must be as long as argument 1")
        .ThrowAsJavaScriptException();
    return {};
  }
  if (!root_) return to_js(env, kClosed);
  const Napi::Object object = sampler_class_->New({});
  const std::optional<Failure> failure =
      SamplerObject::Unwrap(object)->start(root_, {.paths = std::move(paths),
                                                   .formats = std::move(formats),
                                                   .interval_ns = interval_ns,
                                                   .buffer_bytes = buffer_bytes});
  if (failure) return to_js(env, *failure);
  return object;
}

Napi::Value HostRootObject::write(const Napi::CallbackInfo& info) {
  return write_as(info, "write(path, data)", hostfs::WriteMode::kTruncate);
}

Napi::Value HostRootObject::append(const Napi::CallbackInfo& info) {
  return write_as(info, "append(path, data)", hostfs::WriteMode::kAppend);
}

Napi::Value HostRootObject::write_as(const Napi::CallbackInfo& info, const char* signature,
                                     hostfs::WriteMode mode) {
  auto arguments = take_arguments<AbsolutePath, Bytes>(info, signature);
  if (!arguments) return {};
  auto& [to, bytes] = *arguments;
  return enqueue(info.Env(), [path = std::move(to), data = std::move(bytes),
                              mode](const HostRoot& root) { return root.write(path, data, mode); });
}

Napi::Value HostRootObject::make_directory(const Napi::CallbackInfo& info) {
  auto arguments = take_arguments<AbsolutePath>(info, "mkdir(path)");
  if (!arguments) return {};
  auto& [given] = *arguments;
  return enqueue(info.Env(), [path = std::move(given)](const HostRoot& root) {
    return root.make_directory(path);
  });
}

Napi::Value HostRootObject::remove_directory(const Napi::CallbackInfo& info) {
  auto arguments = take_arguments<AbsolutePath>(info, "rmdir(path)");
  if (!arguments) return {};
  auto& [given] = *arguments;
  return enqueue(info.Env(), [path = std::move(given)](const HostRoot& root) {
    return root.remove_directory(path);
  });
}

void HostRootObject::close(const Napi::CallbackInfo& info) {
  if (!take_arguments<>(info, "close()")) return;
  root_.reset();  // jobs under way hold it open
  if (pending_ == 0) end_writing();
}

Napi::Value HostRootObject::enqueue(Napi::Env env, Change change) {
  if (!root_) return resolved(env, kClosed);
  // HostRoot says EROFS itself, before any system call: no thread is needed for that.
  if (!root_->writable()) return resolved(env, change(*root_));
  if (!writer_) {
    if (const std::optional<Failure> failure = begin_writing(env)) return resolved(env, *failure);
  }
  auto job = std::make_unique<ChangeJob>(env, root_, std::move(change));
  const Napi::Promise promise = job->promise();
  writer_->post(std::move(job));
  if (pending_++ == 0) {
    Ref();                  // the collector must not take us while the kernel works
    settlements_.Ref(env);  // nor must the process end for want of something to do
  }
  return promise;
}

std::optional<Failure> HostRootObject::begin_writing(Napi::Env env) {
  const auto settlements = Settlements::New(env, "iaa_zswap:write", 0, 1, this);
  settlements.Unref(env);
  auto writer =
      std::make_unique<SerialThread<ChangeJob>>([settlements](std::unique_ptr<ChangeJob> done) {
        // Refused only when the environment is ending; the job then ends here.
        if (settlements.NonBlockingCall(done.get()) != napi_ok) return;
        [[maybe_unused]] const ChangeJob* handed_over = done.release();
      });
  if (const std::optional<Failure> failure = writer->start()) {
    settlements.Release();
    return failure;
  }
  settlements_ = settlements;
  writer_ = std::move(writer);
  napi_add_env_cleanup_hook(env_, at_environment_exit, this);
  return std::nullopt;
}

void HostRootObject::end_writing() {
  if (!writer_) return;
  writer_->stop();
  writer_.reset();
  settlements_.Release();
  napi_remove_env_cleanup_hook(env_, at_environment_exit, this);
}

// The thread must be gone before the environment is, and before the thread-safe function it calls
// is closed: that has a hook of its own, made before ours and hence run after it. A write that the
// kernel is still at is waited for: there is no way to take it back.
void HostRootObject::at_environment_exit(void* self) {
  static_cast<HostRootObject*>(self)->end_writing();
}

// On the JavaScript thread; without `env` when the environment is past running any JavaScript.
void HostRootObject::settle(Napi::Env env, Napi::Function /*callback*/, HostRootObject* self,
                            ChangeJob* settled) {
  const std::unique_ptr<ChangeJob> job(settled);
  if (env == nullptr) return;
  job->resolve(env);
  if (--self->pending_ == 0) {
    self->settlements_.Unref(env);
    self->Unref();
    if (!self->root_) self->end_writing();
  }
}

}  // namespace iaa_zswap::napi
