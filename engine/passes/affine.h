#ifndef RESNETD_ENGINE_PASSES_AFFINE_H_
#define RESNETD_ENGINE_PASSES_AFFINE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "engine/graph/graph.h"

namespace resnetd::passes {

// y = factor * x + shift.
struct Affine {
  double factor = 1, shift = 0;
};

// Returns the change that a batch normalisation makes to each channel: factor = scale / sqrt(variance + epsilon), shift
// = shift - factor * mean. INVALID_ARGUMENT names the channel whose variance + epsilon is not above 0.
absl::StatusOr<std::vector<Affine>> ChannelsOf(const graph::BatchNorm& norm);

// Returns the change that an operation with a constant makes to each element along `axis` of `dst`, its result. Empty
// where it is not one value for all or one for each of them, or no affine function.
std::vector<Affine> ChannelsOf(const graph::Binary& binary, const graph::Dims& dst, size_t axis);

}  // namespace resnetd::passes

#endif  // RESNETD_ENGINE_PASSES_AFFINE_H_
