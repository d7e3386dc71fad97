#ifndef IAA_ZSWAP_USEMEM_PASSES_H_
#define IAA_ZSWAP_USEMEM_PASSES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "usemem/content.h"
#include "usemem/options.h"
#include "usemem/random.h"

namespace iaa_zswap::usemem {

/** One mapping of a task. */
struct Mapping {
  std::span<std::uint64_t> words;
  /** Pages the task has in mappings before it. */
  std::uint64_t first_page = 0;
};

/** What one task does to the words of its mappings. */
class Passes {
 public:
  Passes(const Options& options, const Content& content, std::uint64_t task)
      : options_(&options), content_(&content), task_(task), order_(options.content.seed, task) {}

  /**
   * Pass `round` over a mapping, from 0. One in ascending order that writes again what an earlier
   * one wrote looks first whether it is there: the index of the first word that is not as it was
   * written.
   */
  [[nodiscard]] std::optional<std::size_t> work(const Mapping& mapping, std::uint32_t round);

  /** A pass that reads. */
  void read(const Mapping& mapping);

 private:
  enum class Access : std::uint8_t { kRead, kWrite, kRewrite };

  [[nodiscard]] std::optional<std::size_t> pass(const Mapping& mapping, Access access);
  [[nodiscard]] std::optional<std::size_t> ascending(const Mapping& mapping, Access access);
  void at_random(const Mapping& mapping, Access access);
  /** Of every step-th word of `length` from `begin` on. */
  [[nodiscard]] std::optional<std::size_t> touch(const Mapping& mapping, std::size_t begin,
                                                 std::size_t length, Access access) const;

  const Options* options_;
  const Content* content_;
  std::uint64_t task_;
  RandomOrder order_;
};

}  // namespace iaa_zswap::usemem

#endif  // IAA_ZSWAP_USEMEM_PASSES_H_
