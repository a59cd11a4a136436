#ifndef RESNETD_ENGINE_ONEDNN_STATUS_H_
#define RESNETD_ENGINE_ONEDNN_STATUS_H_

#include <dnnl.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace resnetd::onednn {

// The status of oneDNN's `code` while doing `what` ("compiling Conv \"conv1\" ..."). Out of memory is
// RESOURCE_EXHAUSTED; what the library does not implement is INVALID_ARGUMENT, since the model asked for it; the rest
// is INTERNAL.
absl::Status ToStatus(dnnl_status_t code, absl::string_view what);

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_STATUS_H_
