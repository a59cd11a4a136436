// One function an operator. Feature maps are NHWC: there oneDNN has its fastest f32 kernels for every convolution of a
// ResNet, on AVX2 and AVX-512, so that no reorder stands between two of them. The exception is what reads the images
// (see kImageLayout); pooling and element-wise operators keep the layout they find.
//
// Conv + Add + ReLU is one primitive. Where the residual dies at this node its buffer becomes dst and the sum happens
// in place; elsewhere the residual is a further input:
//
//   residual dies:   dst = residual = relu(conv(src) + residual)     append_sum
//   it lives on:     dst = relu(conv(src) + residual)                append_binary
#include "engine/onednn/lowering.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/onednn/plan_builder.h"
#include "engine/onednn/status.h"

namespace resnetd::onednn {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using dnnl::prop_kind;
using graph::Node;
using graph::ValueId;
using Tag = memory::format_tag;

memory::desc F32(memory::dims dims, Tag tag) {
  return {std::move(dims), memory::data_type::f32, tag};
}

// oneDNN wants the groups as an axis of their own: {groups, OC/groups, IC/groups, KH, KW}.
memory::dims WeightsDims(const graph::Weights& weights, int64_t groups) {
  memory::dims dims(weights.dims.begin(), weights.dims.end());
  if (groups > 1) {
    dims[0] /= groups;
    dims.insert(dims.begin(), groups);
  }
  return dims;
}

// Whether oneDNN fell back to a general implementation: "ref:any", "x64:gemm:jit", but not "brgemm:avx2".
bool IsSlow(const dnnl::primitive_desc_base& primitive) {
  const std::string name = primitive.impl_info_str();
  return absl::StartsWith(name, "ref") || absl::StartsWith(name, "gemm") || absl::StrContains(name, ":gemm");
}

// Padding behind the last element that makes `dst` windows fit: what the file says, more in ceil mode.
int64_t PadBehind(int64_t src, int64_t dst, int64_t window, int64_t stride, int64_t before, int64_t behind) {
  return std::max(behind, (dst - 1) * stride + window - src - before);
}

class Lowering {
 public:
  Lowering(const graph::Graph& graph, int batch, const dnnl::engine& engine, WeightsCache& weights);
  absl::StatusOr<Plan> Run();

 private:
  absl::Status Lower(const Node& node, const graph::Conv& conv);
  absl::Status Lower(const Node& node, const graph::BatchNorm& norm);
  absl::Status Lower(const Node& node, const graph::Relu& relu);
  absl::Status Lower(const Node& node, const graph::Add& add);
  absl::Status Lower(const Node& node, const graph::MaxPool& pool);
  absl::Status Lower(const Node& node, const graph::AveragePool& pool);
  absl::Status Lower(const Node& node, const graph::GlobalAveragePool& pool);
  absl::Status Lower(const Node& node, const graph::Flatten& flatten);
  absl::Status Lower(const Node& node, const graph::Gemm& gemm);
  absl::Status Lower(const Node& node, const graph::Slice& slice);
  absl::Status Lower(const Node& node, const graph::Pad& pad);

  void Pool(const Node& node, algorithm kind, graph::Size2 kernel, graph::Size2 strides, graph::Size2 dilations,
            graph::Pads2 pads);
  // A crop and then a padding; either may be missing.
  void SliceThenPad(const Node& node, ValueId src_id, const graph::Slice* slice, const graph::Pad* pad);

  // The dims of a value, the batch put in front.
  memory::dims DimsOf(ValueId id) const;
  // {N, C, H, W} dense with the channels innermost; {N, C} row-major.
  memory::desc NhwcDesc(ValueId id) const;
  // The value in that layout; later readers find it so too.
  Tensor Nhwc(const Node& node, ValueId id);
  // The value as {N, product}, in ONNX's order of elements.
  Tensor Flat(const StepInfo& info, ValueId id);
  Tensor& TensorOf(ValueId id) { return tensors_[static_cast<size_t>(id)]; }
  memory Learnt(const graph::WeightsRef& values, const memory::desc& wanted, int64_t groups = 1);

