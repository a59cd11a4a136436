// The numbers are written in the order in which image_checks.cc reads them, each as two bytes, the higher first.
#include "tests/fuzz/resize_seeds.h"

#include <initializer_list>

#include "absl/strings/str_cat.h"

namespace resnetd::fuzz {
namespace {

struct Size {
  int width, height;
};

std::string Bytes(std::initializer_list<int> numbers) {
  std::string bytes;
  for (const int number : numbers) {
    bytes.push_back(static_cast<char>(number >> 8));
    bytes.push_back(static_cast<char>(number));
  }
  return bytes;
}

// `resize`: none, shorter side or exact; `kind`: what ChangeKinds() makes of both; `colour`: of the first three.
std::string Seed(int resize, int interpolation, int kind, int colour, Size input, Size image, bool planar) {
  constexpr int kOne = 0, kZero = 1;  // usual numbers
  std::string bytes = Bytes({resize, input.height, input.width, 0, 28, interpolation, colour, 0});
  bytes += Bytes({kOne, kZero, kZero, kZero, kZero, kOne, kOne, kOne, kOne});  // scale, means, deviations
  bytes += Bytes({0, 0, 0, kind});                                             // alpha, orientation, DCT scaling
  if (kind == 2 || kind == 5 || kind == 6) bytes += Bytes({0, 23, 0, 27});
  bytes += Bytes({1, image.width - 1, image.height - 1, planar ? 1 : 0, 0});
  for (int i = 0; i < 97; ++i) bytes.push_back(static_cast<char>(i * 89));
  return bytes;
}

}  // namespace

std::vector<ResizeSeed> ResizeSeeds() {
  constexpr Size kImages[] = {{48, 40}, {7, 5}, {97, 61}, {1, 1}, {1, 600}, {600, 2}, {24, 40}};
  std::vector<ResizeSeed> seeds;
  for (int way = 0; way < 6 + 5; ++way) {
    // Shorter side and exact with Pillow's three filters, then the kinds that came later.
    const int resize = way < 6 ? 1 + way % 2 : 1, interpolation = way < 6 ? way / 2 : 1, kind = way < 6 ? 0 : way - 4;
    for (const Size& image : kImages) {
      for (int colour = 0; colour < 3; ++colour) {
        const std::string name = absl::StrCat("way", way, "-", image.width, "x", image.height, "-colour", colour);
        seeds.push_back({name, Seed(resize, interpolation, kind, colour, {24, 20}, image, colour == 1)});
      }
    }
    if (kind == 3 || kind == 4) {
      for (const Size& image : kImages) {
        const std::string name = absl::StrCat("way", way, "-exact-", image.width, "x", image.height);
        seeds.push_back({name, Seed(2, 1, kind, 0, {24, 20}, image, /*planar=*/false)});
      }
    }
  }
  return seeds;
}

}  // namespace resnetd::fuzz
