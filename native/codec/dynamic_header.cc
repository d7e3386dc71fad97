#include "codec/dynamic_header.h"

#include <algorithm>

namespace iaa_zswap::codec {
namespace {

constexpr uint32_t kCodeLengthSymbols = 19;
// The order in which the header sends the lengths of the code length codes.
constexpr std::array<uint8_t, kCodeLengthSymbols> kCodeLengthOrder = {
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

struct Leaf {
  uint32_t count;
  uint32_t symbol;
};

// By count, equal ones as they are: digit by digit, from the lowest on, without a branch that
// depends on what is sorted.
void sort_leaves(std::span<Leaf> leaves) {
  constexpr uint32_t kDigitBits = 6;
  constexpr uint32_t kDigits = 1U << kDigitBits;
  uint32_t all = 0;
  for (const Leaf& leaf : leaves) all |= leaf.count;
  for (uint32_t shift = 0; all >> shift != 0; shift += kDigitBits) {
    const auto digit = [&](const Leaf& leaf) { return leaf.count >> shift & (kDigits - 1); };
    std::array<uint16_t, kDigits + 1> begin{};
    for (const Leaf& leaf : leaves) ++begin[digit(leaf) + 1];
    for (uint32_t i = 0; i < kDigits; ++i) {
      begin[i + 1] = static_cast<uint16_t>(begin[i + 1] + begin[i]);
    }
    std::array<Leaf, kLiteralLengthSymbols> sorted;  // NOLINT(*-member-init): filled next
    for (const Leaf& leaf : leaves) sorted[begin[digit(leaf)]++] = leaf;
    std::copy_n(sorted.begin(), leaves.size(), leaves.begin());
  }
}

// How many codes have each length. Lengths are not limited yet: a tree over n leaves can be n - 1
// deep.
using LengthCounts = std::array<uint32_t, kLiteralLengthSymbols>;

// For a Huffman tree over ascending weights: they are joined in order with a second, likewise
// ascending, queue of inner nodes.
LengthCounts tree_lengths(std::span<const uint32_t> weights) {
  const size_t leaves = weights.size();
  constexpr size_t kNodes = size_t{2} * kLiteralLengthSymbols;
  std::array<uint32_t, kNodes> weight;  // NOLINT(*-member-init): filled in order
  std::array<uint16_t, kNodes> parent;  // NOLINT(*-member-init)
  std::ranges::copy(weights, weight.begin());
  size_t leaf = 0;
  size_t inner = leaves;
  const size_t nodes = 2 * leaves - 1;
  for (size_t node = leaves; node < nodes; ++node) {
    const auto take = [&] {
      const bool from_leaves = leaf < leaves && (inner == node || weight[leaf] <= weight[inner]);
      const size_t taken = from_leaves ? leaf++ : inner++;
      parent[taken] = static_cast<uint16_t>(node);
      return weight[taken];
    };
    const uint32_t first = take();
    weight[node] = first + take();
  }
  LengthCounts counts{};
  // From the root down; a node's depth takes the place of its weight.
  weight[nodes - 1] = 0;
  for (size_t node = nodes - 1; node-- > 0;) {
    weight[node] = weight[parent[node]] + 1;
    if (node < leaves) ++counts[weight[node]];
  }
  return counts;
}

// One code length symbol and its extra bits.
struct Run {
  uint8_t symbol;
  uint8_t extra;
  uint8_t extra_bits;
};

struct Runs {  // NOLINT(*-member-init): filled by add()
  std::array<Run, kLiteralLengthSymbols + kDistanceSymbols> runs;
  size_t count = 0;
  void add(uint32_t symbol, size_t extra, uint32_t extra_bits) {
    runs.at(count++) = {.symbol = static_cast<uint8_t>(symbol),
                        .extra = static_cast<uint8_t>(extra),
                        .extra_bits = static_cast<uint8_t>(extra_bits)};
  }
};

void add_lengths(std::span<const uint8_t> lengths, Runs& runs) {
  for (size_t i = 0; i < lengths.size();) {
    const uint8_t length = lengths[i];
    size_t end = i;
    while (end < lengths.size() && lengths[end] == length) ++end;
    size_t left = end - i;
    i = end;
    if (length != 0) {
      runs.add(length, 0, 0);
      --left;
    }
    while (left >= 3) {
      if (length != 0) {
        const size_t count = std::min<size_t>(left, 6);
        runs.add(16, count - 3, 2);
        left -= count;
      } else if (left <= 10) {
        runs.add(17, left - 3, 3);
        left = 0;
      } else {
        const size_t count = std::min<size_t>(left, 138);
        runs.add(18, count - 11, 7);
        left -= count;
      }
    }
    for (; left > 0; --left) runs.add(length, 0, 0);
  }
}

}  // namespace

void huffman_lengths(std::span<const uint32_t> counts, uint32_t limit, std::span<uint8_t> lengths) {
  std::ranges::fill(lengths, uint8_t{0});
  std::array<Leaf, kLiteralLengthSymbols> used;  // NOLINT(*-member-init): filled next
  size_t count = 0;
  for (size_t symbol = 0; symbol < counts.size(); ++symbol) {
    if (counts[symbol] != 0) {
      used.at(count++) = {.count = counts[symbol], .symbol = static_cast<uint32_t>(symbol)};
    }
  }
  if (count <= 1) {
    if (count == 1) lengths[used[0].symbol] = 1;
    return;
  }
  sort_leaves(std::span(used).first(count));
  std::array<uint32_t, kLiteralLengthSymbols> weights;  // NOLINT(*-member-init): filled next
  for (size_t i = 0; i < count; ++i) weights.at(i) = used.at(i).count;
  LengthCounts with_length = tree_lengths(std::span(weights).first(count));

  // Two codes that are too long move up: one takes the place of their parent, the other joins a
  // shorter code that goes down by one (ITU-T T.81, annex K.3).
  for (size_t length = count - 1; length > limit; --length) {
    while (with_length[length] > 0) {
      size_t shorter = length - 2;
      while (with_length[shorter] == 0) --shorter;
      with_length[length] -= 2;
      ++with_length[length - 1];
      --with_length[shorter];
      with_length[shorter + 1] += 2;
    }
  }
  size_t next = 0;
  for (size_t length = std::min<size_t>(limit, count - 1); length > 0; --length) {
    for (uint32_t i = 0; i < with_length[length]; ++i) {
      lengths[used.at(next++).symbol] = static_cast<uint8_t>(length);
    }
  }
}

DynamicCodes dynamic_codes(const Histogram& histogram) {
  std::array<uint8_t, kLiteralLengthSymbols> literal_lengths{};
  std::array<uint8_t, kDistanceSymbols> distance_lengths{};
  huffman_lengths(histogram.literal_length, kMaxCodeLength, literal_lengths);
  huffman_lengths(histogram.distance, kMaxCodeLength, distance_lengths);

  size_t literal_count = kLiteralLengthSymbols;
  while (literal_lengths.at(literal_count - 1) == 0) --literal_count;  // kEndOfBlock occurs
  size_t distance_count = kDistanceSymbols;
  while (distance_count > 1 && distance_lengths.at(distance_count - 1) == 0) --distance_count;

  // A run may pass from one alphabet to the other, but the device has an error of its own for
  // distances that begin with a repeat (ErrorCode::kFirstDistanceRepeats): none does here.
  Runs all;
  add_lengths(std::span(literal_lengths).first(literal_count), all);
  add_lengths(std::span(distance_lengths).first(distance_count), all);
  const std::span<const Run> runs = std::span(all.runs).first(all.count);

  std::array<uint32_t, kCodeLengthSymbols> counts{};
  for (const Run& run : runs) ++counts.at(run.symbol);
  // zlib's inflate takes no code length code with a single symbol.
  if (std::count(counts.begin(), counts.end(), 0U) == kCodeLengthSymbols - 1) {
    ++counts.at(counts[0] == 0 ? 0 : 1);
  }
  std::array<uint8_t, kCodeLengthSymbols> code_lengths{};
  huffman_lengths(counts, 7, code_lengths);
  const auto codes = canonical_codes(code_lengths);
  size_t code_count = kCodeLengthSymbols;
  while (code_count > 4 && code_lengths.at(kCodeLengthOrder.at(code_count - 1)) == 0) --code_count;

  DynamicCodes result{.literal_length = canonical_codes(literal_lengths),
                      .distance = canonical_codes(distance_lengths),
                      .header = {},
                      .header_fields = 0};
  const auto put = [&](size_t bits, uint32_t count) {
    result.header.at(result.header_fields++) = {.bits = static_cast<uint16_t>(bits),
                                                .count = static_cast<uint8_t>(count)};
  };
  put(0b101, 3);  // BFINAL, then BTYPE 2
  put(literal_count - 257, 5);
  put(distance_count - 1, 5);
  put(code_count - 4, 4);
  for (size_t i = 0; i < code_count; ++i) put(code_lengths.at(kCodeLengthOrder.at(i)), 3);
  for (const Run& run : runs) {
    const Code code = codes.at(run.symbol);
    put(code.bits | size_t{run.extra} << code.length, uint32_t{code.length} + run.extra_bits);
  }
  return result;
}

}  // namespace iaa_zswap::codec
