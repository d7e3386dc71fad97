#ifndef IAA_ZSWAP_NAPI_SAMPLER_OBJECT_H_
#define IAA_ZSWAP_NAPI_SAMPLER_OBJECT_H_

#include <napi.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "hostfs/host_root.h"
#include "sampler/sampler.h"
#include "sampler/text_template.h"

namespace iaa_zswap::napi {

/** A file that was to be sampled: its keys, or why it is not. */
using SampledFile = common::Result<std::vector<std::string>>;

/** The NativeSampler of src/native/surface.ts. */
class SamplerObject final : public Napi::ObjectWrap<SamplerObject> {
 public:
  static Napi::Function define(Napi::Env env);

  /** Makes one that samples nothing; `start` gives it its sampler. */
  explicit SamplerObject(const Napi::CallbackInfo& info);
  SamplerObject(const SamplerObject&) = delete;
  SamplerObject& operator=(const SamplerObject&) = delete;
  ~SamplerObject() override;

  /** What to sample: a format for each path. */
  struct Request {
    std::vector<std::string> paths;
    std::vector<sampler::Format> formats;
    std::uint64_t interval_ns;
    std::size_t buffer_bytes;
  };

  /** Opens the files and starts the thread. A file that cannot be sampled is left out. */
  std::optional<common::Failure> start(const std::shared_ptr<const hostfs::HostRoot>& root,
                                       const Request& request);

 private:
  Napi::Value files(const Napi::CallbackInfo& info);
  Napi::Value start_ns(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  Napi::Value statistics(const Napi::CallbackInfo& info);
  void stop(const Napi::CallbackInfo& info);

  void end();
  static void at_environment_exit(void* self);

  napi_env env_;
  std::vector<SampledFile> files_;
  // With its thread from `start` until `stop`, the collector or the end of the environment.
  std::unique_ptr<sampler::Sampler> sampler_;
  bool runs_ = false;
};

}  // namespace iaa_zswap::napi

#endif  // IAA_ZSWAP_NAPI_SAMPLER_OBJECT_H_
