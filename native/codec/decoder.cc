#include "codec/decoder.h"

#include <algorithm>
#include <cstring>

#include "codec/crc.h"

namespace iaa_zswap::codec {
namespace {

// Output is decoded in pieces of this size; a page fits into one.
constexpr size_t kPiece = 8192;
// Three literals, a match and what the widest copy writes too much may pass the end of a piece.
constexpr size_t kSlack = 3 + kMaxMatch + 59;
static_assert(kSlack >= kLoopSlack);

// The order in which the header sends the lengths of the code length codes.
constexpr std::array<uint8_t, 19> kCodeLengthOrder = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                      11, 4,  12, 3, 13, 2, 14, 1, 15};

constexpr DecodeTables fixed_tables() {
  DecodeTables tables{};
  tables.literal_bits = 9;
  tables.distance_bits = 5;
  std::array<uint8_t, 288> lengths{};
  for (uint32_t symbol = 0; symbol < lengths.size(); ++symbol)
    lengths[symbol] = fixed_length(symbol);
  build_decode_table(lengths, tables.literal_bits, tables.literal, false,
                     ErrorCode::kBadLiteralLengthCode, literal_length_entry);
  std::array<uint8_t, 32> distances{};
  distances.fill(5);
  build_decode_table(distances, tables.distance_bits, tables.distance, false,
                     ErrorCode::kBadDistanceCode, distance_entry);
  return tables;
}
constinit const DecodeTables kFixedDecodeTables = fixed_tables();

template <size_t N>
inline void copy_bytes(uint8_t* to, const uint8_t* from) {
  std::array<uint8_t, N> bytes;  // NOLINT(*-member-init): filled at once
  std::memcpy(bytes.data(), from, N);
  std::memcpy(to, bytes.data(), N);
}

// Copies a match; up to 31 bytes past its end are touched.
inline void copy_match(uint8_t* to, size_t distance, size_t length) {
  const uint8_t* from = to - distance;
  const uint8_t* end = to + length;
  if (distance >= 16) {
    // A match that is no longer than 32 takes one round.
    for (; to < end; to += 32, from += 32) {
      copy_bytes<16>(to, from);
      copy_bytes<16>(to + 16, from + 16);
    }
    return;
  }
  if (distance < 8) {
    // The first 8 bytes singly; from there on the source lies a multiple of the distance back,
    // which is as good and at least 8.
    for (size_t i = 0; i < 8; ++i) to[i] = from[i];
    to += 8;
    from = to - (7 / distance + 1) * distance;
  }
  while (to < end) {
    copy_bytes<8>(to, from);
    to += 8;
    from += 8;
  }
}

// The input as bits, the next in bit 0. A plain value, so that the decoding loop can keep a copy of
// it in registers: bytes written through pointers might otherwise be it.
class BitReader {
 public:
  explicit BitReader(std::span<const uint8_t> in) : in_(in.data()), end_(in.data() + in.size()) {}

  // At least 56 bits, as far as the input goes; zero bits after it. False once more bits have been
  // used than there are.
  bool refill() {
    if (end_ - in_ >= 8) [[likely]] {
      uint64_t word = 0;
      std::memcpy(&word, in_, sizeof word);
      bits_ |= word << count_;
      in_ += (63 - count_) >> 3;
      count_ |= 56;
      return true;
    }
    if (used_too_much()) return false;
    for (; count_ <= 56; count_ += 8) {
      if (in_ == end_) {
        ++phantom_;
      } else {
        bits_ |= uint64_t{*in_++} << count_;
      }
    }
    return true;
  }

  [[nodiscard]] bool used_too_much() const { return static_cast<ptrdiff_t>(count_ / 8) < phantom_; }

  void drop(uint32_t count) {
    bits_ >>= count & 63;
    count_ -= count;
  }

  uint32_t take(uint32_t count) {
    const auto value = static_cast<uint32_t>(bits_ & ((uint64_t{1} << count) - 1));
    drop(count);
    return value;
  }

  [[nodiscard]] uint64_t bits() const { return bits_; }

  // Drops the rest of the current byte.
  void align() { drop(count_ % 8); }

  // Hands unused whole bytes back; `align()` has been called.
  void release() {
    in_ -= static_cast<ptrdiff_t>(count_ / 8) - phantom_;
    bits_ = 0;
    count_ = 0;
    phantom_ = 0;
  }

  // For a loop of its own, and back.
  [[nodiscard]] LoopState loop_state() const {
    LoopState state{};
    state.in = in_;
    state.in_end = end_;
    state.bits = bits_;
    state.count = count_;
    return state;
  }
  void resume(const LoopState& state) {
    in_ = state.in;
    bits_ = state.bits;
    count_ = state.count;
  }
  [[nodiscard]] bool has_word() const { return end_ - in_ >= 8; }

