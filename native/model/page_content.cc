#include "model/page_content.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "model/random.h"

namespace iaa_zswap::model {
namespace {

constexpr std::uint64_t kPageWords = kPageBytes / sizeof(std::uint64_t);
/** Largest table of a generator's sizes; pages between those that it has are taken as like them. */
constexpr std::uint64_t kTablePages = 65'536;

constexpr std::array<std::string_view, kCompressors> kNames = {"deflate-iaa", "zstd", "lzo", "lz4",
                                                               "deflate"};

/** The named size of a page, 0 where there is none. */
std::uint32_t named_size(const Constants& constants, ContentKind kind, Compressor compressor) {
  const auto size = [](std::int64_t bytes) { return static_cast<std::uint32_t>(bytes); };
  if (kind == ContentKind::kCounter) {
    if (compressor == Compressor::kDeflateIaa) return size(constants.counter_bytes_iaa);
    if (compressor == Compressor::kZstd) return size(constants.counter_bytes_zstd);
    return 0;
  }
  if (kind != ContentKind::kProgram) return 0;
  switch (compressor) {
    case Compressor::kDeflateIaa:
      return size(constants.program_bytes_iaa);
    case Compressor::kZstd:
      return size(constants.program_bytes_zstd);
    case Compressor::kLzo:
      return size(constants.program_bytes_lzo);
    case Compressor::kLz4:
      return size(constants.program_bytes_lz4);
    case Compressor::kDeflate:
      return size(constants.program_bytes_deflate);
  }
  return 0;
}

std::pair<std::uint32_t, std::uint64_t> memory_of(const WorkloadConfig& workload) {
  if (const auto* trace = std::get_if<TraceConfig>(&workload)) {
    return {trace->tasks, trace->task_pages};
  }
  if (const auto* usemem = std::get_if<UsememConfig>(&workload)) {
    return {usemem->tasks, usemem->task_pages};
  }
  return {0, kTablePages};
}

usemem::ContentSpec generator_of(const ContentConfig& config) {
  usemem::ContentSpec spec{.ratio = config.ratio, .seed = config.seed};
  if (config.kind == ContentKind::kRandom) spec.kind = usemem::ContentKind::kRandom;
  if (config.kind == ContentKind::kZero) spec.kind = usemem::ContentKind::kZero;
  if (config.kind == ContentKind::kRatio) spec.kind = usemem::ContentKind::kRatio;
  return spec;
}

}  // namespace

std::string_view compressor_name(Compressor compressor) {
  return kNames.at(static_cast<std::size_t>(compressor));
}

std::optional<Compressor> compressor_of(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames.at(i) == name) return static_cast<Compressor>(i);
  }
  return std::nullopt;
}

PageContent::PageContent(const Config& config, std::uint32_t tasks, std::uint64_t task_pages)
    : config_(config.content), task_pages_(task_pages) {
  // Only a corpus in a file can be bad, and ours comes as bytes.
  auto generator = usemem::Content::prepare(generator_of(config_));
  if (auto* content = std::get_if<usemem::Content>(&generator)) {
    generator_.emplace(std::move(*content));
  }
  if (std::holds_alternative<TraceConfig>(config.workload)) versions_.resize(tasks * task_pages);
}

std::variant<std::unique_ptr<PageContent>, std::string> PageContent::prepare(const Config& config) {
  const auto [tasks, task_pages] = memory_of(config.workload);
  std::unique_ptr<PageContent> content(new PageContent(config, tasks, task_pages));
  std::set<Compressor> wanted = {config.zswap.compressor};
  for (const OutsideEvent& event : config.events) {
    if (event.kind == OutsideKind::kCompressor) wanted.insert(static_cast<Compressor>(event.value));
  }
  for (const Compressor compressor : wanted) {
    if (auto why = content->prepare_sizes(config.constants, compressor)) return std::move(*why);
  }
  return content;
}

