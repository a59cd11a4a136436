// Normalisations. Their outputs beside the first are of use to training only.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/fold.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {
namespace {

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
  return into.Add(n, std::move(op), {src});
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
