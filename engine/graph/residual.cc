// x of a unit is the immediate dominator of its plus, the last value that lies on every way from the image to there. A
// graph in topological order has all of them after one walk: a node's dominator is the last that its inputs have in
// common in the tree of dominators so far.
#include "engine/graph/residual.h"

#include <algorithm>
#include <utility>

#include "base/enum_table.h"

namespace resnetd::graph {
namespace {

constexpr int kImage = -1;  // as the producer of a value

bool AddsValues(const Op& op) {
  const auto* binary = std::get_if<Binary>(&op);
  return binary != nullptr && binary->kind == BinaryKind::kAdd && binary->constant == nullptr;
}

// Whether the node's operator adds two values of equal dims.
bool IsPlus(const Graph& graph, const Node& node) {
  return AddsValues(node.op) && node.inputs[0] != node.inputs[1] &&
         graph.value(node.inputs[0]).dims == graph.value(node.inputs[1]).dims;
}

bool IsDepthwise(const Conv& conv) {
  return conv.groups > 1 && conv.weights->dims[1] == 1;
}

class Finder {
 public:
  explicit Finder(const Graph& graph)
      : graph_(graph),
        producer_(graph.values.size(), kImage),
        readers_(graph.values.size()),
        dominator_(graph.values.size(), graph.input),
        depth_(graph.values.size(), 0) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = graph.nodes[i];
      producer_[Index(node.output)] = static_cast<int>(i);
      ValueId common = node.inputs[0];
      for (const ValueId input : node.inputs) {
        readers_[Index(input)].push_back(static_cast<int>(i));
        common = Common(common, input);
      }
      dominator_[Index(node.output)] = common;
      depth_[Index(node.output)] = depth_[Index(common)] + 1;
    }
  }

  std::vector<ResidualUnit> Run() const {
    std::vector<ResidualUnit> units;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (IsPlus(graph_, node)) {
        units.push_back(UnitOf(static_cast<int>(i)));
      } else if (EndsWithoutPlus(node)) {
        units.push_back({.node = static_cast<int>(i), .shortcut = Shortcut::kNone});
      }
    }
    return units;
  }

 private:
  // The nodes on the ways from a unit's x to one operand of its plus.
  struct Way {
    ValueId end{};
    int nodes = 0, convs = 0, pools = 0, moves = 0, others = 0;
  };

  static size_t Index(ValueId id) { return static_cast<size_t>(id); }

  ValueId Common(ValueId a, ValueId b) const {
    while (a != b) {
      ValueId& further = depth_[Index(a)] > depth_[Index(b)] ? a : b;
      further = dominator_[Index(further)];
    }
    return a;
  }

  Way WayFrom(ValueId x, ValueId end) const {
    Way way{.end = end};
    std::vector<ValueId> open = {end};
    std::vector<bool> seen(graph_.values.size(), false);
    while (!open.empty()) {
      const ValueId id = open.back();
      open.pop_back();
      if (id == x || seen[Index(id)]) continue;
      seen[Index(id)] = true;
      const Node& node = graph_.nodes[static_cast<size_t>(producer_[Index(id)])];
      Count(node.op, way);
      open.insert(open.end(), node.inputs.begin(), node.inputs.end());
    }
    return way;
  }

  // Scales, activations and other orders of the same elements leave the kind of a shortcut as it is.
  static void Count(const Op& op, Way& way) {
    ++way.nodes;
    const auto* binary = std::get_if<Binary>(&op);
    if (std::holds_alternative<Conv>(op)) {
      ++way.convs;
    } else if (std::holds_alternative<AveragePool>(op) || std::holds_alternative<MaxPool>(op)) {
      ++way.pools;
    } else if (std::holds_alternative<Slice>(op) || std::holds_alternative<Pad>(op) ||
               std::holds_alternative<Concat>(op)) {
      ++way.moves;
    } else if (std::holds_alternative<Gemm>(op) || std::holds_alternative<Reduce>(op) ||
               std::holds_alternative<Softmax>(op) || (binary != nullptr && binary->constant == nullptr)) {
      ++way.others;
    }
  }

  static Shortcut KindOf(const Way& way) {
    if (way.others > 0) return Shortcut::kOther;
    if (way.convs > 0) return way.pools > 0 ? Shortcut::kPooled : Shortcut::kProjection;
    if (way.moves > 0) return Shortcut::kPadded;
    return way.pools > 0 ? Shortcut::kPooled : Shortcut::kIdentity;
  }

  ResidualUnit UnitOf(int index) const {
    const Node& plus = graph_.nodes[static_cast<size_t>(index)];
    const ValueId x = dominator_[Index(plus.output)];
    Way branch = WayFrom(x, plus.inputs[0]), shortcut = WayFrom(x, plus.inputs[1]);
    if (std::pair(branch.convs, branch.nodes) < std::pair(shortcut.convs, shortcut.nodes)) std::swap(branch, shortcut);
    return {.node = index, .shortcut = KindOf(shortcut), .input = x, .branch = branch.end};
  }

  bool EndsWithoutPlus(const Node& node) const {
    const auto* conv = std::get_if<Conv>(&node.op);
    if (conv == nullptr || IsDepthwise(*conv)) return false;
    ValueId end = node.output;
    for (;;) {
      const std::vector<int>& readers = readers_[Index(end)];
      const auto of = [&](int reader) -> const Node& { return graph_.nodes[static_cast<size_t>(reader)]; };
      if (readers.size() == 1 && std::holds_alternative<BatchNorm>(of(readers[0]).op)) {
        end = of(readers[0]).output;
        continue;
      }
      return std::any_of(readers.begin(), readers.end(),
                         [&](int reader) { return std::holds_alternative<Conv>(of(reader).op); });
    }
  }

  const Graph& graph_;
  std::vector<int> producer_;              // by ValueId: index of a node
  std::vector<std::vector<int>> readers_;  // likewise
  std::vector<ValueId> dominator_;         // by ValueId; the image's is itself
  std::vector<int> depth_;                 // by ValueId: in the tree of dominators
};

}  // namespace

absl::string_view Name(Shortcut shortcut) {
  static constexpr EnumTable<Shortcut, const char*> kNames = {"identity", "projection", "padded",
                                                              "pooled",   "other",      "none"};
  return kNames[shortcut];
}

std::vector<ResidualUnit> FindResidualUnits(const Graph& graph) {
  return Finder(graph).Run();
}

std::vector<int> FindPluses(const Graph& graph) {
  std::vector<int> pluses;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (IsPlus(graph, node)) pluses.push_back(static_cast<int>(i));
    for (const PostOp& post_op : node.post_ops) {
      const Op op = std::visit([](const auto& o) { return Op(o); }, post_op);
      if (AddsValues(op)) pluses.push_back(static_cast<int>(i));
    }
  }
  return pluses;
}

}  // namespace resnetd::graph
