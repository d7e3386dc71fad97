#ifndef IAA_ZSWAP_IAX_SERVER_H_
#define IAA_ZSWAP_IAX_SERVER_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"
#include "iax/session.h"

namespace iaa_zswap::iax {

struct ServerOptions {
  // Folder of the sockets: iax0.sock and so on, and control.sock. Only its owner may enter it: who
  // connects to a device says what memory of his it may reach.
  std::string folder;
  uint32_t devices = 1;
  SessionOptions session;
};

/** The devices of one guest, each behind a socket with a thread of its own. */
class Server {
 public:
  explicit Server(ServerOptions options) : options_(std::move(options)) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /** Listens on all sockets; a socket that is left from before is replaced. */
  [[nodiscard]] std::optional<common::Failure> start();

  [[nodiscard]] bool has_had_client() const { return seen_; }

  /** Whether every client that ever came has gone, and at least one came. */
  [[nodiscard]] bool is_abandoned() const { return seen_ && connected_ == 0; }

  /** Ends all connections and threads and removes the sockets. */
  void stop();

 private:
  struct Port {
    explicit Port(const SessionOptions& options) : session(options) {}
    std::string path;
    common::UniqueFd listener;
    Session session;
    std::thread thread;
  };

  [[nodiscard]] static common::Result<common::UniqueFd> listen_on(const std::string& path);
  [[nodiscard]] common::UniqueFd next_client(int listener) const;
  void serve_device(Port& port);
  void serve_client(int client, Session& session) const;
  void serve_control();
  [[nodiscard]] std::string answer(const std::string& line);
  [[nodiscard]] std::string statistics();

  const ServerOptions options_;
  common::UniqueFd stop_event_;  // readable when it is time to stop
  std::vector<std::unique_ptr<Port>> ports_;
  std::string control_path_;
  common::UniqueFd control_;
  std::thread control_thread_;
  std::atomic<bool> seen_ = false;
  std::atomic<int> connected_ = 0;
};

}  // namespace iaa_zswap::iax

#endif  // IAA_ZSWAP_IAX_SERVER_H_
