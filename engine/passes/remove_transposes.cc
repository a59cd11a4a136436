// Graphs of TensorFlow exporters keep their tensors NHWC and put a transpose before and behind every convolution. One
// walk in order of execution makes operators work on what was transposed instead, and moves the transpose behind them:
//
//   relu(T(x)) = T(relu(x))        T(a) + T(b) = T(a + b)        U(T(x)) = (U T)(x), nothing where U undoes T
//
// until it meets the one that undoes it. Where a tensor has at most one axis that is not 1, a transpose is a reshape.
// ConvNeXt transposes its maps to apply inner products to each pixel's channels; these become convolutions:
//
//   T(x) W = T(conv1x1(x, W))      where T puts the channels last
#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/passes/passes.h"

namespace resnetd::passes {
namespace {

using graph::Dims;
using graph::Node;
using graph::ValueId;
using Perm = absl::InlinedVector<int64_t, 4>;

// A value that is T(source): its axis i is the source's axis perm[i].
struct View {
  ValueId source;
  Perm perm;
};

bool IsIdentity(const Perm& perm) {
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

// Whether the elements' order is the same however the axes are arranged.
bool IsLine(const Dims& dims) {
  return std::count_if(dims.begin(), dims.end(), [](int64_t d) { return d != 1; }) <= 1;
}

// `list` has an entry for each axis of the transposed tensor; the result has them in the source's order.
template <typename List>
List ToSource(const List& list, const Perm& perm) {
  List out = list;
  for (size_t i = 0; i < perm.size(); ++i) out[static_cast<size_t>(perm[i])] = list[i];
  return out;
}

graph::WeightsRef ToSource(const graph::WeightsRef& constant, const Perm& perm) {
  const Dims dims = ToSource(constant->dims, perm);
  std::vector<int64_t> strides(dims.size(), 1);  // of the constant as it is, by axis of the source
  int64_t stride = 1;
  for (size_t i = perm.size(); i-- > 0; stride *= constant->dims[i]) strides[static_cast<size_t>(perm[i])] = stride;
  std::vector<float> data(constant->data.size());
  std::vector<int64_t> index(dims.size(), 0);
  for (float& x : data) {
    x = constant
            ->data[static_cast<size_t>(std::inner_product(index.begin(), index.end(), strides.begin(), int64_t{0}))];
    for (size_t i = dims.size(); i-- > 0;) {
      if (++index[i] < dims[i]) break;
      index[i] = 0;
    }
  }
  return graph::MakeWeights(constant->name, dims, std::move(data));
}

// The operator as it acts on the source of a transposed tensor; nullopt where it must see the tensor as it is.
struct OnSource {
  const Perm& perm;
  // Weights of inner products as those of convolutions: layers that share theirs share them still.
  absl::flat_hash_map<graph::WeightsRef, graph::WeightsRef>& kernels;
  using Result = std::optional<graph::Op>;

  Result operator()(const graph::Activation& op) const { return op; }
  Result operator()(const graph::Concat& op) const { return graph::Concat{perm[static_cast<size_t>(op.axis)]}; }
  Result operator()(const graph::Softmax& op) const {
    return graph::Softmax{perm[static_cast<size_t>(op.axis)], op.log};
  }
  Result operator()(graph::Binary op) const {
    if (op.constant != nullptr) op.constant = ToSource(op.constant, perm);
    return op;
  }
  Result operator()(graph::Reduce op) const {
    for (int64_t& axis : op.axes) axis = perm[static_cast<size_t>(axis)];
    std::sort(op.axes.begin(), op.axes.end());
    return op;
  }
  Result operator()(graph::LayerNorm op) const {
    op.axis = perm[static_cast<size_t>(op.axis)];
    return op;
  }
  Result operator()(graph::L2Norm op) const {
    op.axis = perm[static_cast<size_t>(op.axis)];
    return op;
  }
  // An inner product of a map's channels at each of its pixels is a 1x1 convolution.
  Result operator()(const graph::Gemm& op) const {
    if (perm.size() != 3 || perm.back() != 0) return std::nullopt;
    const graph::Weights& w = *op.weights;
    graph::WeightsRef& kernel = kernels[op.weights];
    if (kernel == nullptr) kernel = graph::MakeWeights(w.name, {w.dims[0], w.dims[1], 1, 1}, w.data);
    return graph::Conv{.weights = kernel, .bias = op.bias, .strides = {}, .dilations = {}, .pads = {}};
  }
  Result operator()(const graph::Slice& op) const {
    return graph::Slice{ToSource(op.start, perm), ToSource(op.end, perm), ToSource(op.step, perm)};
  }
  Result operator()(const graph::Pad& op) const {
    return graph::Pad{ToSource(op.before, perm), ToSource(op.after, perm), op.value, op.mode};
  }
  template <typename Other>
  Result operator()(const Other&) const {
    return std::nullopt;
  }
};

class Walk {
 public:
  explicit Walk(graph::Graph& graph) : graph_(graph) {}

  absl::Status Run() {
    for (Node& node : std::exchange(graph_.nodes, {})) {
      for (ValueId& id : node.inputs) id = Now(id);
      RESNETD_RETURN_IF_ERROR(Visit(std::move(node)));
    }
    for (graph::Output& output : graph_.outputs) output.value = Now(output.value);
    return absl::OkStatus();
  }

 private:
  // The value that stands for `id` since its transposes cancelled.
  ValueId Now(ValueId id) const {
    const auto it = instead_.find(id);
    return it == instead_.end() ? id : it->second;
  }
  const View* ViewOf(ValueId id) const {
    const auto it = views_.find(id);
    return it == views_.end() ? nullptr : &it->second;
  }
  const Dims& dims(ValueId id) const { return graph_.value(id).dims; }

  absl::Status Emit(Node node) {
    graph_.nodes.push_back(std::move(node));
    return graph::InferShape(graph_, graph_.nodes.back());
  }

  absl::Status Visit(Node node) {
    if (const auto* transpose = std::get_if<graph::Transpose>(&node.op)) return Compose(node, transpose->perm);
    const View* first = node.inputs.empty() ? nullptr : FirstView(node);
    if (first == nullptr) return Emit(std::move(node));
    if (std::holds_alternative<graph::Reshape>(node.op) && IsLine(dims(first->source))) {
      node.inputs[0] = first->source;
      return Emit(std::move(node));
    }
    const View view = *first;
    const std::optional<graph::Op> op = std::visit(OnSource{view.perm, kernels_}, node.op);
    if (!op || !node.post_ops.empty() || !Agree(node, view.perm)) return Emit(std::move(node));

    Node inner{node.name, *op, {}, graph_.AddValue(absl::StrCat(graph_.value(node.output).name, "/transposed"))};
    for (const ValueId id : node.inputs) {
      if (const View* v = ViewOf(id); v != nullptr && v->perm == view.perm) {
        inner.inputs.push_back(v->source);
        continue;
      }
      const ValueId reshaped = graph_.AddValue(absl::StrCat(graph_.value(id).name, "/transposed"));
      if (absl::Status s = Emit({node.name, graph::Reshape{ToSource(dims(id), view.perm)}, {id}, reshaped}); !s.ok()) {
        return s;
      }
      inner.inputs.push_back(reshaped);
    }
    const ValueId source = inner.output;
    RESNETD_RETURN_IF_ERROR(Emit(std::move(inner)));
    return Show(node, {source, view.perm});
  }

  // Another transpose of what may be one already.
  absl::Status Compose(const Node& node, const Perm& perm) {
    const View* before = ViewOf(node.inputs[0]);
    if (before == nullptr) return Show(node, {node.inputs[0], perm});
    View both{before->source, perm};
    for (size_t i = 0; i < perm.size(); ++i) both.perm[i] = before->perm[static_cast<size_t>(perm[i])];
    return Show(node, std::move(both));
  }

  // The node's output is this view from now on.
  absl::Status Show(const Node& node, View view) {
    if (IsIdentity(view.perm)) {
      instead_[node.output] = view.source;
      return absl::OkStatus();
    }
    const Perm perm = view.perm;
    const ValueId source = view.source;
    views_.insert_or_assign(node.output, std::move(view));
    return Emit({node.name, graph::Transpose{perm}, {source}, node.output});
  }

  const View* FirstView(const Node& node) const {
    for (const ValueId id : node.inputs) {
      if (const View* view = ViewOf(id)) return view;
    }
    return nullptr;
  }

  // Whether every input is transposed in the same way, or can be by a reshape.
  bool Agree(const Node& node, const Perm& perm) const {
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      const View* view = ViewOf(id);
      return dims(id).size() == perm.size() && ((view != nullptr && view->perm == perm) || IsLine(dims(id)));
    });
  }

  graph::Graph& graph_;
  absl::flat_hash_map<ValueId, View> views_;
  absl::flat_hash_map<ValueId, ValueId> instead_;
  absl::flat_hash_map<graph::WeightsRef, graph::WeightsRef> kernels_;
};

}  // namespace

absl::Status RemoveTransposes(graph::Graph& graph) {
  const bool any = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                               [](const Node& node) { return std::holds_alternative<graph::Transpose>(node.op); });
  if (!any) return absl::OkStatus();
  RESNETD_RETURN_IF_ERROR(Walk(graph).Run());
  return RemoveDead(graph);
}

}  // namespace resnetd::passes