  // Whether nothing after `node` reads input `index` and no other input of it shares the buffer.
  bool DiesHere(const Node& node, int index) const;
  bool FusedIntoPad(const Node& slice) const;
  ValueId Root(ValueId id) const { return roots_[static_cast<size_t>(id)]; }
  StepInfo Info(const Node& node) const;

  const graph::Graph& graph_;
  const dnnl::engine& engine_;
  WeightsCache& weights_;
  PlanBuilder builder_;
  int batch_;
  std::vector<Tensor> tensors_;    // by ValueId
  std::vector<ValueId> roots_;     // by ValueId: the value whose buffer it may share
  std::vector<int> last_readers_;  // by ValueId of a root: index of a node
};

Lowering::Lowering(const graph::Graph& graph, int batch, const dnnl::engine& engine, WeightsCache& weights)
    : graph_(graph),
      engine_(engine),
      weights_(weights),
      builder_(engine, batch),
      batch_(batch),
      tensors_(graph.values.size()),
      last_readers_(graph.values.size(), -1) {
  for (size_t i = 0; i < graph.values.size(); ++i) roots_.push_back(static_cast<ValueId>(i));
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const bool shares = std::holds_alternative<graph::Flatten>(node.op) || FusedIntoPad(node);
    if (shares) roots_[static_cast<size_t>(node.output)] = Root(node.inputs[0]);
    for (ValueId input : node.inputs) last_readers_[static_cast<size_t>(Root(input))] = static_cast<int>(i);
  }
  for (ValueId output : {graph.logits, graph.embedding}) {
    last_readers_[static_cast<size_t>(Root(output))] = static_cast<int>(graph.nodes.size());
  }
}

absl::StatusOr<Plan> Lowering::Run() {
  StepInfo info{.node = graph_.name, .op = "Graph", .shape = absl::StrCat("batch ", batch_), .implementation = ""};
  try {
    TensorOf(graph_.input) = builder_.Input(F32(DimsOf(graph_.input), kImageLayout));
    for (const Node& node : graph_.nodes) {
      info = Info(node);
      const absl::Status lowered = std::visit([&](const auto& op) { return Lower(node, op); }, node.op);
      if (!lowered.ok()) return lowered;
    }
    const Tensor embedding = Flat(info, graph_.embedding);
    return builder_.Finish(graph_.has_classifier ? Flat(info, graph_.logits) : embedding, embedding);
  } catch (const dnnl::error& error) {
    return ToStatus(error.status, absl::StrCat("compiling ", info.op, " '", info.node, "' ", info.shape));
  }
}

