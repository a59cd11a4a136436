// image_dump RECIPE FILE...: the network's inputs for images, float32 NCHW one after the other, on standard output. For
// check_images.py and check_bilinear.py. RECIPE is a preset's name, and what is changed of it:
//
//   torchvision-v1,interpolation=bilinear_cv2,resize=squash,sides=256x256,input=224x224,colour=grey
//
// Sizes are WIDTHxHEIGHT; with resize=shorter the first number of `sides` is the shorter side.
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/image/image.h"
#include "tests/support/image_golden.h"

namespace image = resnetd::image;

namespace {

using Pair = std::pair<absl::string_view, absl::string_view>;

bool SetSize(absl::string_view text, int& width, int& height) {
  const Pair sides = absl::StrSplit(text, absl::MaxSplits('x', 1));
  return absl::SimpleAtoi(sides.first, &width) && absl::SimpleAtoi(sides.second, &height);
}

bool Set(const Pair& change, image::Recipe& recipe) {
  const auto& [field, value] = change;
  if (field == "interpolation") {
    recipe.interpolation = image::InterpolationByName(value);
  } else if (field == "resize") {
    recipe.resize = value == "squash"    ? image::Resize::kSquash
                    : value == "shorter" ? image::Resize::kShorterSide
                                         : image::Resize::kExact;
  } else if (field == "sides") {
    if (!SetSize(value, recipe.resize_width, recipe.resize_height)) return false;
    recipe.resize_size = recipe.resize_width;
  } else if (field == "input") {
    return SetSize(value, recipe.width, recipe.height);
  } else if (field == "colour") {
    recipe.colour = value == "grey" ? image::Colour::kGrey : image::Colour::kRgb;
  } else {
    return false;
  }
  return true;
}

absl::StatusOr<image::Recipe> ParseRecipe(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  absl::StatusOr<image::Recipe> recipe = image::FindPreset(parts[0]);
  for (size_t i = 1; recipe.ok() && i < parts.size(); ++i) {
    if (Set(absl::StrSplit(parts[i], absl::MaxSplits('=', 1)), *recipe)) continue;
    return absl::InvalidArgumentError(absl::StrCat("not understood: ", parts[i]));
  }
  if (recipe.ok()) {
    if (absl::Status valid = image::Validate(*recipe); !valid.ok()) return valid;
  }
  return recipe;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: image_dump RECIPE FILE...\n";
    return 2;
  }
  const absl::StatusOr<image::Recipe> recipe = ParseRecipe(argv[1]);
  if (!recipe.ok()) {
    std::cerr << recipe.status() << "\n";
    return 2;
  }
  const ptrdiff_t row = recipe->width, plane = row * recipe->height;
  std::vector<float> tensor(plane * recipe->channels());
  const image::TensorView view{tensor.data(), recipe->height, recipe->width, recipe->channels(), row, 1, plane};
  image::Preprocessor preprocessor;
  for (int i = 2; i < argc; ++i) {
    std::ifstream in(argv[i], std::ios::binary);
    const std::string file((std::istreambuf_iterator<char>(in)), {});
    const absl::Status status =
        preprocessor.FromFile({reinterpret_cast<const std::byte*>(file.data()), file.size()}, *recipe, view);
    if (!status.ok()) {
      std::cerr << argv[i] << ": " << status << "\n";
      return 1;
    }
    std::cout.write(reinterpret_cast<const char*>(tensor.data()), static_cast<std::streamsize>(tensor.size() * 4));
  }
  return std::cout.good() ? 0 : 1;
}
