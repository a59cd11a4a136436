#ifndef RESNETD_ENGINE_ONNX_FOLD_H_
#define RESNETD_ENGINE_ONNX_FOLD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/graph/graph.h"
#include "engine/onnx/import.h"

// Operators on constants: they are computed at load and leave no node behind. Dims are those of the file.
namespace resnetd::onnx {

// More integers than any shape, and more axes than any tensor of a network: what a chain of nodes may build.
inline constexpr int64_t kMostIntegers = 64;
inline constexpr size_t kMostAxes = 8;

using graph::MakeWeights;

const graph::Dims& DimsOf(const Operand& constant);
// The same elements under other dims, as many.
Operand WithDims(const Operand& constant, graph::Dims dims);

// That `perm` names each axis of a tensor of so many once.
absl::Status CheckPermutation(absl::Span<const int64_t> perm, size_t rank);
// Axis i of the result is axis perm[i] of `constant`.
absl::StatusOr<Operand> FoldTranspose(Import& into, const Operand& constant, absl::Span<const int64_t> perm);
// The same of a matrix of floats.
absl::StatusOr<graph::WeightsRef> FoldTranspose(Import& into, const graph::WeightsRef& matrix);

// a + b, a - b, a * b, a / b, max(a, b) or min(a, b) with numpy's broadcasting, of floats or of integers. The batch
// size is refused where the operation would change it.
absl::StatusOr<Operand> FoldBinary(Import& into, graph::BinaryKind kind, const Operand& a, const Operand& b);

// A function of each element, if it is one that exporters apply to constants: a root, a power, exp, log, a magnitude,
// alpha * x + beta.
absl::StatusOr<Operand> FoldFunction(Import& into, const graph::Activation& function,
                                     const graph::WeightsRef& constant);

// Takes the rows, sub-tensors along `axis`, that `rows` lists; all must exist.
Ints FoldTake(const Ints& data, size_t axis, absl::Span<const int64_t> rows);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_FOLD_H_
