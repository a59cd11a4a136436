// decoder -> a resampler -> Normaliser -> dst, row by row: no image is ever whole in memory but where its format needs
// that (interlaced PNG, JPEG of several scans, WebP) or has to be turned.
#include "engine/image/image.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/image/decode/decode.h"
#include "engine/image/decode/orientation.h"
#include "engine/image/normaliser.h"
#include "engine/image/resize/axis.h"
#include "engine/image/resize/bilinear.h"
#include "engine/image/resize/resize.h"

namespace resnetd::image {
namespace {

absl::Status CheckDestination(const TensorView& dst, const Recipe& recipe) {
  if (dst.height == recipe.height && dst.width == recipe.width && dst.channels == recipe.channels()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("dst: expected height, width, channels ", recipe.height, ", ",
                                                 recipe.width, ", ", recipe.channels(), ", got ", dst.height, ", ",
                                                 dst.width, ", ", dst.channels));
}

absl::Status CheckForFile(const TensorView& dst, const Recipe& recipe) {
  RESNETD_RETURN_IF_ERROR(CheckDestination(dst, recipe));
  if (recipe.takes_files()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the model's input has ", recipe.channels(), " channels: expected a tensor, got an image file"));
}

absl::Status CheckPixels(const PixelView& pixels, const Recipe& recipe) {
  if (pixels.channels != recipe.channels()) {
    return absl::InvalidArgumentError(
        absl::StrCat("pixels: expected ", recipe.channels(), " channels, got ", pixels.channels));
  }
  if (pixels.width < 1 || pixels.height < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("pixels: expected a size of at least 1x1, got ", pixels.width, "x", pixels.height));
  }
  return absl::OkStatus();
}

// Row y, in `line` if its planes are apart.
const uint8_t* Interleaved(const PixelView& pixels, int y, std::vector<uint8_t>& line) {
  const size_t width = static_cast<size_t>(pixels.width), channels = static_cast<size_t>(pixels.channels);
  if (!pixels.planar) return pixels.data + static_cast<size_t>(y) * width * channels;
  line.resize(width * channels);
  for (size_t c = 0; c < channels; ++c) {
    const uint8_t* plane_row = pixels.data + (c * static_cast<size_t>(pixels.height) + static_cast<size_t>(y)) * width;
    for (size_t x = 0; x < width; ++x) line[x * channels + c] = plane_row[x];
  }
  return line.data();
}

// Lets the decoder shrink the image by as much as Pillow's draft mode does: the most that leaves at least the scaled
// size.
int Shrink(Placement& placement, int orientation) {
  const int64_t spare = std::min(placement.x.from / placement.x.to, placement.y.from / placement.y.to);
  int shrink = 8;
  while (shrink > 1 && shrink > spare) shrink /= 2;
  placement.x.shrink = placement.y.shrink = shrink;
  placement.x.reversed = ReversesX(orientation);
  placement.y.reversed = ReversesY(orientation);
  return shrink;
}

absl::Status Decode(absl::Span<const std::byte> file, const Header& header, const DecodeOptions& options,
                    DecodedRowSink sink) {
  switch (header.format) {
    case Format::kJpeg:
      return DecodeJpeg(file, header, options, sink);
    case Format::kPng:
      return DecodePng(file, header, options, sink);
    case Format::kWebp:
      return DecodeWebp(file, header, options, sink);
  }
  return absl::InternalError("a file of an unknown format");
}

// Returns the part of `dst` that the image fills, if black surrounds it.
TensorView Inside(const TensorView& dst, const Placement& placement) {
  TensorView inside = dst;
  inside.data += placement.top * dst.row + placement.left * dst.pixel;
  inside.height = placement.y.count;
  inside.width = placement.x.count;
  return inside;
}

}  // namespace

struct Preprocessor::State {
  Limits limits;
  Resampler resampler;
  Cv2Resampler cv2;
  Tf2Resampler tf2;
  Normaliser normaliser;
  Scratch scratch;
  std::vector<uint8_t> line;  // of planar pixels, or black
  int64_t stray_bytes = 0;    // of the last file

  // The image under way: the recipe's filter, where in the destination its rows go, and whether its channels come in
  // the opposite order.
  Interpolation interpolation = Interpolation::kBilinear;
  TensorView inside;
  bool reversed = false;

