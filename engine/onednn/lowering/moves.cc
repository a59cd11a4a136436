// Operators that only move elements. Reshape and Transpose are other views of a buffer; a copy happens where a reader
// needs another order of elements.
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "engine/onednn/lowering/state.h"

namespace resnetd::onednn {

using graph::Node;
using graph::ValueId;

absl::Status Lowering::Lower(const Node& node, const graph::Reshape&) {
  TensorOf(node.output) = RowMajor(Info(node), node.inputs[0], DimsOf(node.output));
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Transpose& transpose) {
  const Tensor& src = TensorOf(node.inputs[0]);
  std::vector<int> to(src.desc.get_dims().size(), 0);  // axis i of src becomes axis to[i] of dst
  for (size_t i = 0; i < transpose.perm.size(); ++i)
    to[static_cast<size_t>(transpose.perm[i]) + 1] = static_cast<int>(i) + 1;
  TensorOf(node.output) = {.buffer = src.buffer, .desc = src.desc.permute_axes(to), .pass_bytes = src.pass_bytes};
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Concat& concat) {
  std::vector<dnnl::memory::desc> parts;
  std::vector<Argument> arguments;
  for (const ValueId id : node.inputs) {
    const Tensor part = AsPreferred(node, id);
    arguments.push_back(Use(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(parts.size()), part));
    parts.push_back(part.desc);
  }
  const dnnl::concat::primitive_desc primitive(engine_, Preferred(node.output), static_cast<int>(concat.axis) + 1,
                                               parts, UserScratchpad());
  TensorOf(node.output) = builder_.Allocate(primitive.dst_desc());
  arguments.push_back(Use(DNNL_ARG_DST, TensorOf(node.output)));
  builder_.Add(Info(node), primitive, std::move(arguments));
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Slice& slice) {
  return FusedIntoPad(node) ? absl::OkStatus() : SliceThenPad(node, node.inputs[0], &slice, nullptr);
}

absl::Status Lowering::Lower(const Node& node, const graph::Pad& pad) {
  const std::optional<int> producer = graph_.Producer(node.inputs[0]);
  if (producer && FusedIntoPad(graph_.nodes[*producer])) {
    const Node& slice = graph_.nodes[*producer];
    return SliceThenPad(node, slice.inputs[0], &std::get<graph::Slice>(slice.op), &pad);
  }
  return SliceThenPad(node, node.inputs[0], nullptr, &pad);
}

void Lowering::AddSlicePad(const Node& node, const SlicePad& shape, const Tensor& src, const Tensor& dst) {
  builder_.Add(ElementwiseInfo(node, dst), "slice_pad",
               [shape](const kernels::Team& team, absl::Span<float* const> buffers) {
                 RunSlicePad(team, shape, buffers[0], buffers[1]);
               },
               {src, dst});
}

// The kernel knows three axes. A map's are stored as rows, columns, channels; of what has fewer, the first ones are 1.
absl::Status Lowering::SliceThenPad(const Node& node, ValueId src_id, const graph::Slice* slice,
                                    const graph::Pad* pad) {
  const Tensor src = AsPreferred(node, src_id);
  const graph::Dims& src_dims = graph_.value(src_id).dims;
  const graph::Dims& dst_dims = graph_.value(node.output).dims;
  const size_t rank = src_dims.size();
  if (rank > 3) {
    return absl::InvalidArgumentError(absl::StrCat("node ", Quoted(node.name), " (", graph::OpName(node.op), ") ",
                                                   Info(node).shape, ": expected at most 3 axes beside the batch"));
  }
  const auto axis = [&](size_t i) {
    SlicePadAxis a{.src = src_dims[i], .dst = dst_dims[i], .count = dst_dims[i]};
    if (slice) a.start = slice->start[i], a.step = slice->step[i];
    if (pad) a.before = pad->before[i], a.count -= pad->before[i] + pad->after[i];
    return a;
  };
  const SlicePadAxis one{.src = 1, .dst = 1, .count = 1};
  SlicePad shape{.batch = images_,
                 .channels = axis(rank == 3 ? 0 : rank - 1),
                 .rows = rank == 3 ? axis(1) : one,
                 .columns = rank == 3   ? axis(2)
                            : rank == 2 ? axis(0)
                                        : one};
  if (pad) shape.value = pad->value, shape.mode = pad->mode;
  TensorOf(node.output) = builder_.Allocate(Preferred(node.output));
  AddSlicePad(node, shape, src, TensorOf(node.output));
  return absl::OkStatus();
}

}  // namespace resnetd::onednn
