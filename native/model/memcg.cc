#include "model/memcg.h"

#include <algorithm>

namespace iaa_zswap::model {

Charge Memcg::try_charge(Task* task, Gfp gfp, std::uint32_t pages) {
  Stock& stock = stocks_[task->cpu];
  if (pages <= kChargeBatch && stock.pages >= pages) {
    stock.pages -= pages;
    return Charge::kDone;
  }
  std::uint32_t batch = std::max(kChargeBatch, pages);
  if (exact_charge_ && gfp == Gfp::kNoReclaim) batch = pages;
  if (margin() < batch) batch = pages;
  if (margin() < batch) {
    if (gfp == Gfp::kNeverFails) {
      add(pages);
      return Charge::kDone;
    }
    if (gfp != Gfp::kReclaim) return Charge::kRefused;
    ++counters_->memory_max;
    return Charge::kNeedsReclaim;
  }
  add(batch);
  if (batch > pages) refill(stock, batch - pages);
  if (is_over_high()) task->pages_over_high += batch;
  return Charge::kDone;
}

void Memcg::charge_object(Task* task, std::uint32_t bytes) {
  Stock& stock = stocks_[task->cpu];
  if (stock.bytes >= bytes) {
    stock.bytes -= bytes;
    return;
  }
  // The stock is left as it is until the pages are charged (obj_cgroup_charge_account).
  const std::uint32_t pages = (bytes + kPageBytes - 1) / kPageBytes;
  try_charge(task, Gfp::kNeverFails, pages);
  stock.bytes += pages * kPageBytes - bytes;
}

void Memcg::uncharge_objects(std::uint32_t cpu, std::uint64_t bytes) {
  Stock& stock = stocks_[cpu];
  const std::uint64_t all = stock.bytes + bytes;
  if (all <= kPageBytes) {
    stock.bytes = static_cast<std::uint32_t>(all);
    return;
  }
  stock.bytes = static_cast<std::uint32_t>(all % kPageBytes);
  // obj_cgroup_uncharge_pages() goes through the stock of pages. One call frees one object; many
  // together fill and empty it as often, which comes to the same count.
  std::uint64_t pages = all / kPageBytes;
  const std::uint64_t room = kChargeBatch - stock.pages;
  if (pages > room) {
    const std::uint64_t rest = (pages - room - 1) % (kChargeBatch + 1);
    uncharge(stock.pages + pages - rest);
    stock.pages = 0;
    pages = rest;
  }
  stock.pages += static_cast<std::uint32_t>(pages);
}

void Memcg::drain(std::uint32_t cpu) {
  Stock& stock = stocks_[cpu];
  open_bytes_ += stock.bytes % kPageBytes;
  uncharge(stock.pages + stock.bytes / kPageBytes + open_bytes_ / kPageBytes);
  open_bytes_ %= kPageBytes;
  stock = Stock{};
}

std::uint64_t Memcg::stocked_pages() const {
  std::uint64_t pages = 0;
  for (const Stock& stock : stocks_) pages += stock.pages;
  return pages;
}

std::uint64_t Memcg::stocked_bytes() const {
  std::uint64_t bytes = open_bytes_;
  for (const Stock& stock : stocks_) bytes += stock.bytes;
  return bytes;
}

}  // namespace iaa_zswap::model
