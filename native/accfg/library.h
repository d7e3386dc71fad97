#ifndef IAA_ZSWAP_ACCFG_LIBRARY_H_
#define IAA_ZSWAP_ACCFG_LIBRARY_H_

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace iaa_zswap::accfg {

/** What libaccel-config would not do. */
struct Refusal {
  /** errno, positive; 0 where the library gave none. */
  int error = 0;
  /** What the library says of it: its log, its last error, the device's command status. */
  std::string said;
};

/** A WQ as the library sees it. */
struct Wq {
  std::string name;
  /** The library's word: `disabled`, `enabled`, `quiescing`, `locked`, `unknown`. */
  std::string state;
};

/** A device, with what belongs to it. */
struct Device {
  std::string name;
  std::string state;
  std::vector<Wq> wqs;
  std::vector<std::string> engines;
};

/**
 * libaccel-config, found when it is asked for and not when we are linked: it need not be there, and
 * what it has differs by version (3.5.3 to 4.1.9 are known). Its paths below /sys are compiled in,
 * so it is for the running machine alone. Calls may come from any thread; they wait for each other.
 */
class Library {
 public:
  /** Loads the library by its soname; or says why there is none to use. */
  static std::variant<std::unique_ptr<Library>, std::string> open();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library();

  /** Functions that newer versions have and this one lacks. */
  [[nodiscard]] const std::vector<std::string>& lacks() const { return lacks_; }

  /** All devices of the dsa bus, as they are now. */
  std::variant<std::vector<Device>, Refusal> devices();

  /** Enables a device or WQ by its name, as `iax1` or `wq1.0`. ENODEV: the library sees no such. */
  std::optional<Refusal> enable(const std::string& name);

  /** Disables one, unless it has clients. */
  std::optional<Refusal> disable(const std::string& name);

 private:
  struct Functions;
  class Context;

  Library(void* handle, std::unique_ptr<const Functions> functions, std::vector<std::string> lacks);

  enum class Change : bool { kEnable, kDisable };
  std::optional<Refusal> change(const std::string& name, Change change);

  void* handle_;
  std::unique_ptr<const Functions> functions_;
  std::vector<std::string> lacks_;
  std::mutex mutex_;
};

}  // namespace iaa_zswap::accfg

#endif  // IAA_ZSWAP_ACCFG_LIBRARY_H_
