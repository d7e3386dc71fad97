#ifndef IAA_ZSWAP_MODEL_CONSTANTS_H_
#define IAA_ZSWAP_MODEL_CONSTANTS_H_

#include <cstdint>
#include <span>
#include <string_view>

namespace iaa_zswap::model {

/** Where a constant's value is from. */
enum class Source : std::uint8_t {
  /** Printed by the patches' author, or follows from what is printed. */
  kPublished,
  /** Measured on real code by this project. */
  kMeasured,
  /** By scripts/calibrate, to the cells it names. */
  kFitted,
  /** A guess; the cells cannot tell it from others. */
  kAssumed,
};

/**
 * All that the model takes for given about machines and workloads. Times are nanoseconds of a core
 * at 2500 MHz, sizes bytes. docs/model.md and constants.cc say of each where it is from.
 */
struct Constants {
  // Workloads in user space.
  std::int64_t usemem_write_page = 2'080;
  std::int64_t usemem_start_skew = 5'000;
  std::int64_t jitter_permille = 50;

  // Faults, reclaim and freeing.
  std::int64_t fault = 2'000;
  std::int64_t clear_page = 400;
  std::int64_t swap_in_page = 12'000;
  std::int64_t reclaim_page = 5'470;
  std::int64_t contended_page = 472;
  std::int64_t pmd_reclaim_permille = 575;
  std::int64_t pmd_contended_permille = 889;

  // zswap's own work on an entry, when it stores it and when it frees it.
  std::int64_t zswap_entry_mainline = 376;
  std::int64_t zswap_entry_v9 = 291;
  std::int64_t zram_entry = 376;

  // Compressors in software, whatever the page; the others relative to zstd.
  std::int64_t zstd_compress = 21'987;
  std::int64_t zstd_decompress_permille = 400;
  std::int64_t lzo_compress_permille = 235;
  std::int64_t lzo_decompress_permille = 88;
  std::int64_t lz4_compress_permille = 198;
  std::int64_t lz4_decompress_permille = 165;
  std::int64_t deflate_compress_permille = 14'060;
  std::int64_t deflate_decompress_permille = 288;

  // The accelerator.
  std::int64_t iaa_submit = 306;
  std::int64_t iaa_service = 1'049;
  std::int64_t iaa_latency = 2'148;
  std::int64_t iaa_decompress_service = 1'049;
  std::int64_t iaa_engine = 2'098;
  std::int64_t iaa_poll = 50;
  std::int64_t iaa_descriptor_retry = 100;
  std::int64_t iaa_enqcmds_retry = 200;
  std::int64_t iaa_interrupt = 4'000;

  // The swap device.
  std::int64_t swap_read_latency = 80'000;
  std::int64_t swap_write_page = 2'000;

  // Compressed sizes.
  std::int64_t counter_bytes_iaa = 1'590;
  std::int64_t counter_bytes_zstd = 782;
  std::int64_t program_bytes_iaa = 1'837;
  std::int64_t program_bytes_zstd = 1'384;
  std::int64_t program_bytes_lzo = 1'990;
  std::int64_t program_bytes_lz4 = 2'056;
  std::int64_t program_bytes_deflate = 1'383;

  // The kernel build.
  std::int64_t build_units = 29'000;
  std::int64_t build_user_ms = 15'650'000;
  std::int64_t build_system_permille = 92;
  std::int64_t build_serial_permille = 13;
  std::int64_t build_unit_pages = 19'681;
  std::int64_t build_reuse_permille = 1'729;
  std::int64_t build_file_permille = 250;
  std::int64_t build_linker_pages = 468'600;
};

/** A constant by its name. */
struct Constant {
  std::string_view name;
  std::string_view unit;
  Source source;
  /** What it is and where it is from, in a line. */
  std::string_view meaning;
  std::int64_t Constants::* value;
};

/** All of them. */
std::span<const Constant> all_constants();

/** As `fitted`. */
std::string_view source_name(Source source);

}  // namespace iaa_zswap::model

#endif  // IAA_ZSWAP_MODEL_CONSTANTS_H_
