// Shared by the instruction sets: included once by each block_*.cc, after that file has defined
//   kVectorBytes, match_length(const uint8_t* a, const uint8_t* b): equal bytes, at most that many
//   equal_bytes(const uint8_t* a, const uint8_t* b): one bit for each of kChunk bytes
//   hash(const uint8_t* data, uint32_t first, LookUps&): hash and value of a chunk at `data`, whose
//     first position in the block is `first`
//   find<HasHistory>(const LookUps&, uint32_t first, uint16_t* previous): what has been held there
//     as indices; returns one bit for each position that has a previous one
//   write_fixed, see BlockOps
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

// The position before, which with a minimum distance of 2 is entered after the look-up of the next,
// so that it is not found there.
struct Late {
  size_t hash;
  uint16_t value;
};

// Looks a chunk up and enters it. `to` is the table as `from` is: g++ takes fewer instructions when
// it does not know that.
template <uint32_t MinDistance>
[[gnu::noinline]] void exchange(const uint16_t* from, uint16_t* to, LookUps& look_ups, Late& late) {
  size_t last_hash = late.hash;
  uint16_t last_value = late.value;
#pragma GCC unroll 4
  for (size_t i = 0; i < kChunk; i += 4) {
    const uint16_t* value = look_ups.value.data() + i;
    std::array<size_t, 4> hash;  // NOLINT(*-member-init): filled at once
    std::copy_n(look_ups.hash.data() + i, hash.size(), hash.data());
    uint64_t held = 0;
#pragma GCC unroll 4
    for (size_t k = 0; k < hash.size(); ++k) {
      held |= uint64_t{from[hash[k]]} << (16 * k);
      if constexpr (MinDistance == 1) {
        to[hash[k]] = value[k];
      } else if (k == 0) {
        to[last_hash] = last_value;
      } else {
        to[hash[k - 1]] = value[k - 1];
      }
    }
    std::memcpy(look_ups.held.data() + i, &held, sizeof held);
    last_hash = hash.back();
    last_value = value[hash.size() - 1];
  }
  late = {.hash = last_hash, .value = last_value};
}

// Fills previous and candidates of these chunks, which ascend, and enters them into the table.
template <bool HasHistory, uint32_t MinDistance>
void look_up(Workspace& workspace, std::span<const uint8_t> chunks) {
  // Some chunks are taken together, in turns with others: narrow stores have to leave the store
  // buffer before they can be loaded as vectors without a stall.
  constexpr size_t kTogether = 4;
  struct Group {  // NOLINT(*-member-init): filled in turn
    std::array<LookUps, kTogether> look_ups;
    std::span<const uint8_t> chunks;
  };
  std::array<Group, 2> groups;  // NOLINT(*-member-init)
  groups[1].chunks = {};
  uint16_t* table = workspace.table.data();
  Late late = {.hash = 0, .value = table[0]};
  const auto find_group = [&](const Group& group) {
    for (size_t i = 0; i < group.chunks.size(); ++i) {
      const uint32_t first = group.chunks[i] * kChunk;
      workspace.candidates[group.chunks[i]] =
          find<HasHistory>(group.look_ups[i], first, workspace.previous.data() + kHistory + first);
    }
  };
  size_t turn = 0;
  for (; !chunks.empty(); ++turn) {
    Group& group = groups[turn % 2];
    group.chunks = chunks.first(std::min(chunks.size(), kTogether));
    chunks = chunks.subspan(group.chunks.size());
    for (size_t i = 0; i < group.chunks.size(); ++i) {
      const uint32_t first = group.chunks[i] * kChunk;
      hash(workspace.data.data() + kHistory + first, first, group.look_ups[i]);
    }
    for (size_t i = 0; i < group.chunks.size(); ++i) {
      exchange<MinDistance>(table, table, group.look_ups[i], late);
    }
    find_group(groups[(turn + 1) % 2]);
  }
  find_group(groups[(turn + 1) % 2]);
}

void look_up(Workspace& workspace, std::span<const uint8_t> chunks, uint32_t min_distance) {
  if (workspace.has_history) {
    if (min_distance == 1) {
      look_up<true, 1>(workspace, chunks);
    } else {
      look_up<true, 2>(workspace, chunks);
    }
  } else if (min_distance == 1) {
    look_up<false, 1>(workspace, chunks);
  } else {
    look_up<false, 2>(workspace, chunks);
  }
}

