// Functions of each element, alone or as post-ops of what yields the elements.
#include <cmath>
#include <memory>

#include "engine/kernels/normalise.h"
#include "engine/onednn/lowering/state.h"

namespace resnetd::onednn {
namespace {

using dnnl::algorithm;
using graph::ActivationKind;

struct Eltwise {
  algorithm kind;
  float alpha = 0, beta = 0;
};

// oneDNN's name and parameters of a function; `undef` where it has none.
Eltwise EltwiseOf(const graph::Activation& a) {
  switch (a.kind) {
    case ActivationKind::kRelu:
      return {algorithm::eltwise_relu};
    case ActivationKind::kLeakyRelu:
      return {algorithm::eltwise_relu, a.alpha};
    case ActivationKind::kElu:
      return {algorithm::eltwise_elu, a.alpha};
    case ActivationKind::kClip:
      return {algorithm::eltwise_clip, a.alpha, a.beta};
    case ActivationKind::kLinear:
      return {algorithm::eltwise_linear, a.alpha, a.beta};
    case ActivationKind::kPow:
      return {algorithm::eltwise_pow, 1, a.alpha};
    case ActivationKind::kSqrt:
      return {algorithm::eltwise_sqrt};
    case ActivationKind::kExp:
      return {algorithm::eltwise_exp};
    case ActivationKind::kErf:
      return {algorithm::undef};
    case ActivationKind::kTanh:
      return {algorithm::eltwise_tanh};
    case ActivationKind::kSigmoid:
      return {algorithm::eltwise_logistic};
    case ActivationKind::kHardSigmoid:
      return {algorithm::eltwise_hardsigmoid, a.alpha, a.beta};
    case ActivationKind::kHardSwish:
      return {algorithm::eltwise_hardswish, a.alpha, a.beta};
    case ActivationKind::kSwish:
      return {algorithm::eltwise_swish, a.alpha};
    case ActivationKind::kGelu:
      return {algorithm::eltwise_gelu_erf};
    case ActivationKind::kGeluTanh:
      return {algorithm::eltwise_gelu_tanh};
    case ActivationKind::kAbs:
      return {algorithm::eltwise_abs};
    case ActivationKind::kLog:
      return {algorithm::eltwise_log};
    case ActivationKind::kSoftplus:
      return {algorithm::eltwise_soft_relu, 1};
    case ActivationKind::kMish:
      return {algorithm::eltwise_mish};
  }
  return {algorithm::undef};
}

algorithm AlgorithmOf(graph::BinaryKind kind) {
  switch (kind) {
    case graph::BinaryKind::kAdd:
      return algorithm::binary_add;
    case graph::BinaryKind::kSub:
      return algorithm::binary_sub;
    case graph::BinaryKind::kMul:
      return algorithm::binary_mul;
    case graph::BinaryKind::kDiv:
      return algorithm::binary_div;
    case graph::BinaryKind::kMax:
      return algorithm::binary_max;
    case graph::BinaryKind::kMin:
      return algorithm::binary_min;
  }
  return algorithm::undef;
}

}  // namespace

using dnnl::memory;
using dnnl::prop_kind;
using graph::Node;

Lowering::Fused Lowering::LowerPostOps(const Node& node, bool may_sum) {
  Fused fused;
  dnnl::post_ops post_ops;
  const Dims dst = DimsOf(node.output);
  size_t input = graph::OperatorInputs(node);
  for (const graph::PostOp& post_op : node.post_ops) {
    if (const auto* activation = std::get_if<graph::Activation>(&post_op)) {
      const Eltwise eltwise = EltwiseOf(*activation);
      post_ops.append_eltwise(eltwise.kind, eltwise.alpha, eltwise.beta);
      continue;
    }
    const auto& binary = std::get<graph::Binary>(post_op);
    const int id = DNNL_ARG_ATTR_MULTIPLE_POST_OP(post_ops.len()) | DNNL_ARG_SRC_1;
    if (binary.constant != nullptr) {
      fused.arguments.push_back(Operand(id, binary.constant, dst));
      post_ops.append_binary(AlgorithmOf(binary.kind), fused.arguments.back().desc);
      continue;
    }
    const size_t index = input++;
    const Tensor operand = AsPreferred(node, node.inputs[index]);
    const bool first = post_ops.len() == 0, same = DimsOf(node.inputs[index]) == dst;
    if (may_sum && first && same && binary.kind == graph::BinaryKind::kAdd && DiesHere(node, index)) {
      post_ops.append_sum(1.0f);
      fused.sum = operand;
    } else {
      fused.arguments.push_back(Operand(id, operand, dst));
      post_ops.append_binary(AlgorithmOf(binary.kind), fused.arguments.back().desc);
    }
  }
  fused.attr = UserScratchpad();
  fused.attr.set_post_ops(post_ops);
  return fused;
}

absl::Status Lowering::Lower(const Node& node, const graph::Activation& activation) {
  Tensor src = TensorOf(node.inputs[0]);
  // Channels may be padded with zeros, which few functions keep; the library has a plain loop for the others.
  if (src.desc.get_padded_dims() != src.desc.get_dims()) src = AsPreferred(node, node.inputs[0]);
  const Tensor dst = DiesHere(node, 0) ? src : builder_.Allocate(src.desc);
  TensorOf(node.output) = dst;
  const Eltwise eltwise = EltwiseOf(activation);
  if (eltwise.kind == algorithm::undef) {  // erf, which exporters leave only in pieces of GELU that no pass knew
    const auto count = static_cast<int64_t>(src.desc.get_size() / sizeof(float));
    builder_.Add(ElementwiseInfo(node, dst), "erf",
                 [count](const kernels::Team& team, absl::Span<float* const> buffers) {
                   const kernels::Range own = team.PartOf({0, count});
                   for (int64_t i = own.begin; i < own.end; ++i) buffers[1][i] = std::erf(buffers[0][i]);
                 },
                 {src, dst});
    return absl::OkStatus();
  }
  const dnnl::eltwise_forward::primitive_desc primitive(engine_, prop_kind::forward_inference, eltwise.kind, src.desc,
                                                        src.desc, eltwise.alpha, eltwise.beta, UserScratchpad());
  builder_.Add(Info(node), primitive, {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_DST, dst)});
  return absl::OkStatus();
}

