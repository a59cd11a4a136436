// One function an operator: the dims of its inputs -> the dims of its output, by the ONNX operator specification. Along
// an axis a window of `kernel` taps, `dilation` apart, moves by `stride` over the padded input:
//
//   extent = (kernel - 1) * dilation + 1
//   out    = floor((in + pads - extent) / stride) + 1        (ceil instead of floor with ceil_mode; a window must then
//                                                             still start inside the input or its leading padding)
#include <algorithm>
#include <limits>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/graph/graph.h"

namespace resnetd::graph {
namespace {

// No axis, kernel, stride, padding or product of dims comes near: keeps all arithmetic below far from overflow.
constexpr int64_t kLargestAxis = int64_t{1} << 24;
constexpr int64_t kLargestElements = (int64_t{1} << 31) - 1;  // an int holds an output's width
constexpr int64_t kLargestWindow = int64_t{1} << 20;  // of a pool: as large as any image; a larger one would take hours
constexpr size_t kMostAxes = 5;                       // as many as the lowering's layouts have, beside the batch

absl::Status CheckMap(const Dims& src) {
  return src.size() == 3 ? absl::OkStatus() : Expected("input", "a feature map CxHxW", ToString(src));
}

struct Window {
  int64_t kernel, stride, dilation, before, after;
  bool ceil = false;
};

absl::StatusOr<int64_t> Slide(absl::string_view axis, int64_t in, const Window& w) {
  for (auto [what, value, low] :
       {std::tuple("kernel", w.kernel, int64_t{1}), std::tuple("stride", w.stride, int64_t{1}),
        std::tuple("dilation", w.dilation, int64_t{1}), std::tuple("padding", w.before, int64_t{0}),
        std::tuple("padding", w.after, int64_t{0})}) {
    RESNETD_RETURN_IF_ERROR(CheckRange(absl::StrCat(what, " along ", axis), value, low, kLargestAxis));
  }
  const int64_t extent = (w.kernel - 1) * w.dilation + 1;
  const int64_t room = in + w.before + w.after - extent;
  if (room < 0) {
    return Expected(absl::StrCat("input along ", axis), absl::StrCat("at least ", extent, " pixels with padding"),
                    absl::StrCat(in + w.before + w.after));
  }
  int64_t out = room / w.stride + 1;
  if (w.ceil && room % w.stride != 0 && out * w.stride < in + w.before) ++out;
  return out;
}

absl::StatusOr<Dims> SlideBoth(const Dims& src, int64_t channels, const Window& h, const Window& w) {
  RESNETD_ASSIGN_OR_RETURN(const auto out_h, Slide("H", src[1], h));
  RESNETD_ASSIGN_OR_RETURN(const auto out_w, Slide("W", src[2], w));
  return Dims{channels, out_h, out_w};
}

// A pool's padding is narrower than its window, since there is no largest and no average of no pixels.
absl::StatusOr<Dims> SlidePool(const Dims& src, const Window& h, const Window& w) {
  RESNETD_RETURN_IF_ERROR(CheckMap(src));
  auto out = SlideBoth(src, src[0], h, w);
  if (!out.ok()) return out;
  for (auto [axis, window] : {std::pair("H", &h), std::pair("W", &w)}) {
    for (int64_t pad : {window->before, window->after}) {
      RESNETD_RETURN_IF_ERROR(CheckRange(absl::StrCat("padding along ", axis), pad, 0, window->kernel - 1));
    }
  }
  RESNETD_RETURN_IF_ERROR(CheckRange("window", h.kernel * w.kernel, 1, kLargestWindow));
  return out;
}

absl::Status CheckVector(absl::string_view what, const WeightsRef& v, int64_t size) {
  if (v->dims == Dims{size}) return absl::OkStatus();
  return Expected(what, absl::StrCat(size, " values"), ToString(v->dims));
}

// numpy's rule for tensors of equal rank: sizes are equal, or one of them is 1.
absl::StatusOr<Dims> Broadcast(const Dims& a, const Dims& b) {
  if (a.size() != b.size()) return Expected("second operand", absl::StrCat(a.size(), " axes"), ToString(b));
  Dims out;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && a[i] != 1 && b[i] != 1) return Expected("second operand", ToString(a), ToString(b));
    out.push_back(std::max(a[i], b[i]));
  }
  return out;
}

