#include "model/chrome_trace.h"

#include <array>
#include <cinttypes>
#include <cstdio>

namespace iaa_zswap::model {
namespace {

/** Nanoseconds as the format's microseconds. */
std::string microseconds(Time time) {
  std::array<char, 32> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%" PRId64 ".%03" PRId64, time / 1000, time % 1000);
  return {text.data(), static_cast<std::size_t>(length)};
}

}  // namespace

std::string ChromeTrace::json() const {
  std::string text = R"({"displayTimeUnit":"ns","traceEvents":[
{"ph":"M","name":"process_name","pid":0,"args":{"name":"tasks"}},
{"ph":"M","name":"process_name","pid":1,"args":{"name":"IAA devices"}})";
  for (const Span& span : spans_) {
    text +=
        ",\n"
        R"({"ph":"X","name":")";
    text += span.name;
    text += R"(","pid":)" + std::to_string(static_cast<int>(span.kind)) + R"(,"tid":)" +
            std::to_string(span.track) + R"(,"ts":)" + microseconds(span.begin) + R"(,"dur":)" +
            microseconds(span.end - span.begin) + "}";
  }
  text += "\n]}\n";
  return text;
}

}  // namespace iaa_zswap::model
