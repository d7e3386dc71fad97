#ifndef IAA_ZSWAP_SAMPLER_ROW_ENCODER_H_
#define IAA_ZSWAP_SAMPLER_ROW_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sampler/text_template.h"

namespace iaa_zswap::sampler {

/** When a row was read. */
struct RowTime {
  /** Number of the tick, from 0. */
  std::uint64_t tick;
  /** From the tick to the begin of reading, ns. */
  std::uint64_t late_ns;
  /** From the begin of reading to its end, ns. */
  std::uint64_t reading_ns;
};

/**
 * Encodes each row as its difference to the row before (docs/series.md). Numbers are base-128
 * varints, the lowest seven bits first:
 *
 *     ticks since the row before (the first row: since tick -1), late_ns, reading_ns,
 *     number of columns that differ, and for each of them:
 *       (columns since the one before, from -1) * 2 + 1 if it is empty now, else + 0
 *       and unless it is empty: value - value before modulo 2^64, in zigzag
 *
 * Before the first row every column is empty; the value before of an empty one is 0.
 */
class RowEncoder {
 public:
  explicit RowEncoder(std::size_t columns) : before_(columns) {}

  /** The bytes of a row; `cells` has one for each column. They are valid until the next call. */
  std::span<const std::uint8_t> encode(const RowTime& time, std::span<const Cell> cells);

  /** Makes the row just encoded the one before; `cells` are those it was encoded from, and hold
   * older ones afterwards. Without this call the row counts as never made. */
  void commit(std::vector<Cell>& cells);

 private:
  std::vector<Cell> before_;
  std::uint64_t next_tick_ = 0;
  std::uint64_t encoded_tick_ = 0;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace iaa_zswap::sampler

#endif  // IAA_ZSWAP_SAMPLER_ROW_ENCODER_H_