bool Lowering::LowerScaleShift(const Node& node, const graph::Binary& binary) {
  const Dims dims = DimsOf(node.output);
  const auto per_channel = [&](const graph::Binary* op, graph::BinaryKind kind) {
    return op != nullptr && op->kind == kind && op->constant != nullptr &&
           op->constant->dims == graph::Dims{dims[1], 1, 1};
  };
  const graph::PostOps& post_ops = node.post_ops;
  if (dims.size() != 4 || post_ops.empty() || post_ops.size() > 2) return false;
  const auto* add = std::get_if<graph::Binary>(&post_ops[0]);
  if (!per_channel(&binary, graph::BinaryKind::kMul) || !per_channel(add, graph::BinaryKind::kAdd)) return false;
  const auto* relu = post_ops.size() == 2 ? std::get_if<graph::Activation>(&post_ops[1]) : nullptr;
  if (post_ops.size() == 2 && (relu == nullptr || relu->kind != ActivationKind::kRelu)) return false;

  const Tensor src = AsPreferred(node, node.inputs[0]);
  const auto shape =
      std::make_shared<const kernels::ScaleShift>(kernels::ScaleShift{.pixels = dims[0] * dims[2] * dims[3],
                                                                      .factor = binary.constant->data.Copy(),
                                                                      .shift = add->constant->data.Copy(),
                                                                      .relu = relu != nullptr});
  TensorOf(node.output) = DiesHere(node, 0) ? src : builder_.Allocate(src.desc);
  builder_.Add(ElementwiseInfo(node, TensorOf(node.output)), "scale_shift",
               [shape](const kernels::Team& team, absl::Span<float* const> buffers) {
                 kernels::RunScaleShift(team, *shape, buffers[0], buffers[1]);
               },
               {src, TensorOf(node.output)});
  return true;
}

absl::Status Lowering::Lower(const Node& node, const graph::Binary& binary) {
  if (LowerScaleShift(node, binary)) return absl::OkStatus();
  Fused fused = LowerPostOps(node, false);
  const Dims dims = DimsOf(node.output);
  Argument a = Operand(DNNL_ARG_SRC_0, AsPreferred(node, node.inputs[0]), dims);
  Argument b = binary.constant != nullptr ? Operand(DNNL_ARG_SRC_1, binary.constant, dims)
                                          : Operand(DNNL_ARG_SRC_1, AsPreferred(node, node.inputs[1]), dims);
  const memory::desc dst_desc = AsOperand(Preferred(node.output), dims);
  const bool swap = graph::Commutes(binary.kind) ? a.desc != dst_desc && b.desc == dst_desc : binary.reversed;
  if (swap) {
    std::swap(a, b);
    std::swap(a.id, b.id);
  }
  const dnnl::binary::primitive_desc primitive(engine_, AlgorithmOf(binary.kind), a.desc, b.desc, dst_desc, fused.attr);
  const bool in_place = !swap && a.desc == dst_desc && DiesHere(node, 0);
  TensorOf(node.output) = in_place ? TensorOf(node.inputs[0]) : builder_.Allocate(Preferred(node.output));
  fused.arguments.push_back(std::move(a));
  fused.arguments.push_back(std::move(b));
  fused.arguments.push_back(Operand(DNNL_ARG_DST, TensorOf(node.output), dims));
  builder_.Add(Info(node), primitive, std::move(fused.arguments));
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::PRelu& prelu) {
  const Tensor src = AsPreferred(node, node.inputs[0]);
  memory::dims slope_dims(src.desc.get_dims().size(), 1);
  slope_dims[1] = prelu.slope->dims[0];
  const memory::desc slope_desc = slope_dims.size() == 4 ? F32(slope_dims, Tag::acdb) : RowMajorDesc(slope_dims);
  const dnnl::prelu_forward::primitive_desc primitive(engine_, prop_kind::forward_inference, src.desc, slope_desc,
                                                      src.desc, UserScratchpad());
  TensorOf(node.output) = DiesHere(node, 0) ? src : builder_.Allocate(src.desc);
  builder_.Add(Info(node), primitive,
               {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_WEIGHTS, Learnt(prelu.slope, slope_dims, slope_desc)),
                Use(DNNL_ARG_DST, TensorOf(node.output))});
  return absl::OkStatus();
}

absl::Status Lowering::Lower(const Node& node, const graph::Softmax& softmax) {
  const Tensor src = Straight(node, node.inputs[0]);
  const dnnl::softmax_forward::primitive_desc primitive(
      engine_, prop_kind::forward_inference, softmax.log ? algorithm::softmax_log : algorithm::softmax_accurate,
      src.desc, src.desc, static_cast<int>(softmax.axis) + 1, UserScratchpad());
  TensorOf(node.output) = builder_.Allocate(src.desc);
  builder_.Add(Info(node), primitive, {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_DST, TensorOf(node.output))});
  return absl::OkStatus();
}

}  // namespace resnetd::onednn