// Fills previous, candidates and words.
void find_previous(Workspace& workspace, uint32_t size, uint32_t min_distance) {
  std::array<uint8_t, kChunks> others;  // NOLINT(*-member-init): filled below
  size_t count = 0;
  workspace.words = 0;
  for (uint32_t chunk = 0; chunk * kChunk < size; ++chunk) {
    const uint32_t index = kHistory + chunk * kChunk;
    const uint8_t* at = workspace.data.data() + index;
    uint64_t equal = equal_bytes(at, at - kWord);
    if (std::popcount(equal) < kWordsEqual || (chunk == 0 && !workspace.has_history)) {
      others[count++] = static_cast<uint8_t>(chunk);
      continue;
    }
    uint32_t distance = kWord;
    if (equal_bytes(at, at - min_distance) == ~uint64_t{0}) {
      equal = ~uint64_t{0};
      distance = min_distance;
    }
    const uint64_t next = at[kChunk] == at[kChunk - distance] ? 1 : 0;
    const uint64_t after = at[kChunk + 1] == at[kChunk + 1 - distance] ? 1 : 0;
    workspace.words |= uint64_t{1} << chunk;
    workspace.candidates[chunk] =
        equal & (equal >> 1 | next << 63) & (equal >> 2 | next << 62 | after << 63);
    uint16_t* previous = workspace.previous.data() + index;
    for (uint32_t i = 0; i < kChunk; ++i) previous[i] = static_cast<uint16_t>(index - distance + i);
  }
  look_up(workspace, std::span(others).first(count), min_distance);
}

// The candidates from `position` on, first in bit 0; at least 57 of them.
inline uint64_t candidates_from(const Workspace& workspace, size_t position) {
  uint64_t word = 0;
  std::memcpy(&word,
              reinterpret_cast<const uint8_t*>(workspace.candidates.data()) + (position >> 3),
              sizeof word);
  return word >> (position & 7);
}

struct Lane {
  size_t position;
  size_t distance;  // of the last match
  Token* out;
};

inline Token token_of(size_t position, uint32_t length, size_t distance) {
  return {.position = static_cast<uint16_t>(position),
          .length = static_cast<uint16_t>(length),
          .distance = static_cast<uint16_t>(distance)};
}

// Takes the next candidate of a lane: the longest match with the last position of the same bytes,
// the last but one, and at the distance of the match before; of equally long ones the nearest. It
// may reach past the block.
// OneVector: the longest match allowed is as long as a vector.
template <bool OneVector, bool HasHistory>
inline void step(const Workspace& workspace, Lane& lane, uint32_t max_match) {
  const uint64_t candidates = candidates_from(workspace, lane.position);
  if (candidates == 0) [[unlikely]] {
    lane.position += 57;
    return;
  }
  const size_t position = lane.position + static_cast<size_t>(std::countr_zero(candidates));
  const size_t index = kHistory + position;
  const uint8_t* data = workspace.data.data();
  // The length above the index, so that the greatest is the match to take: nothing would predict a
  // branch.
  const auto match = [&](size_t source) {
    return full_match_length<OneVector>(data + index, data + source, max_match) << 16 |
           static_cast<uint32_t>(source);
  };
  const auto take = [&](uint32_t best) {
    lane.distance = index - (best & 0xFFFF);
    lane.position = position + (best >> 16);
    *lane.out = token_of(position, best >> 16, lane.distance);
  };
  const size_t last = workspace.previous[index];
  if ((workspace.words >> (position / kChunk) & 1) != 0) [[unlikely]] {
    take(match(last));
    ++lane.out;
    return;
  }
  size_t last_but_one = workspace.previous[last];  // NOLINT(misc-const-correctness): else it is
  if constexpr (HasHistory) {
    last_but_one = index - last_but_one <= kHistory ? last_but_one : last;
  }
  const size_t repeated = index - lane.distance;
  const uint32_t best = std::max(std::max(match(last), match(repeated)), match(last_but_one));
  // Where the hash is the same but the bytes are not, the parse goes on with the next byte.
  const bool found = best >= kHashedBytes << 16;
  take(found ? best : 1U << 16 | static_cast<uint32_t>(repeated));
  lane.out += found ? 1 : 0;
}

