#ifndef RESNETD_ENGINE_IMAGE_DECODE_ORIENTATION_H_
#define RESNETD_ENGINE_IMAGE_DECODE_ORIENTATION_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "engine/image/decode/decode.h"
#include "engine/image/image.h"

// An orientation says how the camera was held, as EXIF does (CIPA DC-008, tag 0x0112 "Orientation"): 1 is upright, 3
// upside down, 6 and 8 lie on a side, and 2, 4, 5 and 7 are mirrored besides.
namespace resnetd::image {

// Reads it from a JPEG's APP1 segment, a PNG's chunk eXIf or a WebP's chunk EXIF, wherever it lies. 1 where the file
// says nothing, or nothing that can be understood: as in Pillow, that is no reason to refuse an image. XMP's copy is
// not looked for.
int ReadOrientation(absl::Span<const std::byte> file, Format format);

// Is an upright image as wide as the stored one is high?
inline bool SwapsSides(int orientation) {
  return orientation >= 5;
}

// Is the upright image's first column, or row, the stored one's last column or row?
inline bool ReversesX(int orientation) {
  return orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
}
inline bool ReversesY(int orientation) {
  return orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
}

// Predicts roughly how long turning an image takes on one core, beside decoding it.
double TurnNanoseconds(const Header& header, int orientation);

// Turns one image upright: takes its rows as they are stored, gives those of the upright image, bit for bit. A mirrored
// one (2) is turned row by row; of the others all of the image is held until its last row is in.
class Turner {
 public:
  // width x height: as stored. An orientation of 1 gives each row as it comes. `scratch` is used until the last row is
  // out.
  Turner(int orientation, int width, int height, int channels, Scratch& scratch);

  void Push(const uint8_t* row, DecodedRowSink out);

 private:
  void PutOut(DecodedRowSink out);  // of a whole image
  // Columns first, first + 1, ... of the stored image, up to kStrip of them, become rows of strip_.
  template <int kChannels>
  void FillStrip(int first, int count);

  static constexpr int kStrip = 16;

  const int orientation_, width_, height_, channels_;
  int next_ = 0;  // the row to come
  uint8_t *image_ = nullptr, *strip_ = nullptr;
};

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_DECODE_ORIENTATION_H_
