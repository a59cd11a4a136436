#include "engine/graph/graph.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace resnetd::graph {
namespace {

size_t ExpectedInputs(const Op& op) {
  if (std::holds_alternative<Add>(op)) return 2;
  if (const Conv* conv = std::get_if<Conv>(&op)) return conv->residual ? 2 : 1;
  return 1;
}

absl::Status Fault(const Node& node, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("node '", node.name, "' (", OpName(node.op), "): ", what));
}

std::string Detail(const Op& op) {
  std::string s(OpName(op).data(), OpName(op).size());
  if (const Conv* conv = std::get_if<Conv>(&op)) {
    const Dims& w = conv->weights->dims;
    absl::StrAppend(&s, " ", w[2], "x", w[3], "/", conv->strides.h);
    if (conv->groups != 1) absl::StrAppend(&s, " groups ", conv->groups);
    if (conv->residual) s += " +residual";
    if (conv->relu) s += " relu";
  } else if (const MaxPool* pool = std::get_if<MaxPool>(&op)) {
    absl::StrAppend(&s, " ", pool->kernel.h, "x", pool->kernel.w, "/", pool->strides.h);
  }
  return s;
}

}  // namespace

ValueId Graph::AddValue(std::string value_name) {
  values.push_back({std::move(value_name), {}});
  return static_cast<ValueId>(values.size() - 1);
}

std::vector<int> Graph::Consumers(ValueId id) const {
  std::vector<int> found;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (std::find(nodes[i].inputs.begin(), nodes[i].inputs.end(), id) != nodes[i].inputs.end()) {
      found.push_back(static_cast<int>(i));
    }
  }
  return found;
}

std::optional<int> Graph::Producer(ValueId id) const {
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].output == id) return static_cast<int>(i);
  }
  return std::nullopt;
}

absl::Status Validate(const Graph& graph) {
  const auto known = [&](ValueId id) {
    return static_cast<int32_t>(id) >= 0 && static_cast<size_t>(id) < graph.values.size();
  };
  if (!known(graph.input)) return absl::InvalidArgumentError("the graph's input does not exist");
  absl::flat_hash_set<ValueId> available = {graph.input};
  for (const Node& node : graph.nodes) {
    if (node.inputs.size() != ExpectedInputs(node.op)) {
      return Fault(node, absl::StrCat("expected ", ExpectedInputs(node.op), " inputs, got ", node.inputs.size()));
    }
    for (ValueId id : node.inputs) {
      if (!known(id)) return Fault(node, "reads a value that does not exist");
      if (!available.contains(id)) {
        return Fault(node, absl::StrCat("reads '", graph.value(id).name, "' before any node yields it"));
      }
    }
    if (!known(node.output)) return Fault(node, "yields a value that does not exist");
    if (!available.insert(node.output).second) {
      return Fault(node, absl::StrCat("yields '", graph.value(node.output).name, "' a second time"));
    }
  }
  for (ValueId id : {graph.logits, graph.embedding}) {
    if (!known(id) || !available.contains(id)) return absl::InvalidArgumentError("an output is yielded by no node");
  }
  Graph inferred = graph;
  if (absl::Status s = InferShapes(inferred); !s.ok()) return s;
  for (const Node& node : graph.nodes) {
    const Dims& has = graph.value(node.output).dims;
    const Dims& expected = inferred.value(node.output).dims;
    if (has != expected) {
      return Fault(node, absl::StrCat("expected an output of ", ToString(expected), ", got ", ToString(has)));
    }
  }
  return absl::OkStatus();
}

std::string ToString(absl::Span<const int64_t> dims) {
  return absl::StrJoin(dims, "x");
}

std::string ToString(const Graph& graph) {
  std::string s;
  for (const Node& node : graph.nodes) {
    const Value& out = graph.value(node.output);
    absl::StrAppend(&s, "%", out.name, "{", ToString(out.dims), "} = ", Detail(node.op), " (",
                    absl::StrJoin(node.inputs, ", ",
                                  [&](std::string* o, ValueId id) { absl::StrAppend(o, "%", graph.value(id).name); }),
                    ") \"", node.name, "\"\n");
  }
  return s;
}

}  // namespace resnetd::graph
