#ifndef RESNETD_ENGINE_IMAGE_RECIPE_H_
#define RESNETD_ENGINE_IMAGE_RECIPE_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace resnetd::image {

enum class Resize : uint8_t {
  kNone,         // the image must have the input's size
  kShorterSide,  // scale so that the shorter side is `resize_size`, then centre crop; as torchvision's Resize(int)
  kExact,        // scale to the input's width and height, aspect ratio not kept
};
// Where the centre crop starts when the margin is odd.
enum class CropOffset : uint8_t {
  kHalfToEven,  // margin 3: 2, margin 5: 2; torchvision's CenterCrop, and so timm's
  kDown,        // margin 3: 1, margin 5: 2; the center_crop of Hugging Face's image processors
};
enum class Interpolation : uint8_t { kNearest, kBilinear, kBicubic };  // antialiased as Pillow does it, kNearest aside
enum class Colour : uint8_t { kRgb, kBgr, kGrey };

// How an image becomes a network's input: decode -> resize -> centre crop -> (pixel/255 - mean) / std.
// A value stored with the model. Sizes in pixels.
struct Recipe {
  Resize resize = Resize::kShorterSide;
  int resize_size = 256;          // only with kShorterSide; at least the larger side of the crop
  int height = 224, width = 224;  // of the network's input: the centre crop
  Interpolation interpolation = Interpolation::kBilinear;
  Colour colour = Colour::kRgb;
  std::array<float, 4> mean = {0.485f, 0.456f, 0.406f, 0};  // per channel, in the colour order
  std::array<float, 4> std = {0.229f, 0.224f, 0.225f, 1};   // never zero
  CropOffset crop_offset = CropOffset::kHalfToEven;         // only with kShorterSide

  int channels() const { return colour == Colour::kGrey ? 1 : 3; }
};

// Recipes by the names the field knows: "torchvision-v1" (256/224), "torchvision-v2" (232/224), "mnist", "cifar10".
// NOT_FOUND lists the names.
absl::StatusOr<Recipe> FindPreset(absl::string_view name);

// INVALID_ARGUMENT names the field of a recipe that cannot work.
absl::Status Validate(const Recipe& recipe);

// One line for logs: "shorter side 256, bilinear, crop 224x224, RGB, mean 0.485 0.456 0.406, std 0.229 0.224 0.225".
std::string ToString(const Recipe& recipe);

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_RECIPE_H_
