// Layers: convolutions (those of our own kernels are in convolutions.cc), inner products, normalisations, pools and
// reductions.
//
// Conv + Add + ReLU is one primitive. Where the residual dies at this node its buffer becomes dst and the sum happens
// in place; elsewhere the residual is a further input:
//
//   residual dies:   dst = residual = relu(conv(src) + residual)     append_sum
//   it lives on:     dst = relu(conv(src) + residual)                append_binary
//
// A mean over height and width is a pool whose window is the whole map: the library's reduction is a plain loop.
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/enum_table.h"
#include "engine/kernels/normalise.h"
#include "engine/onednn/lowering/state.h"

namespace resnetd::onednn {
namespace {

// A convolution of single pixels knows no images: rows may stand for images, as long as nothing else tells them apart.
bool SeesPixels(const graph::Conv& conv) {
  const graph::Dims& kernel = conv.weights->dims;
  return kernel[2] == 1 && kernel[3] == 1 && conv.strides.h == 1 && conv.strides.w == 1 && conv.pads.top == 0 &&
         conv.pads.left == 0 && conv.pads.bottom == 0 && conv.pads.right == 0;
}

// {N, C, H, W} as {N * parts, C, H / parts, W}, channels innermost.
dnnl::memory::desc CutRows(const dnnl::memory::desc& map, int64_t parts) {
  const dnnl::memory::dims dims = map.get_dims();
  return F32({dims[0] * parts, dims[1], dims[2] / parts, dims[3]}, dnnl::memory::format_tag::acdb);
}

// oneDNN wants the groups as an axis of their own: {groups, OC/groups, IC/groups, KH, KW}.
dnnl::memory::dims WeightsDims(const graph::Weights& weights, int64_t groups) {
  dnnl::memory::dims dims(weights.dims.begin(), weights.dims.end());
  if (groups > 1) {
    dims[0] /= groups;
    dims.insert(dims.begin(), groups);
  }
  return dims;
}

// Padding behind the last element that makes `dst` windows fit: what the file says, more in ceil mode.
int64_t PadBehind(int64_t src, int64_t dst, int64_t window, int64_t stride, int64_t before, int64_t behind) {
  return std::max(behind, (dst - 1) * stride + window - src - before);
}

}  // namespace

using dnnl::algorithm;
using dnnl::memory;
using dnnl::prop_kind;
using graph::Node;

absl::Status Lowering::Lower(const Node& node, const graph::Conv& conv) {
  if (LowerToKernel(node, conv)) return absl::OkStatus();
  Fused fused = LowerPostOps(node);
  const memory::dims weights_dims = WeightsDims(*conv.weights, conv.groups);
  const memory::desc bias_desc = conv.bias ? F32({conv.bias->dims[0]}, Tag::a) : memory::desc();
  bool one_thread = false;
  const auto describe = [&](const memory::desc& src, const memory::desc& dst) {
    return weights_.Choose(
        conv.weights, F32(weights_dims, Tag::any),
        [&](const memory::desc& layout, bool allow_empty) {
          return dnnl::convolution_forward::primitive_desc(
              engine_, prop_kind::forward_inference, algorithm::convolution_direct, src, layout, bias_desc, dst,
              {conv.strides.h, conv.strides.w}, {conv.dilations.h - 1, conv.dilations.w - 1},
              {conv.pads.top, conv.pads.left}, {conv.pads.bottom, conv.pads.right}, fused.attr, allow_empty);
        },
        one_thread);
  };
  Tensor src = TensorOf(node.inputs[0]);
  dnnl::convolution_forward::primitive_desc primitive;
  if (node.inputs[0] == graph_.input && node.inputs.size() == 1) {
    primitive = describe(src.desc, F32(DimsOf(node.output), Tag::any));
  }
  if (!primitive || IsSlow(primitive)) {
    src = AsPreferred(node, node.inputs[0]);
    // Fewer images than threads would be shared out by channels, in narrower blocks than a batch wants: a further copy
    // of the weights. By rows, the layout is mostly a batch's; where it is not, other cuts may have one that is there.
    const int64_t threads = builder_.threads(), height = src.desc.get_dims()[2];
    const bool may_cut = SeesPixels(conv) && fused.arguments.empty();
    const auto describe_cut = [&](int64_t parts) {
      return describe(CutRows(src.desc, parts), CutRows(Preferred(node.output), parts));
    };
    const auto good = [&] { return !one_thread && weights_.CanAfford(conv.weights, primitive.weights_desc()); };
    primitive = describe_cut(1);
    if (may_cut && !good() && height % threads == 0) primitive = describe_cut(threads);
    for (int64_t parts = 2; may_cut && parts <= height && !good(); ++parts) {
      if (height % parts == 0) primitive = describe_cut(parts);
    }
    if (!good()) primitive = describe_cut(1);
    src.desc = primitive.src_desc();
  }

  Tensor dst = fused.sum ? *fused.sum : builder_.Allocate(primitive.dst_desc());
  dst.desc = primitive.dst_desc();
  fused.arguments.push_back(Use(DNNL_ARG_SRC, src));
  fused.arguments.push_back(Use(DNNL_ARG_WEIGHTS, Learnt(conv.weights, weights_dims, primitive.weights_desc())));
  fused.arguments.push_back(Use(DNNL_ARG_DST, dst));
  if (dst.desc.get_dims() != DimsOf(node.output)) dst.desc = Preferred(node.output);
  TensorOf(node.output) = dst;
  if (conv.bias) fused.arguments.push_back(PerChannel(DNNL_ARG_BIAS, conv.bias));
  StepInfo info = Info(node, conv);
  info.one_thread = one_thread;
  builder_.Add(std::move(info), primitive, std::move(fused.arguments));
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Gemm& gemm) {
  const Dims src_dims = DimsOf(node.inputs[0]), dst_dims = DimsOf(node.output);
  const bool operands = std::any_of(node.post_ops.begin(), node.post_ops.end(), [](const graph::PostOp& post_op) {
    return std::holds_alternative<graph::Binary>(post_op);
  });
  if (operands && dst_dims.size() > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("node ", Quoted(node.name), " (Gemm) ", Info(node).shape,
                     ": expected no operand fused into an inner product of several rows"));
  }
  Fused fused = LowerPostOps(node, false);
  const int64_t ic = src_dims.back(), oc = dst_dims.back();
  int64_t rows = 1;
  for (const int64_t d : src_dims) rows *= d;
  rows /= ic;
  const memory::desc bias_desc = gemm.bias ? F32({oc}, Tag::a) : memory::desc();
  bool one_thread = false;
  const auto add = [&](const auto& primitive, const Tensor& src, const Dims& weights_dims) {
    const Tensor dst = builder_.Allocate(primitive.dst_desc());
    TensorOf(node.output) = {.buffer = dst.buffer, .desc = RowMajorDesc(dst_dims)};
    fused.arguments.push_back(Use(DNNL_ARG_SRC, src));
    fused.arguments.push_back(Use(DNNL_ARG_WEIGHTS, Learnt(gemm.weights, weights_dims, primitive.weights_desc())));
    fused.arguments.push_back(Use(DNNL_ARG_DST, dst));
    if (gemm.bias) fused.arguments.push_back(PerChannel(DNNL_ARG_BIAS, gemm.bias));
    StepInfo info = Info(node);
    info.one_thread = one_thread;
    info.multiply_adds = static_cast<int64_t>(gemm.weights->data.size()) * rows;
    builder_.Add(std::move(info), primitive, std::move(fused.arguments));
    return absl::OkStatus();
  };

