#ifndef IAA_ZSWAP_MODEL_PAGE_CONTENT_H_
#define IAA_ZSWAP_MODEL_PAGE_CONTENT_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "codec/compressor.h"
#include "model/config.h"
#include "usemem/content.h"

namespace iaa_zswap::model {

/** As `deflate-iaa`: the name in /proc/crypto. */
std::string_view compressor_name(Compressor compressor);
/** The compressor of a name; nothing for others. */
std::optional<Compressor> compressor_of(std::string_view name);

/**
 * What the pages of all tasks hold and how large they are when compressed: sizes are tabulated once
 * through native/codec, or encoded each time (`exact`), or the named constants of the letter.
 */
class PageContent {
 public:
  /** Why there can be none: a compressor's library is missing. */
  static std::variant<std::unique_ptr<PageContent>, std::string> prepare(const Config& config);

  /** Compressed bytes of a page; above kPageBytes: it does not compress. */
  [[nodiscard]] std::uint32_t bytes(Compressor compressor, std::uint32_t task,
                                    std::uint64_t page) const;
  /** The size that all pages have; nothing where they differ. */
  [[nodiscard]] std::optional<std::uint32_t> uniform_bytes(Compressor compressor) const;
  [[nodiscard]] bool is_zero() const { return config_.kind == ContentKind::kZero; }

  /** Writing to a page makes it another one: in traces. */
  [[nodiscard]] bool changes() const { return !versions_.empty(); }
  /** Where changes(): the page was written. */
  void write(std::uint32_t task, std::uint64_t page) { ++versions_[task * task_pages_ + page]; }
  /** What a page holds now. */
  void fill(std::uint32_t task, std::uint64_t page, std::span<std::uint64_t> words) const;

 private:
  /** Of one compressor. */
  struct Sizes {
    std::unique_ptr<codec::Compressor> codec;
    /** Of every stride-th page of the generator, or of each page of the corpus. */
    std::vector<std::uint16_t> table;
    std::uint64_t stride = 1;
    /** All pages alike: a constant. */
    std::uint32_t constant = 0;
  };

  PageContent(const Config& config, std::uint32_t tasks, std::uint64_t task_pages);
  std::optional<std::string> prepare_sizes(const Constants& constants, Compressor compressor);
  [[nodiscard]] std::uint32_t encode(const Sizes& sizes, std::uint32_t task,
                                     std::uint64_t page) const;
  [[nodiscard]] std::uint32_t version(std::uint32_t task, std::uint64_t page) const {
    return versions_.empty() ? 0 : versions_[task * task_pages_ + page];
  }
  [[nodiscard]] std::uint64_t corpus_page(std::uint32_t task, std::uint64_t page) const;
  [[nodiscard]] bool is_incompressible(std::uint32_t task, std::uint64_t page) const;

  ContentConfig config_;
  std::uint64_t task_pages_;
  std::array<Sizes, kCompressors> sizes_;
  std::optional<usemem::Content> generator_;
  /** How often each page was written; of traces only. */
  std::vector<std::uint32_t> versions_;
};

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_PAGE_CONTENT_H_
