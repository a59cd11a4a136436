// The scheduler is told what an image will cost to decode before anything is decoded, so the prediction can only rest
// on what the header declares. An image that is cheaper than predicted only makes its batch start a little early.
#include "server/edge/image_check.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/image/decode/orientation.h"
#include "server/edge/error.h"

namespace resnetd::server {
namespace {

constexpr double kTensorNanosecondsAByte = 1.5;  // of planes of pixels that are resized; others take less

size_t BytesAValue(SourceKind kind) {
  return kind == SourceKind::kTensorF32 ? sizeof(float) : kind == SourceKind::kTensorF16 ? sizeof(uint16_t) : 1;
}

absl::string_view TypeName(SourceKind kind) {
  return kind == SourceKind::kTensorF32 ? "FLOAT32" : kind == SourceKind::kTensorF16 ? "FLOAT16" : "UINT8";
}

std::string ShapeText(absl::Span<const int32_t> shape) {
  constexpr size_t kShown = 8;
  return absl::StrCat("[", absl::StrJoin(shape.subspan(0, kShown), ", "), shape.size() > kShown ? ", ..." : "", "]");
}

struct Size {
  int height = 0, width = 0, channels = 0;
};

// Reads the size from a shape of three.
Size SizeOf(const RawImage& raw) {
  const absl::Span<const int32_t> s = raw.shape;
  return raw.layout == Layout::kNchw ? Size{s[1], s[2], s[0]} : Size{s[0], s[1], s[2]};
}

// "[28, 28, 1] (height, width, channels) for UINT8", with words in place of sizes that are free.
std::string ExpectedShape(const RawImage& raw, const ModelInfo& info, bool any_size) {
  const std::string size = any_size ? "height, width" : absl::StrCat(info.height, ", ", info.width);
  const bool planar = raw.layout == Layout::kNchw;
  return absl::StrCat(
      planar ? absl::StrCat("[", info.channels, ", ", size, "]") : absl::StrCat("[", size, ", ", info.channels, "]"),
      planar ? " (channels, height, width)" : " (height, width, channels)", " for ", TypeName(raw.kind));
}

absl::Status CheckShape(const RawImage& raw, absl::string_view field, const Model& model, const image::Limits& limits) {
  const ModelInfo& info = model.engine->info();
  const std::string path = absl::StrCat(field, ".shape");
  const bool resizes = model.recipe.resize != image::Resize::kNone;
  const bool any_size = resizes && raw.kind == SourceKind::kPixelsU8;
  const Size size = raw.shape.size() == 3 ? SizeOf(raw) : Size();
  const bool inputs_size = size.height == info.height && size.width == info.width;
  if (size.channels != info.channels || !(inputs_size || (any_size && size.height > 0 && size.width > 0))) {
    return FieldError(
        path, absl::StrCat("expected ", ExpectedShape(raw, info, any_size),
                           resizes && !any_size ? ", as only UINT8 is resized" : "", ", got ", ShapeText(raw.shape)));
  }
  if (inputs_size) return absl::OkStatus();
  if (std::max(size.height, size.width) > limits.max_side) {
    return FieldError(path,
                      absl::StrCat("expected at most ", limits.max_side, " pixels a side, got ", ShapeText(raw.shape)));
  }
  if (int64_t{size.height} * size.width > limits.max_pixels) {
    return FieldError(path, absl::StrCat("expected at most ", limits.max_pixels,
                                         " pixels in all (--max-image-pixels), got ", ShapeText(raw.shape)));
  }
  return absl::OkStatus();
}

// Bits: an unsigned integer as wide as the floats, whose exponent is all ones in an infinity or a NaN.
template <typename Bits>
absl::Status CheckFinite(const RawImage& raw, Bits exponent, absl::string_view field) {
  for (size_t i = 0; i < raw.data.size() / sizeof(Bits); ++i) {
    Bits bits;
    std::memcpy(&bits, raw.data.data() + i * sizeof(Bits), sizeof bits);
    if ((bits & exponent) != exponent) continue;
    constexpr Bits kSign = Bits{1} << (std::numeric_limits<Bits>::digits - 1);
    const absl::string_view value = (bits & ~exponent & ~kSign) != 0 ? "nan" : (bits & kSign) != 0 ? "-inf" : "inf";
    const auto rows = static_cast<size_t>(raw.shape[1]), columns = static_cast<size_t>(raw.shape[2]);
    return FieldError(absl::StrCat(field, ".data"),
                      absl::StrCat("expected finite values, got ", value, " at index ", i, ", [", i / columns / rows,
                                   ", ", i / columns % rows, ", ", i % columns, "]"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CheckedImage> CheckEncoded(absl::Span<const std::byte> file, absl::string_view field, const Model& model,
                                          const image::Limits& limits) {
  if (!model.recipe.takes_files()) {
    return FieldError(field, absl::StrCat("expected a tensor, as the input of model \"", Echo(model.name), "\" has ",
                                          model.recipe.channels(), " channels, which are no colours; got a file"));
  }
  const absl::StatusOr<image::Header> header = image::Sniff(file, limits);
  if (!header.ok()) {
    const absl::string_view option = image::HasTooManyPixels(file, limits) ? " (--max-image-pixels)" : "";
    return FieldError(field, absl::StrCat(header.status().message(), option), reason::kBadImage);
  }
  double nanoseconds = image::DecodeNanoseconds(*header, file.size());
  if (model.recipe.orientation == image::Orientation::kApply) {
    nanoseconds += image::TurnNanoseconds(*header, image::ReadOrientation(file, header->format));
  }
  return CheckedImage{{.kind = SourceKind::kEncoded, .bytes = file, .header = *header},
                      Duration(static_cast<int64_t>(nanoseconds))};
}

absl::StatusOr<CheckedImage> CheckTensor(const RawImage& raw, absl::string_view field, const Model& model,
                                         const image::Limits& limits) {
  RESNETD_RETURN_IF_ERROR(CheckShape(raw, field, model, limits));
  const Size size = SizeOf(raw);
  const size_t bytes = BytesAValue(raw.kind) * static_cast<size_t>(size.channels) * static_cast<size_t>(size.height) *
                       static_cast<size_t>(size.width);
  if (raw.data.size() != bytes) {
    return FieldError(absl::StrCat(field, ".data"),
                      absl::StrCat("expected ", bytes, " bytes for ", TypeName(raw.kind), " of shape ",
                                   ShapeText(raw.shape), ", got ", raw.data.size()));
  }
  if (raw.kind == SourceKind::kTensorF32) RESNETD_RETURN_IF_ERROR(CheckFinite(raw, uint32_t{0x7F80'0000}, field));
  if (raw.kind == SourceKind::kTensorF16) RESNETD_RETURN_IF_ERROR(CheckFinite(raw, uint16_t{0x7C00}, field));
  return CheckedImage{{raw.kind, raw.data, raw.layout, size.height, size.width},
                      Duration(static_cast<int64_t>(static_cast<double>(bytes) * kTensorNanosecondsAByte))};
}

}  // namespace resnetd::server
