#include "tests/reference/graph_builder.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace resnetd::reference {
namespace {

// std's distributions may differ from library to library.
float Uniform(std::mt19937& rng, float low, float high) {
  return low + (high - low) * static_cast<float>(rng() >> 8) * 0x1p-24f;
}

void AbortUnless(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "a test builds a wrong graph: %s\n", status.ToString().c_str());
  std::abort();
}

}  // namespace

GraphBuilder::GraphBuilder(graph::Dims image, uint32_t seed) : rng_(seed) {
  graph_.name = "test";
  graph_.input = graph_.AddValue("image");
  graph_.value(graph_.input).dims = std::move(image);
}

graph::ValueId GraphBuilder::Add(graph::Op op, absl::InlinedVector<graph::ValueId, 2> inputs, graph::PostOps post_ops) {
  const std::string name = absl::StrCat("n", graph_.nodes.size());
  const graph::ValueId output = graph_.AddValue(name);
  graph_.nodes.push_back({name, std::move(op), std::move(inputs), output, std::move(post_ops)});
  AbortUnless(graph::InferShape(graph_, graph_.nodes.back()));
  return output;
}

graph::WeightsRef GraphBuilder::Random(graph::Dims dims, float low, float high) {
  size_t size = 1;
  for (const int64_t d : dims) size *= static_cast<size_t>(d);
  std::vector<float> data(size);
  for (float& x : data) x = Uniform(rng_, low, high);
  return std::make_shared<const graph::Weights>(
      graph::Weights{absl::StrCat("w", graph_.nodes.size()), dims, std::move(data)});
}

graph::Conv GraphBuilder::Conv(int64_t out, int64_t in, graph::Size2 kernel) {
  const float bound = std::sqrt(3.0f / static_cast<float>(in * kernel.h * kernel.w));
  graph::Conv conv;
  conv.weights = Random({out, in, kernel.h, kernel.w}, -bound, bound);
  conv.bias = Random({out}, -0.5f, 0.5f);
  return conv;
}

graph::BatchNorm GraphBuilder::BatchNorm(int64_t channels) {
  graph::BatchNorm norm;
  norm.scale = Random({channels}, 0.5f, 1.5f);
  norm.shift = Random({channels}, -0.5f, 0.5f);
  norm.mean = Random({channels}, -0.5f, 0.5f);
  norm.variance = Random({channels}, 0.5f, 2.0f);
  return norm;
}

graph::Gemm GraphBuilder::Gemm(int64_t out, int64_t in) {
  const float bound = std::sqrt(3.0f / static_cast<float>(in));
  return {Random({out, in}, -bound, bound), Random({out}, -0.5f, 0.5f)};
}

graph::Graph GraphBuilder::Finish(graph::ValueId logits, graph::ValueId embedding) {
  if (logits != embedding) graph_.outputs.push_back({std::string(graph::kLogits), logits});
  graph_.outputs.push_back({std::string(graph::kPool), embedding});
  AbortUnless(graph::Validate(graph_));
  return std::move(graph_);
}

graph::Graph GraphBuilder::FinishFlat(graph::ValueId id) {
  if (dims(id).size() != 1) id = Add(graph::Flatten(), {id});
  return Finish(id, id);
}

std::vector<float> RandomImage(const graph::Dims& dims, uint32_t seed) {
  std::mt19937 rng(seed);
  size_t size = 1;
  for (const int64_t d : dims) size *= static_cast<size_t>(d);
  std::vector<float> image(size);
  for (float& x : image) x = Uniform(rng, -2, 2);
  return image;
}

double MaxAbs(absl::Span<const float> values) {
  double most = 0;
  for (const float x : values) most = std::max(most, std::abs(static_cast<double>(x)));
  return most;
}

double MaxDifference(absl::Span<const float> a, absl::Span<const float> b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    // A NaN differs from everything.
    most = std::isnan(difference) ? std::numeric_limits<double>::infinity() : std::max(most, difference);
  }
  return most;
}

}  // namespace resnetd::reference
