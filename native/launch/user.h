#ifndef IAA_ZSWAP_LAUNCH_USER_H_
#define IAA_ZSWAP_LAUNCH_USER_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace iaa_zswap::launch {

/** Who a program runs as: an entry of the user database (getpwnam(3), getpwuid(3)). */
struct User {
  std::string name;
  uid_t uid = 0;
  /** Of the entry, or the one that was asked for. */
  gid_t gid = 0;
  /** All groups that the databases give the user, the entry's own among them. */
  std::vector<gid_t> groups;
  std::string home;
  std::string shell;
};

/**
 * The user that `text` names: a name or a number, and `:GID` for another group than the entry's, of
 * which the user must be a member. Fails with the database's errno, ENOENT for a user that is not
 * in it, and EPERM for a group that is not the user's.
 */
[[nodiscard]] common::Result<User> find_user(std::string_view text);

/** Makes the calling process be the user's, for good. */
[[nodiscard]] std::optional<common::Failure> become(const User& user);

/** The caller's environment with the user's HOME, LOGNAME, SHELL and USER, as `NAME=value`. */
[[nodiscard]] std::vector<std::string> environment_of(const User& user);

}  // namespace iaa_zswap::launch

#endif  // IAA_ZSWAP_LAUNCH_USER_H_