  // The bytes that are left, after release().
  [[nodiscard]] std::span<const uint8_t> rest() const { return {in_, end_}; }
  void skip(size_t bytes) { in_ += bytes; }

 private:
  const uint8_t* in_;
  const uint8_t* end_;
  uint64_t bits_ = 0;
  uint32_t count_ = 0;
  ptrdiff_t phantom_ = 0;  // zero bytes in bits_ that are not in the input
};

}  // namespace

struct Decoder::Workspace {  // NOLINT(*-member-init): make_unique fills it
  std::array<uint8_t, kHistory + kPiece + kSlack> output;
  LoopLiterals literals = loop_literals();  // after the output, as LoopState asks for
  DecodeTables tables;
};

// One stream.
class Decoder::Run {
 public:
  Run(Workspace& workspace, FixedLoop loop, std::span<const uint8_t> in, uint8_t* out, size_t limit)
      : workspace_(&workspace), loop_(loop), in_(in), reader_(in), out_(out), limit_(limit) {}

  Completion decode() {
    ErrorCode error = ErrorCode::kNone;
    bool final = false;
    while (error == ErrorCode::kNone && !final) error = decode_block(final);
    // Where the input ends too soon, the last bytes may be made of bits that are not there.
    if (!reader_.used_too_much()) flush();
    if (overflow_) return {.status = Status::kOutputOverflow};
    if (error != ErrorCode::kNone) return failed(error);
    reader_.align();
    reader_.release();
    return {.consumed = static_cast<uint32_t>(in_.size() - reader_.rest().size()),
            .output_size = static_cast<uint32_t>(produced_),
            .crc = crc_};
  }

 private:
  ErrorCode decode_block(bool& final) {
    if (!reader_.refill()) return ErrorCode::kHeaderTooBig;
    final = reader_.take(1) != 0;
    switch (reader_.take(2)) {
      case 0:
        return copy_stored();
      case 1:
        return decode_fixed();
      case 2: {
        const ErrorCode error = read_codes();
        if (reader_.used_too_much()) return ErrorCode::kHeaderTooBig;
        return error == ErrorCode::kNone ? decode_symbols(workspace_->tables) : error;
      }
      default:
        return reader_.used_too_much() ? ErrorCode::kHeaderTooBig : ErrorCode::kInvalidBlockType;
    }
  }

  ErrorCode copy_stored() {
    reader_.align();
    if (!reader_.refill()) return ErrorCode::kHeaderTooBig;
    const uint32_t length = reader_.take(16);
    const uint32_t inverse = reader_.take(16);
    if (reader_.used_too_much()) return ErrorCode::kHeaderTooBig;
    if ((length ^ inverse) != 0xFFFF) return ErrorCode::kInvalidStoredLength;
    reader_.release();
    if (reader_.rest().size() < length) return ErrorCode::kNoEndOfBlock;
    for (size_t left = length; left > 0;) {
      if (!make_room()) return ErrorCode::kNone;
      const size_t count = std::min(left, static_cast<size_t>(piece_end() - to_));
      std::memcpy(to_, reader_.rest().data(), count);
      to_ += count;
      reader_.skip(count);
      left -= count;
    }
    return ErrorCode::kNone;
  }

  // RFC 1951, 3.2.7: how often 16 repeats the last length, 17 and 18 zero.
  uint32_t take_repeats(uint32_t symbol) {
    if (symbol == 16) return 3 + reader_.take(2);
    return symbol == 17 ? 3 + reader_.take(3) : 11 + reader_.take(7);
  }

