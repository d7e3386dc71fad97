#include "codec/encoder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "codec/crc.h"
#include "codec/dynamic_header.h"

namespace iaa_zswap::codec {
namespace {

uint32_t load32(const uint8_t* from) {
  return uint32_t{from[0]} | uint32_t{from[1]} << 8 | uint32_t{from[2]} << 16 |
         uint32_t{from[3]} << 24;
}

constexpr size_t kAecsCrc = 0;
constexpr size_t kAecsAccumulatorBits = 28;
constexpr size_t kAecsAccumulator = 32;
constexpr size_t kAecsAccumulatorBytes = 256;
constexpr size_t kAecsLiteralLength = 288;
constexpr size_t kAecsDistance = 1440;
constexpr uint32_t kAecsLengthShift = 15;

Code code_of(uint32_t word) {
  const uint32_t length = word >> kAecsLengthShift;
  if (length > kMaxCodeLength) return {};
  return {.bits = reverse_bits(word & ((1U << length) - 1), length),
          .length = static_cast<uint8_t>(length)};
}

uint32_t word_of(Code code) {
  return uint32_t{code.length} << kAecsLengthShift | reverse_bits(code.bits, code.length);
}

// Adds one block's symbols.
void count_symbols(const Workspace& workspace, uint32_t size, Histogram& histogram) {
  const uint8_t* data = workspace.data.data() + kHistory;
  uint32_t position = 0;
  for (size_t i = 0; i < workspace.token_count; ++i) {
    const Token token = workspace.tokens[i];
    for (; position < token.position; ++position) ++histogram.literal_length[data[position]];
    ++histogram.literal_length[kLengthSymbols[token.length].symbol];
    ++histogram.distance[distance_symbol(token.distance).symbol];
    position += token.length;
  }
  for (; position < size; ++position) ++histogram.literal_length[data[position]];
}

// Whether every symbol that occurs has a code.
bool has_codes(const Histogram& histogram, const std::array<Code, kLiteralLengthSymbols>& codes,
               const std::array<Code, kDistanceSymbols>& distances) {
  for (size_t i = 0; i < codes.size(); ++i) {
    if (histogram.literal_length[i] != 0 && codes[i].length == 0) return false;
  }
  for (size_t i = 0; i < distances.size(); ++i) {
    if (histogram.distance[i] != 0 && distances[i].length == 0) return false;
  }
  return true;
}

}  // namespace

// Where the stream goes. Block writers need kBlockBound bytes of room, so near the end of the
// output they write into the workspace and what fits is copied.
class Encoder::Sink {
 public:
  Sink(std::span<uint8_t> out, Workspace& workspace) : out_(out), scratch_(workspace.scratch) {}

  // Appends at most 32 bits.
  void put(uint64_t bits, uint32_t count) {
    state_.bits |= bits << state_.count;
    state_.count += count;
    while (state_.count >= 8) {
      put_byte(static_cast<uint8_t>(state_.bits));
      state_.bits >>= 8;
      state_.count -= 8;
    }
  }

  // Appends what `writer(state, out)` writes; it returns the end.
  template <class Writer>
  void put_block(const Writer& writer) {
    const bool direct = size_ <= out_.size() && out_.size() - size_ >= kBlockBound;
    uint8_t* start = direct ? out_.data() + size_ : scratch_.data();
    const auto written = static_cast<size_t>(writer(state_, start) - start);
    if (!direct && size_ < out_.size()) {
      std::copy_n(start, std::min(written, out_.size() - size_), out_.data() + size_);
    }
    size_ += written;
  }

  // Fills the last byte with zero bits.
  Completion finish(size_t consumed) {
    if (state_.count > 0) put(0, 8 - state_.count);
    if (size_ > out_.size()) {
      return failed(ErrorCode::kOutputTooSmall);
    }
    return {.consumed = static_cast<uint32_t>(consumed),
            .output_size = static_cast<uint32_t>(size_)};
  }

 private:
  void put_byte(uint8_t byte) {
    if (size_ < out_.size()) out_[size_] = byte;
    ++size_;
  }

