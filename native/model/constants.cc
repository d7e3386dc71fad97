#include "model/constants.h"

#include <array>

namespace iaa_zswap::model {
namespace {

using enum Source;

constexpr std::array kConstants = {
    Constant{"usemem_write_page", "ns", kMeasured,
             "vm-scalability's store loop, gcc -O: 0.35 s a GiB (docs/usemem.md) on an EPYC at 3.9 "
             "GHz",
             &Constants::usemem_write_page},
    Constant{"usemem_start_skew", "ns", kAssumed, "between the wake-ups of two of usemem's tasks",
             &Constants::usemem_start_skew},
    Constant{"jitter_permille", "1/1000", kAssumed,
             "each piece of work takes up to so much more or less", &Constants::jitter_permille},
    Constant{"fault", "ns", kAssumed, "an anonymous fault, whatever its folio", &Constants::fault},
    Constant{"clear_page", "ns", kAssumed, "zeroing a page, 30 cores at once",
             &Constants::clear_page},
    Constant{"swap_in_page", "ns", kAssumed, "a major fault from zswap without the decompression",
             &Constants::swap_in_page},
    Constant{"reclaim_page", "ns", kFitted,
             "all of reclaim and store but zswap's entry and the compression, for a page",
             &Constants::reclaim_page},
    Constant{"contended_page", "ns", kFitted,
             "the locks and counters that a page which is reclaimed, or freed while resident, goes "
             "through; one page at a time, machine-wide",
             &Constants::contended_page},
    Constant{"pmd_reclaim_permille", "1/1000", kFitted,
             "reclaim_page of PMD-sized folios, of that of 64 KiB ones; sizes between them in "
             "proportion of their orders",
             &Constants::pmd_reclaim_permille},
    Constant{"pmd_contended_permille", "1/1000", kFitted,
             "the same for what goes one at a time: contended_page, and entries that are freed",
             &Constants::pmd_contended_permille},
    Constant{"zswap_entry_mainline", "ns", kFitted,
             "zswap's common path for an entry: when stored, and when freed, then one at a time",
             &Constants::zswap_entry_mainline},
    Constant{"zswap_entry_v9", "ns", kFitted, "the same with v9's batches, prefetchw and likely",
             &Constants::zswap_entry_v9},
    Constant{"zstd_compress", "ns", kFitted, "a page of counters", &Constants::zstd_compress},
    Constant{"zstd_decompress_permille", "1/1000", kMeasured,
             "of its compression: libzstd 1.5, counters", &Constants::zstd_decompress_permille},
    Constant{"lzo_compress_permille", "1/1000", kMeasured,
             "of zstd's compression: liblzo2 2.10, counters", &Constants::lzo_compress_permille},
    Constant{"lzo_decompress_permille", "1/1000", kMeasured,
             "of zstd's compression: liblzo2 2.10, counters", &Constants::lzo_decompress_permille},
    Constant{"lz4_compress_permille", "1/1000", kMeasured,
             "of zstd's compression: liblz4 1.9, counters", &Constants::lz4_compress_permille},
    Constant{"lz4_decompress_permille", "1/1000", kMeasured,
             "of zstd's compression: liblz4 1.9, counters", &Constants::lz4_decompress_permille},
    Constant{"deflate_compress_permille", "1/1000", kMeasured,
             "of zstd's compression: zlib 1.2.13, counters", &Constants::deflate_compress_permille},
    Constant{"deflate_decompress_permille", "1/1000", kMeasured,
             "of zstd's compression: zlib 1.2.13, counters; also deflate-generic's",
             &Constants::deflate_decompress_permille},
    Constant{"iaa_submit", "ns", kPublished,
             "preparing and submitting a descriptor: latencies of 3503, 1356 and 706 ns a page "
             "(sequential, batches of 8 on one and on four devices) with submission beside service",
             &Constants::iaa_submit},
    Constant{"iaa_service", "ns", kPublished,
             "a device's pipe is taken for a page: the same three latencies",
             &Constants::iaa_service},
    Constant{"iaa_latency", "ns", kPublished,
             "from submission to completion beside the pipe: the same three latencies",
             &Constants::iaa_latency},
    Constant{"iaa_decompress_service", "ns", kAssumed, "as when compressing",
             &Constants::iaa_decompress_service},
    Constant{"iaa_engine", "ns", kAssumed,
             "an engine is taken for a page; two engines fill the pipe", &Constants::iaa_engine},
    Constant{"iaa_poll", "ns", kAssumed, "a look at a completion record with cpu_relax",
             &Constants::iaa_poll},
    Constant{"iaa_descriptor_retry", "ns", kAssumed, "a try to get a descriptor with cpu_relax",
             &Constants::iaa_descriptor_retry},
    Constant{"iaa_enqcmds_retry", "ns", kAssumed, "an ENQCMDS that a shared WQ does not take",
             &Constants::iaa_enqcmds_retry},
    Constant{"iaa_interrupt", "ns", kAssumed,
             "from completion to the waiting task by interrupt and irq thread",
             &Constants::iaa_interrupt},
    Constant{"swap_read_latency", "ns", kAssumed, "a page from the SSD",
             &Constants::swap_read_latency},
    Constant{"swap_write_page", "ns", kAssumed, "a page to the SSD: 2 GB/s",
             &Constants::swap_write_page},
    Constant{"counter_bytes_iaa", "B", kFitted, "a page of counters under deflate-iaa",
             &Constants::counter_bytes_iaa},
    Constant{"counter_bytes_zstd", "B", kFitted, "a page of counters under zstd",
             &Constants::counter_bytes_zstd},
    Constant{"program_bytes_iaa", "B", kPublished, "the letter's ratio of 2.23",
             &Constants::program_bytes_iaa},
    Constant{"program_bytes_zstd", "B", kPublished, "the letter's ratio of 2.96",
             &Constants::program_bytes_zstd},
    Constant{"program_bytes_lzo", "B", kMeasured,
             "liblzo2 2.10 on text, whose ratios with the "
             "other two are nearest to the letter's",
             &Constants::program_bytes_lzo},
    Constant{"program_bytes_lz4", "B", kMeasured, "liblz4 1.9 on the same",
             &Constants::program_bytes_lz4},
    Constant{"program_bytes_deflate", "B", kMeasured, "zlib 1.2.13 on the same",
             &Constants::program_bytes_deflate},
    Constant{"build_units", "", kAssumed, "processes of an allmodconfig build",
             &Constants::build_units},
    Constant{"build_user_ms", "ms", kPublished, "user time of the build, 64K cells",
             &Constants::build_user_ms},
    Constant{"build_system_permille", "1/1000", kFitted,
             "system time beside that of memory, of the user time",
             &Constants::build_system_permille},
    Constant{"build_serial_permille", "1/1000", kFitted,
             "of the user time, the part in which one process works alone",
             &Constants::build_serial_permille},
    Constant{"build_unit_pages", "pages", kFitted, "mean memory that a process allocates",
             &Constants::build_unit_pages},
    Constant{"build_reuse_permille", "1/1000", kFitted, "old pages touched again for each new one",
             &Constants::build_reuse_permille},
    Constant{"build_file_permille", "1/1000", kAssumed,
             "of memory.max, what files and the kernel hold", &Constants::build_file_permille},
};

}  // namespace

std::span<const Constant> all_constants() { return kConstants; }

std::string_view source_name(Source source) {
  constexpr std::array<std::string_view, 4> kNames = {"published", "measured", "fitted", "assumed"};
  return kNames.at(static_cast<std::size_t>(source));
}

}  // namespace iaa_zswap::model
