#ifndef IAA_ZSWAP_NAPI_MODEL_CONFIG_H_
#define IAA_ZSWAP_NAPI_MODEL_CONFIG_H_

#include <napi.h>

#include <string>
#include <variant>

#include "model/config.h"

namespace iaa_zswap::napi {

/** A NativeModelConfig of src/native/surface.ts, or what is wrong with it, in a line. */
std::variant<model::Config, std::string> model_config(const Napi::Value& value);

}  // namespace iaa_zswap::napi

#endif  // IAA_ZSWAP_NAPI_MODEL_CONFIG_H_
