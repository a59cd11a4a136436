// Row by row of dst: rows and pixels outside the crop are filled, a pixel inside is [before | copied channels | after].
#include "engine/onednn/slice_pad.h"

#include <algorithm>

namespace resnetd::onednn {
namespace {

// Index into src of dst's element `i`, or -1 in the padding.
int64_t SourceIndex(const SlicePadAxis& axis, int64_t i) {
  const int64_t copied = i - axis.before;
  return copied >= 0 && copied < axis.count ? axis.start + copied * axis.step : -1;
}

float* WritePixel(const SlicePadAxis& channels, float value, const float* src, float* dst) {
  dst = std::fill_n(dst, channels.before, value);
  src += channels.start;
  if (channels.step == 1) {
    dst = std::copy_n(src, channels.count, dst);
  } else {
    for (int64_t c = 0; c < channels.count; ++c) *dst++ = src[c * channels.step];
  }
  return std::fill_n(dst, channels.dst - channels.before - channels.count, value);
}

}  // namespace

void RunSlicePad(const SlicePad& shape, const float* src, float* dst) {
  const int64_t src_row = shape.columns.src * shape.channels.src;
  for (int64_t n = 0; n < shape.batch; ++n, src += shape.rows.src * src_row) {
    for (int64_t y = 0; y < shape.rows.dst; ++y) {
      const int64_t src_y = SourceIndex(shape.rows, y);
      for (int64_t x = 0; x < shape.columns.dst; ++x) {
        const int64_t src_x = SourceIndex(shape.columns, x);
        dst = src_y < 0 || src_x < 0
                  ? std::fill_n(dst, shape.channels.dst, shape.value)
                  : WritePixel(shape.channels, shape.value, src + src_y * src_row + src_x * shape.channels.src, dst);
      }
    }
  }
}

}  // namespace resnetd::onednn
