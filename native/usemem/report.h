#ifndef IAA_ZSWAP_USEMEM_REPORT_H_
#define IAA_ZSWAP_USEMEM_REPORT_H_

#include <cstdint>
#include <string>

namespace iaa_zswap::usemem {

/**
 * Bytes of the words that one pass over all mappings of a task comes to: a word for every step.
 * Sizes are at most common::kMaxBytes.
 */
[[nodiscard]] std::uint64_t pass_bytes(std::uint64_t size_bytes, std::uint64_t unit_bytes,
                                       std::uint64_t step_bytes);

/**
 * Bytes a task is credited with for having allocated its mappings: an eighth of each. With one pass
 * of steps of one word that makes 1.125 x size in all.
 */
[[nodiscard]] std::uint64_t allocation_bytes(std::uint64_t size_bytes, std::uint64_t unit_bytes);

/**
 * floor(floor(bytes x 10^6 / 1024) / usecs): the KB/s of the throughput line; one KB is 1024 bytes.
 * `usecs` is at least 1. The largest number there is when it would not fit.
 */
[[nodiscard]] std::uint64_t kib_per_second(std::uint64_t bytes, std::uint64_t usecs);

/** `the initialization time is S secs U usecs` and a newline. */
[[nodiscard]] std::string init_time_line(std::uint64_t usecs);

/** `B bytes / U usecs = K KB/s` and a newline. */
[[nodiscard]] std::string throughput_line(std::uint64_t bytes, std::uint64_t usecs);

/** `read again B bytes / U usecs = K KB/s` and a newline. */
[[nodiscard]] std::string read_again_line(std::uint64_t bytes, std::uint64_t usecs);

/** `U usecs to free memory` and a newline. */
[[nodiscard]] std::string free_time_line(std::uint64_t usecs);

}  // namespace iaa_zswap::usemem

#endif  // IAA_ZSWAP_USEMEM_REPORT_H_
