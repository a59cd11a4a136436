#include "tests/unit/plan_checker.h"

#include <utility>

#include "engine/onednn/compile.h"
#include "gtest/gtest.h"
#include "tests/reference/executor.h"
#include "tests/reference/graph_builder.h"
#include "tests/unit/session_runner.h"

namespace resnetd::onednn {
namespace {

constexpr double kTolerance = 1e-5;  // of the largest |value|

}  // namespace

absl::StatusOr<std::shared_ptr<const Engine>> CompileFor(const graph::Graph& graph, std::vector<int> batches,
                                                         int threads) {
  const graph::Dims& image = graph.value(graph.input).dims;
  ModelInfo info;
  info.name = graph.name;
  info.channels = static_cast<int>(image[0]);
  info.height = static_cast<int>(image[1]);
  info.width = static_cast<int>(image[2]);
  info.classes = graph.has_classifier ? static_cast<int>(graph.value(graph.logits).dims[0]) : 0;
  info.features = static_cast<int>(graph.value(graph.embedding).dims[0]);
  info.batch_sizes = std::move(batches);
  info.threads = threads;
  return Compile(graph, std::move(info));
}

void ExpectEqualsReference(const graph::Graph& graph, const std::string& what, int threads) {
  const auto engine = CompileFor(graph, {1, 2, 5}, threads);
  ASSERT_TRUE(engine.ok()) << what << ": " << engine.status();
  const SessionRunner runner(*engine);
  std::vector<std::vector<float>> images;
  std::vector<std::vector<std::vector<float>>> expected;
  for (uint32_t i = 0; i < 5; ++i) {
    images.push_back(reference::RandomImage(graph.value(graph.input).dims, 100 + i));
    expected.push_back(reference::Run(graph, images.back()));
  }
  for (const int count : {1, 2, 3, 5}) {
    for (int i = 0; i < count; ++i) runner.Write(i, images[i]);
    const auto timings = runner->Run({.count = count});
    ASSERT_TRUE(timings.ok()) << what << ": " << timings.status();
    EXPECT_EQ(timings->plan_batch, count == 3 ? 5 : count);
    for (int i = 0; i < count; ++i) {
      for (const OutputId output : {kLogits, kEmbedding}) {
        if (output == kLogits && !graph.has_classifier) continue;
        const auto& right = expected[i][static_cast<size_t>(output == kLogits ? graph.logits : graph.embedding)];
        ASSERT_GT(reference::MaxAbs(right), 0) << what;
        EXPECT_LE(reference::MaxDifference(runner->output(output, i), right), kTolerance * reference::MaxAbs(right))
            << what << ", image " << i << " of " << count << ", " << (output == kLogits ? "logits" : "embedding");
      }
    }
  }
  EXPECT_EQ(runner->output(kLogits, 0).empty(), !graph.has_classifier) << what;
}

}  // namespace resnetd::onednn
