#ifndef IAA_ZSWAP_COMMON_ERROR_NAME_H_
#define IAA_ZSWAP_COMMON_ERROR_NAME_H_

#include <cstring>
#include <string>

namespace iaa_zswap::common {

/** Name of an errno, as `ENOENT`; `E` and the number for one the C library does not know. */
inline std::string error_name(int error) {
  const char* known = strerrorname_np(error);
  if (known != nullptr) return known;
  std::string name = "E";
  name += std::to_string(error);
  return name;
}

}  // namespace iaa_zswap::common

#endif  // IAA_ZSWAP_COMMON_ERROR_NAME_H_
