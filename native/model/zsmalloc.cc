#include "model/zsmalloc.h"

#include <algorithm>

namespace iaa_zswap::model {
namespace {

/** ZS_HANDLE_SIZE: each object is preceded by its handle. */
constexpr std::uint32_t kHandleBytes = 8;

}  // namespace

Zsmalloc::Zsmalloc(std::span<const ZsmallocClass> classes) : class_of_(kPageBytes + 1) {
  classes_.reserve(classes.size());
  for (const ZsmallocClass& each : classes) {
    classes_.push_back(
        {.zspage_pages = each.zspage_pages, .zspage_objects = each.zspage_objects, .room = 0});
  }
  std::size_t found = 0;
  for (std::uint32_t bytes = 0; bytes <= kPageBytes; ++bytes) {
    const std::uint32_t wanted = std::min(bytes + kHandleBytes, kPageBytes);
    while (found + 1 < classes.size() && classes[found].bytes < wanted) ++found;
    class_of_[bytes] = static_cast<std::uint8_t>(found);
  }
}

}  // namespace iaa_zswap::model
