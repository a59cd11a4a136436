#ifndef RESNETD_ENGINE_IMAGE_DECODE_TEXT_FORM_H_
#define RESNETD_ENGINE_IMAGE_DECODE_TEXT_FORM_H_

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace resnetd::image {

// Says of bytes that are no image file in which text they hold one, and what to do: a data URI, or base64. Empty for
// all other bytes. `is_image` tells of the first bytes of a file whether they are an image's.
absl::string_view TextFormOf(absl::string_view file, absl::FunctionRef<bool(absl::string_view)> is_image);

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_DECODE_TEXT_FORM_H_
