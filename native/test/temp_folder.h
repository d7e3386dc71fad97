#ifndef IAA_ZSWAP_TEST_TEMP_FOLDER_H_
#define IAA_ZSWAP_TEST_TEMP_FOLDER_H_

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "test/check.h"

namespace iaa_zswap::test {

/** A folder of its own, removed at the end. */
class TempFolder {
 public:
  TempFolder() {
    // mkdtemp() puts other letters in place of six of these.
    std::string name =
        (std::filesystem::temp_directory_path() / ("iaa-zswap-test-" + std::string(6, 'X')))
            .string();
    check(mkdtemp(name.data()) != nullptr, "mkdtemp");
    path_ = name;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace iaa_zswap::test

#endif  // IAA_ZSWAP_TEST_TEMP_FOLDER_H_
