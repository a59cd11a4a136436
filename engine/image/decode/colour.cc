#include "engine/image/decode/colour.h"

#include <algorithm>

namespace resnetd::image {
namespace {

// a * b / 255, rounded to nearest, exactly.
int MultiplyBytes(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

}  // namespace

void RgbToGrey(const uint8_t* rgb, int pixels, uint8_t* grey) {
  for (int i = 0; i < pixels; ++i, rgb += 3) grey[i] = GreyOf(rgb[0], rgb[1], rgb[2]);
}

void GreyToRgb(const uint8_t* grey, int pixels, uint8_t* rgb) {
  for (int i = 0; i < pixels; ++i, rgb += 3) std::fill_n(rgb, 3, grey[i]);
}

void ComposeOnBlack(const uint8_t* with_alpha, int pixels, int colours, uint8_t* out) {
  for (int i = 0; i < pixels; ++i, with_alpha += colours + 1, out += colours) {
    const int alpha = with_alpha[colours];
    for (int c = 0; c < colours; ++c) out[c] = static_cast<uint8_t>(MultiplyBytes(with_alpha[c], alpha));
  }
}

void InvertedCmykToRgb(const uint8_t* cmyk, int pixels, uint8_t* rgb) {
  for (int i = 0; i < pixels; ++i, cmyk += 4, rgb += 3) {
    const int white = cmyk[3];
    for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(white - MultiplyBytes(255 - cmyk[c], white));
  }
}

}  // namespace resnetd::image
