#include "engine/passes/affine.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace resnetd::passes {

absl::StatusOr<std::vector<Affine>> ChannelsOf(const graph::BatchNorm& norm) {
  std::vector<Affine> channels(norm.scale->data.size());
  for (size_t c = 0; c < channels.size(); ++c) {
    const double variance = static_cast<double>(norm.variance->data[c]) + norm.epsilon;
    if (!(variance > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("channel ", c, ": expected variance + epsilon above 0, got ", variance));
    }
    const double factor = norm.scale->data[c] / std::sqrt(variance);
    channels[c] = {factor, norm.shift->data[c] - factor * norm.mean->data[c]};
  }
  return channels;
}

std::vector<Affine> ChannelsOf(const graph::Binary& binary, const graph::Dims& dst, size_t axis) {
  if (binary.constant == nullptr || (binary.reversed && binary.kind == graph::BinaryKind::kDiv)) return {};
  if (binary.kind == graph::BinaryKind::kMax || binary.kind == graph::BinaryKind::kMin) return {};
  const graph::Floats& data = binary.constant->data;
  const auto channels = static_cast<size_t>(dst[axis]);
  if (binary.constant->dims.size() != dst.size()) return {};
  if (data.size() != 1 && (data.size() != channels || binary.constant->dims[axis] != dst[axis])) return {};
  std::vector<Affine> all(channels);
  for (size_t c = 0; c < channels; ++c) {
    const double value = data.size() == 1 ? data[0] : data[c];
    switch (binary.kind) {
      case graph::BinaryKind::kAdd:
        all[c].shift = value;
        break;
      case graph::BinaryKind::kSub:
        all[c] = binary.reversed ? Affine{-1, value} : Affine{1, -value};
        break;
      case graph::BinaryKind::kMul:
        all[c].factor = value;
        break;
      case graph::BinaryKind::kDiv:
        all[c].factor = 1 / value;
        break;
      case graph::BinaryKind::kMax:
      case graph::BinaryKind::kMin:
        break;
    }
  }
  return all;
}

}  // namespace resnetd::passes
