#include "sampler/row_encoder.h"

namespace iaa_zswap::sampler {
namespace {

void put(std::vector<std::uint8_t>& bytes, std::uint64_t value) {
  while (value >= 0x80) {
    bytes.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  bytes.push_back(static_cast<std::uint8_t>(value));
}

/** Small numbers for small differences of either sign. */
std::uint64_t zigzag(std::uint64_t difference) {
  const std::uint64_t sign = difference >> 63;
  return (difference << 1) ^ (0 - sign);
}

}  // namespace

std::span<const std::uint8_t> RowEncoder::encode(const RowTime& time, std::span<const Cell> cells) {
  std::uint64_t changes = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) changes += cells[i] != before_[i] ? 1U : 0U;

  bytes_.clear();
  put(bytes_, time.tick + 1 - next_tick_);
  put(bytes_, time.late_ns);
  put(bytes_, time.reading_ns);
  put(bytes_, changes);
  std::size_t next = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Cell& cell = cells[i];
    if (cell == before_[i]) continue;
    const std::uint64_t step = i + 1 - next;
    next = i + 1;
    put(bytes_, step << 1 | (cell ? 0U : 1U));
    if (cell) put(bytes_, zigzag(*cell - before_[i].value_or(0)));
  }
  encoded_tick_ = time.tick;
  return bytes_;
}

void RowEncoder::commit(std::vector<Cell>& cells) {
  before_.swap(cells);
  next_tick_ = encoded_tick_ + 1;
}

}  // namespace iaa_zswap::sampler
