#include "model/constants.h"

#include <array>

namespace iaa_zswap::model {
namespace {

using Value = std::int64_t Constants::*;

constexpr Constant published(std::string_view name, std::string_view unit, Value value,
                             std::string_view meaning) {
  return {
      .name = name, .unit = unit, .source = Source::kPublished, .meaning = meaning, .value = value};
}
constexpr Constant measured(std::string_view name, std::string_view unit, Value value,
                            std::string_view meaning) {
  return {
      .name = name, .unit = unit, .source = Source::kMeasured, .meaning = meaning, .value = value};
}
constexpr Constant fitted(std::string_view name, std::string_view unit, Value value,
                          std::string_view meaning) {
  return {
      .name = name, .unit = unit, .source = Source::kFitted, .meaning = meaning, .value = value};
}
constexpr Constant assumed(std::string_view name, std::string_view unit, Value value,
                           std::string_view meaning) {
  return {
      .name = name, .unit = unit, .source = Source::kAssumed, .meaning = meaning, .value = value};
}

constexpr std::array kConstants = {
    measured(
        "usemem_write_page", "ns", &Constants::usemem_write_page,
        "vm-scalability's store loop, gcc -O: 0.35 s a GiB (docs/usemem.md) on an EPYC at 3.9 GHz"),
    assumed("usemem_start_skew", "ns", &Constants::usemem_start_skew,
            "between the wake-ups of two of usemem's tasks"),
    assumed("jitter_permille", "1/1000", &Constants::jitter_permille,
            "each piece of work takes up to so much more or less"),
    assumed("fault", "ns", &Constants::fault, "an anonymous fault, whatever its folio"),
    assumed("clear_page", "ns", &Constants::clear_page, "zeroing a page, 30 cores at once"),
    assumed("swap_in_page", "ns", &Constants::swap_in_page,
            "a major fault from zswap without the decompression"),
    fitted("reclaim_page", "ns", &Constants::reclaim_page,
           "all of reclaim and store but zswap's entry and the compression, for a page"),
    fitted("contended_page", "ns", &Constants::contended_page,
           "the locks and counters that a page which is reclaimed, or freed while resident, goes "
           "through; one page at a time, machine-wide"),
    fitted("pmd_reclaim_permille", "1/1000", &Constants::pmd_reclaim_permille,
           "reclaim_page of PMD-sized folios, of that of 64 KiB ones; sizes between them in "
           "proportion of their orders"),
    fitted("pmd_contended_permille", "1/1000", &Constants::pmd_contended_permille,
           "the same for what goes one at a time: contended_page, and entries that are freed"),
    fitted("zswap_entry_mainline", "ns", &Constants::zswap_entry_mainline,
           "zswap's common path for an entry: when stored, and when freed, then one at a time"),
    fitted("zswap_entry_v9", "ns", &Constants::zswap_entry_v9,
           "the same with v9's batches, prefetchw and likely"),
    assumed("zram_entry", "ns", &Constants::zram_entry,
            "zram's own work on a page, as zswap's of mainline: in projections only"),
    fitted("zstd_compress", "ns", &Constants::zstd_compress, "a page of counters"),
    measured("zstd_decompress_permille", "1/1000", &Constants::zstd_decompress_permille,
             "of its compression: libzstd 1.5, counters"),
    measured("lzo_compress_permille", "1/1000", &Constants::lzo_compress_permille,
             "of zstd's compression: liblzo2 2.10, counters"),
    measured("lzo_decompress_permille", "1/1000", &Constants::lzo_decompress_permille,
             "of zstd's compression: liblzo2 2.10, counters"),
    measured("lz4_compress_permille", "1/1000", &Constants::lz4_compress_permille,
             "of zstd's compression: liblz4 1.9, counters"),
    measured("lz4_decompress_permille", "1/1000", &Constants::lz4_decompress_permille,
             "of zstd's compression: liblz4 1.9, counters"),
    measured("deflate_compress_permille", "1/1000", &Constants::deflate_compress_permille,
             "of zstd's compression: zlib 1.2.13, counters"),
    measured("deflate_decompress_permille", "1/1000", &Constants::deflate_decompress_permille,
             "of zstd's compression: zlib 1.2.13, counters; also deflate-generic's"),
    published(
        "iaa_submit", "ns", &Constants::iaa_submit,
        "preparing and submitting a descriptor: latencies of 3503, 1356 and 706 ns a page "
        "(sequential, batches of 8 on one and on four devices) with submission beside service"),
    published("iaa_service", "ns", &Constants::iaa_service,
              "a device's pipe is taken for a page: the same three latencies"),
    published("iaa_latency", "ns", &Constants::iaa_latency,
              "from submission to completion beside the pipe: the same three latencies"),
    assumed("iaa_decompress_service", "ns", &Constants::iaa_decompress_service,
            "as when compressing"),
    assumed("iaa_engine", "ns", &Constants::iaa_engine,
            "an engine is taken for a page; two engines fill the pipe"),
    assumed("iaa_poll", "ns", &Constants::iaa_poll, "a look at a completion record with cpu_relax"),
    assumed("iaa_descriptor_retry", "ns", &Constants::iaa_descriptor_retry,
            "a try to get a descriptor with cpu_relax"),
    assumed("iaa_enqcmds_retry", "ns", &Constants::iaa_enqcmds_retry,
            "an ENQCMDS that a shared WQ does not take"),
    assumed("iaa_interrupt", "ns", &Constants::iaa_interrupt,
            "from completion to the waiting task by interrupt and irq thread"),
    assumed("swap_read_latency", "ns", &Constants::swap_read_latency, "a page from the SSD"),
    assumed("swap_write_page", "ns", &Constants::swap_write_page, "a page to the SSD: 2 GB/s"),
    fitted("counter_bytes_iaa", "B", &Constants::counter_bytes_iaa,
           "a page of counters under deflate-iaa"),
    fitted("counter_bytes_zstd", "B", &Constants::counter_bytes_zstd,
           "a page of counters under zstd"),
    published("program_bytes_iaa", "B", &Constants::program_bytes_iaa,
              "the letter's ratio of 2.23"),
    published("program_bytes_zstd", "B", &Constants::program_bytes_zstd,
              "the letter's ratio of 2.96"),
    measured("program_bytes_lzo", "B", &Constants::program_bytes_lzo,
             "liblzo2 2.10 on text, whose ratios with the other two are nearest to the letter's"),
    measured("program_bytes_lz4", "B", &Constants::program_bytes_lz4, "liblz4 1.9 on the same"),
    measured("program_bytes_deflate", "B", &Constants::program_bytes_deflate,
             "zlib 1.2.13 on the same"),
    assumed("build_units", "", &Constants::build_units, "processes of an allmodconfig build"),
    published("build_user_ms", "ms", &Constants::build_user_ms,
              "user time of the build, 64K cells"),
    fitted("build_system_permille", "1/1000", &Constants::build_system_permille,
           "system time beside that of memory, of the user time"),
    fitted("build_serial_permille", "1/1000", &Constants::build_serial_permille,
           "of the user time, the part in which one process works alone"),
    fitted("build_unit_pages", "pages", &Constants::build_unit_pages,
           "mean memory that a process allocates"),
    fitted("build_reuse_permille", "1/1000", &Constants::build_reuse_permille,
           "old pages touched again for each new one"),
    assumed("build_file_permille", "1/1000", &Constants::build_file_permille,
            "of memory.max, what files and the kernel hold"),
};

}  // namespace

std::span<const Constant> all_constants() { return kConstants; }

std::string_view source_name(Source source) {
  constexpr std::array<std::string_view, 4> kNames = {"published", "measured", "fitted", "assumed"};
  return kNames.at(static_cast<std::size_t>(source));
}

}  // namespace iaa_zswap::model
