// Normalisations. Their outputs beside the first are of use to training only.
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/fold.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {
namespace {

using graph::Dims;
using graph::ValueId;
using graph::WeightsRef;

// Each of the values as often as there are channels in a group.
absl::StatusOr<WeightsRef> PerChannel(Import& into, const WeightsRef& per_group, int64_t channels) {
  RESNETD_RETURN_IF_ERROR(into.Spend(channels));
  const int64_t groups = static_cast<int64_t>(per_group->data.size());
  std::vector<float> data;
  for (int64_t c = 0; c < channels; ++c) data.push_back(per_group->data[c / (channels / groups)]);
  return MakeWeights(per_group->name, {channels}, std::move(data));
}

// The values as a list, repeated along those of the axes, `dims`, that they do not have or have with size 1.
absl::StatusOr<WeightsRef> Repeated(Import& into, const WeightsRef& values, const Dims& dims, absl::string_view what) {
  const int64_t width = Product(dims);
  if (static_cast<int64_t>(values->data.size()) == width) return std::get<WeightsRef>(WithDims(values, {width}));
  const Dims& own = values->dims;
  bool fits = own.size() <= dims.size();
  for (size_t i = 1; fits && i <= own.size(); ++i) {
    fits = own[own.size() - i] == 1 || own[own.size() - i] == dims[dims.size() - i];
  }
  if (!fits) {
    return Expected(what, absl::StrCat("what can be repeated to ", graph::ToString(dims)), graph::ToString(own));
  }
  RESNETD_RETURN_IF_ERROR(into.Spend(width));
  const Operand ones = MakeWeights(values->name, dims, std::vector<float>(static_cast<size_t>(width), 1));
  RESNETD_ASSIGN_OR_RETURN(const Operand all, FoldBinary(into, graph::BinaryKind::kMul, values, ones));
  return std::get<WeightsRef>(WithDims(all, {width}));
}

absl::StatusOr<ValueId> ReadSource(const NodeReader& n, const Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  if (into.dims(src).empty()) return Expected("input", "batch x channels", "batch");
  return src;
}

}  // namespace

absl::Status ImportBatchNormalization(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, ReadSource(n, into));
  graph::BatchNorm op;
  RESNETD_ASSIGN_OR_RETURN(op.scale, into.Floats(n, 1));
  RESNETD_ASSIGN_OR_RETURN(op.shift, into.Floats(n, 2));
  RESNETD_ASSIGN_OR_RETURN(op.mean, into.Floats(n, 3));
  RESNETD_ASSIGN_OR_RETURN(op.variance, into.Floats(n, 4));
  op.epsilon = n.Float("epsilon", 1e-5f);
  n.Float("momentum", 0.9f);  // matters to training only
  if (n.Int("training_mode", 0) != 0) return Expected("attribute 'training_mode'", "0", "1 (export in eval mode)");
  if (n.Int("spatial", 1) != 1) return Expected("attribute 'spatial'", "1", "0");
  // Until opset 14 they said so, and ONNX Runtime then computes with the statistics of the batch.
  if (const int outputs = n.node().output_size(); outputs > 1) {
    return Expected("outputs", "one", absl::StrCat(outputs, ", which is training mode (export in eval mode)"));
  }
  return into.Add(n, std::move(op), {src});
}

