#ifndef IAA_ZSWAP_MODEL_PAGE_WITNESS_H_
#define IAA_ZSWAP_MODEL_PAGE_WITNESS_H_

#include <cstdint>

#include "model/config.h"

namespace iaa_zswap::model {

/**
 * Is told where the content of each page goes. The model itself moves no contents; a test that
 * does as it is told finds out whether a page is lost, doubled or changed on its way.
 */
class PageWitness {
 public:
  PageWitness() = default;
  PageWitness(const PageWitness&) = delete;
  PageWitness& operator=(const PageWitness&) = delete;
  virtual ~PageWitness() = default;

  /** The task wrote to the page, which is in memory. */
  virtual void wrote(std::uint32_t task, std::uint64_t page) = 0;
  /** The task read the page, which is in memory. */
  virtual void read(std::uint32_t task, std::uint64_t page) = 0;
  /** A copy went from memory into zswap; `compressor` is nothing's when it is kept as it is. */
  virtual void stored(std::uint32_t task, std::uint64_t page, Compressor compressor,
                      bool as_it_is) = 0;
  /** The copy in zswap came into memory, and is gone from zswap. */
  virtual void loaded(std::uint32_t task, std::uint64_t page) = 0;
  /** The copy in zswap went to the swap device. */
  virtual void written_back(std::uint32_t task, std::uint64_t page) = 0;
  /** A copy went from memory to the swap device, or to a mark that says that all of it is zero. */
  virtual void swapped_out(std::uint32_t task, std::uint64_t page) = 0;
  /** That copy came into memory, and is gone from there. */
  virtual void swapped_in(std::uint32_t task, std::uint64_t page) = 0;
  /** The copy in zswap or on the swap device was dropped. */
  virtual void dropped(std::uint32_t task, std::uint64_t page) = 0;
  /** The page's memory was freed: what holds it now is all there is. */
  virtual void reclaimed(std::uint32_t task, std::uint64_t page) = 0;
  /** The task gave the page up, wherever it was. */
  virtual void freed(std::uint32_t task, std::uint64_t page) = 0;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_PAGE_WITNESS_H_