  // The header of a dynamic block. What it says does not count when the input ended within it.
  ErrorCode read_codes() {
    const uint32_t literal_count = reader_.take(5) + 257;
    const uint32_t distance_count = reader_.take(5) + 1;
    const uint32_t code_count = reader_.take(4) + 4;
    if (literal_count > kLiteralLengthSymbols) return ErrorCode::kTooManyLiteralLengthCodes;
    if (distance_count > kDistanceSymbols) return ErrorCode::kTooManyDistanceCodes;

    std::array<uint8_t, 19> code_lengths{};
    for (uint32_t i = 0; i < code_count; ++i) {
      if (!reader_.refill()) return ErrorCode::kHeaderTooBig;
      code_lengths[kCodeLengthOrder[i]] = static_cast<uint8_t>(reader_.take(3));
    }
    std::array<DecodeEntry, 128> table{};
    if (!build_decode_table(code_lengths, 7, table, false, ErrorCode::kUndefinedCodeLengthCode,
                            [](uint32_t symbol) { return with_value(symbol); })) {
      return ErrorCode::kBadCodeLengthCodes;
    }

    std::array<uint8_t, kLiteralLengthSymbols + kDistanceSymbols> lengths{};
    const uint32_t all = literal_count + distance_count;
    for (uint32_t i = 0; i < all;) {
      if (!reader_.refill()) return ErrorCode::kHeaderTooBig;
      const DecodeEntry entry = table[reader_.bits() & 127];
      reader_.drop(dropped_bits(entry));
      const uint32_t symbol = value_of(entry);
      if (symbol < 16) {
        lengths[i++] = static_cast<uint8_t>(symbol);
        continue;
      }
      if (symbol == 16 && i == 0) return ErrorCode::kFirstLiteralLengthRepeats;
      const uint8_t value = symbol == 16 ? lengths[i - 1] : uint8_t{0};
      const uint32_t count = take_repeats(symbol);
      if (count > all - i) return ErrorCode::kWrongDistanceCount;
      std::fill_n(lengths.begin() + i, count, value);
      i += count;
    }

    const auto literals = std::span(lengths).first(literal_count);
    const auto distances = std::span(lengths).subspan(literal_count, distance_count);
    const auto longest = [](std::span<const uint8_t> of, uint32_t at_most) {
      return std::min<uint32_t>(std::max<uint32_t>(*std::ranges::max_element(of), 1), at_most);
    };
    DecodeTables& tables = workspace_->tables;
    tables.literal_bits = longest(literals, kLiteralTableBits);
    tables.distance_bits = longest(distances, kDistanceTableBits);
    // A block that can not end is refused, as zlib's inflate does.
    if (lengths[kEndOfBlock] == 0) return ErrorCode::kNoLiteralLengthCode;
    if (!build_decode_table(literals, tables.literal_bits, tables.literal, true,
                            ErrorCode::kBadLiteralLengthCode, literal_length_entry)) {
      return ErrorCode::kBadLiteralLengthCodes;
    }
    if (!build_decode_table(distances, tables.distance_bits, tables.distance, true,
                            ErrorCode::kBadDistanceCode, distance_entry)) {
      return ErrorCode::kBadDistanceCodes;
    }
    return ErrorCode::kNone;
  }

  ErrorCode decode_symbols(const DecodeTables& tables) {
    ErrorCode error = ErrorCode::kNone;
    bool done = false;
    while (!done && make_room()) done = decode_piece(tables, piece_end(), error);
    return error;
  }

  ErrorCode decode_fixed() {
    if (loop_ == nullptr) return decode_symbols(kFixedDecodeTables);
    ErrorCode error = ErrorCode::kNone;
    bool done = false;
    while (!done && make_room()) {
      if (reader_.has_word()) {
        run_loop();
        if (to_ >= piece_end()) continue;
      }
      // One symbol that the loop does not take, or all after its end.
      done = decode_piece(kFixedDecodeTables, reader_.has_word() ? to_ + 1 : piece_end(), error);
    }
    return error;
  }

  void run_loop() {
    reader_.refill();
    uint8_t* memory = workspace_->output.data();
    LoopState state = reader_.loop_state();
    state.memory = memory;
    state.to = static_cast<size_t>(to_ - memory);
    state.to_end = kHistory + kPiece;
    state.oldest = static_cast<size_t>(oldest_ - memory);
    state.literals = offsetof(Workspace, literals);
    state.mostly_literals = in_.size() >= limit_;
    loop_(state);
    reader_.resume(state);
    to_ = memory + state.to;
  }

