// Normalisations along one axis, and those of channels. The axis is made innermost, so that what is normalised are
// rows of consecutive values; of maps, which are NHWC, the channels are so already.
#include <memory>

#include "engine/kernels/rows.h"
#include "engine/onednn/lowering/state.h"

namespace resnetd::onednn {

using dnnl::memory;
using dnnl::prop_kind;
using graph::Node;

namespace {

// The axes of a value, the batch among them, with axis `last` (of one image's share) behind the others.
std::vector<int> OrderOfAxes(size_t axes, int64_t last) {
  std::vector<int> order;
  for (int i = 0; i < static_cast<int>(axes); ++i) {
    if (i != last + 1) order.push_back(i);
  }
  order.push_back(static_cast<int>(last) + 1);
  return order;
}

// Dims in that order.
memory::dims Ordered(const memory::dims& dims, int64_t last) {
  memory::dims ordered;
  for (const int axis : OrderOfAxes(dims.size(), last)) ordered.push_back(dims[static_cast<size_t>(axis)]);
  return ordered;
}

int64_t RowsOf(const memory::dims& dims, int64_t width) {
  int64_t elements = 1;
  for (const int64_t d : dims) elements *= d;
  return elements / width;
}

}  // namespace

Tensor Lowering::WithInnermost(const Node& node, graph::ValueId id, int64_t axis) {
  const Dims dims = DimsOf(id);
  const memory::desc wanted = RowMajorDesc(Ordered(dims, axis)).permute_axes(OrderOfAxes(dims.size(), axis));
  return builder_.As(TensorOf(id), wanted, Info(node));
}

absl::Status Lowering::Lower(const Node& node, const graph::LayerNorm& norm) {
  const Tensor src = WithInnermost(node, node.inputs[0], norm.axis);
  const memory::desc rows = RowMajorDesc(Ordered(DimsOf(node.inputs[0]), norm.axis));
  using dnnl::normalization_flags;
  const dnnl::layer_normalization_forward::primitive_desc primitive(
      engine_, prop_kind::forward_inference, rows, rows, norm.epsilon,
      normalization_flags::use_scale | normalization_flags::use_shift, UserScratchpad());
  const Tensor dst = DiesHere(node, 0) ? src : builder_.Allocate(src.desc);
  TensorOf(node.output) = dst;
  const auto as_rows = [&](const Tensor& tensor) {
    return Tensor{.buffer = tensor.buffer, .desc = rows, .pass_bytes = tensor.pass_bytes};
  };
  builder_.Add(Info(node), primitive,
               {Use(DNNL_ARG_SRC, as_rows(src)), PerChannel(DNNL_ARG_SCALE, norm.scale),
                PerChannel(DNNL_ARG_SHIFT, norm.shift), Use(DNNL_ARG_DST, as_rows(dst))});
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::L2Norm& norm) {
  const Tensor src = WithInnermost(node, node.inputs[0], norm.axis);
  const Dims dims = DimsOf(node.inputs[0]);
  const int64_t width = dims[static_cast<size_t>(norm.axis) + 1];
  const kernels::L2Normalise shape = {
      .rows = RowsOf(dims, width), .width = width, .inside = norm.inside, .floor = norm.floor, .beside = norm.beside};
  TensorOf(node.output) = DiesHere(node, 0) ? src : builder_.Allocate(src.desc);
  builder_.Add(ElementwiseInfo(node, TensorOf(node.output)), "l2_normalise",
               [shape](const kernels::Team& team, absl::Span<float* const> buffers) {
                 kernels::RunL2Normalise(team, shape, buffers[0], buffers[1]);
               },
               {src, TensorOf(node.output)});
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::ResponseNorm& norm) {
  const Tensor src = AsPreferred(node, node.inputs[0]);
  const Dims dims = DimsOf(node.inputs[0]);
  const auto shape =
      std::make_shared<const kernels::ResponseNormalise>(kernels::ResponseNormalise{.images = images_,
                                                                                    .pixels = dims[2] * dims[3],
                                                                                    .epsilon = norm.epsilon,
                                                                                    .scale = norm.scale->data.Copy(),
                                                                                    .shift = norm.shift->data.Copy()});
  const Tensor scratch = Scratch(kernels::ResponseNormaliseScratch(*shape, builder_.threads()));
  TensorOf(node.output) = DiesHere(node, 0) ? src : builder_.Allocate(src.desc);
  builder_.Add(ElementwiseInfo(node, TensorOf(node.output)), "response_normalise",
               [shape](const kernels::Team& team, absl::Span<float* const> buffers) {
                 kernels::RunResponseNormalise(team, *shape, buffers[0], buffers[1], buffers[2]);
               },
               {src, scratch, TensorOf(node.output)});
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::LocalResponseNorm& norm) {
  const Tensor src = WithInnermost(node, node.inputs[0], 0);
  const Dims dims = DimsOf(node.inputs[0]);
  const kernels::LocalResponseNormalise shape = {.rows = RowsOf(dims, dims[1]),
                                                 .width = dims[1],
                                                 .size = norm.size,
                                                 .alpha = norm.alpha,
                                                 .beta = norm.beta,
                                                 .bias = norm.bias};
  TensorOf(node.output) = builder_.Allocate(src.desc);
  builder_.Add(ElementwiseInfo(node, TensorOf(node.output)), "local_response_normalise",
               [shape](const kernels::Team& team, absl::Span<float* const> buffers) {
                 kernels::RunLocalResponseNormalise(team, shape, buffers[0], buffers[1]);
               },
               {src, TensorOf(node.output)});
  return absl::OkStatus();
}

}  // namespace resnetd::onednn