  Tensor src = RowMajor(Info(node), node.inputs[0], {rows, ic});
  const auto product = weights_.Choose(
      gemm.weights, F32({oc, ic}, Tag::any),
      [&](const memory::desc& layout, bool allow_empty) {
        return dnnl::inner_product_forward::primitive_desc(engine_, prop_kind::forward_inference, src.desc, layout,
                                                           bias_desc, F32({rows, oc}, Tag::ab), fused.attr,
                                                           allow_empty);
      },
      one_thread);
  if (!IsSlow(product) || operands) return add(product, src, {oc, ic});
  // A single output, say. The same as a convolution of one pixel is not slow.
  one_thread = false;
  src.desc = F32({rows, ic, 1, 1}, Tag::acdb);
  const dnnl::convolution_forward::primitive_desc pixel(
      engine_, prop_kind::forward_inference, algorithm::convolution_direct, src.desc, F32({oc, ic, 1, 1}, Tag::any),
      bias_desc, F32({rows, oc, 1, 1}, Tag::acdb), {1, 1}, {0, 0}, {0, 0}, fused.attr);
  return add(pixel, src, {oc, ic, 1, 1});
}

absl::Status Lowering::Lower(const Node& node, const graph::BatchNorm&) {
  return absl::InvalidArgumentError(
      absl::StrCat("node ", Quoted(node.name), " (BatchNorm): expected split-batch-norm to leave none"));
}

