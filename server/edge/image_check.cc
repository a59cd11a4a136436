// The scheduler is told what an image will cost to decode before anything is decoded, so the prediction can only rest
// on the size that the header declares. The rates are measured on photographs, decode and resize together; an image
// that is cheaper than predicted only makes its batch start a little early.
#include "server/edge/image_check.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/edge/error.h"

namespace resnetd::server {
namespace {

constexpr double kJpegNanosecondsAPixel = 8;
constexpr double kPngNanosecondsAPixel = 30;
constexpr double kTensorNanosecondsAByte = 1;

bool AllFinite(absl::Span<const std::byte> floats) {
  for (size_t at = 0; at < floats.size(); at += sizeof(float)) {
    float x;
    std::memcpy(&x, floats.data() + at, sizeof x);
    if (!std::isfinite(x)) return false;
  }
  return true;
}

std::string ShapeText(absl::Span<const int32_t> shape) {
  constexpr size_t kShown = 8;
  return absl::StrCat("[", absl::StrJoin(shape.subspan(0, kShown), ", "), shape.size() > kShown ? ", ..." : "", "]");
}

}  // namespace

absl::StatusOr<CheckedImage> CheckEncoded(absl::Span<const std::byte> file, absl::string_view field,
                                          const image::Limits& limits) {
  const absl::StatusOr<image::Header> header = image::Sniff(file, limits);
  if (!header.ok()) {
    image::Limits wider = limits;
    wider.max_pixels = std::numeric_limits<int64_t>::max();
    const absl::string_view option = image::Sniff(file, wider).ok() ? " (--max-image-pixels)" : "";
    return FieldError(field, absl::StrCat(header.status().message(), option), reason::kBadImage);
  }
  const double pixels = static_cast<double>(header->width) * header->height;
  const double rate = header->format == image::Format::kJpeg ? kJpegNanosecondsAPixel : kPngNanosecondsAPixel;
  return CheckedImage{{SourceKind::kEncoded, file}, scheduling::Duration(static_cast<int64_t>(pixels * rate))};
}

absl::StatusOr<CheckedImage> CheckTensor(SourceKind kind, absl::Span<const int32_t> shape,
                                         absl::Span<const std::byte> data, absl::string_view field,
                                         const ModelInfo& model) {
  const bool pixels = kind == SourceKind::kPixelsU8;
  const std::array<int32_t, 3> wanted = pixels ? std::array<int32_t, 3>{model.height, model.width, model.channels}
                                               : std::array<int32_t, 3>{model.channels, model.height, model.width};
  const absl::string_view type = pixels ? "UINT8" : "FLOAT32";
  if (shape != absl::MakeConstSpan(wanted)) {
    return FieldError(absl::StrCat(field, ".shape"),
                      absl::StrCat("expected ", ShapeText(wanted), " (",
                                   pixels ? "height, width, channels" : "channels, height, width", ") for ", type,
                                   ", got ", ShapeText(shape)));
  }
  const size_t bytes =
      static_cast<size_t>(wanted[0]) * wanted[1] * wanted[2] * (pixels ? sizeof(uint8_t) : sizeof(float));
  if (data.size() != bytes) {
    return FieldError(absl::StrCat(field, ".data"), absl::StrCat("expected ", bytes, " bytes for ", type, " of shape ",
                                                                 ShapeText(wanted), ", got ", data.size()));
  }
  if (!pixels && !AllFinite(data)) {
    return FieldError(absl::StrCat(field, ".data"), "expected finite values, got an infinity or a NaN");
  }
  return CheckedImage{{kind, data},
                      scheduling::Duration(static_cast<int64_t>(static_cast<double>(bytes) * kTensorNanosecondsAByte))};
}

}  // namespace resnetd::server