  std::span<uint8_t> out_;
  std::span<uint8_t> scratch_;
  size_t size_ = 0;  // more than fits once the output is too small
  BitState state_;
};

void Encoder::put_entry(Sink& sink, uint32_t entry) {
  sink.put(entry_bits(entry), entry_count(entry));
}

std::array<uint8_t, kAecsBytes> fixed_aecs() {
  std::array<uint8_t, kAecsBytes> aecs{};
  const auto codes = fixed_literal_length_codes();
  const auto distances = fixed_distance_codes();
  const auto store = [&](size_t at, uint32_t word) {
    for (size_t i = 0; i < 4; ++i) aecs.at(at + i) = static_cast<uint8_t>(word >> (8 * i));
  };
  store(kAecsAccumulatorBits, 3);
  aecs.at(kAecsAccumulator) = 0b011;  // BFINAL, then BTYPE 1
  for (size_t i = 0; i < kLiteralLengthSymbols; ++i) {
    store(kAecsLiteralLength + 4 * i, word_of(codes.at(i)));
  }
  for (size_t i = 0; i < kDistanceSymbols; ++i) {
    store(kAecsDistance + 4 * i, word_of(distances.at(i)));
  }
  return aecs;
}

std::span<const BlockOps* const> supported_block_ops() {
  static constexpr std::array<const BlockOps*, 1> kPortable = {&kPortableOps};
#if defined(__x86_64__)
  static constexpr std::array<const BlockOps*, 2> kAll = {&kAvx2Ops, &kPortableOps};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
      __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt")) {
    return kAll;
  }
#endif
  return kPortable;
}

Encoder::Encoder(const BlockOps& ops) : ops_(&ops), workspace_(std::make_unique<Workspace>()) {}

void Encoder::begin(std::span<const uint8_t> in, const MatchPolicy& match) {
  workspace_->table.fill(kNoEntry);
  workspace_->has_history = false;
  rest_ = in;
  match_ = match;
  block_size_ = 0;
}

// Takes the next block from the input and finds its matches; false at the end.
bool Encoder::next_block() {
  if (rest_.empty()) return false;
  Workspace& workspace = *workspace_;
  if (block_size_ != 0) {
    // The block before, which was a whole one, becomes the history.
    std::memcpy(workspace.data.data(), workspace.data.data() + kBlock, kHistory);
    for (uint32_t i = 0; i < kHistory; ++i) {
      const uint16_t previous = workspace.previous[kBlock + i];
      workspace.previous[i] = static_cast<uint16_t>(previous >= kBlock ? previous - kBlock : i);
    }
    workspace.has_history = true;
  }
  block_size_ = static_cast<uint32_t>(std::min<size_t>(rest_.size(), kBlock));
  const size_t copied = std::min<size_t>(rest_.size(), kBlock + kPad);
  uint8_t* data = workspace.data.data() + kHistory;
  std::memcpy(data, rest_.data(), copied);
  std::memset(data + copied, 0, kBlock + kPad - copied);
  rest_ = rest_.subspan(block_size_);
  ops_->find_matches(workspace, block_size_, match_);
  return true;
}

Completion Encoder::compress(const Preset& preset, std::span<const uint8_t> in,
                             std::span<uint8_t> out) {
  Sink sink(out, *workspace_);
  if (preset.mode == Mode::kDynamic) {
    compress_dynamic(in, preset.match, sink);
  } else {
    compress_fixed(in, preset.match, sink);
  }
  return sink.finish(in.size());
}

// What the parse makes of a single block that is one byte over and over, which is most of what is
// cheap to compress: literals up to the minimum distance, then matches.
void Encoder::put_filled(std::span<const uint8_t> in, const MatchPolicy& match, Sink& sink) {
  const uint32_t literal = kFixedTables.literal[in[0]];
  const auto size = static_cast<uint32_t>(in.size());
  const uint32_t before = std::min(match.min_distance, size);
  for (uint32_t i = 0; i < before; ++i) put_entry(sink, literal);
  const Code distance = kFixedTables.distance[distance_symbol(match.min_distance).symbol];
  const auto match_entry = [&](uint32_t length) {
    const uint32_t entry = kFixedTables.length[length];
    const uint32_t count = entry_count(entry);
    return entry_of(entry_bits(entry) | uint32_t{distance.bits} << count, count + distance.length);
  };
  uint32_t left = size - before;
  sink.put_block([&](BitState& state, uint8_t* to) {
    const uint32_t full = match_entry(match.max_match);
    const uint32_t count = entry_count(full);
    // Four at once: 56 bits at most.
    uint64_t four = entry_bits(full);
    four |= four << count;
    four |= four << (2 * count);
    for (; left >= 4 * match.max_match; left -= 4 * match.max_match) {
      state.bits |= four << state.count;
      state.count += 4 * count;
      to = flush(state, to);
    }
    for (; left >= match.max_match; left -= match.max_match) {
      put(state, full);
      to = flush(state, to);
    }
    return to;
  });
  if (left >= kMinMatch) {
    put_entry(sink, match_entry(left));
  } else {
    for (; left > 0; --left) put_entry(sink, literal);
  }
}

