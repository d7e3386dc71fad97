#ifndef IAA_ZSWAP_USEMEM_RUN_H_
#define IAA_ZSWAP_USEMEM_RUN_H_

#include <cstdint>

#include "usemem/content.h"
#include "usemem/options.h"

namespace iaa_zswap::usemem {

/** The program's name in its messages. */
inline constexpr const char* kProgram = "usemem";

/**
 * Does what the options say, in processes of its own; their lines go to stdout. `began_ns` is when
 * setting up began (CLOCK_MONOTONIC, for --init-time). Returns the exit code; every process has
 * ended then. The caller has one thread only.
 */
[[nodiscard]] int run(const Options& options, const Content& content, std::int64_t began_ns);

}  // namespace iaa_zswap::usemem

#endif  // IAA_ZSWAP_USEMEM_RUN_H_
