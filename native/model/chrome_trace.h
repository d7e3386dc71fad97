#ifndef IAA_ZSWAP_MODEL_CHROME_TRACE_H_
#define IAA_ZSWAP_MODEL_CHROME_TRACE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/event_queue.h"

namespace iaa_zswap::model {

/**
 * Spans of time on tracks, as JSON that chrome://tracing and Perfetto read. At most so many are
 * kept, the first ones; a trace of none costs nothing.
 */
class ChromeTrace {
 public:
  /** What a track belongs to; both programs show it as a process. */
  enum class Kind : std::uint8_t { kTask, kDevice };

  explicit ChromeTrace(std::uint64_t most_spans) : most_(most_spans) {}

  [[nodiscard]] bool is_on() const { return spans_.size() < most_; }
  /** `name` is a literal: it is kept as it is. */
  void span(Kind kind, std::uint32_t track, std::string_view name, Time begin, Time end) {
    if (is_on())
      spans_.push_back({.name = name, .begin = begin, .end = end, .track = track, .kind = kind});
  }
  [[nodiscard]] std::string json() const;

 private:
  struct Span {
    std::string_view name;
    Time begin;
    Time end;
    std::uint32_t track;
    Kind kind;
  };

  std::uint64_t most_;
  std::vector<Span> spans_;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_CHROME_TRACE_H_
