#include "tests/reference/executor.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace resnetd::reference {
namespace {

using graph::Dims;
using Values = std::vector<float>;

// A feature map with its dims; a vector is C x 1 x 1.
struct Map {
  int64_t c = 1, h = 1, w = 1;
  const Values* data;

  Map(const Dims& dims, const Values& values) : c(dims[0]), data(&values) {
    if (dims.size() == 3) h = dims[1], w = dims[2];
  }
  bool Inside(int64_t y, int64_t x) const { return y >= 0 && y < h && x >= 0 && x < w; }
  double At(int64_t ch, int64_t y, int64_t x) const { return (*data)[(ch * h + y) * w + x]; }
};

struct Execute {
  absl::Span<const Map> in;
  const Map& out;  // its dims only
  Values& dst;

  template <typename F>
  void ForEach(F value) const {
    dst.resize(out.c * out.h * out.w);
    for (int64_t c = 0; c < out.c; ++c) {
      for (int64_t y = 0; y < out.h; ++y) {
        for (int64_t x = 0; x < out.w; ++x) dst[(c * out.h + y) * out.w + x] = static_cast<float>(value(c, y, x));
      }
    }
  }

  void operator()(const graph::Conv& op) const {
    const Map& src = in[0];
    const Dims& w = op.weights->dims;
    ForEach([&](int64_t oc, int64_t y, int64_t x) {
      double sum = op.bias != nullptr ? (*op.bias->data)[oc] : 0;
      const int64_t first = oc / (w[0] / op.groups) * w[1];
      for (int64_t ic = 0; ic < w[1]; ++ic) {
        for (int64_t kh = 0; kh < w[2]; ++kh) {
          for (int64_t kw = 0; kw < w[3]; ++kw) {
            const int64_t sy = y * op.strides.h + kh * op.dilations.h - op.pads.top;
            const int64_t sx = x * op.strides.w + kw * op.dilations.w - op.pads.left;
            if (!src.Inside(sy, sx)) continue;
            sum += src.At(first + ic, sy, sx) * (*op.weights->data)[((oc * w[1] + ic) * w[2] + kh) * w[3] + kw];
          }
        }
      }
      if (op.residual) sum += in[1].At(oc, y, x);
      return op.relu ? std::max(sum, 0.0) : sum;
    });
  }

  void operator()(const graph::BatchNorm& op) const {
    ForEach([&](int64_t c, int64_t y, int64_t x) {
      const double factor = (*op.scale->data)[c] / std::sqrt(static_cast<double>((*op.variance->data)[c]) + op.epsilon);
      return factor * (in[0].At(c, y, x) - (*op.mean->data)[c]) + (*op.shift->data)[c];
    });
  }

  void operator()(const graph::Relu&) const {
    ForEach([&](int64_t c, int64_t y, int64_t x) { return std::max(in[0].At(c, y, x), 0.0); });
  }

  void operator()(const graph::Add&) const {
    ForEach([&](int64_t c, int64_t y, int64_t x) { return in[0].At(c, y, x) + in[1].At(c, y, x); });
  }

  void operator()(const graph::MaxPool& op) const {
    ForEach([&](int64_t c, int64_t y, int64_t x) {
      double best = -std::numeric_limits<double>::infinity();
      for (int64_t kh = 0; kh < op.kernel.h; ++kh) {
        for (int64_t kw = 0; kw < op.kernel.w; ++kw) {
          const int64_t sy = y * op.strides.h + kh * op.dilations.h - op.pads.top;
          const int64_t sx = x * op.strides.w + kw * op.dilations.w - op.pads.left;
          if (in[0].Inside(sy, sx)) best = std::max(best, in[0].At(c, sy, sx));
        }
      }
      return best;
    });
  }

  void operator()(const graph::AveragePool& op) const {
    const Map& src = in[0];
    ForEach([&](int64_t c, int64_t y, int64_t x) {
      double sum = 0;
      int64_t inside = 0, padded = 0;  // taps in the image, and in the image with its padding
      for (int64_t kh = 0; kh < op.kernel.h; ++kh) {
        for (int64_t kw = 0; kw < op.kernel.w; ++kw) {
          const int64_t sy = y * op.strides.h + kh - op.pads.top, sx = x * op.strides.w + kw - op.pads.left;
          if (sy < src.h + op.pads.bottom && sx < src.w + op.pads.right) ++padded;
          if (!src.Inside(sy, sx)) continue;
          ++inside;
          sum += src.At(c, sy, sx);
        }
      }
      return sum / static_cast<double>(op.count_include_pad ? padded : inside);
    });
  }

  void operator()(const graph::GlobalAveragePool&) const {
    ForEach([&](int64_t c, int64_t, int64_t) {
      double sum = 0;
      for (int64_t y = 0; y < in[0].h; ++y) {
        for (int64_t x = 0; x < in[0].w; ++x) sum += in[0].At(c, y, x);
      }
      return sum / static_cast<double>(in[0].h * in[0].w);
    });
  }

  void operator()(const graph::Flatten&) const { dst = *in[0].data; }

  void operator()(const graph::Gemm& op) const {
    ForEach([&](int64_t oc, int64_t, int64_t) {
      double sum = op.bias != nullptr ? (*op.bias->data)[oc] : 0;
      for (int64_t ic = 0; ic < in[0].c; ++ic) sum += in[0].At(ic, 0, 0) * (*op.weights->data)[oc * in[0].c + ic];
      return sum;
    });
  }

  void operator()(const graph::Slice& op) const {
    ForEach([&](int64_t c, int64_t y, int64_t x) {
      return in[0].At(op.start[0] + c * op.step[0], op.start[1] + y * op.step[1], op.start[2] + x * op.step[2]);
    });
  }

  void operator()(const graph::Pad& op) const {
    ForEach([&](int64_t c, int64_t y, int64_t x) {
      const int64_t sc = c - op.before[0], sy = y - op.before[1], sx = x - op.before[2];
      const bool inside = sc >= 0 && sc < in[0].c && in[0].Inside(sy, sx);
      return inside ? in[0].At(sc, sy, sx) : static_cast<double>(op.value);
    });
  }
};

}  // namespace

std::vector<std::vector<float>> Run(const graph::Graph& graph, absl::Span<const float> image) {
  std::vector<Values> values(graph.values.size());
  const auto at = [&](graph::ValueId id) -> Values& { return values[static_cast<size_t>(id)]; };
  at(graph.input).assign(image.begin(), image.end());
  for (const graph::Node& node : graph.nodes) {
    std::vector<Map> in;
    for (graph::ValueId id : node.inputs) in.emplace_back(graph.value(id).dims, at(id));
    const Map out(graph.value(node.output).dims, at(node.output));
    std::visit(Execute{in, out, at(node.output)}, node.op);
  }
  return values;
}

}  // namespace resnetd::reference
