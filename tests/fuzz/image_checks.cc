#include "tests/fuzz/image_checks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

#include "engine/image/decode/orientation.h"

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

// Planes, or pixels, with room for one channel more than there are. NaN, which no image gives, until it is written.
struct Tensor {
  Tensor(const Recipe& recipe, bool planar)
      : values(size_t{1} * recipe.height * recipe.width * (recipe.channels() + 1),
               std::numeric_limits<float>::quiet_NaN()),
        view{.data = values.data(), .height = recipe.height, .width = recipe.width, .channels = recipe.channels()} {
    view.pixel = planar ? 1 : view.channels + 1;
    view.row = view.width * view.pixel;
    view.channel = planar ? view.height * view.row : 1;
  }
  float At(int y, int x, int c) const { return view.data[y * view.row + x * view.pixel + c * view.channel]; }

  std::vector<float> values;
  image::TensorView view;
};

// The same image with its bytes for values.
Recipe WithoutNormalisation(Recipe recipe) {
  recipe.scale = 1;
  recipe.mean = {0, 0, 0, 0};
  recipe.std = {1, 1, 1, 1};
  return recipe;
}

bool RoundsToBytes(const Recipe& recipe) {
  return recipe.interpolation != image::Interpolation::kBilinearTf2;
}

// Is `tensor` what the recipe makes of `bytes`, to the last bit, and nothing beside the two written?
void RequireNormalised(const Tensor& tensor, const Tensor& bytes, const Recipe& recipe) {
  for (int y = 0; y < recipe.height; ++y) {
    for (int x = 0; x < recipe.width; ++x) {
      for (int c = 0; c < recipe.channels(); ++c) {
        const float byte = bytes.At(y, x, c);
        Require(byte >= 0 && byte <= 255, "each value is a level");
        Require(!RoundsToBytes(recipe) || byte == std::floor(byte), "each value is a byte");
        const float expected = (static_cast<float>(byte * recipe.scale) - recipe.mean[c]) / recipe.std[c];
        Require(std::isfinite(expected) && tensor.At(y, x, c) == expected, "each value is its byte, normalised");
      }
    }
  }
  for (const Tensor* t : {&tensor, &bytes}) {
    const auto untouched = std::count_if(t->values.begin(), t->values.end(), [](float v) { return std::isnan(v); });
    Require(untouched == ptrdiff_t{1} * recipe.height * recipe.width, "what lies beside the tensor is left alone");
  }
}

// One of several; the same for the same number of bytes. All of them resize: few images have just the input's size.
Recipe RecipeFor(size_t bytes) {
  const auto next = [&bytes](size_t count) { return std::exchange(bytes, bytes / count) % count; };
  Recipe recipe;
  recipe.height = 20, recipe.width = 24, recipe.resize_size = 28;
  recipe.colour = static_cast<image::Colour>(next(3));
  recipe.resize_height = 23, recipe.resize_width = 27;
  recipe.resize = static_cast<image::Resize>(1 + next(3));
  recipe.interpolation = static_cast<image::Interpolation>(next(5));
  recipe.alpha = static_cast<image::Alpha>(next(2));
  recipe.orientation = static_cast<image::Orientation>(next(2));
  recipe.dct_scaling = next(2) == 1;
  recipe.dct_scaling &= image::Validate(recipe).ok();  // it does not go with every interpolation
  recipe.crop_offset = static_cast<image::CropOffset>(next(2));
  return recipe;
}

// Numbers from the beginning of some bytes; zeros when there are no more.
class Numbers {
 public:
  explicit Numbers(absl::Span<const std::byte> bytes) : bytes_(bytes) {}

