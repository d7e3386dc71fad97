#include "sampler/counter_file.h"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace iaa_zswap::sampler {

using common::Failure;
using common::Result;

namespace {

constexpr std::size_t kFirstBuffer = 16384;

}  // namespace

Result<CounterFile> CounterFile::open(std::shared_ptr<const hostfs::HostRoot> root,
                                      const std::string& path, Format format, TextBuffer& buffer) {
  Result<common::UniqueFd> fd = root->open_to_read(path);
  if (!fd.ok()) return fd.failure();
  const bool seekable = lseek(fd.value().get(), 0, SEEK_CUR) >= 0;
  CounterFile file(std::move(root), std::move(fd.value()), seekable, format);
  if (const std::optional<Failure> failure = file.rewind()) return *failure;
  const Result<std::string_view> text = file.read_to_end(buffer, 0);
  if (!text.ok()) return text.failure();
  file.template_ = TextTemplate::learn(text.value(), format, [&file](std::string_view key) {
    const std::size_t column = file.keys_.size();
    const bool is_new = file.columns_.try_emplace(std::string(key), column).second;
    // The first of two lines with one name counts.
    if (!is_new) return std::optional<std::size_t>();
    file.keys_.emplace_back(key);
    return std::optional(column);
  });
  if (file.keys_.empty()) return Failure{.error = EINVAL, .syscall = "no-counter"};
  return file;
}

void CounterFile::read(TextBuffer& buffer, std::span<Cell> cells) {
  std::ranges::fill(cells, std::nullopt);
  if (rewind()) return;
  std::size_t have = 0;
  for (;;) {
    const Result<std::size_t> count = read_on(buffer, have);
    if (!count.ok()) {
      std::ranges::fill(cells, std::nullopt);
      return;
    }
    have += count.value();
    // A short read is not the end: seq_file gives what fits its page. But where the last line is
    // known and has come, no other read is needed to learn that nothing follows.
    const bool is_all = count.value() == 0;
    if (!has_all_keys_ && !is_all) continue;
    const TextTemplate::Match match = template_.match({buffer.data(), have}, is_all, cells);
    if (match == TextTemplate::Match::kWhole) return;
    if (match == TextTemplate::Match::kOther || is_all) break;
  }

  const Result<std::string_view> text = read_to_end(buffer, have);
  std::ranges::fill(cells, std::nullopt);
  if (!text.ok()) return;
  std::vector<bool> seen(keys_.size());
  template_ = TextTemplate::learn(text.value(), format_, [&](std::string_view key) {
    const std::optional<std::size_t> column = column_of(key);
    if (!column || seen[*column]) return std::optional<std::size_t>();
    seen[*column] = true;
    return column;
  });
  has_all_keys_ = std::ranges::find(seen, false) == seen.end();
  static_cast<void>(template_.match(text.value(), true, cells));
}

std::optional<std::size_t> CounterFile::column_of(std::string_view key) const {
  const auto found = columns_.find(std::string(key));
  return found == columns_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Failure> CounterFile::rewind() {
  if (seekable_) return std::nullopt;
  Result<common::UniqueFd> again = root_->reopen_to_read(fd_);
  if (!again.ok()) return again.failure();
  stream_ = std::move(again.value());
  return std::nullopt;
}

Result<std::size_t> CounterFile::read_on(TextBuffer& buffer, std::size_t have) const {
  if (have == buffer.size()) {
    if (have >= hostfs::kReadLimit) return Failure{.error = EFBIG, .syscall = "size-limit"};
    buffer.resize(std::max(kFirstBuffer, have * 2));
  }
  for (;;) {
    char* const to = buffer.data() + have;
    const std::size_t room = buffer.size() - have;
    const ssize_t count = seekable_ ? pread(fd_.get(), to, room, static_cast<off_t>(have))
                                    : ::read(stream_.get(), to, room);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return common::last_failure(seekable_ ? "pread" : "read");
  }
}

Result<std::string_view> CounterFile::read_to_end(TextBuffer& buffer, std::size_t have) const {
  for (;;) {
    const Result<std::size_t> count = read_on(buffer, have);
    if (!count.ok()) return count.failure();
    if (count.value() == 0) return std::string_view(buffer.data(), have);
    have += count.value();
  }
}

}  // namespace iaa_zswap::sampler
