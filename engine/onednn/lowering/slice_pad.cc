// Row by row of dst: rows and pixels outside the crop are filled, a pixel inside is [before | copied channels | after].
#include "engine/onednn/lowering/slice_pad.h"

#include <algorithm>

namespace resnetd::onednn {
namespace {

// Index into src of dst's element `i`, or -1 in constant padding.
int64_t SourceIndex(const SlicePadAxis& axis, graph::PadMode mode, int64_t i) {
  int64_t copied = i - axis.before;
  if (copied < 0 || copied >= axis.count) {
    switch (mode) {
      case graph::PadMode::kConstant:
        return -1;
      case graph::PadMode::kReflect:
        copied = copied < 0 ? -copied : 2 * (axis.count - 1) - copied;
        break;
      case graph::PadMode::kEdge:
        copied = std::clamp<int64_t>(copied, 0, axis.count - 1);
        break;
    }
  }
  return axis.start + copied * axis.step;
}

float* WritePixel(const SlicePad& shape, const float* src, float* dst) {
  const SlicePadAxis& channels = shape.channels;
  if (channels.step == 1 && (shape.mode == graph::PadMode::kConstant || channels.count == channels.dst)) {
    dst = std::fill_n(dst, channels.before, shape.value);
    dst = std::copy_n(src + channels.start, channels.count, dst);
    return std::fill_n(dst, channels.dst - channels.before - channels.count, shape.value);
  }
  for (int64_t c = 0; c < channels.dst; ++c) {
    const int64_t from = SourceIndex(channels, shape.mode, c);
    *dst++ = from < 0 ? shape.value : src[from];
  }
  return dst;
}

}  // namespace

void RunSlicePad(const kernels::Team& team, const SlicePad& shape, const float* src, float* dst) {
  const int64_t src_row = shape.columns.src * shape.channels.src;
  const kernels::Range rows = team.PartOf({0, shape.batch * shape.rows.dst});
  dst += rows.begin * shape.columns.dst * shape.channels.dst;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const float* image = src + row / shape.rows.dst * shape.rows.src * src_row;
    const int64_t src_y = SourceIndex(shape.rows, shape.mode, row % shape.rows.dst);
    for (int64_t x = 0; x < shape.columns.dst; ++x) {
      const int64_t src_x = SourceIndex(shape.columns, shape.mode, x);
      dst = src_y < 0 || src_x < 0 ? std::fill_n(dst, shape.channels.dst, shape.value)
                                   : WritePixel(shape, image + src_y * src_row + src_x * shape.channels.src, dst);
    }
  }
}

}  // namespace resnetd::onednn
