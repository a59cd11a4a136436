#ifndef RESNETD_SERVER_EDGE_IMAGE_CHECK_H_
#define RESNETD_SERVER_EDGE_IMAGE_CHECK_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/image/image.h"
#include "server/edge/codec.h"

// Whether an image may be computed, found out without decoding it. Shared by all protocols: `field` is the path that
// the protocol's client knows the image by, errors are FieldError()s beneath it.
namespace resnetd::server {

// A JPEG, PNG or WebP file, by its header, if the model takes files.
absl::StatusOr<CheckedImage> CheckEncoded(absl::Span<const std::byte> file, absl::string_view field, const Model& model,
                                          const image::Limits& limits);

// An image as numbers, as its client describes it.
struct RawImage {
  SourceKind kind = SourceKind::kPixelsU8;
  Layout layout = Layout::kNhwc;
  absl::Span<const int32_t> shape;  // [height, width, channels], or [channels, height, width] of kNchw
  absl::Span<const std::byte> data;
};

// Pixels of the model's input size or, if its recipe resizes, of any within the limits; floats of the input's size, all
// finite.
absl::StatusOr<CheckedImage> CheckTensor(const RawImage& raw, absl::string_view field, const Model& model,
                                         const image::Limits& limits);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_IMAGE_CHECK_H_
