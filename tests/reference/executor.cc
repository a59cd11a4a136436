#include "tests/reference/executor.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace resnetd::reference {
namespace {

using graph::Dims;
using Values = std::vector<float>;
using Index = Dims;  // by axis

int64_t Size(const Dims& dims) {
  int64_t size = 1;
  for (const int64_t d : dims) size *= d;
  return size;
}

// Calls f(index) for each element of a tensor in row-major order.
template <typename F>
void ForEachIndex(const Dims& dims, F f) {
  Index index(dims.size(), 0);
  for (int64_t n = Size(dims); n > 0; --n) {
    f(index);
    for (size_t i = dims.size(); i-- > 0;) {
      if (++index[i] < dims[i]) break;
      index[i] = 0;
    }
  }
}

// A tensor, row-major.
struct Tensor {
  const Dims& dims;
  const Values& data;

  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  int64_t size(int64_t axis) const { return dims[static_cast<size_t>(axis)]; }
  double At(const Index& index) const {
    int64_t offset = 0;
    for (size_t i = 0; i < dims.size(); ++i) offset = offset * dims[i] + index[i];
    return data[static_cast<size_t>(offset)];
  }
  // Axes of size 1 are repeated.
  double Broadcast(Index index) const {
    for (size_t i = 0; i < dims.size(); ++i) index[i] = dims[i] == 1 ? 0 : index[i];
    return At(index);
  }
  bool Inside(int64_t y, int64_t x) const { return y >= 0 && y < dims[1] && x >= 0 && x < dims[2]; }
};

double Apply(const graph::Activation& a, double x) {
  using Kind = graph::ActivationKind;
  const double alpha = a.alpha, beta = a.beta;
  switch (a.kind) {
    case Kind::kRelu:
      return std::max(x, 0.0);
    case Kind::kLeakyRelu:
      return x < 0 ? alpha * x : x;
    case Kind::kElu:
      return x < 0 ? alpha * (std::exp(x) - 1) : x;
    case Kind::kClip:
      return std::min(std::max(x, alpha), beta);
    case Kind::kLinear:
      return alpha * x + beta;
    case Kind::kPow:
      return std::pow(x, alpha);
    case Kind::kSqrt:
      return std::sqrt(x);
    case Kind::kExp:
      return std::exp(x);
    case Kind::kErf:
      return std::erf(x);
    case Kind::kTanh:
      return std::tanh(x);
    case Kind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Kind::kHardSigmoid:
      return std::min(std::max(alpha * x + beta, 0.0), 1.0);
    case Kind::kHardSwish:
      return x * std::min(std::max(alpha * x + beta, 0.0), 1.0);
    case Kind::kSwish:
      return x / (1 + std::exp(-alpha * x));
    case Kind::kGelu:
      return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
    case Kind::kGeluTanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Kind::kAbs:
      return std::abs(x);
    case Kind::kLog:
      return std::log(x);
    case Kind::kSoftplus:
      return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    case Kind::kMish:
      return x * std::tanh(std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))));
  }
  return std::numeric_limits<double>::quiet_NaN();
}

