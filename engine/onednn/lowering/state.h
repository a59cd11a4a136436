#ifndef RESNETD_ENGINE_ONEDNN_LOWERING_STATE_H_
#define RESNETD_ENGINE_ONEDNN_LOWERING_STATE_H_

#include <dnnl.hpp>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "engine/graph/graph.h"
#include "engine/onednn/lowering/lowering.h"
#include "engine/onednn/lowering/slice_pad.h"
#include "engine/onednn/plan_builder.h"
#include "engine/onednn/session.h"
#include "engine/onednn/split.h"
#include "engine/onednn/weights_cache.h"

namespace resnetd::onednn {

// A plan while it is being lowered; one thread. Operators are lowered by theme, in convolutions.cc, layers.cc,
// norms.cc, elementwise.cc and moves.cc, and may throw dnnl::error.
class Lowering {
 public:
  Lowering(const graph::Graph& graph, int batch, const Split& split, const Target& target, WeightsCache& weights);
  absl::StatusOr<Plan> Run();

 private:
  using Dims = dnnl::memory::dims;
  using Tag = dnnl::memory::format_tag;

  // A node's post-ops in the library's terms: attributes and arguments of its primitive.
  struct Fused {
    dnnl::primitive_attr attr;
    std::vector<Argument> arguments;
    std::optional<Tensor> sum;  // the residual that dies here, in whose buffer the result is to be stored
  };

  absl::Status Lower(const graph::Node& node, const graph::Conv& conv);
  absl::Status Lower(const graph::Node& node, const graph::Gemm& gemm);
  absl::Status Lower(const graph::Node& node, const graph::BatchNorm& norm);
  absl::Status Lower(const graph::Node& node, const graph::GroupNorm& norm);
  absl::Status Lower(const graph::Node& node, const graph::LayerNorm& norm);
  absl::Status Lower(const graph::Node& node, const graph::L2Norm& norm);
  absl::Status Lower(const graph::Node& node, const graph::ResponseNorm& norm);
  absl::Status Lower(const graph::Node& node, const graph::LocalResponseNorm& norm);
  absl::Status Lower(const graph::Node& node, const graph::Activation& activation);
  absl::Status Lower(const graph::Node& node, const graph::Binary& binary);
  absl::Status Lower(const graph::Node& node, const graph::PRelu& prelu);
  absl::Status Lower(const graph::Node& node, const graph::MaxPool& pool);
  absl::Status Lower(const graph::Node& node, const graph::AveragePool& pool);
  absl::Status Lower(const graph::Node& node, const graph::Reduce& reduce);
  absl::Status Lower(const graph::Node& node, const graph::Softmax& softmax);
  absl::Status Lower(const graph::Node& node, const graph::Reshape& reshape);
  absl::Status Lower(const graph::Node& node, const graph::Transpose& transpose);
  absl::Status Lower(const graph::Node& node, const graph::Concat& concat);
  absl::Status Lower(const graph::Node& node, const graph::Slice& slice);
  absl::Status Lower(const graph::Node& node, const graph::Pad& pad);

  // The nodes from here on run image by image, or for the whole batch.
  void BeginImages();
  void BeginBatch();
  // Makes whole what nodes from `first` on, or the outputs, read of what was computed in parts.
  void GatherFor(size_t first);

  Fused LowerPostOps(const graph::Node& node, bool may_sum = true);
  // Whether the convolution is one for a kernel of ours, and now lowered as that.
  bool LowerToKernel(const graph::Node& node, const graph::Conv& conv);
  void LowerWinograd(const graph::Node& node, const graph::Conv& conv, bool residual, bool relu);
  void LowerGroupedConvolution(const graph::Node& node, const graph::Conv& conv, bool relu);
  // Weights of these 4 axes as `pack` lays them out for a kernel of ours, and the bias where there is one.
  struct Packed {
    dnnl::memory weights, bias;
  };
  Packed Pack(const graph::Conv& conv, const Dims& dims, absl::FunctionRef<void(const float*, float*)> pack);
  absl::Status LowerMapGroupNorm(const graph::Node& node, const graph::GroupNorm& norm);
  // Whether the operation is a factor and a shift a channel of a map, perhaps with a ReLU, and now lowered as that.
  bool LowerScaleShift(const graph::Node& node, const graph::Binary& binary);
  void LowerPool(const graph::Node& node, dnnl::algorithm kind, const Tensor& src, graph::Size2 kernel,
                 graph::Size2 strides, graph::Size2 dilations, graph::Pads2 pads);
  // A crop and then a padding of a value; either may be missing.
  absl::Status SliceThenPad(const graph::Node& node, graph::ValueId src, const graph::Slice* slice,
                            const graph::Pad* pad);
  void AddSlicePad(const graph::Node& node, const SlicePad& shape, const Tensor& src, const Tensor& dst);

