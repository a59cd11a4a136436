#ifndef RESNETD_ENGINE_ONNX_INPUT_SIZE_H_
#define RESNETD_ENGINE_ONNX_INPUT_SIZE_H_

#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "engine/onnx/import.h"
#include "engine/onnx/input.h"

namespace resnetd::onnx {

// The largest side that is looked for.
inline constexpr int64_t kMostSolvedSide = 1024;
// Nodes of a graph that is read so often: ResNet-152 has 500.
inline constexpr int kMostSolvedNodes = 4000;

// The sizes of an image, equal in the sides that a file leaves free, that fit the file's own layers.
struct SolvedSize {
  int64_t least = 0, largest = 0;
};

// Finds the sizes at which every node takes what comes to it: a linear layer behind a Flatten, a Reshape to numbers or
// a Resize to them fixes the size of the image. Features grow with the image, so that halving finds the ends in about
// twenty readings of the graph, without its linear layers' weights. Nothing if every size fits or none, or there are
// more than kMostSolvedNodes.
//
// `constants` has the initializers and the nodes computed from constants alone; `import` reads node `i` of `proto` into
// a copy of it, or does nothing where that was done before.
std::optional<SolvedSize> SolveSize(const GraphProto& proto, const FileInput& input, const Import& constants,
                                    absl::FunctionRef<absl::Status(int i, Import& into)> import);

// The one to take of these: `usual` if it is among them, or else one that networks are commonly trained at, or else the
// one that can be halved most often.
int64_t ChooseSide(const SolvedSize& solved, int64_t usual);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_INPUT_SIZE_H_
