#include "codec/completion.h"

#include <cerrno>

namespace iaa_zswap::codec {

int completion_errno(const Completion& completion, bool compress) {
  if (completion.status == Status::kSuccess) return 0;
  if (completion.status == Status::kOutputOverflow) return -EOVERFLOW;
  if (compress && completion.error == ErrorCode::kOutputTooSmall) return -E2BIG;
  return -EINVAL;
}

}  // namespace iaa_zswap::codec