std::optional<std::string> PageContent::prepare_sizes(const Constants& constants,
                                                      Compressor compressor) {
  Sizes& sizes = sizes_.at(static_cast<std::size_t>(compressor));
  if (config_.calibrated && !config_.exact) {
    sizes.constant = named_size(constants, config_.kind, compressor);
    if (sizes.constant != 0) return std::nullopt;
  }
  auto opened = codec::open_compressor(compressor_name(compressor));
  if (auto* why = std::get_if<std::string>(&opened)) {
    return std::string(compressor_name(compressor)) + ": " + *why;
  }
  sizes.codec = std::move(*std::get_if<std::unique_ptr<codec::Compressor>>(&opened));
  if (config_.exact) return std::nullopt;
  std::uint64_t pages = config_.corpus.size() / kPageBytes;
  if (config_.kind != ContentKind::kCorpus) {
    sizes.stride = std::max<std::uint64_t>(1, task_pages_ / kTablePages);
    pages = (task_pages_ + sizes.stride - 1) / sizes.stride;
  }
  sizes.table.reserve(pages);
  for (std::uint64_t i = 0; i < pages; ++i) {
    sizes.table.push_back(static_cast<std::uint16_t>(encode(sizes, 0, i * sizes.stride)));
  }
  return std::nullopt;
}

std::uint64_t PageContent::corpus_page(std::uint32_t task, std::uint64_t page) const {
  // The next prime after the pages of a small corpus: each write takes the page far away.
  constexpr std::uint64_t kVersionStep = 7919;
  return (page + version(task, page) * kVersionStep) % (config_.corpus.size() / kPageBytes);
}

void PageContent::fill(std::uint32_t task, std::uint64_t page,
                       std::span<std::uint64_t> words) const {
  if (config_.kind == ContentKind::kCorpus) {
    std::memcpy(words.data(), &config_.corpus[corpus_page(task, page) * kPageBytes], kPageBytes);
    return;
  }
  if (config_.kind == ContentKind::kCounter) {
    // The generator begins each mapping at 0, and cannot begin within one.
    for (std::uint64_t i = 0; i < kPageWords; ++i) words[i] = page * kPageWords + i;
    return;
  }
  generator_->fill(words, {.task = task, .first_page = page + version(task, page) * task_pages_});
}

std::uint32_t PageContent::encode(const Sizes& sizes, std::uint32_t task,
                                  std::uint64_t page) const {
  std::array<std::uint64_t, kPageWords> words{};
  // As large as zswap's own: two pages.
  std::array<std::uint8_t, std::size_t{2} * kPageBytes> out{};
  fill(task, page, words);
  const std::span in(reinterpret_cast<const std::uint8_t*>(words.data()), kPageBytes);
  const codec::Outcome outcome = sizes.codec->compress(in, out);
  if (outcome <= 0 || outcome > static_cast<codec::Outcome>(kPageBytes)) return kPageBytes + 1;
  return static_cast<std::uint32_t>(outcome);
}

bool PageContent::is_incompressible(std::uint32_t task, std::uint64_t page) const {
  if (config_.incompressible_per_million == 0) return false;
  return Random(config_.seed + version(task, page), (std::uint64_t{task} << 40U) + page)
      .happens(config_.incompressible_per_million);
}

std::uint32_t PageContent::bytes(Compressor compressor, std::uint32_t task,
                                 std::uint64_t page) const {
  if (is_incompressible(task, page)) return kPageBytes + 1;
  const Sizes& sizes = sizes_.at(static_cast<std::size_t>(compressor));
  if (sizes.constant != 0) return sizes.constant;
  if (sizes.table.empty()) return encode(sizes, task, page);
  if (config_.kind == ContentKind::kCorpus) return sizes.table[corpus_page(task, page)];
  return sizes.table[page / sizes.stride % sizes.table.size()];
}

std::optional<std::uint32_t> PageContent::uniform_bytes(Compressor compressor) const {
  const std::uint32_t constant = sizes_.at(static_cast<std::size_t>(compressor)).constant;
  if (constant == 0 || config_.incompressible_per_million > 0) return std::nullopt;
  return constant;
}

}  // namespace iaa_zswap::model
