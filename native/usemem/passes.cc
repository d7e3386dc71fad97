#include "usemem/passes.h"

#include <algorithm>

#include "common/clock.h"

namespace iaa_zswap::usemem {
namespace {

using common::monotonic_ns;

/** Reads every step-th word. */
void read_words(std::span<const std::uint64_t> words, std::uint64_t step) {
  // The compiler must not know that nobody wants them.
  const volatile std::uint64_t* const at = words.data();
  for (std::size_t i = 0; i < words.size(); i += step) static_cast<void>(at[i]);
}

/** Keeps the CPU busy; a sleep would be longer than the delays in question. */
void spin(std::uint64_t delay_ns) {
  const std::int64_t end = monotonic_ns() + static_cast<std::int64_t>(delay_ns);
  while (monotonic_ns() < end) {
  }
}

}  // namespace

std::optional<std::size_t> Passes::work(const Mapping& mapping, std::uint32_t round) {
  if (options_->read_only) return pass(mapping, Access::kRead);
  return pass(mapping, round == 0 ? Access::kWrite : Access::kRewrite);
}

void Passes::read(const Mapping& mapping) {
  static_cast<void>(pass(mapping, Access::kRead));  // only writing again looks
}

std::optional<std::size_t> Passes::pass(const Mapping& mapping, Access access) {
  if (!options_->random_order) return ascending(mapping, access);
  at_random(mapping, access);
  return std::nullopt;
}

std::optional<std::size_t> Passes::ascending(const Mapping& mapping, Access access) {
  const std::size_t size = mapping.words.size();
  if (access != Access::kRewrite && options_->delay_ns == 0) return touch(mapping, 0, size, access);
  // Page by page: a page that is written again is looked at first.
  const std::uint64_t step = options_->step_bytes / kWordBytes;
  for (std::size_t begin = 0; begin < size;) {
    const std::size_t length = std::min<std::size_t>(kPageWords - begin % kPageWords, size - begin);
    if (const auto wrong = touch(mapping, begin, length, access)) return wrong;
    if (options_->delay_ns != 0) spin(options_->delay_ns);
    begin += (length + step - 1) / step * step;
  }
  return std::nullopt;
}

void Passes::at_random(const Mapping& mapping, Access access) {
  const std::size_t size = mapping.words.size();
  const std::uint64_t step = options_->step_bytes / kWordBytes;
  std::size_t page = SIZE_MAX;
  for (std::size_t i = 0; i < size; i += step) {
    const std::size_t word = order_.next_below(size);
    // What is there is not known: no pass has been everywhere.
    static_cast<void>(
        touch(mapping, word, 1, access == Access::kRewrite ? Access::kWrite : access));
    if (options_->delay_ns != 0 && word / kPageWords != page) spin(options_->delay_ns);
    page = word / kPageWords;
  }
}

std::optional<std::size_t> Passes::touch(const Mapping& mapping, std::size_t begin,
                                         std::size_t length, Access access) const {
  const std::span<std::uint64_t> words = mapping.words.subspan(begin, length);
  const Place place{.task = task_,
                    .first_page = mapping.first_page,
                    .word = begin,
                    .step = options_->step_bytes / kWordBytes};
  if (access == Access::kRead) {
    read_words(words, place.step);
    return std::nullopt;
  }
  if (access == Access::kRewrite) {
    if (const auto wrong = content_->find_wrong(words, place)) return begin + *wrong;
  }
  content_->fill(words, place);
  return std::nullopt;
}

}  // namespace iaa_zswap::usemem
