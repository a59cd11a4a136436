#include "tests/unit/plan_checker.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "engine/onednn/compile.h"
#include "gtest/gtest.h"
#include "tests/reference/executor.h"
#include "tests/reference/graph_builder.h"

namespace resnetd::onednn {
namespace {

constexpr double kTolerance = 1e-5;  // of the largest |value|

struct Free {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};

// An engine with one session. The arena is full of NaN at first: what a step reads before another wrote it shows.
struct Runner {
  explicit Runner(std::shared_ptr<const Engine> e) : engine(std::move(e)) {
    const size_t bytes = engine->arena_bytes();
    arena.reset(static_cast<std::byte*>(std::aligned_alloc(kArenaAlignment, bytes)));
    std::fill_n(arena.get(), bytes, std::byte{0xff});
    session = *engine->NewSession({arena.get(), bytes});
  }

  void Write(int slot, absl::Span<const float> image) const {
    const SlotView view = session->slot(slot);
    for (int c = 0; c < view.channels; ++c) {
      for (int y = 0; y < view.height; ++y) {
        for (int x = 0; x < view.width; ++x) {
          std::byte* to = view.data + y * view.row_bytes + x * view.pixel_bytes + c * view.channel_bytes;
          *reinterpret_cast<float*>(to) = image[(c * view.height + y) * view.width + x];
        }
      }
    }
  }

  std::shared_ptr<const Engine> engine;
  std::unique_ptr<std::byte, Free> arena;
  std::unique_ptr<Session> session;
};

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
  const Runner runner(*engine);
  std::vector<std::vector<float>> images;
  std::vector<std::vector<std::vector<float>>> expected;
  for (uint32_t i = 0; i < 5; ++i) {
    images.push_back(reference::RandomImage(graph.value(graph.input).dims, 100 + i));
    expected.push_back(reference::Run(graph, images.back()));
  }
  for (const int count : {1, 2, 3, 5}) {
    for (int i = 0; i < count; ++i) runner.Write(i, images[i]);
    const auto timings = runner.session->Run({.count = count});
    ASSERT_TRUE(timings.ok()) << what << ": " << timings.status();
    EXPECT_EQ(timings->plan_batch, count == 3 ? 5 : count);
    for (int i = 0; i < count; ++i) {
      for (const OutputId output : {kLogits, kEmbedding}) {
        if (output == kLogits && !graph.has_classifier) continue;
        const auto& right = expected[i][static_cast<size_t>(output == kLogits ? graph.logits : graph.embedding)];
        ASSERT_GT(reference::MaxAbs(right), 0) << what;
        EXPECT_LE(reference::MaxDifference(runner.session->output(output, i), right),
                  kTolerance * reference::MaxAbs(right))
            << what << ", image " << i << " of " << count << ", " << (output == kLogits ? "logits" : "embedding");
      }
    }
  }
  EXPECT_EQ(runner.session->output(kLogits, 0).empty(), !graph.has_classifier) << what;
}

}  // namespace resnetd::onednn
