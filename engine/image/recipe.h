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
                 // and CenterCrop, so with black around what is smaller than the crop
  kExact,        // scale to the input's width and height, aspect ratio not kept
  kSquash,       // scale to resize_width x resize_height, aspect ratio not kept, then centre crop as kShorterSide does
};
// The start of the centre crop when the margin is odd; and how much of an odd number of black rows or columns comes
// first, where the scaled image is the smaller one.
enum class CropOffset : uint8_t {
  kHalfToEven,  // margin 3: 2, margin 5: 2, black 3: 1; torchvision's CenterCrop, and so timm's
  kDown,        // margin 3: 1, margin 5: 2, black 3: 2; the center_crop of Hugging Face's image processors
};
enum class Interpolation : uint8_t {
  kNearest,      // as Pillow does it
  kBilinear,     // antialiased as Pillow does it
  kBicubic,      // likewise
  kBilinearCv2,  // not antialiased, as OpenCV does it in bytes
  kBilinearTf2,  // not antialiased, as TensorFlow does it in floats, which are not rounded to bytes
};
// The last two are channels that are no colours. There is no file for them; bytes of the input's size are normalised.
enum class Colour : uint8_t { kRgb, kBgr, kGrey, kTwoChannels, kFourChannels };
// The treatment of transparent pixels.
enum class Alpha : uint8_t {
  kDrop,   // the colour that the file holds for them, as Pillow's convert("RGB")
  kBlack,  // composed on black
};
// The treatment of a photograph that says how the camera was held.
enum class Orientation : uint8_t {
  kIgnore,  // pixels as they are stored, as Pillow and so torchvision load them
  kApply,   // turned upright first, as Pillow's ImageOps.exif_transpose()
};

constexpr int kMaxResizeSize = 65'535;
// Pixels of a side of a network's input; larger than any. It keeps the arithmetic of sizes far from overflow.
constexpr int kMaxInputSide = 16'384;

// A recipe says how an image becomes a network's input: decode -> resize -> centre crop -> (pixel * scale - mean) /
// std. A value stored with the model. Sizes in pixels.
struct Recipe {
  Resize resize = Resize::kShorterSide;
  int resize_size = 256;          // only with kShorterSide; up to kMaxResizeSize
  int height = 224, width = 224;  // of the network's input: the centre crop
  Interpolation interpolation = Interpolation::kBilinear;
  Colour colour = Colour::kRgb;
  std::array<float, 4> mean = {0.485f, 0.456f, 0.406f, 0};  // per channel, in the colour order
  std::array<float, 4> std = {0.229f, 0.224f, 0.225f, 1};   // never zero
  CropOffset crop_offset = CropOffset::kHalfToEven;         // only with kShorterSide and kSquash
  Alpha alpha = Alpha::kDrop;
  Orientation orientation = Orientation::kIgnore;
  double scale = 1.0 / 255;  // above zero
  // Decode JPEG files at 1/2, 1/4 or 1/8 where that leaves at least the scaled image's size, as Pillow's draft mode
  // does: faster, and not what networks were trained on. docs/images.md says what it costs.
  bool dct_scaling = false;                     // only with antialiasing, and kNearest
  int resize_height = 256, resize_width = 256;  // only with kSquash; up to kMaxResizeSize

  int channels() const;
  bool takes_files() const { return colour <= Colour::kGrey; }
};

// Recipes by the names the field knows: "torchvision-v1" (256/224), "torchvision-v2" (232/224), "timm" (its defaults:
// bicubic, 256/224), "mnist", "cifar10", "keras-caffe", "keras-tf" and "keras-torch" (load_img() and the modes of
// preprocess_input()), and "none", which changes nothing: the input is the pixels, 0 to 255.
// NOT_FOUND lists the names.
absl::StatusOr<Recipe> FindPreset(absl::string_view name);

// A preset is for one input size. For another, the scaled sides keep their ratio to the crop: 256 to 224, say.
Recipe FitToInput(Recipe recipe, int height, int width);

// Do mean and std say the same of every channel, however many there are?
bool TreatsChannelsAlike(const Recipe& recipe);

// The preset that a recipe is, fitted to its input; else "custom".
std::string NameOf(const Recipe& recipe);

// All that has an effect, every number exactly: equal for recipes that compute the same. Ids that clients have stored
// are made of it, so what it says of a recipe never changes.
std::string CanonicalText(const Recipe& recipe);

// INVALID_ARGUMENT names the field of a recipe that cannot work.
absl::Status Validate(const Recipe& recipe);

// One line for logs: "shorter side 256, bilinear, crop 224x224, RGB, mean 0.485 0.456 0.406, std 0.229 0.224 0.225".
std::string ToString(const Recipe& recipe);

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_RECIPE_H_