void Encoder::compress_fixed(std::span<const uint8_t> in, const MatchPolicy& match, Sink& sink) {
  sink.put(0b011, 3);  // BFINAL, then BTYPE 1
  if (in.size() <= kBlock && std::memcmp(in.data(), in.data() + 1, in.size() - 1) == 0) {
    put_filled(in, match, sink);
  } else {
    begin(in, match);
    while (next_block()) {
      sink.put_block([&](BitState& state, uint8_t* to) {
        return ops_->write_fixed(*workspace_, block_size_, state, to);
      });
    }
  }
  put_entry(sink, kFixedTables.literal[kEndOfBlock]);
}

void Encoder::compress_dynamic(std::span<const uint8_t> in, const MatchPolicy& match, Sink& sink) {
  Histogram histogram;
  ++histogram.literal_length[kEndOfBlock];
  begin(in, match);
  while (next_block()) count_symbols(*workspace_, block_size_, histogram);

  const DynamicCodes codes = dynamic_codes(histogram);
  sink.put_block([&](BitState& state, uint8_t* to) {
    for (const Field field : std::span(codes.header).first(codes.header_fields)) {
      state.bits |= uint64_t{field.bits} << state.count;
      state.count += field.count;
      to = flush(state, to);
    }
    return to;
  });
  write_all(in, match,
            encode_tables(codes.literal_length.data(), codes.distance.data(), match.max_match),
            sink);
}

// Writes all of the input after its symbols have been counted once.
void Encoder::write_all(std::span<const uint8_t> in, const MatchPolicy& match,
                        const EncodeTables& tables, Sink& sink) {
  const auto write = [&] {
    sink.put_block([&](BitState& state, uint8_t* to) {
      return ops_->write(*workspace_, block_size_, tables, state, to);
    });
  };
  if (in.size() <= kBlock) {
    write();  // the workspace still holds the only block
  } else {
    begin(in, match);
    while (next_block()) write();
  }
  put_entry(sink, tables.literal[kEndOfBlock]);
}

Completion Encoder::compress(Aecs aecs, const MatchPolicy& match, std::span<const uint8_t> in,
                             std::span<uint8_t> out) {
  const uint32_t first_bits = load32(&aecs[kAecsAccumulatorBits]);
  if (first_bits > 8 * kAecsAccumulatorBytes) {
    return failed(ErrorCode::kAecsInvalid);
  }
  std::array<Code, kLiteralLengthSymbols> codes;
  std::array<Code, kDistanceSymbols> distances;
  for (size_t i = 0; i < codes.size(); ++i) {
    codes[i] = code_of(load32(&aecs[kAecsLiteralLength + 4 * i]));
  }
  for (size_t i = 0; i < distances.size(); ++i) {
    distances[i] = code_of(load32(&aecs[kAecsDistance + 4 * i]));
  }
  Histogram histogram;
  ++histogram.literal_length[kEndOfBlock];
  begin(in, match);
  while (next_block()) count_symbols(*workspace_, block_size_, histogram);
  if (!has_codes(histogram, codes, distances)) {
    return failed(ErrorCode::kInvalidHuffmanCode);
  }

  Sink sink(out, *workspace_);
  for (uint32_t bit = 0; bit < first_bits; bit += 8) {
    const uint32_t count = std::min(first_bits - bit, 8U);
    sink.put(aecs[kAecsAccumulator + bit / 8] & ((1U << count) - 1), count);
  }
  write_all(in, match, encode_tables(codes.data(), distances.data(), match.max_match), sink);
  Completion completion = sink.finish(in.size());
  completion.crc = crc32(in, load32(&aecs[kAecsCrc]));
  return completion;
}

}  // namespace iaa_zswap::codec