double Apply(graph::BinaryKind kind, double a, double b) {
  switch (kind) {
    case graph::BinaryKind::kAdd:
      return a + b;
    case graph::BinaryKind::kSub:
      return a - b;
    case graph::BinaryKind::kMul:
      return a * b;
    case graph::BinaryKind::kDiv:
      return a / b;
    case graph::BinaryKind::kMax:
      return std::max(a, b);
    case graph::BinaryKind::kMin:
      return std::min(a, b);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

// One operator, or one post-op: inputs and their dims -> the elements of its result.
struct Execute {
  absl::Span<const Tensor> in;
  const Dims& out;
  Values& dst;

  // Each element of dst is value(index).
  template <typename F>
  void Fill(F value) const {
    dst.clear();
    ForEachIndex(out, [&](const Index& o) { dst.push_back(static_cast<float>(value(o))); });
  }

  void operator()(const graph::Conv& op) const {
    const Tensor& src = in[0];
    const Dims& w = op.weights->dims;
    const Values values = op.weights->data.Copy();
    const Tensor weights{w, values};
    Fill([&](const Index& o) {
      double sum = op.bias != nullptr ? op.bias->data[o[0]] : 0;
      const int64_t first = o[0] / (w[0] / op.groups) * w[1];
      for (int64_t ic = 0; ic < w[1]; ++ic) {
        for (int64_t kh = 0; kh < w[2]; ++kh) {
          for (int64_t kw = 0; kw < w[3]; ++kw) {
            const int64_t y = o[1] * op.strides.h + kh * op.dilations.h - op.pads.top;
            const int64_t x = o[2] * op.strides.w + kw * op.dilations.w - op.pads.left;
            if (src.Inside(y, x)) sum += src.At({first + ic, y, x}) * weights.At({o[0], ic, kh, kw});
          }
        }
      }
      return sum;
    });
  }

  void operator()(const graph::Gemm& op) const {
    const Values values = op.weights->data.Copy();
    const Tensor weights{op.weights->dims, values};
    Fill([&](Index o) {
      const int64_t oc = o.back();
      double sum = op.bias != nullptr ? op.bias->data[oc] : 0;
      for (o.back() = 0; o.back() < weights.size(1); ++o.back()) sum += in[0].At(o) * weights.At({oc, o.back()});
      return sum;
    });
  }

  void operator()(const graph::BatchNorm& op) const {
    Fill([&](const Index& o) {
      const int64_t c = o[0];
      const double factor = op.scale->data[c] / std::sqrt(static_cast<double>(op.variance->data[c]) + op.epsilon);
      return factor * (in[0].At(o) - op.mean->data[c]) + op.shift->data[c];
    });
  }

  void operator()(const graph::GroupNorm& op) const {
    const int64_t channels = in[0].size(0) / op.groups;
    std::vector<double> sums(op.groups, 0), squares(op.groups, 0);
    ForEachIndex(out, [&](const Index& o) { sums[o[0] / channels] += in[0].At(o); });
    const double count = static_cast<double>(Size(out)) / static_cast<double>(op.groups);
    ForEachIndex(out, [&](const Index& o) {
      squares[o[0] / channels] += std::pow(in[0].At(o) - sums[o[0] / channels] / count, 2);
    });
    Fill([&](const Index& o) {
      const int64_t g = o[0] / channels;
      const double normal = (in[0].At(o) - sums[g] / count) / std::sqrt(squares[g] / count + op.epsilon);
      return normal * op.scale->data[o[0]] + op.shift->data[o[0]];
    });
  }

  // Calls f(x) for all elements of `in` whose index is that of `o` but along `axis`.
  template <typename F>
  void ForEachAlong(Index o, int64_t axis, F f) const {
    for (o[axis] = 0; o[axis] < in[0].size(axis); ++o[axis]) f(in[0].At(o));
  }

  void operator()(const graph::LayerNorm& op) const {
    const double count = static_cast<double>(in[0].size(op.axis));
    Fill([&](const Index& o) {
      double mean = 0, variance = 0;
      ForEachAlong(o, op.axis, [&](double x) { mean += x / count; });
      ForEachAlong(o, op.axis, [&](double x) { variance += (x - mean) * (x - mean) / count; });
      const double normal = (in[0].At(o) - mean) / std::sqrt(variance + op.epsilon);
      return normal * op.scale->data[o[op.axis]] + op.shift->data[o[op.axis]];
    });
  }

  void operator()(const graph::L2Norm& op) const {
    Fill([&](const Index& o) {
      double squares = op.inside;
      ForEachAlong(o, op.axis, [&](double x) { squares += x * x; });
      return in[0].At(o) / (std::max<double>(std::sqrt(squares), op.floor) + op.beside);
    });
  }

  void operator()(const graph::ResponseNorm& op) const {
    const int64_t channels = in[0].size(0);
    std::vector<double> lengths(channels, 0);
    ForEachIndex(out, [&](const Index& o) { lengths[o[0]] += in[0].At(o) * in[0].At(o); });
    double mean = 0;
    for (double& length : lengths) length = std::sqrt(length), mean += length / static_cast<double>(channels);
    Fill([&](const Index& o) {
      const double normal = lengths[o[0]] / (mean + op.epsilon);
      return in[0].At(o) * (1 + op.scale->data[o[0]] * normal) + op.shift->data[o[0]];
    });
  }

  void operator()(const graph::LocalResponseNorm& op) const {
    Fill([&](const Index& o) {
      const int64_t first = o[0] - (op.size - 1) / 2;
      double squares = 0;
      for (int64_t c = std::max<int64_t>(first, 0); c < std::min(first + op.size, in[0].size(0)); ++c) {
        Index at = o;
        at[0] = c;
        squares += in[0].At(at) * in[0].At(at);
      }
      return in[0].At(o) / std::pow(op.bias + op.alpha / static_cast<double>(op.size) * squares, op.beta);
    });
  }

  void operator()(const graph::Activation& op) const {
    Fill([&](const Index& o) { return Apply(op, in[0].At(o)); });
  }

  void operator()(const graph::Binary& op) const {
    const Values constant = op.constant != nullptr ? op.constant->data.Copy() : Values();
    const Tensor b = op.constant != nullptr ? Tensor{op.constant->dims, constant} : in[1];
    Fill([&](const Index& o) {
      const double x = in[0].Broadcast(o), y = b.Broadcast(o);
      return op.reversed ? Apply(op.kind, y, x) : Apply(op.kind, x, y);
    });
  }

  void operator()(const graph::PRelu& op) const {
    Fill([&](const Index& o) {
      const double x = in[0].At(o);
      return x < 0 ? x * op.slope->data[o[0]] : x;
    });
  }

  void operator()(const graph::MaxPool& op) const {
    Fill([&](const Index& o) {
      double best = -std::numeric_limits<double>::infinity();
      for (int64_t kh = 0; kh < op.kernel.h; ++kh) {
        for (int64_t kw = 0; kw < op.kernel.w; ++kw) {
          const int64_t y = o[1] * op.strides.h + kh * op.dilations.h - op.pads.top;
          const int64_t x = o[2] * op.strides.w + kw * op.dilations.w - op.pads.left;
          if (in[0].Inside(y, x)) best = std::max(best, in[0].At({o[0], y, x}));
        }
      }
      return best;
    });
  }

  void operator()(const graph::AveragePool& op) const {
    const Tensor& src = in[0];
    Fill([&](const Index& o) {
      double sum = 0;
      int64_t inside = 0, padded = 0;  // taps in the image, and in the image with its padding
      for (int64_t kh = 0; kh < op.kernel.h; ++kh) {
        for (int64_t kw = 0; kw < op.kernel.w; ++kw) {
          const int64_t y = o[1] * op.strides.h + kh * op.dilations.h - op.pads.top;
          const int64_t x = o[2] * op.strides.w + kw * op.dilations.w - op.pads.left;
          if (y < src.size(1) + op.pads.bottom && x < src.size(2) + op.pads.right) ++padded;
          if (!src.Inside(y, x)) continue;
          ++inside;
          sum += src.At({o[0], y, x});
        }
      }
      return sum / static_cast<double>(op.count_include_pad ? padded : inside);
    });
  }

  void operator()(const graph::Reduce& op) const {
    Dims window(in[0].dims.size(), 1);  // what is reduced to one element
    for (const int64_t axis : op.axes) window[axis] = in[0].size(axis);
    Fill([&](const Index& o) {
      double sum = 0, most = -std::numeric_limits<double>::infinity(), squares = 0;
      ForEachIndex(window, [&](const Index& w) {
        Index at = o;
        for (const int64_t axis : op.axes) at[axis] = w[axis];
        const double x = in[0].At(at);
        sum += x, squares += x * x, most = std::max(most, x);
      });
      switch (op.kind) {
        case graph::ReduceKind::kMean:
          return sum / static_cast<double>(Size(window));
        case graph::ReduceKind::kMax:
          return most;
        case graph::ReduceKind::kSum:
          return sum;
        case graph::ReduceKind::kL2:
          return std::sqrt(squares);
      }
      return std::numeric_limits<double>::quiet_NaN();
    });
  }

  void operator()(const graph::Softmax& op) const {
    Fill([&](const Index& o) {
      Index at = o;
      double most = -std::numeric_limits<double>::infinity(), sum = 0;
      for (at[op.axis] = 0; at[op.axis] < out[op.axis]; ++at[op.axis]) most = std::max(most, in[0].At(at));
      for (at[op.axis] = 0; at[op.axis] < out[op.axis]; ++at[op.axis]) sum += std::exp(in[0].At(at) - most);
      return op.log ? in[0].At(o) - most - std::log(sum) : std::exp(in[0].At(o) - most) / sum;
    });
  }

  void operator()(const graph::Reshape&) const { dst = in[0].data; }

  void operator()(const graph::Transpose& op) const {
    Fill([&](const Index& o) {
      Index at(o.size());
      for (size_t i = 0; i < o.size(); ++i) at[op.perm[i]] = o[i];
      return in[0].At(at);
    });
  }

  void operator()(const graph::Concat& op) const {
    Fill([&](Index o) {
      size_t part = 0;
      while (o[op.axis] >= in[part].size(op.axis)) o[op.axis] -= in[part++].size(op.axis);
      return in[part].At(o);
    });
  }

  void operator()(const graph::Slice& op) const {
    Fill([&](Index o) {
      for (size_t i = 0; i < o.size(); ++i) o[i] = op.start[i] + o[i] * op.step[i];
      return in[0].At(o);
    });
  }

  void operator()(const graph::Pad& op) const {
    Fill([&](Index o) {
      for (size_t i = 0; i < o.size(); ++i) {
        const int64_t size = in[0].dims[i];
        o[i] -= op.before[i];
        if (o[i] >= 0 && o[i] < size) continue;
        if (op.mode == graph::PadMode::kConstant) return static_cast<double>(op.value);
        if (op.mode == graph::PadMode::kReflect) o[i] = o[i] < 0 ? -o[i] : 2 * (size - 1) - o[i];
        if (op.mode == graph::PadMode::kEdge) o[i] = std::clamp<int64_t>(o[i], 0, size - 1);
      }
      return in[0].At(o);
    });
  }
};

}  // namespace

std::vector<std::vector<float>> Run(const graph::Graph& graph, absl::Span<const float> image) {
  std::vector<Values> values(graph.values.size());
  const auto at = [&](graph::ValueId id) -> Values& { return values[static_cast<size_t>(id)]; };
  at(graph.input).assign(image.begin(), image.end());
  for (const graph::Node& node : graph.nodes) {
    std::vector<Tensor> in;
    for (graph::ValueId id : node.inputs) in.push_back({graph.value(id).dims, at(id)});
    const Dims& out = graph.value(node.output).dims;
    size_t next = graph::OperatorInputs(node);
    std::visit(Execute{absl::MakeConstSpan(in).first(next), out, at(node.output)}, node.op);
    for (const graph::PostOp& post_op : node.post_ops) {
      const Values before = at(node.output);  // NOLINT(performance-unnecessary-copy-initialization): it is overwritten
      std::vector<Tensor> operands = {{out, before}};
      const auto* binary = std::get_if<graph::Binary>(&post_op);
      if (binary != nullptr && binary->constant == nullptr) operands.push_back(in[next++]);
      std::visit(Execute{operands, out, at(node.output)}, post_op);
    }
  }
  return values;
}

}  // namespace resnetd::reference
