#include "engine/inspect/inspect.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/graph/graph.h"
#include "engine/graph/residual.h"
#include "engine/network_content.h"
#include "engine/onnx/onnx.h"

namespace resnetd {
namespace {

GraphStage StageOf(absl::string_view name, const graph::Graph& graph) {
  GraphStage stage{std::string(name), graph::ToString(graph), {}};
  for (const graph::Node& node : graph.nodes) {
    const absl::string_view op = graph::OpName(node.op);
    const auto found = std::find_if(stage.operators.begin(), stage.operators.end(),
                                    [&](const auto& counted) { return counted.first == op; });
    if (found == stage.operators.end()) {
      stage.operators.emplace_back(op, 1);
    } else {
      ++found->second;
    }
  }
  return stage;
}

std::vector<ResidualUnit> UnitsOf(const graph::Graph& graph) {
  std::vector<ResidualUnit> units;
  for (const graph::ResidualUnit& found : graph::FindResidualUnits(graph)) {
    const graph::Node& node = graph.nodes[static_cast<size_t>(found.node)];
    ResidualUnit& unit = units.emplace_back();
    unit.node = node.name;
    unit.shortcut = std::string(graph::Name(found.shortcut));
    unit.shape = graph::ToString(graph.value(node.output).dims);
    if (found.shortcut == graph::Shortcut::kNone) continue;
    if (found.input != graph.input) unit.input = graph.value(found.input).name;
    unit.branch = graph.value(found.branch).name;
  }
  return units;
}

std::vector<std::string> PlusesOf(const graph::Graph& graph) {
  std::vector<std::string> nodes;
  for (const int plus : graph::FindPluses(graph)) nodes.push_back(graph.nodes[static_cast<size_t>(plus)].name);
  return nodes;
}

// Each plus of a residual network depends on the one before, so that no pass can change their order.
void FindSteps(const std::vector<std::string>& pluses, std::vector<ResidualUnit>& units) {
  size_t next = 0;
  for (ResidualUnit& unit : units) {
    if (unit.branch.empty() || next == pluses.size()) continue;
    unit.step = pluses[next++];
  }
}

}  // namespace

absl::StatusOr<Inspection> Inspect(const ModelBytes& model, const ReadOptions& options) {
  Inspection inspection;
  std::vector<std::string> pluses;  // of what is compiled
  const auto look = [&](absl::string_view name, const graph::Graph& graph) {
    if (inspection.stages.empty()) inspection.units = UnitsOf(graph);
    inspection.stages.push_back(StageOf(name, graph));
    pluses = PlusesOf(graph);
  };
  RESNETD_RETURN_IF_ERROR(ReadNetwork(model, options, look).status());
  FindSteps(pluses, inspection.units);
  return inspection;
}

absl::StatusOr<OperatorReport> CheckOperators(const ModelBytes& model) {
  RESNETD_ASSIGN_OR_RETURN(const onnx::OperatorCheck check, onnx::CheckOperators(model.onnx));
  OperatorReport report{check.opset, check.nodes, {}};
  for (const onnx::UnsupportedNode& node : check.unsupported) report.unsupported.push_back({node.name, node.op});
  return report;
}

}  // namespace resnetd
