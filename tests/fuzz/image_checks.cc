#include "tests/fuzz/image_checks.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <vector>

namespace resnetd::fuzz {
namespace {

using image::Header;
using image::Limits;
using image::Preprocessor;
using image::Recipe;

// Small, so that many files are tried. The real limits are tested where they are measured.
constexpr Limits kLimits = {.max_pixels = 1 << 18, .max_side = 1 << 13};

void Require(bool condition, const char* what, const absl::Status& status = absl::OkStatus()) {
  if (condition) return;
  std::cerr << "not so: " << what << ": " << status << "\n";
  std::abort();
}

void RequireFault(const absl::Status& status) {
  Require(absl::IsInvalidArgument(status), "what is refused is the file's fault", status);
  Require(!status.message().empty() && status.message().size() < 1000, "a message that can be read", status);
}

// NCHW, of what no image can give.
struct Tensor {
  explicit Tensor(const Recipe& recipe, float value = std::numeric_limits<float>::quiet_NaN())
      : values(static_cast<size_t>(recipe.channels()) * recipe.height * recipe.width, value),
        view{values.data(),
             recipe.height,
             recipe.width,
             recipe.channels(),
             recipe.width,
             1,
             static_cast<ptrdiff_t>(recipe.height) * recipe.width} {}
  std::vector<float> values;
  image::TensorView view;
};

// One of a few; the same for the same number of bytes.
Recipe RecipeFor(size_t bytes) {
  Recipe recipe;
  recipe.height = 20, recipe.width = 24, recipe.resize_size = 28;
  if (bytes % 2 == 1) recipe.colour = image::Colour::kGrey;
  if (bytes / 2 % 2 == 1) recipe.interpolation = image::Interpolation::kBicubic;
  if (bytes / 4 % 2 == 1) recipe.resize = image::Resize::kExact;
  if (bytes / 8 % 2 == 1) recipe.alpha = image::Alpha::kBlack;
  if (bytes / 16 % 2 == 1) recipe.orientation = image::Orientation::kApply;
  recipe.dct_scaling = bytes / 32 % 2 == 1;
  return recipe;
}

// Numbers from the beginning of some bytes; zeros when there are no more.
class Numbers {
 public:
  explicit Numbers(absl::Span<const std::byte> bytes) : bytes_(bytes) {}

  int Next(int count, int first = 0) {  // `first` and the following ones, `count` of them
    return first + static_cast<int>((Byte() << 8 | Byte()) % static_cast<unsigned>(count));
  }
  absl::Span<const std::byte> rest() const { return bytes_; }

 private:
  unsigned Byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<unsigned>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }

  absl::Span<const std::byte> bytes_;
};

Recipe RecipeOf(Numbers& numbers) {
  Recipe recipe;
  recipe.resize = static_cast<image::Resize>(numbers.Next(3));
  recipe.height = numbers.Next(80, 1);
  recipe.width = numbers.Next(80, 1);
  recipe.resize_size = numbers.Next(300, 1);
  recipe.interpolation = static_cast<image::Interpolation>(numbers.Next(3));
  recipe.colour = static_cast<image::Colour>(numbers.Next(5));
  recipe.crop_offset = static_cast<image::CropOffset>(numbers.Next(2));
  recipe.mean = {0, 0, 0, 0};
  recipe.std = {1, 1, 1, 1};
  return recipe;
}

// Every value is a byte / 255 and, but for the cubic filter, lies between those of the pixels; black may surround them.
void RequireBytesOf(const std::vector<float>& values, const std::vector<uint8_t>& pixels, bool overshoots) {
  const auto [low, high] = std::minmax_element(pixels.begin(), pixels.end());
  for (const float value : values) {
    const float byte = value * 255;
    Require(std::abs(byte - std::round(byte)) < 0.01f, "a value is a byte");
    Require(std::round(byte) == 0 || overshoots || (std::round(byte) >= *low && std::round(byte) <= *high),
            "a value lies between the pixels");
    Require(std::round(byte) >= 0 && std::round(byte) <= 255, "a value is a byte's");
  }
}

}  // namespace

Outcome CheckFile(absl::Span<const std::byte> bytes, image::Format format) {
  const absl::StatusOr<Header> header = image::Sniff(bytes, kLimits);
  if (header.ok() && header->format != format) return Outcome::kOfAnotherFormat;
  static Preprocessor warm(kLimits);  // nothing of one image may show in the next
  const Recipe recipe = RecipeFor(bytes.size());
  Tensor one(recipe), two(recipe, -1);
  const absl::Status status = warm.FromFile(bytes, recipe, one.view);
  const absl::Status again = Preprocessor(kLimits).FromFile(bytes, recipe, two.view);
  Require(status == again, "the same for the same bytes", again);
  if (!header.ok()) Require(status == header.status(), "what the header is refused for is the reason", status);
  if (!status.ok()) {
    RequireFault(status);
    return Outcome::kRefused;
  }
  Require(one.values == two.values, "the same tensor for the same bytes, and none of it left out");
  return Outcome::kAccepted;
}

Outcome CheckSniff(absl::Span<const std::byte> bytes) {
  const absl::StatusOr<Header> header = image::Sniff(bytes, {});
  if (!header.ok()) {
    RequireFault(header.status());
    return Outcome::kRefused;
  }
  Require(header->width >= 1 && header->height >= 1, "an image has pixels");
  const Limits as_large = {.max_pixels = int64_t{1} * header->width * header->height,
                           .max_side = std::max(header->width, header->height)};
  Require(image::Sniff(bytes, as_large).ok(), "limits that are reached are not exceeded");
  Limits smaller = as_large;
  --smaller.max_pixels;
  Require(!image::Sniff(bytes, smaller).ok(), "limits hold");
  smaller = as_large;
  --smaller.max_side;
  Require(!image::Sniff(bytes, smaller).ok(), "limits hold");
  return Outcome::kAccepted;
}

Outcome CheckResize(absl::Span<const std::byte> bytes) {
  Numbers numbers(bytes);
  const Recipe recipe = RecipeOf(numbers);
  const int width = numbers.Next(1 << 13, 1);
  const int height = numbers.Next(std::min(1 << 13, (1 << 16) / width), 1);
  if (absl::Status valid = image::Validate(recipe); !valid.ok()) {
    RequireFault(valid);
    return Outcome::kRefused;
  }
  std::vector<uint8_t> pixels(static_cast<size_t>(recipe.channels()) * width * height);
  const absl::Span<const std::byte> rest = numbers.rest();
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = rest.empty() ? 0 : static_cast<uint8_t>(rest[i % rest.size()]);
  const image::PixelView view = {pixels.data(), height, width, recipe.channels()};
  static Preprocessor warm;
  Tensor one(recipe), two(recipe, -1);
  const absl::Status status = warm.FromPixels(view, recipe, one.view);
  Require(status == Preprocessor().FromPixels(view, recipe, two.view), "the same for the same pixels", status);
  if (!status.ok()) {
    RequireFault(status);
    return Outcome::kRefused;
  }
  Require(one.values == two.values, "the same tensor for the same pixels, and none of it left out");
  RequireBytesOf(one.values, pixels, recipe.interpolation == image::Interpolation::kBicubic);
  return Outcome::kAccepted;
}

}  // namespace resnetd::fuzz
