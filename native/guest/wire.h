#ifndef IAA_ZSWAP_GUEST_WIRE_H_
#define IAA_ZSWAP_GUEST_WIRE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace iaa_zswap::guest {

/** Longest line that the machine may send, bytes: above ARG_MAX's usual 2 MiB even when
 * percent-encoded. */
inline constexpr std::size_t kMaxLineBytes = std::size_t{8} << 20;

/** Largest payload of one frame to the machine, bytes. */
inline constexpr std::size_t kMaxPayloadBytes = std::size_t{64} << 10;

/** What a frame to the machine carries (docs/guest.md). */
enum class FrameType : char {
  kHello = 'h',
  kStdout = '1',
  kStderr = '2',
  kEnd = 'x',
  kRefused = 'e',
};

/** Type, then the payload's length as 32 bits, little endian. */
std::array<char, 5> frame_header(FrameType type, std::uint32_t length);

/** The words of one line, percent-decoded; nullopt for a malformed escape. */
std::optional<std::vector<std::string>> decode_line(std::string_view line);

/** A request to run a program. */
struct RunRequest {
  std::string cwd;
  std::vector<std::string> env;   // NAME=VALUE
  std::vector<std::string> argv;  // not empty
};

/** `run CWD COUNT ENV... ARGV...` with COUNT words of environment; nullopt when malformed. */
std::optional<RunRequest> decode_run(const std::vector<std::string>& words);

/** A whole decimal number without sign; nullopt for any other text. */
std::optional<unsigned> decode_number(std::string_view text);

}  // namespace iaa_zswap::guest

#endif  // IAA_ZSWAP_GUEST_WIRE_H_
