#ifndef IAA_ZSWAP_MODEL_SWAP_AREA_H_
#define IAA_ZSWAP_MODEL_SWAP_AREA_H_

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace iaa_zswap::model {

/**
 * The swap entries of mm/swapfile.c: clusters of 512, each of one order while anything is in it; a
 * large folio needs a free aligned run, which only a cluster of its own order or an empty one has.
 * A cluster knows how many of its entries are used, not which.
 */
class SwapArea {
 public:
  SwapArea(std::uint64_t pages, std::uint32_t large_order, std::uint32_t cpus);

  [[nodiscard]] std::uint64_t free_pages() const { return free_pages_; }
  [[nodiscard]] std::uint64_t used_pages() const { return used_pages_; }

  /** The cluster of entries for one page or for a folio of the large order. */
  std::optional<std::uint32_t> allocate(bool large, std::uint32_t cpu);
  /** Frees some entries of a cluster: a whole folio's, or single ones after mix(). */
  void release(std::uint32_t cluster, std::uint32_t pages);
  /** Entries of a large folio will be freed one by one: the cluster gives no more aligned runs. */
  void mix(std::uint32_t cluster) { clusters_[cluster].large = false; }

 private:
  static constexpr std::uint32_t kClusterPages = 512;
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  /** Where a cluster is found: a list, a CPU's current one, or nowhere until something is freed. */
  enum class Home : std::uint8_t { kFree, kPartial, kCpu, kNowhere };

  struct Cluster {
    std::uint16_t used = 0;
    bool large = false;
    Home home = Home::kFree;
  };

  [[nodiscard]] bool fits(std::uint32_t cluster, bool large) const {
    if (cluster == kNone) return false;
    const Cluster& found = clusters_[cluster];
    return (found.used == 0 || found.large == large) &&
           found.used + (large ? large_pages_ : 1) <= kClusterPages;
  }
  std::uint32_t find(bool large);
  std::uint32_t take_partial(bool from_large, bool large);
  std::uint32_t take_free();
  void collect_emptied();

  std::uint32_t large_pages_;
  std::vector<Cluster> clusters_;
  std::vector<std::uint32_t> free_;
  /** Clusters with room that no CPU has, of single pages and of the large order. */
  std::array<std::vector<std::uint32_t>, 2> partial_;
  /** There may be clusters in partial_ with nothing in them any more. */
  bool emptied_ = false;
  std::uint32_t scan_from_ = 0;
  /** The cluster that each CPU fills at the moment, of both kinds. */
  std::vector<std::array<std::uint32_t, 2>> current_;
  std::uint64_t free_pages_;
  std::uint64_t used_pages_ = 0;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_SWAP_AREA_H_
