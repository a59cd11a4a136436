// First the places. Sizes are as torchvision has them, since that is what published weights were evaluated with:
//
//   Resize(size)        the shorter side becomes size, the longer int(size * long / short)
//   CenterCrop(size)    starts at int(round((side - size) / 2.0)), and Python rounds halves to the even neighbour;
//                       where side is the smaller, (size - side) // 2 black pixels come before and the rest behind
//
// Hugging Face's processors, where a recipe asks for them, start at (side - size) // 2 in both cases.
//
// Then the weights, of Pillow's antialiased resize (its file src/libImaging/Resample.c). Per axis, with
// scale = from / to, from in pixels of the source as it comes:
//
//   stretch   = max(scale, 1)                     a smaller image averages over more source pixels
//   centre(i) = begin + (i + 0.5) * scale         begin is 0 but where the source begins with a part of a pixel
//   sources   = centre -+ radius * stretch        ends rounded, clipped to the image
//   weight(j) = filter((j + 0.5 - centre) / stretch) / sum of them
//
// in double, then rounded to fixed point with 22 bits after the point. 8 bits of a pixel and 22 of a weight leave two
// bits of a 32-bit sum for the filter's overshoot.
#include "engine/image/resize/axis.h"

#include <algorithm>
#include <cmath>

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

constexpr int32_t kOne = 1 << kFractionBits;

double Bilinear(double x) {
  x = std::abs(x);
  return x < 1 ? 1 - x : 0;
}

// Keys' cubic with a = -0.5. The order of operations is Pillow's: it decides about the last bit.
double Bicubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}

int32_t ToFixedPoint(double weight) {
  return static_cast<int32_t>((weight < 0 ? -0.5 : 0.5) + weight * kOne);
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
    case Resize::kSquash:
      scaled_width = recipe.resize_width;
      scaled_height = recipe.resize_height;
      break;
  }
  Placement placement;
  placement.x = Crop(width, scaled_width, recipe.width, recipe.crop_offset, placement.left);
  placement.y = Crop(height, scaled_height, recipe.height, recipe.crop_offset, placement.top);
  return placement;
}

// Between two powers of two the doubles lie equally far apart, so that there every addition is rounded alike, and moves
// the sum by equally much: as many as fit are one product, which is exact. Not so the first: where it ends halfway
// between two doubles it goes to the even one, and only from there on do all others go as far.
double AddRepeatedly(double sum, double step, int64_t times) {
  for (int alike = 0; times > 0;) {
    const double before = sum;
    sum += step;
    --times;
    if (sum == before) return sum;  // nor will it move the next time
    const int exponent = std::ilogb(sum);
    alike = exponent == std::ilogb(before) ? alike + 1 : 0;
    if (alike < 2) continue;
    const double moved = sum - before, room = std::ldexp(1.0, exponent + 1) - sum;
    const double fit = room / moved;  // may be far more than an integer holds
    const int64_t more = fit > static_cast<double>(times) ? times : static_cast<int64_t>(fit) - 1;
    if (more <= 0) continue;
    sum += static_cast<double>(more) * moved;
    times -= more;
  }
  return sum;
}

bool Taps::Build(const Axis& axis, Interpolation interpolation) {
  if (axis == axis_ && interpolation == interpolation_) return false;
  axis_ = axis;
  interpolation_ = interpolation;
  start_.resize(axis.count);
  end_.resize(axis.count);
  if (interpolation == Interpolation::kNearest) {
    BuildNearest();
  } else {
    BuildFilter();
  }
  return true;
}

// Pillow adds up the position step by step, and so do we: the sum's rounding errors are part of the result.
void Taps::BuildNearest() {
  max_taps_ = 1;
  weights_.assign(axis_.count, kOne);
  const double scale = axis_.scale();
  double position = AddRepeatedly(axis_.begin() + scale * 0.5, scale, axis_.first);
  for (int i = 0; i < axis_.count; ++i, position += scale) {
    start_[i] = std::min(static_cast<int>(position), axis_.source() - 1);
    end_[i] = start_[i] + 1;
  }
}

void Taps::BuildFilter() {
  const bool cubic = interpolation_ == Interpolation::kBicubic;
  const double scale = axis_.scale();
  const double stretch = std::max(scale, 1.0), inverse_stretch = 1.0 / stretch;
  const double radius = (cubic ? 2.0 : 1.0) * stretch;
  max_taps_ = static_cast<int>(std::ceil(radius)) * 2 + 1;
  weights_.assign(static_cast<size_t>(axis_.count) * max_taps_, 0);
  exact_.resize(max_taps_);
  for (int i = 0; i < axis_.count; ++i) {
    const double centre = axis_.begin() + (static_cast<double>(axis_.first + i) + 0.5) * scale;
    const int start = std::max(static_cast<int>(centre - radius + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + radius + 0.5), axis_.source());
    double sum = 0;
    for (int j = start; j < end; ++j) {
      const double x = (j - centre + 0.5) * inverse_stretch;
      sum += exact_[j - start] = cubic ? Bicubic(x) : Bilinear(x);
    }
    int32_t* weights = weights_.data() + static_cast<size_t>(i) * max_taps_;
    for (int j = 0; j < end - start; ++j) weights[j] = ToFixedPoint(exact_[j] / sum);
    start_[i] = start;
    end_[i] = end;
  }
}

}  // namespace resnetd::image
