// Sources: native/sampler/counter_file.cc native/sampler/row_encoder.cc native/sampler/sampler.cc
// Sources: native/sampler/text_template.cc native/hostfs/host_root.cc
//
// Counters read from texts that change, the encoding of rows, ticks, drops.

#include "sampler/sampler.h"

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "common/error_name.h"
#include "hostfs/host_root.h"
#include "sampler/counter_file.h"
#include "sampler/histogram.h"
#include "sampler/row_encoder.h"
#include "sampler/text_template.h"
#include "test/check.h"
#include "test/temp_folder.h"

namespace {

using iaa_zswap::common::error_name;
using iaa_zswap::hostfs::Access;
using iaa_zswap::hostfs::HostRoot;
using iaa_zswap::sampler::Cell;
using iaa_zswap::sampler::CounterFile;
using iaa_zswap::sampler::Format;
using iaa_zswap::sampler::Histogram;
using iaa_zswap::sampler::RowEncoder;
using iaa_zswap::sampler::Sampler;
using iaa_zswap::sampler::Statistics;
using iaa_zswap::sampler::TextBuffer;
using iaa_zswap::sampler::TextTemplate;
using iaa_zswap::test::check;
using iaa_zswap::test::check_equal;
using iaa_zswap::test::TempFolder;

/** Overwritten in place: what is open stays open. */
void put(const std::filesystem::path& file, std::string_view content) {
  std::ofstream(file, std::ios::binary) << content;
}

std::shared_ptr<const HostRoot> root_of(const TempFolder& folder) {
  auto root = HostRoot::open(folder.path().string(), Access::kReadOnly);
  check(root.ok(), "the root opens");
  return std::move(root.value());
}

std::string shown(const std::vector<Cell>& cells) {
  std::string text;
  for (const Cell& cell : cells) text += (cell ? std::to_string(*cell) : "-") + ' ';
  return text;
}

/** A file, opened with its first text and read after each change. */
class OneFile {
 public:
  OneFile(std::string_view text, Format format)
      : path_(folder_.path() / "file"), file_(opened(text, format)) {}

  [[nodiscard]] std::string keys() const {
    std::string text;
    for (const std::string& key : file_.keys()) text += key + ' ';
    return text;
  }

  std::string read() {
    std::vector<Cell> cells(file_.keys().size(), 77);
    file_.read(buffer_, cells);
    return shown(cells);
  }

  std::string read(std::string_view text) {
    put(path_, text);
    return read();
  }

 private:
  CounterFile opened(std::string_view text, Format format) {
    put(path_, text);
    auto file = CounterFile::open(root_of(folder_), "/file", format, buffer_);
    check(file.ok(), "the file opens");
    return std::move(file.value());
  }

