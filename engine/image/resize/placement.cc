// Sizes as torchvision has them, since that is what published weights were evaluated with:
//
//   Resize(size)        the shorter side becomes size, the longer int(size * long / short)
//   CenterCrop(size)    starts at int(round((side - size) / 2.0)), and Python rounds halves to the even neighbour;
//                       where side is the smaller, (size - side) // 2 black pixels come before and the rest behind
//
// Hugging Face's processors, where a recipe asks for them, start at (side - size) // 2 in both cases.
#include "engine/image/resize/placement.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace resnetd::image {
namespace {

int64_t CentreOffset(int64_t side, int crop, CropOffset offset) {
  const int64_t spare = side - crop, half = spare / 2;
  if (offset == CropOffset::kDown) return half;
  return half + (spare % 2 != 0 && half % 2 != 0 ? 1 : 0);
}

// Crops an axis of `from` source pixels, scaled to `to`; sets how many black ones come before them.
Axis Crop(int from, int64_t to, int crop, CropOffset offset, int& black) {
  if (to >= crop) return {from, to, CentreOffset(to, crop, offset), crop};
  const int spare = crop - static_cast<int>(to);
  black = (spare + (offset == CropOffset::kDown ? 1 : 0)) / 2;
  return {from, to, 0, static_cast<int>(to)};
}

}  // namespace

absl::StatusOr<Placement> Place(const Recipe& recipe, int width, int height) {
  int64_t scaled_width = recipe.width, scaled_height = recipe.height;
  switch (recipe.resize) {
    case Resize::kNone:
      if (width != recipe.width || height != recipe.height) {
        return absl::InvalidArgumentError(absl::StrCat("the model does not resize: expected an image of ", recipe.width,
                                                       "x", recipe.height, " pixels, got ", width, "x", height));
      }
      break;
    case Resize::kShorterSide: {
      const int shorter = std::min(width, height), longer = std::max(width, height);
      const int64_t scaled = static_cast<int64_t>(static_cast<double>(int64_t{recipe.resize_size} * longer) / shorter);
      scaled_width = width <= height ? recipe.resize_size : scaled;
      scaled_height = width <= height ? scaled : recipe.resize_size;
      break;
    }
    case Resize::kExact:
      break;
  }
  Placement placement;
  placement.x = Crop(width, scaled_width, recipe.width, recipe.crop_offset, placement.left);
  placement.y = Crop(height, scaled_height, recipe.height, recipe.crop_offset, placement.top);
  return placement;
}

}  // namespace resnetd::image
