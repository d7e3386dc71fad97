// Shared by the instruction sets: included once by each block_*.cc, after that file has defined
//   find_candidates(Workspace&, uint32_t size, uint32_t min_distance)
//   match_length(const uint8_t* a, const uint8_t* b): equal bytes, at most kVectorBytes
// Everything is in an unnamed namespace, so that no copy for one instruction set can stand in for
// another at link time.

namespace iaa_zswap::codec {
// It is what makes the copies of different files different.
namespace {  // NOLINT(cert-dcl59-cpp)

template <bool OneVector>
inline uint32_t full_match_length(const uint8_t* a, const uint8_t* b, uint32_t limit) {
  uint32_t length = match_length(a, b);  // NOLINT(misc-const-correctness): for OneVector it is
  if constexpr (!OneVector) {
    if (length == kVectorBytes) {
      while (length < limit) {
        const uint32_t more = match_length(a + length, b + length);
        length += more;
        if (more < kVectorBytes) break;
      }
    }
    length = length < limit ? length : limit;
  }
  return length;
}

// The candidates from `position` on, first in bit 0; at least 57 of them.
inline uint64_t candidates_from(const Workspace& workspace, uint32_t position) {
  uint64_t word = 0;
  std::memcpy(&word,
              reinterpret_cast<const uint8_t*>(workspace.candidates.data()) + (position >> 3),
              sizeof word);
  return word >> (position & 7);
}

// The longest match at a candidate, the nearest of equal ones. It may reach past the block.
// OneVector: the longest match allowed is as long as a vector.
template <uint32_t Depth, bool OneVector>
inline Token match_at(const Workspace& workspace, uint32_t position, uint32_t max_match) {
  const uint8_t* here = workspace.data.data() + kHistory + position;
  const uint16_t* distances = workspace.distance.data() + kHistory + position;
  uint32_t distance = *distances;
  uint32_t best_distance = distance;
  uint32_t best = full_match_length<OneVector>(here, here - distance, max_match);
  for (uint32_t tried = 1; tried < Depth; ++tried) {
    distance += *(distances - distance);
    const uint32_t usable = distance <= kHistory ? distance : best_distance;
    const uint32_t length = full_match_length<OneVector>(here, here - usable, max_match);
    best_distance = length > best ? usable : best_distance;
    best = length > best ? length : best;
    distance = usable;
  }
  return {position, best, best_distance};
}

struct Lane {
  uint32_t position;
  uint32_t end;
  Token* out;
};

template <uint32_t Depth, bool OneVector>
inline void step(const Workspace& workspace, Lane& lane, uint32_t max_match) {
  const uint64_t candidates = candidates_from(workspace, lane.position);
  if (candidates == 0) [[unlikely]] {
    lane.position += 57;
    return;
  }
  const uint32_t position = lane.position + static_cast<uint32_t>(std::countr_zero(candidates));
  if (position >= lane.end) [[unlikely]] {
    lane.position = position;
    return;
  }
  const Token token = match_at<Depth, OneVector>(workspace, position, max_match);
  *lane.out++ = token;
  lane.position = position + token.length();
}

// The greedy parse is a chain: where a match ends says where the next is looked for. Four quarters
// of the block are parsed at once, each as if a match had ended where it begins; then each lane is
// entered where the one before it really ended. Greedy parses from different positions soon meet,
// and from there on they are the same, so the result is that of one parse from the start.
template <uint32_t Depth, bool OneVector>
void parse(Workspace& workspace, uint32_t size, uint32_t max_match) {
  const uint32_t quarter = (size + kLanes - 1) / kLanes;
  std::array<Lane, kLanes> lanes{};
  for (uint32_t i = 0; i < kLanes; ++i) {
    lanes[i] = {.position = std::min(i * quarter, size),
                .end = std::min((i + 1) * quarter, size),
                .out = workspace.lane_tokens[i].data()};
  }
  const auto advance = [&](Lane& lane) {
    if (lane.position < lane.end) step<Depth, OneVector>(workspace, lane, max_match);
    return lane.position < lane.end ? 1 : 0;
  };
  auto [a, b, c, d] = lanes;
  while (advance(a) + advance(b) + advance(c) + advance(d) > 0) {
  }
  lanes = {a, b, c, d};

  Token* out = std::copy(workspace.lane_tokens[0].data(), lanes[0].out, workspace.tokens.data());
  Lane joined{.position = lanes[0].position, .end = 0, .out = out};
  for (uint32_t i = 1; i < kLanes; ++i) {
    const Token* token = workspace.lane_tokens[i].data();
    joined.end = lanes[i].end;
    while (joined.position < joined.end) {
      const uint64_t candidates = candidates_from(workspace, joined.position);
      const uint32_t next =
          joined.position +
          (candidates == 0 ? 57U : static_cast<uint32_t>(std::countr_zero(candidates)));
      while (token != lanes[i].out && token->position() < next) ++token;
      if (candidates != 0 && token != lanes[i].out && token->position() == next) {
        joined.out = std::copy(token, static_cast<const Token*>(lanes[i].out), joined.out);
        joined.position = lanes[i].position;
        break;
      }
      step<Depth, OneVector>(workspace, joined, max_match);
    }
  }
  workspace.token_count = static_cast<size_t>(joined.out - workspace.tokens.data());
  if (workspace.token_count > 0) {
    Token& last = workspace.tokens[workspace.token_count - 1];
    last = {last.position(), std::min(last.length(), size - last.position()), last.distance()};
  }
}

template <uint32_t Depth>
void parse(Workspace& workspace, uint32_t size, uint32_t max_match) {
  if (max_match == kVectorBytes) {
    parse<Depth, true>(workspace, size, max_match);
  } else {
    parse<Depth, false>(workspace, size, max_match);
  }
}

void find_matches(Workspace& workspace, uint32_t size, const MatchPolicy& policy) {
  find_candidates(workspace, size, policy.min_distance);
  // Matches end with their block, so the last two positions cannot begin one.
  const uint32_t end = size < kMinMatch ? 0 : size - kMinMatch + 1;
  workspace.candidates[end / 64] &= (uint64_t{1} << (end % 64)) - 1;
  if (end / 64 + 1 < workspace.candidates.size()) workspace.candidates[end / 64 + 1] = 0;
  switch (policy.depth) {
    case 1:
      parse<1>(workspace, size, policy.max_match);
      break;
    case 2:
      parse<2>(workspace, size, policy.max_match);
      break;
    default:
      parse<3>(workspace, size, policy.max_match);
      break;
  }
}

inline uint8_t* put_match(const Token& token, const EncodeTables& tables, BitState& state,
                          uint8_t* out) {
  put(state, tables.length[token.length()]);
  const Symbol symbol = distance_symbol(token.distance());
  const Code code = tables.distance[symbol.symbol];
  state.bits |= (code.bits | uint64_t{symbol.extra} << code.length) << state.count;
  state.count += uint32_t{code.length} + symbol.extra_bits;
  return flush(state, out);
}

// For any codes: three literals of at most 15 bits, or a match of at most 20 + 25, in one flush.
uint8_t* write(const Workspace& workspace, uint32_t size, const EncodeTables& tables,
               BitState& state, uint8_t* out) {
  const uint8_t* data = workspace.data.data() + kHistory;
  // Per number of literals: which of three entries count. Masking keeps the last, short group of a
  // run free of branches that cannot be predicted.
  static constexpr std::array<std::array<uint32_t, 3>, 4> kKeep = {
      {{0, 0, 0}, {~0U, 0, 0}, {~0U, ~0U, 0}, {~0U, ~0U, ~0U}}};
  BitState local = state;
  const auto put_literals = [&](uint32_t position, uint32_t end) {
    while (position < end) {
      const auto& keep = kKeep[std::min(end - position, 3U)];
      put(local, tables.literal[data[position]] & keep[0]);
      put(local, tables.literal[data[position + 1]] & keep[1]);
      put(local, tables.literal[data[position + 2]] & keep[2]);
      out = flush(local, out);
      position += 3;
    }
  };
  uint32_t position = 0;
  for (size_t i = 0; i < workspace.token_count; ++i) {
    const Token token = workspace.tokens[i];
    put_literals(position, token.position());
    out = put_match(token, tables, local, out);
    position = token.position() + token.length();
  }
  put_literals(position, size);
  state = local;
  return out;
}

}  // namespace
}  // namespace iaa_zswap::codec
