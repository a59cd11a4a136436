#include "engine/onednn/status.h"

#include <dnnl_debug.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace resnetd::onednn {

absl::Status ToStatus(dnnl_status_t code, absl::string_view what) {
  if (code == dnnl_success) return absl::OkStatus();  // each run ends here, and allocates nothing
  const std::string message = absl::StrCat(what, ": oneDNN says ", dnnl_status2str(code));
  switch (code) {
    case dnnl_out_of_memory:
      return absl::ResourceExhaustedError(message);
    case dnnl_unimplemented:
    case dnnl_invalid_arguments:
      return absl::InvalidArgumentError(message);
    default:
      return absl::InternalError(message);
  }
}

}  // namespace resnetd::onednn
