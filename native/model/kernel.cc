#include "model/kernel.h"

#include <array>
#include <utility>

namespace iaa_zswap::model {
namespace {

constexpr KernelFeatures kMainline612 = {.large_folios = false, .exact_charge = false};
constexpr KernelFeatures kMmUnstable = {};
constexpr KernelFeatures kMainline618 = {.stores_incompressible = true};
constexpr KernelFeatures kMainline73 = {
    .exact_charge = false, .stores_incompressible = true, .contexts_live_with_pool = true};
constexpr KernelFeatures kV9 = {.batched_store = true,
                                .contexts_live_with_pool = true,
                                .bounded_descriptors = true,
                                .decompresses_in_software = true,
                                .polls_async = true,
                                .separate_cursors = true};

// The names are those of src/host/reactions/variant.ts.
constexpr std::array<std::pair<std::string_view, KernelFeatures>, 5> kKernels = {{
    {"mainline 6.12", kMainline612},
    {"mm-unstable-4-21-2025", kMmUnstable},
    {"mainline 6.18", kMainline618},
    {"mainline 7.3", kMainline73},
    {"v9", kV9},
}};

}  // namespace

std::optional<KernelFeatures> kernel_features(std::string_view name) {
  for (const auto& [known, features] : kKernels) {
    if (known == name) return features;
  }
  return std::nullopt;
}

}  // namespace iaa_zswap::model
