// Pools and reductions. A mean over height and width is a pool whose window is the whole map: the library's reduction
// is a plain loop.
#include <algorithm>

#include "base/enum_table.h"
#include "engine/onednn/lowering/state.h"

namespace resnetd::onednn {
namespace {

using dnnl::algorithm;

// Padding behind the last element that makes `dst` windows fit: what the file says, more in ceil mode.
int64_t PadBehind(int64_t src, int64_t dst, int64_t window, int64_t stride, int64_t before, int64_t behind) {
  return std::max(behind, (dst - 1) * stride + window - src - before);
}

}  // namespace

using graph::Node;

void Lowering::LowerPool(const Node& node, algorithm kind, const Tensor& src, graph::Size2 kernel, graph::Size2 strides,
                         graph::Size2 dilations, graph::Pads2 pads) {
  const Dims s = src.desc.get_dims(), d = DimsOf(node.output);
  const int64_t window_h = (kernel.h - 1) * dilations.h + 1, window_w = (kernel.w - 1) * dilations.w + 1;
  const Dims padding_behind = {PadBehind(s[2], d[2], window_h, strides.h, pads.top, pads.bottom),
                               PadBehind(s[3], d[3], window_w, strides.w, pads.left, pads.right)};
  const dnnl::pooling_forward::primitive_desc primitive(engine_, dnnl::prop_kind::forward_inference, kind, src.desc,
                                                        F32(d, Tag::any), {strides.h, strides.w}, {kernel.h, kernel.w},
                                                        {dilations.h - 1, dilations.w - 1}, {pads.top, pads.left},
                                                        padding_behind, UserScratchpad());
  TensorOf(node.output) = builder_.Allocate(primitive.dst_desc());
  builder_.Add(Info(node), primitive, {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_DST, TensorOf(node.output))});
}

absl::Status Lowering::Lower(const Node& node, const graph::MaxPool& pool) {
  LowerPool(node, algorithm::pooling_max, Straight(node, node.inputs[0]), pool.kernel, pool.strides, pool.dilations,
            pool.pads);
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::AveragePool& pool) {
  const Dims src = DimsOf(node.inputs[0]), dst = DimsOf(node.output);
  const graph::Size2 window = {(pool.kernel.h - 1) * pool.dilations.h + 1, (pool.kernel.w - 1) * pool.dilations.w + 1};
  const bool hangs_over = (dst[2] - 1) * pool.strides.h + window.h > src[2] + pool.pads.top + pool.pads.bottom ||
                          (dst[3] - 1) * pool.strides.w + window.w > src[3] + pool.pads.left + pool.pads.right;
  if (pool.count_include_pad && hangs_over) {
    // The file's padding counts and what ceil mode adds behind it does not: the first is made real.
    const graph::Dims& map = graph_.value(node.inputs[0]).dims;
    const SlicePad padded = {.batch = images_,
                             .channels = {.src = map[0], .dst = map[0], .count = map[0]},
                             .rows = {.src = map[1],
                                      .dst = map[1] + pool.pads.top + pool.pads.bottom,
                                      .count = map[1],
                                      .before = pool.pads.top},
                             .columns = {.src = map[2],
                                         .dst = map[2] + pool.pads.left + pool.pads.right,
                                         .count = map[2],
                                         .before = pool.pads.left}};
    const Tensor plain = AsPreferred(node, node.inputs[0]);
    const Tensor wide = builder_.Allocate(F32({images_, map[0], padded.rows.dst, padded.columns.dst}, Tag::acdb));
    AddSlicePad(node, padded, plain, wide);
    LowerPool(node, algorithm::pooling_avg_exclude_padding, wide, pool.kernel, pool.strides, pool.dilations, {});
    return absl::OkStatus();
  }
  LowerPool(node,
            pool.count_include_pad ? algorithm::pooling_avg_include_padding : algorithm::pooling_avg_exclude_padding,
            Straight(node, node.inputs[0]), pool.kernel, pool.strides, pool.dilations, pool.pads);
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Reduce& reduce) {
  const Dims dims = DimsOf(node.inputs[0]);
  const bool pixels = dims.size() == 4 && reduce.axes.size() == 2 && reduce.axes[0] == 1;
  if (pixels && (reduce.kind == graph::ReduceKind::kMean || reduce.kind == graph::ReduceKind::kMax)) {
    const bool mean = reduce.kind == graph::ReduceKind::kMean;
    LowerPool(node, mean ? algorithm::pooling_avg_exclude_padding : algorithm::pooling_max,
              Straight(node, node.inputs[0]), {dims[2], dims[3]}, {}, {}, {});
    return absl::OkStatus();
  }
  const bool l2 = reduce.kind == graph::ReduceKind::kL2;
  if (dims == DimsOf(node.output)) {  // single elements, which the library does not reduce
    const Tensor src = TensorOf(node.inputs[0]);
    const dnnl::eltwise_forward::primitive_desc primitive(engine_, dnnl::prop_kind::forward_inference,
                                                          l2 ? algorithm::eltwise_abs : algorithm::eltwise_linear,
                                                          src.desc, src.desc, 1.0f, 0.0f, UserScratchpad());
    TensorOf(node.output) = builder_.Allocate(src.desc);
    builder_.Add(Info(node), primitive, {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_DST, TensorOf(node.output))});
    return absl::OkStatus();
  }
  static constexpr EnumTable<graph::ReduceKind, algorithm> kKinds = {
      algorithm::reduction_mean, algorithm::reduction_max, algorithm::reduction_sum, algorithm::reduction_norm_lp_sum};
  const Tensor src = AsPreferred(node, node.inputs[0]);
  const dnnl::memory::desc dst = Preferred(node.output);
  const dnnl::reduction::primitive_desc primitive(engine_, kKinds[reduce.kind], src.desc, dst, l2 ? 2.0f : 0.0f, 0.0f,
                                                  UserScratchpad());
  TensorOf(node.output) = builder_.Allocate(dst);
  builder_.Add(Info(node), primitive, {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_DST, TensorOf(node.output))});
  return absl::OkStatus();
}

}  // namespace resnetd::onednn