absl::Status Lowering::Lower(const Node& node, const graph::Conv& conv) {
  dnnl::post_ops post_ops;
  Tensor residual;
  const bool in_place = conv.residual && DiesHere(node, 1);
  if (conv.residual) residual = Nhwc(node, node.inputs[1]);
  if (in_place) post_ops.append_sum(1.0f);
  if (conv.residual && !in_place) post_ops.append_binary(algorithm::binary_add, residual.desc);
  if (conv.relu) post_ops.append_eltwise(algorithm::eltwise_relu, 0, 0);
  dnnl::primitive_attr attr = UserScratchpad();
  attr.set_post_ops(post_ops);

  const memory::desc bias_desc = conv.bias ? F32({conv.bias->dims[0]}, Tag::a) : memory::desc();
  const auto describe = [&](const memory::desc& src, const memory::desc& dst) {
    return dnnl::convolution_forward::primitive_desc(
        engine_, prop_kind::forward_inference, algorithm::convolution_direct, src,
        F32(WeightsDims(*conv.weights, conv.groups), Tag::any), bias_desc, dst, {conv.strides.h, conv.strides.w},
        {conv.dilations.h - 1, conv.dilations.w - 1}, {conv.pads.top, conv.pads.left},
        {conv.pads.bottom, conv.pads.right}, attr);
  };
  Tensor src = TensorOf(node.inputs[0]);
  dnnl::convolution_forward::primitive_desc primitive;
  if (node.inputs[0] == graph_.input && !conv.residual) {
    primitive = describe(src.desc, F32(DimsOf(node.output), Tag::any));
  }
  if (!primitive || IsSlow(primitive)) {
    src = Nhwc(node, node.inputs[0]);
    primitive = describe(src.desc, NhwcDesc(node.output));
  }

  const Tensor dst = in_place ? residual : builder_.Allocate(primitive.dst_desc());
  std::vector<Argument> arguments = {Use(DNNL_ARG_SRC, src),
                                     Use(DNNL_ARG_WEIGHTS, Learnt(conv.weights, primitive.weights_desc(), conv.groups)),
                                     Use(DNNL_ARG_DST, dst)};
  if (conv.bias) arguments.push_back(Use(DNNL_ARG_BIAS, Learnt(conv.bias, bias_desc)));
  if (conv.residual && !in_place) {
    arguments.push_back(Use(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, residual));
  }
  builder_.Add(Info(node), primitive, std::move(arguments));
  TensorOf(node.output) = dst;
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::BatchNorm& norm) {
  const Tensor src = TensorOf(node.inputs[0]);
  using dnnl::normalization_flags;
  const dnnl::batch_normalization_forward::primitive_desc primitive(
      engine_, prop_kind::forward_inference, src.desc, src.desc, norm.epsilon,
      normalization_flags::use_global_stats | normalization_flags::use_scale | normalization_flags::use_shift,
      UserScratchpad());
  const memory::desc per_channel = F32({norm.scale->dims[0]}, Tag::a);
  TensorOf(node.output) = builder_.Allocate(primitive.dst_desc());
  builder_.Add(
      Info(node), primitive,
      {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_MEAN, Learnt(norm.mean, per_channel)),
       Use(DNNL_ARG_VARIANCE, Learnt(norm.variance, per_channel)), Use(DNNL_ARG_SCALE, Learnt(norm.scale, per_channel)),
       Use(DNNL_ARG_SHIFT, Learnt(norm.shift, per_channel)), Use(DNNL_ARG_DST, TensorOf(node.output))});
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Relu&) {
  const Tensor src = TensorOf(node.inputs[0]);
  const dnnl::eltwise_forward::primitive_desc primitive(engine_, prop_kind::forward_inference, algorithm::eltwise_relu,
                                                        src.desc, src.desc, 0, 0, UserScratchpad());
  TensorOf(node.output) = DiesHere(node, 0) ? src : builder_.Allocate(src.desc);
  builder_.Add(Info(node), primitive, {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_DST, TensorOf(node.output))});
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Add&) {
  const Tensor a = Nhwc(node, node.inputs[0]), b = Nhwc(node, node.inputs[1]);
  const dnnl::binary::primitive_desc primitive(engine_, algorithm::binary_add, a.desc, b.desc, a.desc,
                                               UserScratchpad());
  TensorOf(node.output) = DiesHere(node, 0) ? a : builder_.Allocate(a.desc);
  builder_.Add(Info(node), primitive,
               {Use(DNNL_ARG_SRC_0, a), Use(DNNL_ARG_SRC_1, b), Use(DNNL_ARG_DST, TensorOf(node.output))});
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::MaxPool& pool) {
  Pool(node, algorithm::pooling_max, pool.kernel, pool.strides, pool.dilations, pool.pads);
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::AveragePool& pool) {
  const graph::Dims& src = graph_.value(node.inputs[0]).dims;
  const graph::Dims& dst = graph_.value(node.output).dims;
  const bool hangs_over = (dst[1] - 1) * pool.strides.h + pool.kernel.h > src[1] + pool.pads.top + pool.pads.bottom ||
                          (dst[2] - 1) * pool.strides.w + pool.kernel.w > src[2] + pool.pads.left + pool.pads.right;
  if (pool.count_include_pad && hangs_over) {
    return absl::InvalidArgumentError(absl::StrCat("node '", node.name, "' (AveragePool) ", Info(node).shape,
                                                   ": ceil_mode together with count_include_pad is not supported"));
  }
  Pool(node, pool.count_include_pad ? algorithm::pooling_avg_include_padding : algorithm::pooling_avg_exclude_padding,
       pool.kernel, pool.strides, {}, pool.pads);
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::GlobalAveragePool&) {
  const graph::Dims& src = graph_.value(node.inputs[0]).dims;
  Pool(node, algorithm::pooling_avg_exclude_padding, {src[1], src[2]}, {}, {}, {});
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Flatten&) {
  TensorOf(node.output) = Flat(Info(node), node.inputs[0]);
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Gemm& gemm) {
  const Tensor src = Flat(Info(node), node.inputs[0]);
  const memory::desc bias_desc = gemm.bias ? F32({gemm.bias->dims[0]}, Tag::a) : memory::desc();
  const dnnl::inner_product_forward::primitive_desc primitive(
      engine_, prop_kind::forward_inference, src.desc, F32({gemm.weights->dims[0], gemm.weights->dims[1]}, Tag::any),
      bias_desc, NhwcDesc(node.output), UserScratchpad());
  TensorOf(node.output) = builder_.Allocate(primitive.dst_desc());
  std::vector<Argument> arguments = {Use(DNNL_ARG_SRC, src),
                                     Use(DNNL_ARG_WEIGHTS, Learnt(gemm.weights, primitive.weights_desc())),
                                     Use(DNNL_ARG_DST, TensorOf(node.output))};
  if (gemm.bias) arguments.push_back(Use(DNNL_ARG_BIAS, Learnt(gemm.bias, bias_desc)));
  builder_.Add(Info(node), primitive, std::move(arguments));
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Slice& slice) {
  if (!FusedIntoPad(node)) SliceThenPad(node, node.inputs[0], &slice, nullptr);
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Pad& pad) {
  const std::optional<int> producer = graph_.Producer(node.inputs[0]);
  if (producer && FusedIntoPad(graph_.nodes[*producer])) {
    const Node& slice = graph_.nodes[*producer];
    SliceThenPad(node, slice.inputs[0], &std::get<graph::Slice>(slice.op), &pad);
  } else {
    SliceThenPad(node, node.inputs[0], nullptr, &pad);
  }
  return absl::OkStatus();
}

