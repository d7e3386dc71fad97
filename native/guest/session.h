#ifndef IAA_ZSWAP_GUEST_SESSION_H_
#define IAA_ZSWAP_GUEST_SESSION_H_

#include <cstdint>

namespace iaa_zswap::guest {

/** When the guest may outlive the machine's process that talks to it. */
enum class Lease : std::uint8_t {
  kNone,       // it runs until it is told to stop
  kConnected,  // it powers off when the machine's side of a channel closes: nobody would stop it
               // then
};

/**
 * Serves one channel, a virtio-serial port that is open non-blocking, for as long as the guest
 * runs: one request at a time, as docs/guest.md tells. A client that goes away takes its program
 * with it.
 */
[[noreturn]] void serve_channel(int port, Lease lease);

/** Writes back what is unwritten and switches the guest off. */
[[noreturn]] void power_off();

}  // namespace iaa_zswap::guest

#endif  // IAA_ZSWAP_GUEST_SESSION_H_
