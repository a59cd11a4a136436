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
  for (const graph::Output& output : graph.outputs) {
    OutputInfo& of = info.outputs.emplace_back();
    of.name = output.name;
    of.width = 1;
    for (const int64_t d : graph.value(output.value).dims) of.width *= static_cast<int>(d);
  }
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
      for (size_t o = 0; o < graph.outputs.size(); ++o) {
        const auto& right = expected[i][static_cast<size_t>(graph.outputs[o].value)];
        ASSERT_GT(reference::MaxAbs(right), 0) << what;
        EXPECT_LE(reference::MaxDifference(runner->output(static_cast<OutputId>(o), i), right),
                  kTolerance * reference::MaxAbs(right))
            << what << ", image " << i << " of " << count << ", " << graph.outputs[o].name;
      }
    }
  }
  EXPECT_TRUE(runner->output(kNoOutput, 0).empty()) << what;
}

}  // namespace resnetd::onednn
