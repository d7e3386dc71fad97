#ifndef IAA_ZSWAP_MODEL_KERNEL_H_
#define IAA_ZSWAP_MODEL_KERNEL_H_

#include <optional>
#include <string_view>

namespace iaa_zswap::model {

/** What differs between the kernels that the model knows; each can be switched by itself. */
struct KernelFeatures {
  /** zswap_store() takes large folios whole (6.13); before, they go to the swap device. */
  bool large_folios = true;
  /**
   * try_charge_memcg() takes no more than it was asked for when the gfp mask has no reclaim in it,
   * as a large folio's may not (6.15; 7.3 takes batches of 64 again, as measured in the guest).
   */
  bool exact_charge = true;
  /** A folio is stored in batches of 8, with one lock and, where the compressor can, one call. */
  bool batched_store = false;
  /** A page that does not compress is stored as it is (6.18), not refused with its folio. */
  bool stores_incompressible = false;
  /** A pool's per-CPU contexts live as long as the pool (v9, 7.1), not as long as the CPU is up. */
  bool contexts_live_with_pool = false;
  /** Descriptors are asked for 1000 or 500 times (v9), not waited for. */
  bool bounded_descriptors = false;
  /** Whatever goes wrong with a decompression, software does it (v9), not after 0x0a only. */
  bool decompresses_in_software = false;
  /** sync_mode `async` submits and polls (v9); in mainline since 6.13 it is `sync`. */
  bool polls_async = false;
  /** A CPU goes round its queues for each kind of work by itself (v9), not for both together. */
  bool separate_cursors = false;

  // The letter's roadmap: in no kernel here, and what comes of them are projections.

  /** Folios that reclaim has taken off the LRU together are stored together: batches span them. */
  bool reclaim_batching = false;
  /**
   * A fault on a page in zswap brings those around it (swapin_readahead(), 2^page-cluster pages, at
   * most 8), decompressed in one batch where the compressor can.
   */
  bool swapin_batching = false;
  /** The swap area is a zram device with the compressors of zswap and their batches, and no zswap.
   */
  bool zram = false;
};

/** The features of a kernel by its name, as `v9` or `mainline 6.18`; nothing for other names. */
std::optional<KernelFeatures> kernel_features(std::string_view name);

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_KERNEL_H_
