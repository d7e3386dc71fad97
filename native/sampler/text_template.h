#ifndef IAA_ZSWAP_SAMPLER_TEXT_TEMPLATE_H_
#define IAA_ZSWAP_SAMPLER_TEXT_TEMPLATE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace iaa_zswap::sampler {

/** One counter at one time; nothing when the kernel did not say it. */
using Cell = std::optional<std::uint64_t>;

/** The forms in which the kernel writes counters. */
enum class Format : std::uint8_t {
  /** One decimal: memory.current, debugfs files, stats of a folio size. Its key is empty. */
  kNumber,
  /** `name value` lines: /proc/vmstat, memory.stat. The key is the name. */
  kFlat,
  /** `label name=value ...` lines: pressure files, io.stat. The key is `label.name`; fractions are
   * no counters. */
  kNested,
  /** global_stats and wq_stats of iaa_crypto. The keys are `total_comp_calls`, `iax1.comp_calls`
   * and `iax1.LABEL[0].comp_calls`, with the label that the driver prints for a WQ and its place in
   * the device's list, since labels need not differ. */
  kIaaStatistics,
};

/**
 * A file's text with its numbers cut out. As long as only the numbers change, which is nearly
 * always, a new text is read by comparing the rest and parsing what stands in the holes; keys are
 * looked up only when lines came, went or moved.
 */
class TextTemplate {
 public:
  /** The column for a key, or nothing for one that nobody asked for. */
  using ColumnOf = std::function<std::optional<std::size_t>(std::string_view key)>;

  enum class Match : std::uint8_t {
    /** Every cell has been set. Of a file that has not been read to its end, more may follow. */
    kWhole,
    /** The text agrees as far as it goes: the rest of the file is needed. */
    kShort,
    kOther,
  };

  /** Cuts the numbers out of a whole text; `column_of` is asked for each key, in the text's order.
   * A line that is not in the format's form stays as it is. */
  static TextTemplate learn(std::string_view text, Format format, const ColumnOf& column_of);

  /** Reads a text of this form; `is_all`: it is the whole file. */
  [[nodiscard]] Match match(std::string_view text, bool is_all, std::span<Cell> cells) const;

 private:
  static constexpr std::size_t kIgnored = static_cast<std::size_t>(-1);

  struct Hole {
    /** The text since the hole before. */
    std::string before;
    std::size_t column;
  };

  std::vector<Hole> holes_;
  std::string end_;
};

}  // namespace iaa_zswap::sampler

#endif  // IAA_ZSWAP_SAMPLER_TEXT_TEMPLATE_H_
