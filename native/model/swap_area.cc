#include "model/swap_area.h"

namespace iaa_zswap::model {

SwapArea::SwapArea(std::uint64_t pages, std::uint32_t large_order, std::uint32_t cpus)
    : large_pages_(1U << large_order),
      clusters_(pages / kClusterPages),
      current_(cpus, {kNone, kNone}),
      free_pages_(clusters_.size() * kClusterPages) {
  free_.reserve(clusters_.size());
  for (std::size_t i = clusters_.size(); i > 0; --i) {
    free_.push_back(static_cast<std::uint32_t>(i - 1));
  }
}

std::optional<std::uint32_t> SwapArea::allocate(bool large, std::uint32_t cpu) {
  std::uint32_t& current = current_[cpu][large ? 1 : 0];
  if (!fits(current, large)) {
    if (current != kNone) clusters_[current].home = Home::kNowhere;
    current = find(large);
    if (current == kNone) return std::nullopt;
    clusters_[current].home = Home::kCpu;
  }
  const std::uint32_t pages = large ? large_pages_ : 1;
  Cluster& cluster = clusters_[current];
  cluster.large = large;
  cluster.used = static_cast<std::uint16_t>(cluster.used + pages);
  free_pages_ -= pages;
  used_pages_ += pages;
  return current;
}

std::uint32_t SwapArea::take_partial(bool from_large, bool large) {
  std::vector<std::uint32_t>& partial = partial_[from_large ? 1 : 0];
  while (!partial.empty()) {
    const std::uint32_t cluster = partial.back();
    partial.pop_back();
    Cluster& found = clusters_[cluster];
    if (found.used == 0) return cluster;
    // What takes single pages from a cluster of large folios makes it one of single pages.
    if (!large) found.large = false;
    if (fits(cluster, large)) return cluster;
    found.home = Home::kNowhere;
  }
  return kNone;
}

std::uint32_t SwapArea::take_free() {
  if (free_.empty()) return kNone;
  const std::uint32_t cluster = free_.back();
  free_.pop_back();
  return cluster;
}

void SwapArea::collect_emptied() {
  if (!emptied_) return;
  for (std::vector<std::uint32_t>& partial : partial_) {
    std::erase_if(partial, [this](std::uint32_t cluster) {
      if (clusters_[cluster].used > 0) return false;
      clusters_[cluster].home = Home::kFree;
      free_.push_back(cluster);
      return true;
    });
  }
  emptied_ = false;
}

std::uint32_t SwapArea::find(bool large) {
  std::uint32_t cluster = take_partial(large, large);
  if (cluster == kNone && free_.empty()) collect_emptied();
  if (cluster == kNone) cluster = take_free();
  if (cluster != kNone || large) return cluster;
  // Single pages go anywhere when nothing else is left.
  cluster = take_partial(true, false);
  if (cluster != kNone || free_pages_ == 0) return cluster;
  while (clusters_[scan_from_].used == kClusterPages) {
    scan_from_ = (scan_from_ + 1) % static_cast<std::uint32_t>(clusters_.size());
  }
  clusters_[scan_from_].large = false;
  return scan_from_;
}

void SwapArea::release(std::uint32_t cluster, std::uint32_t pages) {
  Cluster& found = clusters_[cluster];
  found.used = static_cast<std::uint16_t>(found.used - pages);
  free_pages_ += pages;
  used_pages_ -= pages;
  if (found.home == Home::kPartial && found.used == 0) emptied_ = true;
  if (found.home != Home::kNowhere) return;
  if (found.used == 0) {
    found.home = Home::kFree;
    free_.push_back(cluster);
  } else {
    found.home = Home::kPartial;
    partial_[found.large ? 1 : 0].push_back(cluster);
  }
}

}  // namespace iaa_zswap::model
