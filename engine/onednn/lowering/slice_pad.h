#ifndef RESNETD_ENGINE_ONEDNN_LOWERING_SLICE_PAD_H_
#define RESNETD_ENGINE_ONEDNN_LOWERING_SLICE_PAD_H_

#include <cstdint>

#include "engine/graph/ops.h"
#include "engine/kernels/team.h"

namespace resnetd::onednn {

// One axis: dst[before + i] = src[start + i * step] for i < count, and padding elsewhere.
struct SlicePadAxis {
  int64_t src = 0, dst = 0;  // sizes
  int64_t start = 0, step = 1, count = 0, before = 0;
};

// A strided crop, then padding, of NHWC float32: the parameterless shortcut of He et al.'s CIFAR networks (option A:
// every second pixel, missing channels zero) in one pass.
struct SlicePad {
  int64_t batch = 0;
  SlicePadAxis channels, rows, columns;
  float value = 0;
  graph::PadMode mode = graph::PadMode::kConstant;
};

// `src` and `dst` are dense NHWC and do not overlap.
void RunSlicePad(const kernels::Team& team, const SlicePad& shape, const float* src, float* dst);

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_LOWERING_SLICE_PAD_H_