absl::StatusOr<int64_t> Product(const Dims& dims) {
  int64_t product = 1;
  for (int64_t d : dims) {
    if (d > kLargestElements / product) return Expected("elements", absl::StrCat("at most ", kLargestElements), "more");
    product *= d;
  }
  return product;
}

using Result = absl::StatusOr<Dims>;

struct Infer {
  absl::Span<const Dims* const> in;

  const Dims& src() const { return *in[0]; }
  int64_t rank() const { return static_cast<int64_t>(src().size()); }

  Result operator()(const Conv& op) const {
    RESNETD_RETURN_IF_ERROR(CheckMap(src()));
    const Dims& w = op.weights->dims;
    if (w.size() != 4) return Expected("weights", "OCxICxKHxKW", ToString(w));
    RESNETD_RETURN_IF_ERROR(CheckRange("groups", op.groups, 1, src()[0]));
    if (w[1] * op.groups != src()[0] || w[0] % op.groups != 0) {
      return Expected("weights", absl::StrCat("input channels ", src()[0], " / ", op.groups, " groups"), ToString(w));
    }
    if (op.bias != nullptr) {
      RESNETD_RETURN_IF_ERROR(CheckVector("bias", op.bias, w[0]));
    }
    return SlideBoth(src(), w[0], {w[2], op.strides.h, op.dilations.h, op.pads.top, op.pads.bottom},
                     {w[3], op.strides.w, op.dilations.w, op.pads.left, op.pads.right});
  }

  Result operator()(const Gemm& op) const {
    const Dims& w = op.weights->dims;
    if (src().empty()) return Expected("input", "at least one axis", "none");
    if (w.size() != 2 || w[1] != src().back())
      return Expected("weights", absl::StrCat("OCx", src().back()), ToString(w));
    if (op.bias != nullptr) {
      RESNETD_RETURN_IF_ERROR(CheckVector("bias", op.bias, w[0]));
    }
    Dims out = src();
    out.back() = w[0];
    return out;
  }

  Result operator()(const BatchNorm& op) const {
    if (src().empty()) return Expected("input", "at least one axis", "none");
    for (auto [what, v] : {std::pair("scale", &op.scale), std::pair("shift", &op.shift), std::pair("mean", &op.mean),
                           std::pair("variance", &op.variance)}) {
      RESNETD_RETURN_IF_ERROR(CheckVector(what, *v, src()[0]));
    }
    return src();
  }

  Result operator()(const GroupNorm& op) const {
    if (src().empty()) return Expected("input", "at least one axis", "none");
    RESNETD_RETURN_IF_ERROR(CheckRange("groups", op.groups, 1, src()[0]));
    if (src()[0] % op.groups != 0)
      return Expected("groups", absl::StrCat("a divisor of ", src()[0]), absl::StrCat(op.groups));
    RESNETD_RETURN_IF_ERROR(CheckVector("scale", op.scale, src()[0]));
    RESNETD_RETURN_IF_ERROR(CheckVector("shift", op.shift, src()[0]));
    return src();
  }

  Result operator()(const LayerNorm& op) const {
    RESNETD_RETURN_IF_ERROR(CheckRange("axis", op.axis, 0, rank() - 1));
    RESNETD_RETURN_IF_ERROR(CheckVector("scale", op.scale, src()[static_cast<size_t>(op.axis)]));
    RESNETD_RETURN_IF_ERROR(CheckVector("shift", op.shift, src()[static_cast<size_t>(op.axis)]));
    return src();
  }

  Result operator()(const L2Norm& op) const {
    RESNETD_RETURN_IF_ERROR(CheckRange("axis", op.axis, 0, rank() - 1));
    return src();
  }

  Result operator()(const ResponseNorm& op) const {
    RESNETD_RETURN_IF_ERROR(CheckMap(src()));
    RESNETD_RETURN_IF_ERROR(CheckVector("scale", op.scale, src()[0]));
    RESNETD_RETURN_IF_ERROR(CheckVector("shift", op.shift, src()[0]));
    return src();
  }

