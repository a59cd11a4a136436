// Layers with weights, and what stands between them. Semantics: the ONNX operator specification.
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/onnx/import.h"
#include "engine/status_macros.h"

namespace resnetd::onnx {
namespace {

using graph::ValueId;
using graph::Weights;
using graph::WeightsRef;

absl::Status Expected(absl::string_view what, absl::string_view expected, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": expected ", expected, ", got ", got));
}

WeightsRef Make(std::string name, graph::Dims dims, std::vector<float> data) {
  return std::make_shared<const Weights>(
      Weights{std::move(name), std::move(dims), std::make_shared<const std::vector<float>>(std::move(data))});
}

// {OC, IC} from {IC, OC}.
WeightsRef Transposed(const Weights& w) {
  const int64_t rows = w.dims[0], columns = w.dims[1];
  std::vector<float> out(w.data->size());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) out[c * rows + r] = (*w.data)[r * columns + c];
  }
  return Make(w.name, {columns, rows}, std::move(out));
}

WeightsRef Scaled(const WeightsRef& w, float factor) {
  if (factor == 1.0f) return w;
  std::vector<float> out = *w->data;
  for (float& x : out) x *= factor;
  return Make(w->name, w->dims, std::move(out));
}

// One value a column, from {N}, {1, N} or a single value.
absl::StatusOr<WeightsRef> AsBias(const WeightsRef& w, int64_t columns) {
  const auto& data = *w->data;
  if (static_cast<int64_t>(data.size()) == columns && w->dims.size() <= 2 && w->dims.back() == columns) {
    return Make(w->name, {columns}, data);
  }
  if (data.size() == 1) return Make(w->name, {columns}, std::vector<float>(columns, data[0]));
  return Expected("bias", absl::StrCat(columns, " values"), graph::ToString(w->dims));
}

absl::Status CheckMatrix(const WeightsRef& w) {
  if (w->dims.size() == 2) return absl::OkStatus();
  return Expected(absl::StrCat("weights '", w->name, "'"), "two axes", graph::ToString(w->dims));
}

}  // namespace

absl::Status ImportConv(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  graph::Conv op;
  RESNETD_ASSIGN_OR_RETURN(op.weights, into.Floats(n, 1));
  if (into.HasInput(n, 2)) {
    RESNETD_ASSIGN_OR_RETURN(op.bias, into.Floats(n, 2));
  }
  const graph::Dims& w = op.weights->dims;
  if (w.size() != 4) return Expected("weights", "four axes", graph::ToString(w));
  RESNETD_ASSIGN_OR_RETURN(const graph::Size2 kernel, ReadPair(n, "kernel_shape", {w[2], w[3]}));
  if (kernel != graph::Size2{w[2], w[3]}) {
    return Expected("attribute 'kernel_shape'", absl::StrCat(w[2], "x", w[3], " as in the weights"),
                    absl::StrCat(kernel.h, "x", kernel.w));
  }
  op.groups = n.Int("group", 1);
  RESNETD_RETURN_IF_ERROR(ReadWindow(n, into.dims(src), kernel, op.strides, op.dilations, op.pads));
  return into.Add(n, std::move(op), {src});
}

absl::Status ImportBatchNormalization(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  graph::BatchNorm op;
  RESNETD_ASSIGN_OR_RETURN(op.scale, into.Floats(n, 1));
  RESNETD_ASSIGN_OR_RETURN(op.shift, into.Floats(n, 2));
  RESNETD_ASSIGN_OR_RETURN(op.mean, into.Floats(n, 3));
  RESNETD_ASSIGN_OR_RETURN(op.variance, into.Floats(n, 4));
  op.epsilon = n.Float("epsilon", 1e-5f);
  n.Float("momentum", 0.9f);  // matters to training only
  if (n.Int("training_mode", 0) != 0) return Expected("attribute 'training_mode'", "0", "1 (export in eval mode)");
  if (n.Int("spatial", 1) != 1) return Expected("attribute 'spatial'", "1", "0");
  return into.Add(n, std::move(op), {src});
}