// All axes from `axis` on are normalised together, as if they were one.
absl::Status ImportLayerNormalization(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, ReadSource(n, into));
  RESNETD_RETURN_IF_ERROR(into.ExpectUnread(n, 1));
  n.Int("stash_type", 1);  // the precision of mean and variance: ours is float32
  const Dims dims = into.dims(src);
  RESNETD_ASSIGN_OR_RETURN(const int64_t axis, ImageAxis(n.Int("axis", -1), dims.size()));
  const Dims normalised(dims.begin() + axis, dims.end());
  const int64_t width = Product(normalised);
  graph::LayerNorm op{nullptr, nullptr, axis, n.Float("epsilon", 1e-5f)};
  RESNETD_ASSIGN_OR_RETURN(op.scale, into.Floats(n, 1));
  RESNETD_ASSIGN_OR_RETURN(op.scale, Repeated(into, op.scale, normalised, "scale"));
  if (into.HasInput(n, 2)) {
    RESNETD_ASSIGN_OR_RETURN(op.shift, into.Floats(n, 2));
    RESNETD_ASSIGN_OR_RETURN(op.shift, Repeated(into, op.shift, normalised, "bias"));
  } else {
    RESNETD_RETURN_IF_ERROR(into.Spend(width));
    op.shift = MakeWeights(n.name(), {width}, std::vector<float>(static_cast<size_t>(width), 0));
  }
  if (width == dims[static_cast<size_t>(axis)]) return into.Add(n, std::move(op), {src});
  Dims flat(dims.begin(), dims.begin() + axis);
  flat.push_back(width);
  RESNETD_ASSIGN_OR_RETURN(ValueId value, into.AddInner(n, graph::Reshape{std::move(flat)}, {src}));
  RESNETD_ASSIGN_OR_RETURN(value, into.AddInner(n, std::move(op), {value}));
  return into.Add(n, graph::Reshape{dims}, {value});
}

// A vector of zeros stays one, as ONNX Runtime has it.
absl::Status ImportLpNormalization(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, ReadSource(n, into));
  if (const int64_t p = n.Int("p", 2); p != 2) {
    return Expected("attribute 'p'", "2, the length",
                    absl::StrCat(p, " (divide by the sum of absolute values outside of the network)"));
  }
  RESNETD_ASSIGN_OR_RETURN(const int64_t axis, ImageAxis(n.Int("axis", -1), into.dims(src).size()));
  return into.Add(n, graph::L2Norm{.axis = axis, .floor = std::numeric_limits<float>::min()}, {src});
}

absl::Status ImportLrn(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, ReadSource(n, into));
  if (!n.Has("size")) return Expected("attribute 'size'", "a number", "none");
  return into.Add(
      n,
      graph::LocalResponseNorm{n.Int("size", 1), n.Float("alpha", 1e-4f), n.Float("beta", 0.75f), n.Float("bias", 1)},
      {src});
}

absl::Status ImportInstanceNormalization(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, ReadSource(n, into));
  graph::GroupNorm op;
  RESNETD_ASSIGN_OR_RETURN(op.scale, into.Floats(n, 1));
  RESNETD_ASSIGN_OR_RETURN(op.shift, into.Floats(n, 2));
  op.groups = into.dims(src)[0];
  op.epsilon = n.Float("epsilon", 1e-5f);
  return into.Add(n, std::move(op), {src});
}

// Scale and bias are per group before opset 21, which found that nobody meant that, and per channel since.
absl::Status ImportGroupNormalization(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, ReadSource(n, into));
  graph::GroupNorm op;
  RESNETD_ASSIGN_OR_RETURN(op.scale, into.Floats(n, 1));
  RESNETD_ASSIGN_OR_RETURN(op.shift, into.Floats(n, 2));
  op.epsilon = n.Float("epsilon", 1e-5f);
  n.Int("stash_type", 1);  // the precision of mean and variance: ours is float32
  if (!n.Has("num_groups")) return Expected("attribute 'num_groups'", "a number", "none");
  op.groups = n.Int("num_groups", 1);
  const int64_t channels = into.dims(src)[0];
  if (n.opset() < 21 && op.groups >= 1 && channels % op.groups == 0) {
    for (WeightsRef* values : {&op.scale, &op.shift}) {
      if ((*values)->dims != graph::Dims{op.groups}) {
        return Expected("scale and bias", absl::StrCat(op.groups, " values, one a group"),
                        graph::ToString((*values)->dims));
      }
      RESNETD_ASSIGN_OR_RETURN(*values, PerChannel(into, *values, channels));
    }
  }
  return into.Add(n, std::move(op), {src});
}

}  // namespace resnetd::onnx
