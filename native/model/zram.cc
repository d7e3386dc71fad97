#include "model/zram.h"

#include <cerrno>

namespace iaa_zswap::model {
namespace {

/**
 * zs_huge_class_size(): the largest object with its handle (8 bytes) that shares its zspage with
 * others fits below; from there on a page is kept as it is.
 */
std::uint32_t huge_class_size(const ZswapConfig& config) {
  std::uint32_t size = kPageBytes;
  for (const ZsmallocClass& each : config.classes) {
    if (each.zspage_pages != 1 && each.zspage_objects != 1) size = each.bytes - 7;
  }
  return size;
}

/** Of the codecs in software, and of iaa_crypto: the page is left as it is. */
bool does_not_fit(int error) { return error == -ENOSPC || error == -E2BIG; }

}  // namespace

Zram::Zram(const Parts& parts, const Config& config)
    : CompressedStore(parts, config,
                      {.whole_bytes = huge_class_size(config.zswap),
                       .copies_whole = true,
                       .may_fail = config.failures.zsmalloc > 0}),
      zsmalloc_failures_(config.failures.zsmalloc),
      failing_(config.seed, UINT32_MAX) {}

Co<bool> Zram::admit(Task* /*task*/, FolioId /*id*/, PageWork /*work*/) { co_return true; }

bool Zram::refuses_in_batch(int error) {
  if (does_not_fit(error)) return false;
  ++parts_.counters->zram_failed_writes;
  return true;
}

std::optional<std::uint32_t> Zram::kept_bytes(std::uint32_t bytes, int error) {
  if (failing_.happens(zsmalloc_failures_) || (error != 0 && !does_not_fit(error))) {
    ++parts_.counters->zram_failed_writes;
    return std::nullopt;
  }
  return error == 0 ? regular(bytes) : kPageBytes;
}

void Zram::count(Counters* counters) const {
  counters->zram_orig_data_size = stored_pages() * kPageBytes;
  counters->zram_compr_data_size = stored_bytes();
  counters->zram_mem_used_total = total_pages() * kPageBytes;
  counters->zram_huge_pages = copied_pages();
}

}  // namespace iaa_zswap::model
