#ifndef RESNETD_SERVER_EDGE_IMAGE_CHECK_H_
#define RESNETD_SERVER_EDGE_IMAGE_CHECK_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/image/image.h"
#include "server/edge/request.h"

// Whether an image may be computed, found out without decoding it. Shared by all protocols: `field` is the path that
// the protocol's client knows the image by, errors are FieldError()s beneath it.
namespace resnetd::server {

// A JPEG, PNG or WebP file, by its header.
absl::StatusOr<CheckedImage> CheckEncoded(absl::Span<const std::byte> file, absl::string_view field,
                                          const image::Limits& limits);

// An image as numbers: kPixelsU8 of shape [height, width, channels] or kTensorF32 of [channels, height, width], of the
// model's input size, floats finite.
absl::StatusOr<CheckedImage> CheckTensor(SourceKind kind, absl::Span<const int32_t> shape,
                                         absl::Span<const std::byte> data, absl::string_view field,
                                         const ModelInfo& model);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_IMAGE_CHECK_H_
