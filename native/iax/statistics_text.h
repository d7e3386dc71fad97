#ifndef IAA_ZSWAP_IAX_STATISTICS_TEXT_H_
#define IAA_ZSWAP_IAX_STATISTICS_TEXT_H_

#include <string>

#include "iax/device.h"
#include "iax/session.h"

namespace iaa_zswap::iax {

/** The statistics of one device as a JSON object; the names are those of the structures. */
std::string statistics_text(const DeviceStatistics& device, const Session::Traffic& traffic);

}  // namespace iaa_zswap::iax

#endif  // IAA_ZSWAP_IAX_STATISTICS_TEXT_H_