  void Start(const Placement& placement, const Recipe& recipe, const TensorView& dst);
  void Push(const uint8_t* row);
};

// Prepares for an image. What surrounds it in `dst` is written.
void Preprocessor::State::Start(const Placement& placement, const Recipe& recipe, const TensorView& dst) {
  interpolation = recipe.interpolation;
  if (interpolation == Interpolation::kBilinearCv2) {
    cv2.Start(placement, recipe.channels());
  } else if (interpolation == Interpolation::kBilinearTf2) {
    tf2.Start(placement, recipe.channels());
  } else {
    resampler.Start(placement, interpolation, recipe.channels());
  }
  normaliser.Prepare(recipe);
  inside = Inside(dst, placement);
  if (inside.height < dst.height || inside.width < dst.width) {
    line.assign(size_t{1} * dst.width * dst.channels, 0);
    for (int y = 0; y < dst.height; ++y) normaliser.Row(line.data(), /*reversed=*/false, y, dst);
  }
}

// Takes the next row of the source.
void Preprocessor::State::Push(const uint8_t* row) {
  const auto finish = [this](int y, const auto* pixels) { normaliser.Row(pixels, reversed, y, inside); };
  if (interpolation == Interpolation::kBilinearCv2) {
    cv2.Push(row, finish);
  } else if (interpolation == Interpolation::kBilinearTf2) {
    tf2.Push(row, finish);
  } else {
    resampler.Push(row, finish);
  }
}

Preprocessor::Preprocessor(const Limits& limits) : state_(std::make_unique<State>()) {
  state_->limits = limits;
}
Preprocessor::~Preprocessor() = default;
Preprocessor::Preprocessor(Preprocessor&&) noexcept = default;
Preprocessor& Preprocessor::operator=(Preprocessor&&) noexcept = default;

absl::Status Preprocessor::FromFile(absl::Span<const std::byte> file, const Recipe& recipe, const TensorView& dst) {
  state_->stray_bytes = 0;
  RESNETD_RETURN_IF_ERROR(CheckForFile(dst, recipe));
  RESNETD_ASSIGN_OR_RETURN(const Header header, Sniff(file, state_->limits));
  return FromFile(file, header, recipe, dst);
}

absl::Status Preprocessor::FromFile(absl::Span<const std::byte> file, const Header& header, const Recipe& recipe,
                                    const TensorView& dst) {
  state_->stray_bytes = 0;
  RESNETD_RETURN_IF_ERROR(CheckForFile(dst, recipe));
  const int orientation = recipe.orientation == Orientation::kApply ? ReadOrientation(file, header.format) : 1;
  int width = header.width, height = header.height;
  if (SwapsSides(orientation)) std::swap(width, height);
  RESNETD_ASSIGN_OR_RETURN(Placement placement, Place(recipe, width, height));
  DecodeOptions options{.channels = recipe.channels(),
                        .alpha = recipe.alpha,
                        .stray_bytes = &state_->stray_bytes,
                        .scratch = &state_->scratch};
  if (recipe.dct_scaling && header.format == Format::kJpeg) options.shrink = Shrink(placement, orientation);
  state_->Start(placement, recipe, dst);
  state_->reversed = recipe.colour == Colour::kBgr;
  const auto resample = [&](const uint8_t* row) { state_->Push(row); };
  int columns = placement.x.source(), rows = placement.y.source();
  if (SwapsSides(orientation)) std::swap(columns, rows);
  Turner turner(orientation, columns, rows, recipe.channels(), state_->scratch);
  const absl::Status status = Decode(file, header, options, [&](const uint8_t* row) { turner.Push(row, resample); });
  state_->scratch.Trim();
  return status;
}

int64_t Preprocessor::stray_bytes() const {
  return state_->stray_bytes;
}

absl::Status Preprocessor::FromPixels(const PixelView& pixels, const Recipe& recipe, const TensorView& dst) {
  RESNETD_RETURN_IF_ERROR(CheckDestination(dst, recipe));
  RESNETD_RETURN_IF_ERROR(CheckPixels(pixels, recipe));
  const auto row_at = [&](int y) { return Interleaved(pixels, y, state_->line); };
  if (pixels.width == recipe.width && pixels.height == recipe.height) {
    state_->normaliser.Prepare(recipe);
    for (int y = 0; y < pixels.height; ++y) state_->normaliser.Row(row_at(y), /*reversed=*/false, y, dst);
    return absl::OkStatus();
  }
  RESNETD_ASSIGN_OR_RETURN(const Placement placement, Place(recipe, pixels.width, pixels.height));
  state_->Start(placement, recipe, dst);
  state_->reversed = false;
  for (int y = 0; y < pixels.height; ++y) state_->Push(row_at(y));
  return absl::OkStatus();
}

}  // namespace resnetd::image
