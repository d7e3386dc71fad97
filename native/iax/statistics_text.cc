#include "iax/statistics_text.h"

#include <array>
#include <string_view>

namespace iaa_zswap::iax {
namespace {

/** A JSON object that is being written. */
class Object {
 public:
  void number(std::string_view name, uint64_t value) { raw(name, std::to_string(value)); }
  void raw(std::string_view name, std::string_view value) {
    text_ += text_.size() > 1 ? ",\"" : "\"";
    text_ += name;
    text_ += "\":";
    text_ += value;
  }
  [[nodiscard]] std::string end() const { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

std::string array_of(const std::vector<std::string>& items) {
  std::string text = "[";
  for (const std::string& item : items) {
    if (text.size() > 1) text += ',';
    text += item;
  }
  return text + "]";
}

constexpr std::array<std::string_view, 4> kStates = {R"("disabled")", R"("enabled")",
                                                     R"("draining")", R"("halted")"};

}  // namespace

std::string statistics_text(const DeviceStatistics& device, const Session::Traffic& traffic) {
  Object all;
  all.raw("state", kStates.at(static_cast<size_t>(device.state)));
  all.number("commands", device.commands);
  all.number("interrupts", device.interrupts);
  all.number("messages", traffic.messages);
  all.number("portal_writes", traffic.portal_writes);
  std::vector<std::string> wqs;
  for (size_t i = 0; i < device.wqs.size(); ++i) {
    const WqStatistics& wq = device.wqs.at(i);
    Object one;
    one.raw("state", device.enabled.at(i) ? R"("enabled")" : R"("disabled")");
    one.number("occupancy", device.occupancy.at(i));
    one.number("max_occupancy", wq.max_occupancy);
    one.number("submitted", wq.submitted);
    one.number("dropped", wq.dropped);
    one.number("aborted", wq.aborted);
    one.number("compress", wq.compress);
    one.number("compress_pages", wq.compress_pages);
    one.number("compress_in_bytes", wq.compress_in_bytes);
    one.number("compress_out_bytes", wq.compress_out_bytes);
    one.number("incompressible", wq.incompressible);
    one.number("decompress", wq.decompress);
    one.number("decompress_in_bytes", wq.decompress_in_bytes);
    one.number("decompress_out_bytes", wq.decompress_out_bytes);
    one.number("verify", wq.verify);
    one.number("other", wq.other);
    one.number("errors", wq.errors);
    one.number("last_error_status", wq.last_error_status);
    one.number("last_error_code", wq.last_error_code);
    wqs.push_back(one.end());
  }
  all.raw("wqs", array_of(wqs));
  std::vector<std::string> engines;
  for (const EngineStatistics& engine : device.engines) {
    Object one;
    one.number("descriptors", engine.descriptors);
    one.number("busy_ns", engine.busy_ns);
    engines.push_back(one.end());
  }
  all.raw("engines", array_of(engines));
  return all.end();
}

}  // namespace iaa_zswap::iax