  int Next(int count, int first = 0) {  // `first` and the following ones, `count` of them
    const unsigned high = Byte() << 8;
    return first + static_cast<int>((high | Byte()) % static_cast<unsigned>(count));
  }
  bool Flag() { return Next(2) == 1; }
  // A usual one, or any there is, NaN and infinity too: the upper bits of a double.
  double Real() {
    constexpr double kUsual[] = {1, 0, 0.5, 1.0 / 255, 0.449, 127.5, 255, 1e-3};
    const int usual = Next(std::size(kUsual) + 1);
    if (usual < static_cast<int>(std::size(kUsual))) return kUsual[usual];
    uint64_t bits = 0;
    for (int i = 0; i < 4; ++i) bits = bits << 8 | Byte();
    return std::bit_cast<double>(bits << 32);
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

// The kinds that came later have a number of their own, so that what older finds mean stays what it was.
void ChangeKinds(Numbers& numbers, Recipe& recipe) {
  const int kind = numbers.Next(7);
  if (kind == 3 || kind == 5) recipe.interpolation = image::Interpolation::kBilinearCv2;
  if (kind == 4 || kind == 6) recipe.interpolation = image::Interpolation::kBilinearTf2;
  if (kind != 2 && kind != 5 && kind != 6) return;
  recipe.resize = image::Resize::kSquash;
  recipe.resize_height = numbers.Next(numbers.Flag() ? 1 << 16 : 300);
  recipe.resize_width = numbers.Next(numbers.Flag() ? 1 << 16 : 300);
}

Recipe RecipeOf(Numbers& numbers) {
  Recipe recipe;
  recipe.resize = static_cast<image::Resize>(numbers.Next(3));
  recipe.height = numbers.Next(80);
  recipe.width = numbers.Next(80);
  recipe.resize_size = numbers.Next(numbers.Flag() ? 1 << 16 : 300);
  recipe.interpolation = static_cast<image::Interpolation>(numbers.Next(3));
  recipe.colour = static_cast<image::Colour>(numbers.Next(5));
  recipe.crop_offset = static_cast<image::CropOffset>(numbers.Next(2));
  recipe.scale = numbers.Real();
  for (float& mean : recipe.mean) mean = static_cast<float>(numbers.Real());
  for (float& deviation : recipe.std) deviation = static_cast<float>(numbers.Real());
  recipe.alpha = static_cast<image::Alpha>(numbers.Next(2));
  recipe.orientation = static_cast<image::Orientation>(numbers.Next(2));
  recipe.dct_scaling = numbers.Flag();
  ChangeKinds(numbers, recipe);
  return recipe;
}

// The same pixels, a plane a channel.
std::vector<uint8_t> Planes(const std::vector<uint8_t>& pixels, int channels) {
  std::vector<uint8_t> planes;
  planes.reserve(pixels.size());
  for (int c = 0; c < channels; ++c) {
    for (size_t i = c; i < pixels.size(); i += channels) planes.push_back(pixels[i]);
  }
  return planes;
}

// But for the cubic filter every byte lies between those of the pixels; black may surround them.
void RequireBetween(const Tensor& bytes, const std::vector<uint8_t>& pixels) {
  const auto [low, high] = std::minmax_element(pixels.begin(), pixels.end());
  for (const float byte : bytes.values) {
    Require(std::isnan(byte) || byte == 0 || (byte >= *low && byte <= *high), "a value lies between the pixels");
  }
}

}  // namespace

Outcome CheckFile(absl::Span<const std::byte> bytes, image::Format format) {
  const absl::StatusOr<Header> header = image::Sniff(bytes, kLimits);
  if (header.ok() && header->format != format) return Outcome::kOfAnotherFormat;
  static Preprocessor warm(kLimits);  // nothing of one image may show in the next
  const Recipe recipe = RecipeFor(bytes.size());
  Tensor tensor(recipe, /*planar=*/true), plain(recipe, /*planar=*/false);
  const absl::Status status = warm.FromFile(bytes, recipe, tensor.view);
  const absl::Status again = Preprocessor(kLimits).FromFile(bytes, WithoutNormalisation(recipe), plain.view);
  Require(status == again, "the same for the same bytes", again);
  if (!header.ok()) Require(status == header.status(), "what the header is refused for is the reason", status);
  if (!status.ok()) {
    RequireFault(status);
    return Outcome::kRefused;
  }
  RequireNormalised(tensor, plain, recipe);
  return Outcome::kAccepted;
}

Outcome CheckSniff(absl::Span<const std::byte> bytes) {
  const absl::StatusOr<Header> header = image::Sniff(bytes, {});
  if (!header.ok()) {
    RequireFault(header.status());
    return Outcome::kRefused;
  }
  Require(header->width >= 1 && header->height >= 1, "an image has pixels");
  const double cost = image::DecodeNanoseconds(*header, bytes.size());
  Require(std::isfinite(cost) && cost > 0, "a price can be reckoned with");
  const int orientation = image::ReadOrientation(bytes, header->format);
  Require(orientation >= 1 && orientation <= 8, "an orientation is one of EXIF's");
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
  if (absl::Status valid = image::Validate(recipe); !valid.ok()) {
    RequireFault(valid);
    return Outcome::kRefused;
  }
  int height = recipe.height, width = recipe.width;
  if (numbers.Flag()) {
    width = numbers.Next(1 << 13, 1);
    height = numbers.Next(std::min(1 << 13, (1 << 16) / width), 1);
  }
  const bool takes_planes = numbers.Flag(), gives_planes = numbers.Flag();
  std::vector<uint8_t> pixels(size_t{1} * recipe.channels() * width * height);
  const absl::Span<const std::byte> rest = numbers.rest();
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = rest.empty() ? 0 : static_cast<uint8_t>(rest[i % rest.size()]);
  const std::vector<uint8_t> planes = Planes(pixels, recipe.channels());
  const image::PixelView interleaved = {pixels.data(), height, width, recipe.channels()};
  const image::PixelView planar = {planes.data(), height, width, recipe.channels(), /*planar=*/true};

  Recipe plain_recipe = WithoutNormalisation(recipe);  // and without what only files have
  plain_recipe.alpha = image::Alpha::kDrop;
  plain_recipe.orientation = image::Orientation::kIgnore;
  plain_recipe.dct_scaling = false;
  static Preprocessor warm;
  Tensor tensor(recipe, gives_planes), plain(recipe, !gives_planes);
  const absl::Status status = warm.FromPixels(takes_planes ? planar : interleaved, recipe, tensor.view);
  const absl::Status again = Preprocessor().FromPixels(takes_planes ? interleaved : planar, plain_recipe, plain.view);
  Require(status == again, "the same for the same pixels", again);
  if (!status.ok()) {
    RequireFault(status);
    return Outcome::kRefused;
  }
  RequireNormalised(tensor, plain, recipe);
  if (recipe.interpolation != image::Interpolation::kBicubic) RequireBetween(plain, pixels);
  return Outcome::kAccepted;
}

}  // namespace resnetd::fuzz
