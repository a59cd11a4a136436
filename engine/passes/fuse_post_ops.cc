// A layer applies the functions of each element behind it as it stores its result, which costs no pass over memory of
// its own. First of all the residual unit's H = relu(F + x), where F ends in a convolution: the convolution adds x
// itself and clamps.
//
// The layer moves to where the fused node was, so that whatever yields x, a projection or a padded shortcut, has run
// before it. With a projection both operands of the sum are convolutions; the one further from the input ends F, since
// the shortcut is the shorter way, and the projection's result becomes what is added to.
#include <algorithm>
#include <utility>
#include <vector>

#include "engine/passes/affine.h"
#include "engine/passes/passes.h"
#include "engine/passes/uses.h"

namespace resnetd::passes {
namespace {

using graph::Node;
using graph::ValueId;

constexpr size_t kMostPostOps = 8;  // of one node; oneDNN takes up to 32

// Longest way from the input, in nodes, by value.
std::vector<int> Depths(const graph::Graph& graph) {
  std::vector<int> depth(graph.values.size(), 0);
  for (const Node& node : graph.nodes) {
    int longest = 0;
    for (ValueId id : node.inputs) longest = std::max(longest, depth[static_cast<size_t>(id)]);
    depth[static_cast<size_t>(node.output)] = longest + 1;
  }
  return depth;
}

// One fusion after the other over a graph whose nodes move, but whose values keep their numbers.
class Fuser {
 public:
  explicit Fuser(graph::Graph& graph)
      : graph_(graph), uses_(graph), depths_(Depths(graph)), gone_(graph.nodes.size(), false) {
    for (const Node& node : graph.nodes) at_.push_back(static_cast<int>(&node - graph.nodes.data()));
  }

  void Run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) Fuse(i);
    size_t i = 0;
    std::erase_if(graph_.nodes, [&](const Node&) { return gone_[i++]; });
  }

 private:
  // The node that yields `id` for one reader; null if there is none.
  Node* SoleProducer(ValueId id) {
    const int producer = uses_.producer(id);
    if (producer < 0 || uses_.readers(id) != 1) return nullptr;
    return &graph_.nodes[static_cast<size_t>(at_[static_cast<size_t>(producer)])];
  }

  // The same if it can do something more to what it yields.
  Node* Host(ValueId id) {
    Node* producer = SoleProducer(id);
    if (producer == nullptr) return nullptr;
    Node& node = *producer;
    const bool can = std::holds_alternative<graph::Conv>(node.op) || std::holds_alternative<graph::Gemm>(node.op) ||
                     std::holds_alternative<graph::Binary>(node.op);
    return can && node.post_ops.size() < kMostPostOps ? &node : nullptr;
  }

  // The same for functions of each element: our group normalisation of maps knows the commonest of them.
  Node* ActivationHost(ValueId id, const graph::Activation& activation) {
    if (Node* host = Host(id)) return host;
    Node* producer = SoleProducer(id);
    const bool can = producer != nullptr && std::holds_alternative<graph::GroupNorm>(producer->op) &&
                     producer->post_ops.empty() && graph_.value(id).dims.size() == 3 &&
                     activation.kind == graph::ActivationKind::kRelu;
    return can ? producer : nullptr;
  }

  // The same for operations of two operands. An inner product of several rows is computed as a matrix, whose axes an
  // operand does not have.
  Node* BinaryHost(ValueId id) {
    Node* host = Host(id);
    return host != nullptr && std::holds_alternative<graph::Gemm>(host->op) && graph_.value(id).dims.size() > 1
               ? nullptr
               : host;
  }

  bool SameDims(ValueId a, ValueId b) const { return graph_.value(a).dims == graph_.value(b).dims; }

  void Fuse(size_t i) {
    const Node& node = graph_.nodes[i];
    if (!node.post_ops.empty()) return;
    if (const auto* activation = std::get_if<graph::Activation>(&node.op)) {
      if (activation->kind == graph::ActivationKind::kErf) return;  // no primitive has it
      if (ActivationHost(node.inputs[0], *activation) != nullptr) Move(i, *activation, node.inputs[0], {});
    } else if (const auto* binary = std::get_if<graph::Binary>(&node.op)) {
      FuseBinary(i, *binary);
    }
  }

  void FuseBinary(size_t i, const graph::Binary& binary) {
    const Node& node = graph_.nodes[i];
    const bool commutes = graph::Commutes(binary.kind);
    if (binary.reversed && !commutes) return;
    if (binary.constant != nullptr) {
      // One value, or one a channel: with others the library computes the whole layer in plain loops.
      const bool fast = !ChannelsOf(binary, graph_.value(node.output).dims, 0).empty();
      if (fast && BinaryHost(node.inputs[0]) != nullptr && SameDims(node.inputs[0], node.output)) {
        Move(i, graph::Binary{binary.kind, binary.constant}, node.inputs[0], {});
      }
      return;
    }
    ValueId branch = node.inputs[0], other = node.inputs[1];
    if (branch == other || !SameDims(branch, other)) return;
    const bool first = BinaryHost(branch) != nullptr, second = commutes && BinaryHost(other) != nullptr;
    if (!first && !second) return;
    const auto depth = [&](ValueId id) { return depths_[static_cast<size_t>(id)]; };
    if (!first || (second && depth(other) > depth(branch))) std::swap(branch, other);
    Move(i, graph::Binary{binary.kind, nullptr}, branch, {other});
  }

  // The host of `branch` moves to where node `i` is and does its work too.
  void Move(size_t i, graph::PostOp post_op, ValueId branch, absl::InlinedVector<ValueId, 1> further) {
    Node& node = graph_.nodes[i];
    const int producer = uses_.producer(branch);
    const int from = std::exchange(at_[static_cast<size_t>(producer)], static_cast<int>(i));
    Node host = std::move(graph_.nodes[static_cast<size_t>(from)]);
    gone_[static_cast<size_t>(from)] = true;
    host.post_ops.push_back(std::move(post_op));
    host.inputs.insert(host.inputs.end(), further.begin(), further.end());
    host.output = node.output;
    node = std::move(host);
  }

  graph::Graph& graph_;
  const Uses uses_;
  const std::vector<int> depths_;
  std::vector<int> at_;  // by index of a node at first: where it is now
  std::vector<bool> gone_;
};

}  // namespace

absl::Status FusePostOps(graph::Graph& graph) {
  Fuser(graph).Run();
  return absl::OkStatus();
}

}  // namespace resnetd::passes