// The greedy parse is a chain: where a match ends says where the next is looked for. Four quarters
// of the block are parsed at once, each as if a match had ended where it begins; then each lane is
// entered where the one before it really ended. Greedy parses from different positions soon meet,
// and from there on they are the same, so the result is that of one parse from the start.
template <bool OneVector, bool HasHistory>
void parse(Workspace& workspace, uint32_t size, const MatchPolicy& policy) {
  const size_t quarter = (size + kLanes - 1) / kLanes;
  std::array<Lane, kLanes> lanes{};
  std::array<size_t, kLanes> ends{};
  for (size_t i = 0; i < kLanes; ++i) {
    lanes[i] = {.position = std::min<size_t>(i * quarter, size),
                .distance = policy.min_distance,
                .out = workspace.lane_tokens[i].data()};
    ends[i] = std::min<size_t>((i + 1) * quarter, size);
  }
  const std::array<Lane, kLanes> starts = lanes;
  auto [a, b, c, d] = lanes;
  const auto [a_end, b_end, c_end, d_end] = ends;
  const auto step_if = [&](Lane& lane, size_t end) {
    if (lane.position < end) step<OneVector, HasHistory>(workspace, lane, policy.max_match);
    return lane.position < end ? 1 : 0;
  };
  while (a.position < a_end && b.position < b_end && c.position < c_end && d.position < d_end) {
    step<OneVector, HasHistory>(workspace, a, policy.max_match);
    step<OneVector, HasHistory>(workspace, b, policy.max_match);
    step<OneVector, HasHistory>(workspace, c, policy.max_match);
    step<OneVector, HasHistory>(workspace, d, policy.max_match);
  }
  // The lanes that take longer, still side by side.
  while (step_if(a, a_end) + step_if(b, b_end) + step_if(c, c_end) + step_if(d, d_end) > 0) {
  }
  lanes = {a, b, c, d};

  Lane joined = lanes[0];
  joined.out = std::copy(workspace.lane_tokens[0].data(), joined.out, workspace.tokens.data());
  for (size_t i = 1; i < kLanes; ++i) {
    const Token* token = workspace.lane_tokens[i].data();
    const Token* last = lanes[i].out;
    Lane lane = starts[i];
    while (joined.position < ends[i]) {
      // To where the lane looked for the first token that begins here or later.
      for (; token != last && token->position < joined.position; ++token) {
        lane.position = size_t{token->position} + token->length;
        lane.distance = token->distance;
      }
      if (lane.position <= joined.position && lane.distance == joined.distance) {
        joined = {.position = std::max(joined.position, lanes[i].position),
                  .distance = lanes[i].distance,
                  .out = std::copy(token, last, joined.out)};
        break;
      }
      step<OneVector, HasHistory>(workspace, joined, policy.max_match);
    }
  }
  workspace.token_count = static_cast<size_t>(joined.out - workspace.tokens.data());
  if (workspace.token_count > 0) {
    Token& token = workspace.tokens[workspace.token_count - 1];
    token.length = static_cast<uint16_t>(std::min<uint32_t>(token.length, size - token.position));
  }
}

template <bool OneVector>
void parse(Workspace& workspace, uint32_t size, const MatchPolicy& policy) {
  if (workspace.has_history) {
    parse<OneVector, true>(workspace, size, policy);
  } else {
    parse<OneVector, false>(workspace, size, policy);
  }
}

void find_matches(Workspace& workspace, uint32_t size, const MatchPolicy& policy) {
  find_previous(workspace, size, policy.min_distance);
  // Matches end with their block, so the last two positions cannot begin one.
  const uint32_t end = size < kMinMatch ? 0 : size - kMinMatch + 1;
  workspace.candidates[end / 64] &= (uint64_t{1} << (end % 64)) - 1;
  if (end / 64 + 1 < workspace.candidates.size()) workspace.candidates[end / 64 + 1] = 0;
  if (policy.max_match == kVectorBytes) {
    parse<true>(workspace, size, policy);
  } else {
    parse<false>(workspace, size, policy);
  }
}

inline uint8_t* put_match(const Token& token, const EncodeTables& tables, BitState& state,
                          uint8_t* out) {
  put(state, tables.length[token.length]);
  const Symbol symbol = distance_symbol(token.distance);
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
    put_literals(position, token.position);
    out = put_match(token, tables, local, out);
    position = uint32_t{token.position} + token.length;
  }
  put_literals(position, size);
  state = local;
  return out;
}

}  // namespace
}  // namespace iaa_zswap::codec
