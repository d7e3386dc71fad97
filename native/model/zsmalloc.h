#ifndef IAA_ZSWAP_MODEL_ZSMALLOC_H_
#define IAA_ZSWAP_MODEL_ZSMALLOC_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"

namespace iaa_zswap::model {

/**
 * A pool of mm/zsmalloc.c: how many objects each class has, and the pages of the zspages that they
 * fill. All zspages of a class but one are taken as full: compaction is not modelled, nor what it
 * would have to do.
 */
class Zsmalloc {
 public:
  explicit Zsmalloc(std::span<const ZsmallocClass> classes);

  [[nodiscard]] std::uint64_t pages() const { return pages_; }
  [[nodiscard]] std::uint64_t objects() const { return objects_; }

  /** An object of `bytes`, 1 to 4096, comes. */
  void add(std::uint32_t bytes) {
    Class& found = classes_[class_of_[bytes]];
    if (found.room == 0) {
      found.room = found.zspage_objects;
      pages_ += found.zspage_pages;
    }
    --found.room;
    ++objects_;
  }
  /** `count` objects of `bytes` go. */
  void remove(std::uint32_t bytes, std::uint32_t count) {
    Class& found = classes_[class_of_[bytes]];
    found.room += count;
    const std::uint32_t empty = found.room / found.zspage_objects;
    found.room -= empty * found.zspage_objects;
    pages_ -= std::uint64_t{empty} * found.zspage_pages;
    objects_ -= count;
  }

 private:
  struct Class {
    std::uint32_t zspage_pages;
    std::uint32_t zspage_objects;
    /** Objects that fit into the zspage that is not full. */
    std::uint32_t room;
  };

  std::vector<Class> classes_;
  /** By size in bytes. */
  std::vector<std::uint8_t> class_of_;
  std::uint64_t pages_ = 0;
  std::uint64_t objects_ = 0;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_ZSMALLOC_H_
