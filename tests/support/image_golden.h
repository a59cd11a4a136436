#ifndef RESNETD_TESTS_SUPPORT_IMAGE_GOLDEN_H_
#define RESNETD_TESTS_SUPPORT_IMAGE_GOLDEN_H_

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/image/recipe.h"

// tests/golden/data/image: what Pillow makes of files and pixels, written by tests/golden/make/make_image_golden.py,
// and what OpenCV, TensorFlow and Keras make of pixels, by make_bilinear_golden.py.
namespace resnetd::image {

std::string ReadGoldenFile(absl::string_view name);

// The lines of a table but for its heading; read a line's fields with >>.
std::vector<std::istringstream> ReadGoldenTable(absl::string_view name);

// "noise" or "extremes" (0 and 255), as the tool makes them; height * width * channels bytes.
std::vector<uint8_t> GoldenPixels(absl::string_view kind, int width, int height, int channels);

// "nearest", "bilinear", "bicubic", "bilinear_cv2" or "bilinear_tf2".
Interpolation InterpolationByName(absl::string_view name);

// CRC-32 as in zlib and PNG, in hexadecimal.
std::string Crc(absl::Span<const std::byte> bytes);

template <typename T>
absl::Span<const std::byte> AsBytes(const T& values) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(*values.data())};
}

}  // namespace resnetd::image

#endif  // RESNETD_TESTS_SUPPORT_IMAGE_GOLDEN_H_
