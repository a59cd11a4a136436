#include "tests/support/plan_checker.h"

#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/onednn/compile.h"
#include "engine/passes/passes.h"
#include "gtest/gtest.h"
#include "tests/reference/executor.h"
#include "tests/reference/graph_builder.h"

namespace resnetd::onednn {
namespace {

constexpr double kTolerance = 1e-5;  // of the largest |value|

// Implementations are called "brgconv:avx2", "jit:uni", "x64:gemm:jit", "ref:any", ...
bool IsGeneral(absl::string_view implementation) {
  return absl::StrContains(implementation, "ref") || absl::StartsWith(implementation, "gemm") ||
         absl::StrContains(implementation, ":gemm");
}

}  // namespace

void ExpectEqualsReference(const graph::Graph& graph, std::shared_ptr<const Engine> engine, const std::string& what) {
  const SessionRunner runner(std::move(engine));
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

absl::StatusOr<std::shared_ptr<const Engine>> CompileFor(const graph::Graph& graph, std::vector<int> batches,
                                                         int threads, const Splitter& split) {
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
  graph::Graph lowered = graph;
  RESNETD_RETURN_IF_ERROR(passes::SplitBatchNorm(lowered));
  return Compile(std::move(lowered), std::move(info), split);
}

void ExpectEqualsReference(const graph::Graph& graph, const std::string& what, int threads) {
  const auto engine = CompileFor(graph, {1, 2, 5}, threads);
  ASSERT_TRUE(engine.ok()) << what << ": " << engine.status();
  ExpectEqualsReference(graph, *engine, what);
}

void ExpectEqualsReferenceByThreads(const graph::Graph& graph, const std::string& what, bool exactly) {
  constexpr int kImages = 3;  // different ones, since the reference is slow: each stands in every third slot
  std::vector<std::vector<float>> images, expected, first(kImages);
  const auto output = static_cast<size_t>(graph.outputs[0].value);
  for (uint32_t i = 0; i < kImages; ++i) {
    images.push_back(reference::RandomImage(graph.value(graph.input).dims, 100 + i));
    expected.push_back(reference::Run(graph, images.back())[output]);
    ASSERT_GT(reference::MaxAbs(expected.back()), 0) << what;
  }
  for (const int threads : {1, 2, 3, 16}) {
    const auto engine = CompileFor(graph, {1, 3, 32}, threads);
    ASSERT_TRUE(engine.ok()) << what << ": " << engine.status();
    const SessionRunner runner(*engine);
    for (const int batch : {1, 3, 32}) {
      for (int i = 0; i < batch; ++i) runner.Write(i, images[i % kImages]);
      const auto timings = runner->Run({.count = batch});
      ASSERT_TRUE(timings.ok()) << what << ": " << timings.status();
      ASSERT_EQ(timings->plan_batch, batch);
      for (int i = 0; i < batch; ++i) {
        const std::string which = absl::StrCat(what, ", image ", i, " of ", batch, " by ", threads, " threads");
        const std::vector<float> answer = AnswerOf(runner, i)[0];
        ASSERT_LE(reference::MaxDifference(answer, expected[i % kImages]),
                  kTolerance * reference::MaxAbs(expected[i % kImages]))
            << which;
        if (first[i % kImages].empty()) first[i % kImages] = answer;
        ASSERT_TRUE(!exactly || SameBytes(answer, first[i % kImages])) << which;
      }
    }
  }
}

Answer AnswerOf(const SessionRunner& runner, int i) {
  Answer answer;
  for (size_t o = 0; o < runner.engine().info().outputs.size(); ++o) {
    const absl::Span<const float> values = runner->output(static_cast<OutputId>(o), i);
    answer.emplace_back(values.begin(), values.end());
  }
  return answer;
}

bool SameBytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

std::string Steps(const Engine& engine) {
  std::string steps;
  for (const StepInfo& step : engine.Describe(engine.info().batch_sizes.front())) {
    if (step.op != "Reorder") absl::StrAppend(&steps, steps.empty() ? "" : ", ", step.op, step.post_ops);
  }
  return steps;
}

void CheckPlans(const std::vector<PlanCase>& cases) {
  for (const PlanCase& c : cases) {
    reference::GraphBuilder b(c.image);
    const graph::Graph graph = c.build(b);
    const auto engine = CompileFor(graph, {1, 2, 5}, 1);
    if (!engine.ok()) {
      ADD_FAILURE() << c.what << ": " << engine.status();
      continue;
    }
    EXPECT_EQ(Steps(**engine), c.steps) << c.what;
    for (const StepInfo& step : (*engine)->Describe(5)) {
      EXPECT_TRUE(!IsGeneral(step.implementation) || !c.slow_because.empty())
          << c.what << ": " << step.op << " " << step.shape << " is " << step.implementation;
    }
    ExpectEqualsReference(graph, *engine, c.what);
  }
}

PlanCase OnDims(const std::string& what, graph::Dims dims, const Apply& apply, const std::string& steps,
                const std::string& slow_because) {
  int64_t elements = 1;
  for (const int64_t d : dims) elements *= d;
  return {absl::StrCat(what, " of ", graph::ToString(dims)),
          {1, 1, elements},
          [=](reference::GraphBuilder& b) { return b.FinishFlat(apply(b, b.Add(graph::Reshape{dims}, {b.image()}))); },
          steps,
          slow_because};
}

std::vector<PlanCase> OnBothLayouts(const std::string& what, graph::Dims map, const Apply& apply,
                                    const std::string& steps, const std::string& slow_because) {
  return {{absl::StrCat(what, " of planes"), map,
           [=](reference::GraphBuilder& b) { return b.FinishFlat(apply(b, b.image())); }, steps, slow_because},
          {absl::StrCat(what, " behind a convolution"),
           {3, map[1], map[2]},
           [=](reference::GraphBuilder& b) { return b.FinishFlat(apply(b, AddConv(b, b.image(), map[0], 1))); },
           absl::StrCat("Conv", steps.empty() ? "" : ", ", steps),
           slow_because}};
}

graph::ValueId AddConv(reference::GraphBuilder& b, graph::ValueId src, int64_t channels, int64_t kernel, int64_t stride,
                       graph::PostOps post_ops, absl::InlinedVector<graph::ValueId, 2> operands) {
  graph::Conv conv = b.Conv(channels, b.dims(src)[0], {kernel, kernel});
  conv.pads = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  conv.strides = {stride, stride};
  operands.insert(operands.begin(), src);
  return b.Add(conv, operands, std::move(post_ops));
}

std::vector<graph::Activation> AllActivations() {
  using Kind = graph::ActivationKind;
  return {{Kind::kRelu},
          {Kind::kLeakyRelu, 0.01f},
          {Kind::kElu, 1},
          {Kind::kClip, 0, 1.5f},
          {Kind::kLinear, 0.5f, -0.25f},
          {Kind::kPow, 2},
          {Kind::kPow, 0.5f},
          {Kind::kSqrt},
          {Kind::kExp},
          {Kind::kErf},
          {Kind::kTanh},
          {Kind::kSigmoid},
          {Kind::kHardSigmoid, 1.0f / 6, 0.5f},
          {Kind::kHardSwish, 1.0f / 6, 0.5f},
          {Kind::kSwish, 1},
          {Kind::kGelu},
          {Kind::kGeluTanh},
          {Kind::kAbs},
          {Kind::kLog},
          {Kind::kSoftplus},
          {Kind::kMish}};
}

bool NeedsPositive(const graph::Activation& activation) {
  return activation.kind == graph::ActivationKind::kSqrt || activation.kind == graph::ActivationKind::kLog ||
         (activation.kind == graph::ActivationKind::kPow && activation.alpha == 0.5f);
}

graph::ValueId AddPositive(reference::GraphBuilder& b, graph::ValueId src) {
  return b.Add(graph::Activation{graph::ActivationKind::kClip, 0.1f, 2}, {src});
}

}  // namespace resnetd::onednn