void Lowering::Pool(const Node& node, algorithm kind, graph::Size2 kernel, graph::Size2 strides, graph::Size2 dilations,
                    graph::Pads2 pads) {
  const Tensor src = TensorOf(node.inputs[0]);
  const memory::dims s = src.desc.get_dims(), d = DimsOf(node.output);
  const int64_t window_h = (kernel.h - 1) * dilations.h + 1, window_w = (kernel.w - 1) * dilations.w + 1;
  const memory::dims padding_behind = {PadBehind(s[2], d[2], window_h, strides.h, pads.top, pads.bottom),
                                       PadBehind(s[3], d[3], window_w, strides.w, pads.left, pads.right)};
  const dnnl::pooling_forward::primitive_desc primitive(engine_, prop_kind::forward_inference, kind, src.desc,
                                                        F32(d, Tag::any), {strides.h, strides.w}, {kernel.h, kernel.w},
                                                        {dilations.h - 1, dilations.w - 1}, {pads.top, pads.left},
                                                        padding_behind, UserScratchpad());
  TensorOf(node.output) = builder_.Allocate(primitive.dst_desc());
  builder_.Add(Info(node), primitive, {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_DST, TensorOf(node.output))});
}

void Lowering::SliceThenPad(const Node& node, ValueId src_id, const graph::Slice* slice, const graph::Pad* pad) {
  const Tensor src = Nhwc(node, src_id);
  const graph::Dims& src_dims = graph_.value(src_id).dims;
  const graph::Dims& dst_dims = graph_.value(node.output).dims;
  const auto axis = [&](int i) {
    SlicePadAxis a{.src = src_dims[i], .dst = dst_dims[i], .count = dst_dims[i]};
    if (slice) a.start = slice->start[i], a.step = slice->step[i];
    if (pad) a.before = pad->before[i], a.count -= pad->before[i] + pad->after[i];
    return a;
  };
  TensorOf(node.output) = builder_.Allocate(NhwcDesc(node.output));
  builder_.Add(
      Info(node),
      {.batch = batch_, .channels = axis(0), .rows = axis(1), .columns = axis(2), .value = pad ? pad->value : 0}, src,
      TensorOf(node.output));
}