absl::Status ImportRelu(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  return into.Add(n, graph::Relu(), {src});
}

// Two activations, or the bias of the MatMul before it.
absl::Status ImportAdd(NodeReader& n, Import& into) {
  const int constant = into.IsActivation(n, 0) ? 1 : 0;
  RESNETD_ASSIGN_OR_RETURN(const ValueId a, into.Activation(n, 1 - constant));
  if (into.IsActivation(n, constant)) {
    RESNETD_ASSIGN_OR_RETURN(const ValueId b, into.Activation(n, constant));
    return into.Add(n, graph::Add(), {a, b});
  }
  RESNETD_ASSIGN_OR_RETURN(const WeightsRef bias, into.Floats(n, constant));
  const auto producer = into.graph.Producer(a);
  graph::Gemm* gemm = producer ? std::get_if<graph::Gemm>(&into.graph.nodes[*producer].op) : nullptr;
  if (gemm == nullptr || gemm->bias != nullptr || into.uses(n.node().input(1 - constant)) != 1) {
    return absl::InvalidArgumentError("adding a constant is supported only as the bias of a MatMul");
  }
  RESNETD_ASSIGN_OR_RETURN(gemm->bias, AsBias(bias, gemm->weights->dims[0]));
  return into.Alias(n, a);
}

absl::Status ImportGemm(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(WeightsRef weights, into.Floats(n, 1));
  RESNETD_RETURN_IF_ERROR(CheckMatrix(weights));
  if (n.Int("transA", 0) != 0) return Expected("attribute 'transA'", "0", "1");
  if (n.Int("transB", 0) == 0) weights = Transposed(*weights);
  graph::Gemm op;
  op.weights = Scaled(weights, n.Float("alpha", 1));
  const float beta = n.Float("beta", 1);
  if (into.HasInput(n, 2)) {
    RESNETD_ASSIGN_OR_RETURN(const WeightsRef c, into.Floats(n, 2));
    RESNETD_ASSIGN_OR_RETURN(const WeightsRef bias, AsBias(c, op.weights->dims[0]));
    op.bias = Scaled(bias, beta);
  }
  return into.Add(n, std::move(op), {src});
}

absl::Status ImportMatMul(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const WeightsRef weights, into.Floats(n, 1));
  RESNETD_RETURN_IF_ERROR(CheckMatrix(weights));
  return into.Add(n, graph::Gemm{Transposed(*weights), nullptr}, {src});
}

// Identity, and Dropout at inference.
absl::Status ImportSame(NodeReader& n, Import& into) {
  n.Float("ratio", 0.5f);
  n.Int("seed", 0);
  if (into.HasInput(n, 2)) {
    RESNETD_ASSIGN_OR_RETURN(const Ints training, into.Integers(n, 2));
    if (training.values != std::vector<int64_t>{0}) return Expected("training_mode", "false", "true");
  }
  if (into.IsActivation(n, 0)) {
    RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
    return into.Alias(n, src);
  }
  if (auto floats = into.Floats(n, 0); floats.ok()) return into.Alias(n, *std::move(floats));
  RESNETD_ASSIGN_OR_RETURN(Ints ints, into.IntegersOrMatrix(n, 0));
  return into.Alias(n, std::move(ints));
}

// Probabilities are the server's business; the graph ends with the logits.
absl::Status ImportSoftmax(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  const int64_t axis = n.Int("axis", n.opset() >= 13 ? -1 : 1);
  if (!into.only_output(n.node().output(0)) || into.dims(src).size() != 1 || (axis != -1 && axis != 1)) {
    return absl::InvalidArgumentError("supported only over the classes, as the last node");
  }
  into.SetHead(n.node().output(0), graph::HeadActivation::kSoftmax);
  return into.Alias(n, src);
}

}  // namespace resnetd::onnx
