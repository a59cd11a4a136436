// value = (pixel * scale - mean) / std, so pixel = (value * std + mean) / scale; rounding gives back the very byte,
// but for recipes whose resize does not round to bytes.
#include "cli/preprocess/input_picture.h"

#include <png.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/echo.h"

namespace resnetd::cli {

std::vector<uint8_t> PictureOfInput(absl::Span<const float> nchw, const image::Recipe& recipe) {
  const auto channels = static_cast<size_t>(recipe.channels());
  const size_t plane = nchw.size() / channels;
  std::vector<uint8_t> pixels(nchw.size());
  for (size_t c = 0; c < channels; ++c) {
    const size_t colour = recipe.colour == image::Colour::kBgr ? channels - 1 - c : c;
    for (size_t i = 0; i < plane; ++i) {
      const double value = nchw[c * plane + i];
      const double pixel = (value * recipe.std[c] + recipe.mean[c]) / recipe.scale;
      pixels[i * channels + colour] = static_cast<uint8_t>(std::lround(std::clamp(pixel, 0.0, 255.0)));
    }
  }
  return pixels;
}

absl::Status WritePng(const std::string& path, absl::Span<const uint8_t> pixels, int height, int width, int channels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(height);
  image.width = static_cast<png_uint_32>(width);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  if (png_image_write_to_file(&image, path.c_str(), /*convert_to_8_bit=*/0, pixels.data(), /*row_stride=*/0, nullptr)) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat("cannot write ", EchoPath(path), ": ", image.message));
}

}  // namespace resnetd::cli