// Maps go through our own kernel: the library's takes four times as long, and a pass more for the ReLU.
absl::Status Lowering::LowerMapGroupNorm(const Node& node, const graph::GroupNorm& norm) {
  const Tensor src = AsPreferred(node, node.inputs[0]);
  const Dims dims = DimsOf(node.inputs[0]);
  const auto shape =
      std::make_shared<const kernels::GroupNormalise>(kernels::GroupNormalise{.images = images_,
                                                                              .pixels = dims[2] * dims[3],
                                                                              .groups = norm.groups,
                                                                              .epsilon = norm.epsilon,
                                                                              .scale = norm.scale->data.Copy(),
                                                                              .shift = norm.shift->data.Copy(),
                                                                              .relu = !node.post_ops.empty()});
  const Tensor scratch = Scratch(kernels::GroupNormaliseScratch(*shape, builder_.threads()));
  TensorOf(node.output) = DiesHere(node, 0) ? src : builder_.Allocate(src.desc);
  builder_.Add(ElementwiseInfo(node, TensorOf(node.output)), "group_normalise",
               [shape](const kernels::Team& team, absl::Span<float* const> buffers) {
                 kernels::RunGroupNormalise(team, *shape, buffers[0], buffers[1], buffers[2]);
               },
               {src, scratch, TensorOf(node.output)});
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::GroupNorm& norm) {
  if (DimsOf(node.inputs[0]).size() == 4) return LowerMapGroupNorm(node, norm);
  const Tensor src = AsPreferred(node, node.inputs[0]);
  // The library (3.7) overruns its own buffers with two axes.
  const memory::desc& plain = src.desc;
  const memory::desc map = plain.get_ndims() > 2 ? plain : plain.reshape({images_, norm.scale->dims[0], 1});
  using dnnl::normalization_flags;
  const dnnl::group_normalization_forward::primitive_desc primitive(
      engine_, prop_kind::forward_inference, map, map, norm.groups, norm.epsilon,
      normalization_flags::use_scale | normalization_flags::use_shift, UserScratchpad());
  const Tensor dst = builder_.Allocate(map);
  TensorOf(node.output) = {.buffer = dst.buffer, .desc = plain};
  builder_.Add(
      Info(node), primitive,
      {Use(DNNL_ARG_SRC, {.buffer = src.buffer, .desc = map, .pass_bytes = src.pass_bytes}),
       PerChannel(DNNL_ARG_SCALE, norm.scale), PerChannel(DNNL_ARG_SHIFT, norm.shift), Use(DNNL_ARG_DST, dst)});
  return absl::OkStatus();
}

void Lowering::LowerPool(const Node& node, algorithm kind, const Tensor& src, graph::Size2 kernel, graph::Size2 strides,
                         graph::Size2 dilations, graph::Pads2 pads) {
  const Dims s = src.desc.get_dims(), d = DimsOf(node.output);
  const int64_t window_h = (kernel.h - 1) * dilations.h + 1, window_w = (kernel.w - 1) * dilations.w + 1;
  const Dims padding_behind = {PadBehind(s[2], d[2], window_h, strides.h, pads.top, pads.bottom),
                               PadBehind(s[3], d[3], window_w, strides.w, pads.left, pads.right)};
  const dnnl::pooling_forward::primitive_desc primitive(engine_, prop_kind::forward_inference, kind, src.desc,
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
    const dnnl::eltwise_forward::primitive_desc primitive(engine_, prop_kind::forward_inference,
                                                          l2 ? algorithm::eltwise_abs : algorithm::eltwise_linear,
                                                          src.desc, src.desc, 1.0f, 0.0f, UserScratchpad());
    TensorOf(node.output) = builder_.Allocate(src.desc);
    builder_.Add(Info(node), primitive, {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_DST, TensorOf(node.output))});
    return absl::OkStatus();
  }
  static constexpr EnumTable<graph::ReduceKind, algorithm> kKinds = {
      algorithm::reduction_mean, algorithm::reduction_max, algorithm::reduction_sum, algorithm::reduction_norm_lp_sum};
  const Tensor src = AsPreferred(node, node.inputs[0]);
  const memory::desc dst = Preferred(node.output);
  const dnnl::reduction::primitive_desc primitive(engine_, kKinds[reduce.kind], src.desc, dst, l2 ? 2.0f : 0.0f, 0.0f,
                                                  UserScratchpad());
  TensorOf(node.output) = builder_.Allocate(dst);
  builder_.Add(Info(node), primitive, {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_DST, TensorOf(node.output))});
  return absl::OkStatus();
}

}  // namespace resnetd::onednn
