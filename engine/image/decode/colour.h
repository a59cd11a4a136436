#ifndef RESNETD_ENGINE_IMAGE_DECODE_COLOUR_H_
#define RESNETD_ENGINE_IMAGE_DECODE_COLOUR_H_

#include <cstdint>

// Colour conversions of rows, as Pillow's Image.convert() rounds them. Source and destination may be the same where the
// destination's pixels are not the larger ones.
namespace resnetd::image {

// ITU-R 601 luma in 16-bit fixed point.
inline uint8_t GreyOf(uint8_t r, uint8_t g, uint8_t b) {
  return static_cast<uint8_t>((19595u * r + 38470u * g + 7471u * b + 0x8000u) >> 16);
}

void RgbToGrey(const uint8_t* rgb, int pixels, uint8_t* grey);
void GreyToRgb(const uint8_t* grey, int pixels, uint8_t* rgb);

// Converts pixels of `colours` (1 or 3) samples and one of alpha, 0 being transparent.
void ComposeOnBlack(const uint8_t* with_alpha, int pixels, int colours, uint8_t* out);

// Converts CMYK as Adobe's programs store it in JPEG, and so everybody: 255 is no ink.
void InvertedCmykToRgb(const uint8_t* cmyk, int pixels, uint8_t* rgb);

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_DECODE_COLOUR_H_
