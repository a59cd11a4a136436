// A walk from the input, along values with one reader each:
//
//   Transpose            the channels are another axis from here on
//   Binary, BatchNorm    y = factor * x + shift of each channel: composed with what came before
//   C Slices, a Concat   the channels in another order
//
// The state behind each step is a place to cut, if its factors are above 0, as those of a recipe are. The last such
// place becomes the input:
//
//   pixel -> [1/s, -m, ...] -> T -> conv        becomes        factor * pixel + shift -> T -> conv
#include "engine/passes/fold_input.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/passes/affine.h"

namespace resnetd::passes {
namespace {

using graph::Dims;
using graph::Graph;
using graph::Node;
using graph::ValueId;
using Perm = absl::InlinedVector<int64_t, 4>;

// Factors of 1/255, 1/127.5 and 1/58 bring pixels to the range of trained networks. Those of networks that normalise
// what is normalised already are around 1.
constexpr double kPixelFactor = 1.0 / 20, kPixelZero = 16;

struct State {
  ValueId value{};
  Perm perm;                   // its axis i is the image's axis perm[i]
  std::vector<Affine> affine;  // by channel of the image
  std::vector<int64_t> order;  // its channel i is the image's channel order[i]

  size_t channel_axis() const { return static_cast<size_t>(std::find(perm.begin(), perm.end(), 0) - perm.begin()); }
  bool in_order() const { return std::is_sorted(order.begin(), order.end()); }
  bool is_recipe() const {
    return std::all_of(affine.begin(), affine.end(), [](const Affine& a) {
      return std::isnormal(a.factor) && a.factor > 0 && std::isfinite(a.shift);
    });
  }
};

class Walk {
 public:
  explicit Walk(const Graph& graph) : graph_(graph) {
    const auto channels = static_cast<size_t>(graph.value(graph.input).dims[0]);
    state_ = {graph.input, {0, 1, 2}, std::vector<Affine>(channels), std::vector<int64_t>(channels)};
    std::iota(state_.order.begin(), state_.order.end(), 0);
  }

  // The states that the image goes through, the first as it comes.
  absl::StatusOr<std::vector<State>> Run() {
    std::vector<State> states = {state_};
    // A walk through more nodes is none through preprocessing.
    for (int steps = 0; steps < 64; ++steps) {
      RESNETD_ASSIGN_OR_RETURN(const bool moved, Step());
      if (!moved || IsOutput(state_.value)) break;
      states.push_back(state_);
    }
    return states;
  }

 private:
  bool IsOutput(ValueId id) const {
    return std::any_of(graph_.outputs.begin(), graph_.outputs.end(),
                       [id](const graph::Output& o) { return o.value == id; });
  }

  absl::StatusOr<bool> Step() {
    if (IsOutput(state_.value)) return false;
    const std::vector<int> readers = graph_.Consumers(state_.value);
    if (readers.size() > 1) return Reorder(readers);
    if (readers.empty()) return false;
    const Node& node = graph_.nodes[static_cast<size_t>(readers[0])];
    if (!node.post_ops.empty()) return false;
    if (const auto* transpose = std::get_if<graph::Transpose>(&node.op)) {
      Perm perm;
      for (const int64_t axis : transpose->perm) perm.push_back(state_.perm[static_cast<size_t>(axis)]);
      state_.perm = std::move(perm);
    } else {
      RESNETD_ASSIGN_OR_RETURN(const std::vector<Affine> channels, AffineOf(node));
      if (channels.empty()) return false;
      for (size_t i = 0; i < channels.size(); ++i) {
        Affine& before = state_.affine[static_cast<size_t>(state_.order[i])];
        before = {channels[i].factor * before.factor, channels[i].factor * before.shift + channels[i].shift};
      }
    }
    state_.value = node.output;
    return true;
  }

  // By channel of the value; empty where the node does something else.
  absl::StatusOr<std::vector<Affine>> AffineOf(const Node& node) const {
    const Dims& dst = graph_.value(node.output).dims;
    if (dst != graph_.value(state_.value).dims) return std::vector<Affine>();
    if (const auto* binary = std::get_if<graph::Binary>(&node.op)) {
      if (node.inputs.size() > 1) return std::vector<Affine>();
      return ChannelsOf(*binary, dst, state_.channel_axis());
    }
    const auto* norm = std::get_if<graph::BatchNorm>(&node.op);
    if (norm == nullptr || state_.channel_axis() != 0) return std::vector<Affine>();
    absl::StatusOr<std::vector<Affine>> channels = ChannelsOf(*norm);
    if (channels.ok()) return channels;
    return absl::InvalidArgumentError(
        absl::StrCat("node ", Quoted(node.name), " (BatchNorm): ", channels.status().message()));
  }