  TempFolder folder_;
  std::filesystem::path path_;
  TextBuffer buffer_;
  CounterFile file_;
};

void reads_flat_files() {
  OneFile file("nr_free 10\nzswpin 0\nzswpout 18446744073709551615\n", Format::kFlat);
  check_equal(file.keys(), "nr_free zswpin zswpout ");
  check_equal(file.read(), "10 0 18446744073709551615 ");
  check_equal(file.read("nr_free 123456\nzswpin 1\nzswpout 2\n"), "123456 1 2 ");
  // Lines come, go and move.
  check_equal(file.read("new 5\nzswpout 3\nnr_free 4\n"), "4 - 3 ");
  check_equal(file.read("new 6\nzswpout 7\nnr_free 8\n"), "8 - 7 ");
  check_equal(file.read("nr_free 1\nzswpin 2\nzswpout 3\nlast 9\n"), "1 2 3 ");
  check_equal(file.read("nr_free 1\nzswpin 2\n"), "1 2 - ");
  check_equal(file.read("nr_free 1\nzswpin 2\nother 3\n"), "1 2 - ");
  check_equal(file.read("nr_free 1\nzswpin 2\nother 3\nzswpout 4\n"), "1 2 4 ");
  check_equal(file.read("nr_free 1\nzswpin 2\n"), "1 2 - ");
  // A key that only begins like another.
  check_equal(file.read("nr_freed 1\nzswpin 2\nzswpout 3\n"), "- 2 3 ");
  check_equal(file.read("nr_free 1\nzswpin x\nzswpout 18446744073709551616\n"), "1 - - ");
  check_equal(file.read("nr_free 1\nnr_free 2\nzswpin 3\nzswpout 4\n"), "1 3 4 ");
  check_equal(file.read("nr_free 1\nzswpin 2\nzswpout 34"), "1 2 34 ");
  check_equal(file.read("nr_free 1\nzswpin 2\nzswpout 345"), "1 2 345 ");
  check_equal(file.read(""), "- - - ");
  check_equal(file.read("\n\n \n"), "- - - ");
  check_equal(file.read("nr_free 1\nzswpin 2\nzswpout 3\n"), "1 2 3 ");
}

void reads_single_numbers() {
  OneFile file("4096\n", Format::kNumber);
  check_equal(file.keys(), " ");
  check_equal(file.read(), "4096 ");
  check_equal(file.read("0\n"), "0 ");
  check_equal(file.read("12"), "12 ");
  check_equal(file.read("123"), "123 ");
  check_equal(file.read("max\n"), "- ");
  check_equal(file.read("-1\n"), "- ");
  check_equal(file.read("9\n"), "9 ");
}

void reads_nested_files() {
  OneFile file(
      "some avg10=0.00 avg60=12.34 avg300=0.00 total=5\n"
      "full avg10=0.00 avg60=0.00 avg300=0.00 total=6\n",
      Format::kNested);
  check_equal(file.keys(), "some.total full.total ");
  check_equal(file.read("some avg10=100.00 avg60=0.00 avg300=0.01 total=70\n"
                        "full avg10=0.00 avg60=0.00 avg300=0.00 total=80\n"),
              "70 80 ");
  check_equal(file.read("some avg10=1.00 avg60=0.00 avg300=0.01 total=71\n"), "71 - ");
}

constexpr std::string_view kStatistics =
    "iaa device:\n  id: 1\n  n_wqs: 2\n  comp_calls: 10\n  comp_bytes: 11\n  wqs:\n"
    "    name: iaa_crypto\n    comp_calls: 12\n\n    name: iaa_crypto\n    comp_calls: 13\n\n"
    "iaa device:\n  id: 3\n  n_wqs: 1\n  comp_calls: 20\n  comp_bytes: 21\n  wqs:\n"
    "    name: b\n    comp_calls: 22\n\n";

void reads_iaa_statistics() {
  OneFile file(kStatistics, Format::kIaaStatistics);
  check_equal(file.keys(),
              "iax1.comp_calls iax1.comp_bytes iax1.iaa_crypto[0].comp_calls "
              "iax1.iaa_crypto[1].comp_calls iax3.comp_calls iax3.comp_bytes "
              "iax3.b[0].comp_calls ");
  check_equal(file.read(), "10 11 12 13 20 21 22 ");
  // A device less, in the same lines: its counters must not become the other's.
  const std::size_t second = kStatistics.find("iaa device:", 1);
  check_equal(file.read(kStatistics.substr(second)), "- - - - 20 21 22 ");
  check_equal(file.read(kStatistics), "10 11 12 13 20 21 22 ");

  OneFile global("global stats:\n  total_comp_calls: 4\n  total_sw_decomp_calls: 5\n\n",
                 Format::kIaaStatistics);
  check_equal(global.keys(), "total_comp_calls total_sw_decomp_calls ");
  check_equal(global.read(), "4 5 ");
}

// procfs gives a page at most in one read, so that a number may be cut.
void reads_what_comes_in_pieces() {
  const auto learned =
      TextTemplate::learn("a 1\nb 2\n", Format::kFlat,
                          [next = std::size_t{0}](auto) mutable { return std::optional(next++); });
  const std::string text = "a 123\nb 456\n";
  for (std::size_t length = 0; length < text.size(); ++length) {
    std::vector<Cell> cells(2);
    check(learned.match(text.substr(0, length), false, cells) == TextTemplate::Match::kShort);
    check(learned.match(text.substr(0, length), true, cells) != TextTemplate::Match::kWhole);
  }
  std::vector<Cell> cells(2);
  check(learned.match(text, false, cells) == TextTemplate::Match::kWhole);
  check_equal(shown(cells), "123 456 ");
  check(learned.match("a 1\nc", false, cells) == TextTemplate::Match::kOther);

  // The kernel's own file, larger than a page.
  TextBuffer buffer;
  auto root = HostRoot::open("/", Access::kReadOnly);
  check(root.ok());
  auto vmstat = CounterFile::open(std::move(root.value()), "/proc/vmstat", Format::kFlat, buffer);
  check(vmstat.ok());
  std::vector<Cell> values(vmstat.value().keys().size());
  vmstat.value().read(buffer, values);
  for (const Cell& value : values) check(value.has_value(), "every line of /proc/vmstat is read");
  check(values.size() > 50);
}

void refuses_what_has_no_counters() {
  const TempFolder folder;
  put(folder.path() / "text", "always [madvise] never\n");
  std::filesystem::create_symlink("../../../../../../etc/passwd", folder.path() / "escape");
  check(mkfifo((folder.path() / "fifo").c_str(), 0600) == 0);
  const auto root = root_of(folder);
  TextBuffer buffer;
  const auto failure = [&](const std::string& path) {
    const auto file = CounterFile::open(root, path, Format::kFlat, buffer);
    check(!file.ok(), path);
    return error_name(file.failure().error) + ' ' + file.failure().syscall;
  };
  check_equal(failure("/text"), "EINVAL no-counter");
  check_equal(failure("/none"), "ENOENT openat2");
  check_equal(failure("/escape"), "ENOENT openat2");
  check_equal(failure("/fifo"), "EINVAL file-type");
}

std::string encoded(RowEncoder& encoder, std::uint64_t tick, std::vector<Cell> cells, bool keep) {
  std::string text;
  for (const unsigned byte : encoder.encode({.tick = tick, .late_ns = 3, .reading_ns = 300}, cells))
    text += std::to_string(byte) + ' ';
  if (keep) encoder.commit(cells);
  return text;
}

void encodes_rows() {
  RowEncoder encoder(3);
  // tick + 1, late, 300 = 0xac 0x02, two changes: column 0 is 64 (zigzag 128), column 2 is 1.
  check_equal(encoded(encoder, 0, {64, std::nullopt, 1}, true), "1 3 172 2 2 2 128 1 4 2 ");
  check_equal(encoded(encoder, 1, {64, std::nullopt, 1}, true), "1 3 172 2 0 ");
  // A row that found no room is as if it had never been.
  check_equal(encoded(encoder, 2, {1, 1, 1}, false), "1 3 172 2 2 2 125 2 2 ");
  // Two ticks on: column 0 one less, column 1 zero and no longer empty, column 2 empty.
  check_equal(encoded(encoder, 3, {63, 0, std::nullopt}, true), "2 3 172 2 3 2 1 2 0 3 ");
  // The difference is modulo 2^64.
  check_equal(encoded(encoder, 4, {UINT64_MAX, 0, std::nullopt}, true), "1 3 172 2 1 2 127 ");
}

void finds_quantiles() {
  Histogram histogram;
  check_equal(histogram.quantile(0.5), 0U);
  for (std::uint64_t i = 1; i <= 1000; ++i) histogram.add(i * 1000);
  histogram.add(UINT64_MAX);
  check_equal(histogram.count(), 1001U);
  check_equal(histogram.largest(), UINT64_MAX);
  for (const double share : {0.001, 0.5, 0.99}) {
    const double exact = share * 1001 * 1000;
    const auto found = static_cast<double>(histogram.quantile(share));
    check(found >= exact && found <= (exact + 1000) * 33 / 32, "a quantile is close");
  }
  check_equal(histogram.quantile(1), UINT64_MAX);
  Histogram small;
  for (std::uint64_t i = 0; i < 64; ++i) small.add(i);
  for (std::uint64_t i = 0; i < 64; ++i)
    check_equal(small.quantile(static_cast<double>(i + 1) / 64), i);
}

std::unique_ptr<Sampler> sampler_of(const TempFolder& folder, std::uint64_t interval_ns,
                                    std::size_t buffer_bytes) {
  TextBuffer buffer;
  std::vector<CounterFile> files;
  auto file = CounterFile::open(root_of(folder), "/file", Format::kFlat, buffer);
  check(file.ok());
  files.push_back(std::move(file.value()));
  return std::make_unique<Sampler>(std::move(files), interval_ns, buffer_bytes);
}

void wait_for(std::uint64_t rows, const Sampler& sampler) {
  for (int i = 0; i < 2000; ++i) {
    const Statistics so_far = sampler.statistics();
    if (so_far.rows + so_far.dropped >= rows) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  check(false, "rows come");
}

void samples_at_a_rate() {
  const TempFolder folder;
  put(folder.path() / "file", "a 1\nb 2\n");
  constexpr std::uint64_t kInterval = 2'000'000;
  const auto sampler = sampler_of(folder, kInterval, 1U << 20);
  const auto before = std::chrono::steady_clock::now().time_since_epoch().count();
  check(!sampler->start());
  wait_for(20, *sampler);
  sampler->stop();
  sampler->stop();
  const auto after = std::chrono::steady_clock::now().time_since_epoch().count();
  const Statistics statistics = sampler->statistics();
  check_equal(statistics.dropped, 0U);
  check_equal(statistics.late_ns.count(), statistics.rows);
  check(sampler->start_ns() >= static_cast<std::uint64_t>(before));
  // Every tick is accounted for, and none has come before its time.
  const std::uint64_t ticks = statistics.rows + statistics.missed;
  const std::uint64_t passed = static_cast<std::uint64_t>(after) - sampler->start_ns();
  check(ticks <= passed / kInterval + 2, "no tick before its time");
  const std::vector<std::uint8_t> rows = sampler->take();
  // The first row has both columns, the others none: five bytes at least.
  check(rows.size() >= 5 * statistics.rows + 4);
  check(sampler->take().empty(), "rows are taken once");
}

void drops_what_finds_no_room() {
  const TempFolder folder;
  put(folder.path() / "file", "a 1\n");
  const auto sampler = sampler_of(folder, 1'000'000, 64);
  check(!sampler->start());
  wait_for(30, *sampler);
  check(sampler->statistics().dropped > 0);
  check(sampler->take().size() <= 64, "the bound holds");
  const std::uint64_t before = sampler->statistics().rows;
  for (int i = 0; i < 2000 && sampler->statistics().rows == before; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  check(sampler->statistics().rows > before, "there is room again");
}

// At 0.1 Hz too: a sampler ends when it is told to, not at its next tick.
void ends_at_once() {
  const TempFolder folder;
  put(folder.path() / "file", "a 1\n");
  const auto sampler = sampler_of(folder, 10'000'000'000, 1U << 20);
  check(!sampler->start());
  wait_for(1, *sampler);
  const auto begin = std::chrono::steady_clock::now();
  sampler->stop();
  check(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  check_equal(sampler->statistics().rows, 1U);
}

}  // namespace

int main() {
  reads_flat_files();
  reads_single_numbers();
  reads_nested_files();
  reads_iaa_statistics();
  reads_what_comes_in_pieces();
  refuses_what_has_no_counters();
  encodes_rows();
  finds_quantiles();
  samples_at_a_rate();
  drops_what_finds_no_room();
  ends_at_once();
  return 0;
}