  Result operator()(const LocalResponseNorm& op) const {
    if (src().empty()) return Expected("input", "at least one axis", "none");
    RESNETD_RETURN_IF_ERROR(CheckRange("size", op.size, 1, kLargestAxis));
    return src();
  }

  Result operator()(const PRelu& op) const {
    if (src().empty()) return Expected("input", "at least one axis", "none");
    RESNETD_RETURN_IF_ERROR(CheckVector("slope", op.slope, src()[0]));
    return src();
  }

  Result operator()(const Activation&) const { return src(); }

  Result operator()(const Binary& op) const {
    // A graph whose nodes have too few inputs is refused before.
    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker)
    return Broadcast(src(), op.constant != nullptr ? op.constant->dims : *in[1]);
  }

  Result operator()(const MaxPool& op) const {
    return SlidePool(src(), {op.kernel.h, op.strides.h, op.dilations.h, op.pads.top, op.pads.bottom, op.ceil_mode},
                     {op.kernel.w, op.strides.w, op.dilations.w, op.pads.left, op.pads.right, op.ceil_mode});
  }

  Result operator()(const AveragePool& op) const {
    return SlidePool(src(), {op.kernel.h, op.strides.h, op.dilations.h, op.pads.top, op.pads.bottom, op.ceil_mode},
                     {op.kernel.w, op.strides.w, op.dilations.w, op.pads.left, op.pads.right, op.ceil_mode});
  }

  Result operator()(const Reduce& op) const {
    Dims out = src();
    int64_t before = -1;
    for (int64_t axis : op.axes) {
      RESNETD_RETURN_IF_ERROR(CheckRange("axis", axis, before + 1, rank() - 1));
      out[static_cast<size_t>(axis)] = 1;
      before = axis;
    }
    return out;
  }

  Result operator()(const Softmax& op) const {
    RESNETD_RETURN_IF_ERROR(CheckRange("axis", op.axis, 0, rank() - 1));
    return src();
  }

  Result operator()(const Reshape& op) const {
    RESNETD_ASSIGN_OR_RETURN(const auto size, Product(src()));
    Dims out = op.dims;
    int64_t known = 1, *unknown = nullptr;
    for (int64_t& d : out) {
      if (d == -1 && unknown == nullptr) {
        unknown = &d;
        continue;
      }
      RESNETD_RETURN_IF_ERROR(CheckRange("shape", d, 1, kLargestAxis));
      if (known > kLargestElements / d) return Expected("shape", absl::StrCat(size, " elements"), ToString(op.dims));
      known *= d;
    }
    if (unknown != nullptr) *unknown = size / known;
    if (size % known != 0 || (unknown == nullptr && known != size)) {
      return Expected("shape", absl::StrCat(size, " elements"), ToString(op.dims));
    }
    return out;
  }

  Result operator()(const Transpose& op) const {
    Dims out;
    std::vector<bool> seen(src().size(), false);
    for (int64_t axis : op.perm) {
      RESNETD_RETURN_IF_ERROR(CheckRange("perm", axis, 0, rank() - 1));
      if (seen[static_cast<size_t>(axis)]) return Expected("perm", "each axis once", ToString(op.perm));
      seen[static_cast<size_t>(axis)] = true;
      out.push_back(src()[static_cast<size_t>(axis)]);
    }
    if (out.size() != src().size()) return Expected("perm", absl::StrCat(rank(), " axes"), ToString(op.perm));
    return out;
  }

  Result operator()(const Concat& op) const {
    RESNETD_RETURN_IF_ERROR(CheckRange("axis", op.axis, 0, rank() - 1));
    const size_t axis = static_cast<size_t>(op.axis);
    Dims out = src();
    for (const Dims* other : in.subspan(1)) {
      Dims same = *other;
      if (same.size() == out.size()) same[axis] = out[axis];
      if (same != out)
        return Expected("input", absl::StrCat(ToString(src()), " but along axis ", op.axis), ToString(*other));
      if (out[axis] > kLargestAxis) return Expected("axis", absl::StrCat("at most ", kLargestAxis), "more");
      out[axis] += (*other)[axis];
    }
    return out;
  }

  Result operator()(const Slice& op) const {
    for (const auto* list : {&op.start, &op.end, &op.step}) {
      if (list->size() != src().size()) return Expected("axes", absl::StrCat(src().size()), absl::StrCat(list->size()));
    }
    Dims out;
    for (size_t i = 0; i < src().size(); ++i) {
      RESNETD_RETURN_IF_ERROR(CheckRange("start", op.start[i], 0, src()[i] - 1));
      RESNETD_RETURN_IF_ERROR(CheckRange("end", op.end[i], op.start[i] + 1, src()[i]));
      RESNETD_RETURN_IF_ERROR(CheckRange("step", op.step[i], 1, kLargestAxis));
      out.push_back((op.end[i] - op.start[i] + op.step[i] - 1) / op.step[i]);
    }
    return out;
  }

  Result operator()(const Pad& op) const {
    for (const auto* list : {&op.before, &op.after}) {
      if (list->size() != src().size()) return Expected("axes", absl::StrCat(src().size()), absl::StrCat(list->size()));
    }
    Dims out;
    for (size_t i = 0; i < src().size(); ++i) {
      const int64_t most = op.mode == PadMode::kReflect ? src()[i] - 1 : kLargestAxis;
      for (int64_t p : {op.before[i], op.after[i]}) {
        RESNETD_RETURN_IF_ERROR(CheckRange("padding", p, 0, most));
      }
      out.push_back(op.before[i] + src()[i] + op.after[i]);
    }
    return out;
  }
};