  // The dims of a value, the images at once put in front.
  Dims DimsOf(graph::ValueId id) const;
  // Tells how values are best stored: {N, C, H, W} with the channels innermost, all else row-major.
  dnnl::memory::desc Preferred(graph::ValueId id) const;
  // The value so stored; later readers find it so too.
  Tensor AsPreferred(const graph::Node& node, graph::ValueId id);
  // The value as it lies, unless a transpose left its axes in an order that few kernels know: then as preferred.
  Tensor Straight(const graph::Node& node, graph::ValueId id);
  // The value dense, with the axis (of one image's share) innermost, whatever the order of the others.
  Tensor WithInnermost(const graph::Node& node, graph::ValueId id, int64_t axis);
  // The value in ONNX's order of elements, seen with these dims.
  Tensor RowMajor(const StepInfo& info, graph::ValueId id, Dims dims);
  // Memory for a kernel of ours: the team's, or some for each of its threads.
  Tensor Scratch(int64_t bytes);
  std::vector<Tensor> ScratchByThread(int64_t bytes);
  Tensor& TensorOf(graph::ValueId id) { return tensors_[static_cast<size_t>(id)]; }
  // Learnt values with these dims, in the layout `wanted`.
  dnnl::memory Learnt(const graph::WeightsRef& values, Dims dims, const dnnl::memory::desc& wanted);
  // One learnt value a channel.
  dnnl::memory PerChannel(const graph::WeightsRef& values);
  Argument PerChannel(int id, const graph::WeightsRef& values) { return Use(id, PerChannel(values)); }
  // An operand of an operation of two whose result has the dims of `dst`: a constant that is repeated over a value, or
  // a value. IsOneValueAChannel(dst) decides how it is seen.
  Argument Operand(int id, const graph::WeightsRef& constant, const Dims& dst);
  Argument Operand(int id, const Tensor& value, const Dims& dst);

  // Whether nothing after `node` reads input `index` and no other input of it shares the buffer.
  bool DiesHere(const graph::Node& node, size_t index) const;
  bool FusedIntoPad(const graph::Node& slice) const;
  graph::ValueId Root(graph::ValueId id) const { return roots_[static_cast<size_t>(id)]; }
  StepInfo Info(const graph::Node& node) const;
  // Describes a step of a kernel of ours that takes a few operations an element of `dst`.
  StepInfo ElementwiseInfo(const graph::Node& node, const Tensor& dst) const;
  // The info counts multiply-adds too.
  StepInfo Info(const graph::Node& node, const graph::Conv& conv) const;

  const graph::Graph& graph_;
  const Target target_;
  const dnnl::engine& engine_;
  WeightsCache& weights_;
  PlanBuilder builder_;
  const int batch_;
  const Split split_;
  int images_ = 0;                     // at once in the segment in hand: 1 or the batch
  std::optional<ThreadCount> alone_;   // while lanes are lowered: each of them has one thread
  Tensor input_;                       // of the whole batch
  std::vector<Tensor> tensors_;        // by ValueId
  std::vector<graph::ValueId> roots_;  // by ValueId: the value whose buffer it may share
  std::vector<int> last_readers_;      // by ValueId of a root: index of a node
};

// Dense float32.
inline dnnl::memory::desc F32(const dnnl::memory::dims& dims, dnnl::memory::format_tag tag) {
  return {dims, dnnl::memory::data_type::f32, tag};
}
// Describes memory of any number of axes, 1 to 6, the last one innermost.
dnnl::memory::desc RowMajorDesc(dnnl::memory::dims dims);

// Whether a value {N, C, 1, ...} that is no map {N, C, 1, 1} has axes that say nothing. Operations of two operands are
// then computed on {N, C}: with the others there, oneDNN 3.7 gives all channels the first value of a post-op's operand.
bool IsOneValueAChannel(const dnnl::memory::dims& dims);
// Tells how the post-ops see a value: `dst` are the result's dims.
dnnl::memory::desc AsOperand(const dnnl::memory::desc& desc, const dnnl::memory::dims& dst);

// Whether oneDNN fell back to a general implementation: "ref:any", "x64:gemm:jit", but not "brgemm:avx2".
bool IsSlow(const dnnl::primitive_desc_base& primitive);

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_LOWERING_STATE_H_