  // Decodes until the piece is full, or the block ends, well or with an error: then true.
  // NOLINTNEXTLINE(readability-function-cognitive-complexity): one loop, for its speed
  bool decode_piece(const DecodeTables& tables, const uint8_t* end, ErrorCode& error) {
    // Copies, because the bytes written might otherwise be these members: they would be loaded and
    // stored for each symbol.
    BitReader reader = reader_;
    uint8_t* to = to_;
    const DecodeEntry* literal_table = tables.literal.data();
    const DecodeEntry* distance_table = tables.distance.data();
    const uint64_t literal_mask = (uint64_t{1} << tables.literal_bits) - 1;
    const uint64_t distance_mask = (uint64_t{1} << tables.distance_bits) - 1;
    const uint8_t* oldest = oldest_;
    const auto leave = [&] {
      reader_ = reader;
      to_ = to;
      return false;
    };
    const auto fail = [&](ErrorCode why) {
      leave();
      error = reader.used_too_much() ? ErrorCode::kNoEndOfBlock : why;
      return true;
    };
    if (!reader.refill()) return fail(ErrorCode::kNoEndOfBlock);
    DecodeEntry entry = literal_table[reader.bits() & literal_mask];
    const auto put_literal = [&] {
      reader.drop(dropped_bits(entry));
      *to++ = static_cast<uint8_t>(value_of(entry));
      entry = literal_table[reader.bits() & literal_mask];
    };
    // In each round `entry` has been looked up and 56 bits are there.
    while (to < end) {
      if ((entry & kLiteral) != 0) {
        put_literal();
        if ((entry & kLiteral) != 0) {
          put_literal();
          // 30 bits may be gone: enough are left for another literal, not for a match.
          if ((entry & kLiteral) != 0) put_literal();
        }
        if (!reader.refill()) return fail(ErrorCode::kNoEndOfBlock);
        // 45 may have been gone, and with them the bits for that look-up.
        entry = literal_table[reader.bits() & literal_mask];
        if ((entry & kLiteral) != 0) continue;
      }
      if ((entry & (kSubTable | kStop)) != 0) [[unlikely]] {
        if ((entry & kSubTable) != 0) entry = second_level(literal_table, entry, reader);
        if ((entry & kLiteral) != 0) {
          put_literal();
          if (!reader.refill()) return fail(ErrorCode::kNoEndOfBlock);
          entry = literal_table[reader.bits() & literal_mask];
          continue;
        }
        if ((entry & kStop) != 0) {
          reader.drop(dropped_bits(entry));
          return fail(static_cast<ErrorCode>(value_of(entry)));
        }
      }
      const size_t length = with_extra_bits(entry, reader.bits());
      reader.drop(dropped_bits(entry));
      entry = distance_table[reader.bits() & distance_mask];
      if ((entry & (kSubTable | kStop)) != 0) [[unlikely]] {
        if ((entry & kSubTable) != 0) entry = second_level(distance_table, entry, reader);
        if ((entry & kStop) != 0) {
          reader.drop(dropped_bits(entry));
          return fail(static_cast<ErrorCode>(value_of(entry)));
        }
      }
      const size_t distance = with_extra_bits(entry, reader.bits());
      reader.drop(dropped_bits(entry));
      if (distance > kHistory) [[unlikely]] {
        return fail(ErrorCode::kBadDistance);
      }
      if (distance > static_cast<size_t>(to - oldest)) [[unlikely]] {
        return fail(ErrorCode::kBeforeStart);
      }
      // The next look-up need not wait for the copy.
      if (!reader.refill()) return fail(ErrorCode::kNoEndOfBlock);
      entry = literal_table[reader.bits() & literal_mask];
      copy_match(to, distance, length);
      to += length;
    }
    return leave();
  }

  // The second step of a look-up; drops the bits of the first.
  static DecodeEntry second_level(const DecodeEntry* table, DecodeEntry entry, BitReader& reader) {
    reader.drop(dropped_bits(entry));
    return table[value_of(entry) + (reader.bits() & ((uint64_t{1} << index_bits(entry)) - 1))];
  }

  uint8_t* piece() { return workspace_->output.data() + kHistory; }
  uint8_t* piece_end() { return piece() + kPiece; }

  // False when the output is full.
  bool make_room() {
    if (to_ < piece_end()) [[likely]] {
      return true;
    }
    flush();
    std::memmove(workspace_->output.data(), to_ - kHistory, kHistory);
    oldest_ = workspace_->output.data();
    to_ = piece();
    return !overflow_;
  }

  // Hands the piece over.
  void flush() {
    const auto size = static_cast<size_t>(to_ - piece());
    overflow_ = overflow_ || size > limit_ - produced_;
    if (overflow_) return;
    if (out_ == nullptr) {
      crc_ = crc32({piece(), size}, crc_);
    } else {
      std::memcpy(out_ + produced_, piece(), size);
    }
    produced_ += size;
  }

  Workspace* workspace_;
  FixedLoop loop_;
  std::span<const uint8_t> in_;
  BitReader reader_;
  uint8_t* to_ = piece();
  const uint8_t* oldest_ = to_;
  uint8_t* out_;  // nullptr: output is suppressed
  size_t limit_;
  size_t produced_ = 0;
  bool overflow_ = false;
  uint32_t crc_ = 0;
};

Decoder::Decoder(FixedLoop loop) : loop_(loop), workspace_(std::make_unique<Workspace>()) {}
Decoder::~Decoder() = default;

Completion Decoder::decompress(std::span<const uint8_t> in, std::span<uint8_t> out) {
  // An empty span may have no address, which would mean suppressed output.
  uint8_t nothing = 0;
  return Run(*workspace_, loop_, in, out.empty() ? &nothing : out.data(), out.size()).decode();
}

Completion Decoder::check(std::span<const uint8_t> in, size_t limit) {
  return Run(*workspace_, loop_, in, nullptr, limit).decode();
}

}  // namespace iaa_zswap::codec