memory::dims Lowering::DimsOf(ValueId id) const {
  const graph::Dims& dims = graph_.value(id).dims;
  memory::dims all = {batch_};
  all.insert(all.end(), dims.begin(), dims.end());
  return all;
}

memory::desc Lowering::NhwcDesc(ValueId id) const {
  memory::dims dims = DimsOf(id);
  const Tag tag = dims.size() == 4 ? Tag::acdb : Tag::ab;
  return F32(std::move(dims), tag);
}

Tensor Lowering::Nhwc(const Node& node, ValueId id) {
  return TensorOf(id) = builder_.As(TensorOf(id), NhwcDesc(id), Info(node));
}

Tensor Lowering::Flat(const StepInfo& info, ValueId id) {
  const memory::dims dims = DimsOf(id);
  if (dims.size() == 2) return TensorOf(id);
  const bool one_pixel = dims[2] * dims[3] == 1;  // NHWC is then the same, and what pooling yields
  const Tensor plain = builder_.As(TensorOf(id), F32(dims, one_pixel ? Tag::acdb : Tag::abcd), info);
  return {.buffer = plain.buffer, .desc = F32({dims[0], dims[1] * dims[2] * dims[3]}, Tag::ab)};
}

memory Lowering::Learnt(const graph::WeightsRef& values, const memory::desc& wanted, int64_t groups) {
  memory::dims dims = WeightsDims(*values, groups);
  static constexpr Tag kRowMajor[] = {Tag::undef, Tag::a, Tag::ab, Tag::abc, Tag::abcd, Tag::abcde};
  const Tag tag = kRowMajor[dims.size()];
  return weights_.Get(values, F32(std::move(dims), tag), wanted);
}

bool Lowering::DiesHere(const Node& node, int index) const {
  const ValueId root = Root(node.inputs[index]);
  const int here = static_cast<int>(&node - graph_.nodes.data());
  const auto shares = [&](ValueId input) { return Root(input) == root; };
  return last_readers_[static_cast<size_t>(root)] == here &&
         std::count_if(node.inputs.begin(), node.inputs.end(), shares) == 1;
}

bool Lowering::FusedIntoPad(const Node& slice) const {
  if (!std::holds_alternative<graph::Slice>(slice.op)) return false;
  const std::vector<int> readers = graph_.Consumers(slice.output);
  return readers.size() == 1 && std::holds_alternative<graph::Pad>(graph_.nodes[readers[0]].op) &&
         slice.output != graph_.embedding && slice.output != graph_.logits;
}

StepInfo Lowering::Info(const Node& node) const {
  const auto op = graph::OpName(node.op);
  return {.node = node.name,
          .op = std::string(op.data(), op.size()),
          .shape = absl::StrCat(graph::ToString(graph_.value(node.inputs[0]).dims), " -> ",
                                graph::ToString(graph_.value(node.output).dims), " batch ", batch_),
          .implementation = ""};
}

}  // namespace

absl::StatusOr<Plan> Lower(const graph::Graph& graph, int batch, const dnnl::engine& engine, WeightsCache& weights) {
  return Lowering(graph, batch, engine, weights).Run();
}

}  // namespace resnetd::onednn
