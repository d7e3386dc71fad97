#ifndef IAA_ZSWAP_SAMPLER_COUNTER_FILE_H_
#define IAA_ZSWAP_SAMPLER_COUNTER_FILE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"
#include "hostfs/host_root.h"
#include "sampler/text_template.h"

namespace iaa_zswap::sampler {

/** Space for a file's text, shared by all files of a sampler; it grows to the largest. */
using TextBuffer = std::vector<char>;

/** A kernel file of counters, kept open. Its columns are the keys that it had when it was opened.
 */
class CounterFile {
 public:
  /** Opens and reads a file. A file without any counter in `format` is EINVAL from `no-counter`. */
  static common::Result<CounterFile> open(std::shared_ptr<const hostfs::HostRoot> root,
                                          const std::string& path, Format format,
                                          TextBuffer& buffer);

  /** In the order of the file's lines. */
  [[nodiscard]] const std::vector<std::string>& keys() const { return keys_; }

  /** Reads the file anew into `cells`, one for each key. A key that the file does not have now is
   * an empty cell, and so are all when it cannot be read (ENODEV: the cgroup is gone). */
  void read(TextBuffer& buffer, std::span<Cell> cells);

 private:
  using Columns = std::unordered_map<std::string, std::size_t>;

  CounterFile(std::shared_ptr<const hostfs::HostRoot> root, common::UniqueFd fd, bool seekable,
              Format format)
      : root_(std::move(root)), fd_(std::move(fd)), seekable_(seekable), format_(format) {}

  /** Puts the next read_on at the begin. */
  std::optional<common::Failure> rewind();
  /** Reads on from byte `have`; 0 is the end of the file. */
  common::Result<std::size_t> read_on(TextBuffer& buffer, std::size_t have) const;
  common::Result<std::string_view> read_to_end(TextBuffer& buffer, std::size_t have) const;
  [[nodiscard]] std::optional<std::size_t> column_of(std::string_view key) const;

  std::shared_ptr<const hostfs::HostRoot> root_;
  common::UniqueFd fd_;
  /** The numbers of debugfs cannot be read twice by one descriptor (simple_attr_open in fs/libfs.c
   * makes it a stream): `fd_` then stands for the file, and each time it is opened anew. */
  bool seekable_;
  common::UniqueFd stream_;
  Format format_;
  std::vector<std::string> keys_;
  Columns columns_;
  TextTemplate template_;
  /** The template has every key: whatever follows it is not ours. */
  bool has_all_keys_ = true;
};

}  // namespace iaa_zswap::sampler

#endif  // IAA_ZSWAP_SAMPLER_COUNTER_FILE_H_