  // Slices of one channel or several that a Concat puts together in another order.
  bool Reorder(const std::vector<int>& readers) {
    constexpr size_t kMostParts = 16;
    if (readers.size() > kMostParts) return false;
    std::optional<int> concat;
    std::vector<std::pair<ValueId, std::vector<int64_t>>> parts;  // a slice's output, and its channels
    for (const int reader : readers) {
      const Node& node = graph_.nodes[static_cast<size_t>(reader)];
      const auto* slice = std::get_if<graph::Slice>(&node.op);
      if (slice == nullptr || !node.post_ops.empty() || !TakesChannels(*slice) || IsOutput(node.output)) return false;
      const std::vector<int> after = graph_.Consumers(node.output);
      if (after.size() != 1 || (concat.has_value() && *concat != after[0])) return false;
      concat = after[0];
      const size_t axis = state_.channel_axis();
      std::vector<int64_t>& channels = parts.emplace_back(node.output, std::vector<int64_t>()).second;
      for (int64_t c = slice->start[axis]; c < slice->end[axis]; c += slice->step[axis]) {
        channels.push_back(state_.order[static_cast<size_t>(c)]);
      }
    }
    const Node& node = graph_.nodes[static_cast<size_t>(*concat)];
    const auto* op = std::get_if<graph::Concat>(&node.op);
    const bool joins = op != nullptr && node.post_ops.empty() && static_cast<size_t>(op->axis) == state_.channel_axis();
    if (!joins || node.inputs.size() != parts.size()) return false;
    std::vector<int64_t> order;
    for (const ValueId input : node.inputs) {
      const auto part = std::find_if(parts.begin(), parts.end(), [input](const auto& p) { return p.first == input; });
      if (part == parts.end()) return false;
      order.insert(order.end(), part->second.begin(), part->second.end());
    }
    std::vector<int64_t> sorted = order;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < sorted.size(); ++i) {
      if (sorted[i] != static_cast<int64_t>(i)) return false;
    }
    if (order.size() != state_.order.size()) return false;
    state_.order = std::move(order);
    state_.value = node.output;
    return true;
  }

  bool TakesChannels(const graph::Slice& slice) const {
    const Dims& dims = graph_.value(state_.value).dims;
    for (size_t i = 0; i < dims.size(); ++i) {
      const bool whole = slice.start[i] == 0 && slice.end[i] == dims[i] && slice.step[i] == 1;
      if (i != state_.channel_axis() && !whole) return false;
    }
    return true;
  }

  const Graph& graph_;
  State state_;
};

// The one convolution that reads the value, if it could take the channels in another order. Of several, each would need
// weights of its own.
graph::Conv* ConvolutionOn(ValueId value, Graph& graph) {
  const std::vector<int> readers = graph.Consumers(value);
  if (readers.size() != 1) return nullptr;
  Node& node = graph.nodes[static_cast<size_t>(readers[0])];
  auto* conv = std::get_if<graph::Conv>(&node.op);
  return conv != nullptr && conv->groups == 1 && node.inputs.size() == 1 ? conv : nullptr;
}

// Weights for channel order[i] where they had those for channel i.
graph::WeightsRef InOrder(const graph::WeightsRef& weights, const std::vector<int64_t>& order) {
  const Dims& dims = weights->dims;
  const auto channels = static_cast<size_t>(dims[1]), taps = static_cast<size_t>(dims[2] * dims[3]);
  std::vector<float> data(weights->data.size());
  for (size_t out = 0; out < static_cast<size_t>(dims[0]); ++out) {
    for (size_t in = 0; in < channels; ++in) {
      const size_t from = (out * channels + in) * taps, to = (out * channels + static_cast<size_t>(order[in])) * taps;
      for (size_t tap = 0; tap < taps; ++tap) data[to + tap] = weights->data[from + tap];
    }
  }
  return graph::MakeWeights(weights->name, dims, std::move(data));
}

bool IsSame(const Perm& perm) {
  return std::is_sorted(perm.begin(), perm.end());
}

// Removes the nodes from which `value` was computed.
void RemoveBefore(ValueId value, Graph& graph) {
  std::vector<bool> before(graph.values.size(), false);
  before[static_cast<size_t>(value)] = true;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (!before[static_cast<size_t>(node->output)]) continue;
    for (const ValueId id : node->inputs) before[static_cast<size_t>(id)] = true;
  }
  std::erase_if(graph.nodes, [&](const Node& node) { return before[static_cast<size_t>(node.output)]; });
}

// Makes the image, normalised, the value of `cut`.
absl::Status Cut(const State& cut, Graph& graph) {
  for (const Affine& a : cut.affine) {
    graph.input_values.factors.push_back(a.factor);
    graph.input_values.shifts.push_back(a.shift);
  }
  if (cut.value == graph.input) return absl::OkStatus();
  if (graph::Conv* conv = cut.in_order() ? nullptr : ConvolutionOn(cut.value, graph)) {
    conv->weights = InOrder(conv->weights, cut.order);
  }
  const std::string name = graph.nodes[static_cast<size_t>(*graph.Producer(cut.value))].name;
  RemoveBefore(cut.value, graph);
  if (IsSame(cut.perm)) {
    for (Node& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), cut.value, graph.input);
  } else {
    graph.nodes.insert(graph.nodes.begin(), {name, graph::Transpose{cut.perm}, {graph.input}, cut.value});
  }
  return graph::InferShapes(graph);
}

}  // namespace

absl::Status FoldInput(bool takes_bytes, Graph& graph) {
  graph.input_values.are_bytes = takes_bytes;
  graph.input_values.are_pixels = takes_bytes;
  RESNETD_ASSIGN_OR_RETURN(const std::vector<State> states, Walk(graph).Run());
  if (!takes_bytes) {
    graph.input_values.are_pixels = std::any_of(states.begin(), states.end(), [](const State& state) {
      return state.is_recipe() && std::all_of(state.affine.begin(), state.affine.end(), [](const Affine& a) {
               return a.factor <= kPixelFactor || a.shift / a.factor <= -kPixelZero;
             });
    });
    return absl::OkStatus();
  }
  for (size_t i = states.size(); i-- > 0;) {
    const State& state = states[i];
    const bool reads = state.in_order() || (IsSame(state.perm) && ConvolutionOn(state.value, graph) != nullptr);
    if (state.is_recipe() && reads) return Cut(state, graph);
  }
  return absl::OkStatus();
}

}  // namespace resnetd::passes
