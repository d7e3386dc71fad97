#ifndef IAA_ZSWAP_MADVISE_REPORT_H_
#define IAA_ZSWAP_MADVISE_REPORT_H_

#include <cstdint>
#include <span>
#include <string>

namespace iaa_zswap::madvise {

/** One call of madvise(MADV_PAGEOUT) and the reading back of what it was for. */
struct Sample {
  /** ns, the largest number there is for more. */
  std::uint32_t out_ns = 0;
  std::uint32_t in_ns = 0;
  /** Pages that were not in memory before the call: reclaim had taken them already. */
  std::uint16_t gone_before = 0;
  /** Pages that were in memory, or in the swap cache, after it. */
  std::uint16_t left_after = 0;
};

/** Largest chunk in pages: what Sample can count. */
inline constexpr std::uint64_t kMaxChunkPages = 0xffff;

/**
 * What the samples come to, in lines. `chunk_pages` is the size of each call. Percentiles are by
 * nearest rank, of those calls alone that found all pages in memory and left none: the others did
 * something else.
 */
[[nodiscard]] std::string report(std::span<const Sample> samples, std::uint64_t chunk_pages);

}  // namespace iaa_zswap::madvise

#endif  // IAA_ZSWAP_MADVISE_REPORT_H_
