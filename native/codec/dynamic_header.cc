#include "codec/dynamic_header.h"

#include <algorithm>

namespace iaa_zswap::codec {
namespace {

constexpr uint32_t kCodeLengthSymbols = 19;
// The order in which the header sends the lengths of the code length codes.
constexpr std::array<uint8_t, kCodeLengthSymbols> kCodeLengthOrder = {
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

// Depths of a Huffman tree over ascending weights: the weights are joined in order with a second,
// likewise ascending, queue of inner nodes.
std::vector<uint32_t> tree_depths(const std::vector<uint32_t>& weights) {
  const size_t leaves = weights.size();
  std::vector<uint64_t> weight(weights.begin(), weights.end());
  std::vector<size_t> parent(2 * leaves - 1);
  size_t leaf = 0;
  size_t inner = leaves;
  const auto take = [&] {
    const bool from_leaves =
        leaf < leaves && (inner == weight.size() || weight[leaf] <= weight[inner]);
    return from_leaves ? leaf++ : inner++;
  };
  while (weight.size() < 2 * leaves - 1) {
    const size_t first = take();
    const size_t second = take();
    parent[first] = parent[second] = weight.size();
    weight.push_back(weight[first] + weight[second]);
  }
  std::vector<uint32_t> depth(weight.size());
  for (size_t node = weight.size() - 1; node-- > 0;) depth[node] = depth[parent[node]] + 1;
  depth.resize(leaves);
  return depth;
}

// One code length symbol and its extra bits.
struct Run {
  uint8_t symbol;
  uint8_t extra;
  uint8_t extra_bits;
};

std::vector<Run> run_lengths(std::span<const uint8_t> lengths) {
  std::vector<Run> runs;
  for (size_t i = 0; i < lengths.size();) {
    const uint8_t length = lengths[i];
    size_t end = i;
    while (end < lengths.size() && lengths[end] == length) ++end;
    size_t left = end - i;
    i = end;
    if (length != 0) {
      runs.push_back({length, 0, 0});
      --left;
    }
    while (left >= 3) {
      if (length != 0) {
        const size_t count = std::min<size_t>(left, 6);
        runs.push_back({16, static_cast<uint8_t>(count - 3), 2});
        left -= count;
      } else if (left <= 10) {
        runs.push_back({17, static_cast<uint8_t>(left - 3), 3});
        left = 0;
      } else {
        const size_t count = std::min<size_t>(left, 138);
        runs.push_back({18, static_cast<uint8_t>(count - 11), 7});
        left -= count;
      }
    }
    runs.insert(runs.end(), left, Run{.symbol = length, .extra = 0, .extra_bits = 0});
  }
  return runs;
}

}  // namespace

void huffman_lengths(std::span<const uint32_t> counts, uint32_t limit, std::span<uint8_t> lengths) {
  std::ranges::fill(lengths, uint8_t{0});
  std::vector<uint32_t> symbols;
  for (uint32_t symbol = 0; symbol < counts.size(); ++symbol) {
    if (counts[symbol] != 0) symbols.push_back(symbol);
  }
  if (symbols.empty()) return;
  if (symbols.size() == 1) {
    lengths[symbols[0]] = 1;
    return;
  }
  std::ranges::sort(symbols, [&](uint32_t a, uint32_t b) {
    return counts[a] != counts[b] ? counts[a] < counts[b] : a < b;
  });
  std::vector<uint32_t> weights;
  weights.reserve(symbols.size());
  for (const uint32_t symbol : symbols) weights.push_back(counts[symbol]);
  const std::vector<uint32_t> depths = tree_depths(weights);

  std::vector<uint32_t> with_length(*std::ranges::max_element(depths) + 1);
  for (const uint32_t depth : depths) ++with_length[depth];
  // Two codes that are too long move up: one takes the place of their parent, the other joins a
  // shorter code that goes down by one (ITU-T T.81, annex K.3).
  for (size_t length = with_length.size() - 1; length > limit; --length) {
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
  for (size_t length = with_length.size() - 1; length > 0; --length) {
    for (uint32_t i = 0; i < with_length[length]; ++i) {
      lengths[symbols[next++]] = static_cast<uint8_t>(length);
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
  std::vector<Run> runs = run_lengths(std::span(literal_lengths).first(literal_count));
  const std::vector<Run> more = run_lengths(std::span(distance_lengths).first(distance_count));
  runs.insert(runs.end(), more.begin(), more.end());

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
                      .header = {}};
  const auto put = [&](size_t bits, uint32_t count) {
    result.header.push_back({static_cast<uint16_t>(bits), static_cast<uint8_t>(count)});
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
