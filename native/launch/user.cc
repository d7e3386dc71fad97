#include "launch/user.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <limits>
#include <system_error>

namespace iaa_zswap::launch {
namespace {

using common::Failure;
using common::Result;

/** A number as the kernel takes one; -1 means "leave as it is" to it (setresuid(2)). */
std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (id == std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return id;
}

Result<User> find_entry(const std::string& name) {
  const std::optional<uid_t> uid = parse_id(name);
  std::vector<char> buffer(4096);
  for (;;) {
    passwd entry{};
    passwd* found = nullptr;
    const int error = uid ? getpwuid_r(*uid, &entry, buffer.data(), buffer.size(), &found)
                          : getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (error == EINTR) continue;
    // An entry can be of any length; beyond a megabyte it is none.
    if (error == ERANGE && buffer.size() < 1U << 20U) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    const char* const syscall = uid ? "getpwuid" : "getpwnam";
    if (error != 0) return Failure{.error = error, .syscall = syscall};
    if (found == nullptr) return Failure{.error = ENOENT, .syscall = syscall};
    return User{.name = entry.pw_name,
                .uid = entry.pw_uid,
                .gid = entry.pw_gid,
                .groups = {},
                .home = entry.pw_dir,
                .shell = entry.pw_shell};
  }
}

std::vector<gid_t> groups_of(const User& user) {
  int count = 64;
  for (;;) {
    std::vector<gid_t> groups(static_cast<std::size_t>(count));
    const int before = count;
    if (getgrouplist(user.name.c_str(), user.gid, groups.data(), &count) >= 0) {
      groups.resize(static_cast<std::size_t>(count));
      return groups;
    }
    count = std::max(count, before * 2);  // musl and old glibc do not say how many there are
  }
}

}  // namespace

Result<User> find_user(std::string_view text) {
  const std::size_t colon = text.find(':');
  Result<User> user = find_entry(std::string(text.substr(0, colon)));
  if (!user.ok()) return user;
  user.value().groups = groups_of(user.value());
  if (colon == std::string_view::npos) return user;
  const std::optional<gid_t> gid = parse_id(text.substr(colon + 1));
  if (!gid) return Failure{.error = EINVAL, .syscall = "group"};
  if (std::ranges::find(user.value().groups, *gid) == user.value().groups.end()) {
    return Failure{.error = EPERM, .syscall = "group"};
  }
  user.value().gid = *gid;
  return user;
}

std::optional<Failure> become(const User& user) {
  const auto failed = [](const char* syscall) {
    return Failure{.error = errno, .syscall = syscall};
  };
  if (setgroups(user.groups.size(), user.groups.data()) < 0) return failed("setgroups");
  if (setresgid(user.gid, user.gid, user.gid) < 0) return failed("setresgid");
  if (setresuid(user.uid, user.uid, user.uid) < 0) return failed("setresuid");
  // What must never be is a program that can go back.
  if (user.uid != 0 && setresuid(0, 0, 0) == 0)
    return Failure{.error = EPERM, .syscall = "setresuid"};
  return std::nullopt;
}

std::vector<std::string> environment_of(const User& user) {
  const auto is_ours = [](std::string_view entry) {
    return entry.starts_with("HOME=") || entry.starts_with("LOGNAME=") ||
           entry.starts_with("SHELL=") || entry.starts_with("USER=");
  };
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!is_ours(*entry)) result.emplace_back(*entry);
  }
  result.push_back("HOME=" + user.home);
  result.push_back("LOGNAME=" + user.name);
  result.push_back("SHELL=" + (user.shell.empty() ? "/bin/sh" : user.shell));
  result.push_back("USER=" + user.name);
  return result;
}

}  // namespace iaa_zswap::launch
