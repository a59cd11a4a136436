#ifndef RESNETD_ENGINE_INSPECT_INSPECT_H_
#define RESNETD_ENGINE_INSPECT_INSPECT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/engine.h"

// Shows what the engine makes of a model, for people who want to see it.
namespace resnetd {

// A graph at one point of its way from the file to the compiler.
struct GraphStage {
  std::string name;                                    // "import", or the pass that has just run
  std::string text;                                    // the input, one line a node, the outputs
  std::vector<std::pair<std::string, int>> operators;  // how many nodes of each, in order of their first
};

// A unit y = F(x) + s(x) of a residual network. Tensors and nodes are called as in the file.
struct ResidualUnit {
  std::string node;      // the plus; where there is none, the unit's last convolution
  std::string shortcut;  // "identity", "projection", "padded" (option A), "pooled" (ResNet-D), "other", "none"
  // x and F(x): names for EngineOptions::outputs. Both are empty where there is no plus, x where it is the image.
  std::string input, branch;
  std::string shape;  // of the unit's result, "256x56x56"
  std::string step;   // StepInfo::node of what adds in the plan; empty where there is no plus
};

struct Inspection {
  std::vector<GraphStage> stages;  // the first is the graph as imported, the last what is compiled
  std::vector<ResidualUnit> units;
};

// Reads the model as ReadNetwork() does, with its errors, and shows what comes of it.
absl::StatusOr<Inspection> Inspect(const ModelBytes& model, const ReadOptions& options = {});

struct UnsupportedNode {
  std::string name, op;  // the operator with its domain, if that is not ONNX's own
};

struct OperatorReport {
  int opset = 0, nodes = 0;
  std::vector<UnsupportedNode> unsupported;
};

// All nodes of the file whose operators the engine does not know. INVALID_ARGUMENT: no ONNX file, or another opset.
absl::StatusOr<OperatorReport> CheckOperators(const ModelBytes& model);

}  // namespace resnetd

#endif  // RESNETD_ENGINE_INSPECT_INSPECT_H_