// Post-ops keep the dims of what they are applied to; `in` are the values they read.
absl::Status CheckPostOps(const Node& node, const Dims& dims, absl::Span<const Dims* const> in) {
  for (const PostOp& post_op : node.post_ops) {
    const Binary* binary = std::get_if<Binary>(&post_op);
    if (binary == nullptr) continue;
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): as above
    const Dims& operand = binary->constant != nullptr ? binary->constant->dims : *in[0];
    if (binary->constant == nullptr) in.remove_prefix(1);
    const Result out = Broadcast(dims, operand);
    if (!out.ok()) return out.status();
    if (*out != dims) return Expected("operand of a post-op", ToString(dims), ToString(operand));
  }
  return absl::OkStatus();
}

absl::Status CheckSize(const Dims& dims) {
  if (dims.size() > kMostAxes) {
    return Expected("output", absl::StrCat("at most ", kMostAxes, " axes beside the batch"), absl::StrCat(dims.size()));
  }
  int64_t elements = 1;
  for (int64_t d : dims) {
    RESNETD_RETURN_IF_ERROR(CheckRange("output", d, 1, kLargestAxis));
    if (elements > kLargestElements / d) {
      return Expected("output", absl::StrCat("at most ", kLargestElements, " elements"), ToString(dims));
    }
    elements *= d;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status InferShape(Graph& graph, const Node& node) {
  absl::InlinedVector<const Dims*, 2> in;
  for (ValueId id : node.inputs) in.push_back(&graph.value(id).dims);
  const absl::Span<const Dims* const> all = in;
  const size_t own = OperatorInputs(node);
  absl::StatusOr<Dims> out = std::visit(Infer{all.first(own)}, node.op);
  absl::Status status = out.ok() ? CheckSize(*out) : out.status();
  if (status.ok()) status = CheckPostOps(node, *out, all.subspan(own));
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("node ", Quoted(node.name), " (", OpName(node.op), "): ", status.message()));
  }
  graph.value(node.output).dims = *std::move(out);
  return absl::OkStatus();
}

absl::Status InferShapes(Graph& graph) {
  const Value& input = graph.value(graph.input);
  if (absl::Status s = CheckSize(input.dims); !s.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("input ", Quoted(input.name), ": ", s.message()));
  }
  for (const Node& node : graph.nodes) {
    RESNETD_RETURN_IF_ERROR(InferShape(graph, node));
  }
  return absl::OkStatus();
}

}  // namespace resnetd::graph
