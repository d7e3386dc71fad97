#ifndef IAA_ZSWAP_USEMEM_RUN_H_
#define IAA_ZSWAP_USEMEM_RUN_H_

#include <cstdint>
#include <string_view>

#include "usemem/content.h"
#include "usemem/options.h"

namespace iaa_zswap::usemem {

/** Exit codes of the executable. */
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

/** CLOCK_MONOTONIC, ns. */
[[nodiscard]] std::int64_t monotonic_ns();

/** `usemem: MESSAGE` as one line on stderr. */
void complain(std::string_view message);

/**
 * Forks the processes, lets all of them start at one moment and waits for them; their lines go to
 * stdout. `began_ns` is when setting up began (for --init-time). Returns the exit code; every
 * process has ended then. The caller has one thread only.
 */
[[nodiscard]] int run(const Options& options, const Content& content, std::int64_t began_ns);

}  // namespace iaa_zswap::usemem

#endif  // IAA_ZSWAP_USEMEM_RUN_H_
