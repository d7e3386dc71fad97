#ifndef IAA_ZSWAP_MADVISE_RUN_H_
#define IAA_ZSWAP_MADVISE_RUN_H_

#include "madvise/options.h"
#include "usemem/content.h"

namespace iaa_zswap::madvise {

/**
 * Does what the options say, in processes of its own, and prints what it came to. Returns the exit
 * code; every process has ended then. The caller has one thread only.
 */
[[nodiscard]] int run(const Options& options, const usemem::Content& content);

}  // namespace iaa_zswap::madvise

#endif  // IAA_ZSWAP_MADVISE_RUN_H_
