// The property that residual networks are named after (He et al., "Deep Residual Learning for Image Recognition", 2015,
// section 3.1): a unit computes H = F + x, so one whose F is zero passes x on, and costs nothing to learn. Here bit for
// bit, in plans as they are served and before any pass.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/passes/passes.h"
#include "gtest/gtest.h"
#include "tests/reference/executor.h"
#include "tests/support/plan_checker.h"
#include "tests/support/session_runner.h"

namespace resnetd::onednn {
namespace {

using graph::Graph;
using graph::ValueId;
using reference::GraphBuilder;

constexpr int64_t kChannels = 32;

enum class Zero {
  kNothing,
  kAllLayers,  // every convolution, and the shift of every batch norm
  kLastLayer,  // v1: scale and shift of the last batch norm, as networks are initialised; v2: the last convolution
};

struct Unit {
  bool bottleneck = false;      // three layers, 1x1, 3x3 and 1x1, or two of 3x3
  bool pre_activation = false;  // v2: batch norm and ReLU before each layer, and none after the sum
  Zero zero = Zero::kNothing;
};

std::string NameOf(const Unit& unit) {
  return absl::StrCat(unit.bottleneck ? "bottleneck" : "two layers", unit.pre_activation ? ", v2" : ", v1",
                      unit.zero == Zero::kAllLayers   ? ", all zero"
                      : unit.zero == Zero::kLastLayer ? ", last layer zero"
                                                      : "");
}

std::vector<Unit> AllUnits(std::initializer_list<Zero> zeros) {
  std::vector<Unit> units;
  for (const bool bottleneck : {false, true}) {
    for (const bool pre_activation : {false, true}) {
      for (const Zero zero : zeros) units.push_back({bottleneck, pre_activation, zero});
    }
  }
  return units;
}

ValueId Layer(GraphBuilder& b, ValueId src, int64_t channels, int64_t kernel, bool zero) {
  graph::Conv conv = b.Conv(channels, b.dims(src)[0], {kernel, kernel});
  conv.pads = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  conv.bias = nullptr;
  if (zero) conv.weights = b.Random(conv.weights->dims, 0, 0);
  return b.Add(conv, {src});
}

// A zero shift goes with a zero mean: what it is the mean of is zero.
ValueId Norm(GraphBuilder& b, ValueId src, bool zero_scale, bool zero_shift) {
  graph::BatchNorm norm = b.BatchNorm(b.dims(src)[0]);
  const graph::WeightsRef zeros = b.Random({b.dims(src)[0]}, 0, 0);
  if (zero_scale) norm.scale = zeros;
  if (zero_shift) norm.shift = norm.mean = zeros;
  return b.Add(norm, {src});
}

// F(x).
ValueId Branch(GraphBuilder& b, ValueId x, const Unit& unit) {
  struct Size {
    int64_t channels, kernel;
  };
  const std::vector<Size> layers = unit.bottleneck
                                       ? std::vector<Size>{{kChannels / 4, 1}, {kChannels / 4, 3}, {kChannels, 1}}
                                       : std::vector<Size>{{kChannels, 3}, {kChannels, 3}};
  const bool all = unit.zero == Zero::kAllLayers;
  for (size_t i = 0; i < layers.size(); ++i) {
    const bool last = i + 1 == layers.size(), zero_last = last && unit.zero == Zero::kLastLayer;
    if (unit.pre_activation) {
      x = b.Add(graph::Relu(), {Norm(b, x, false, all)});
      x = Layer(b, x, layers[i].channels, layers[i].kernel, all || zero_last);
    } else {
      x = Norm(b, Layer(b, x, layers[i].channels, layers[i].kernel, all), zero_last, all || zero_last);
      if (!last) x = b.Add(graph::Relu(), {x});
    }
  }
  return x;
}

ValueId AddUnit(GraphBuilder& b, ValueId x, const Unit& unit) {
  const ValueId h = b.Add(graph::Add(), {Branch(b, x, unit), x});
  return unit.pre_activation ? h : b.Add(graph::Relu(), {h});
}

GraphBuilder Builder() {
  return GraphBuilder({kChannels, 7, 6}, 3);
}

using Images = std::vector<std::vector<float>>;

// Elements of every size: random ones, zero, denormal, large. Not -0, since -0 + 0 is 0.
Images AllSizes(int batch) {
  Images images;
  for (int i = 0; i < batch; ++i) {
    images.push_back(reference::RandomImage({kChannels, 7, 6}, 50 + static_cast<uint32_t>(i)));
    for (size_t at = static_cast<size_t>(i); at + 5 < images[i].size(); at += 97) {
      const float values[] = {0, 1e-42f, -1e-42f, 1e30f, -1e30f};
      std::copy(std::begin(values), std::end(values), images[i].begin() + static_cast<ptrdiff_t>(at));
    }
  }
  return images;
}

struct Answer {
  std::string steps;
  bool in_place_sum = false;
  std::vector<Images> values;  // by output
};

Answer Compute(Graph graph, bool fused, const Images& images) {
  if (fused) {
    EXPECT_TRUE(passes::RunPasses(graph).ok());
  }
  const int batch = static_cast<int>(images.size());
  const auto engine = CompileFor(graph, {batch}, 1);
  EXPECT_TRUE(engine.ok()) << engine.status();
  Answer answer{Steps(**engine), false, {}};
  for (const StepInfo& step : (*engine)->Describe(batch)) answer.in_place_sum |= step.in_place_sum;
  const SessionRunner runner(*engine);
  for (int i = 0; i < batch; ++i) runner.Write(i, images[i]);
  EXPECT_TRUE(runner->Run({.count = batch}).ok());
  answer.values.resize(graph.outputs.size());
  for (size_t o = 0; o < graph.outputs.size(); ++o) {
    for (int i = 0; i < batch; ++i) {
      const absl::Span<const float> values = runner->output(static_cast<OutputId>(o), i);
      answer.values[o].emplace_back(values.begin(), values.end());
    }
  }
  return answer;
}

void ExpectSameBytes(const std::vector<float>& expected, const std::vector<float>& got, const std::string& what) {
  ASSERT_EQ(expected.size(), got.size()) << what;
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(0, std::memcmp(&expected[i], &got[i], sizeof(float)))
        << what << ": element " << i << " is " << got[i] << ", not " << expected[i];
  }
}

TEST(Residual, AUnitOfZerosPassesItsInputOn) {
  for (const Unit& unit : AllUnits({Zero::kAllLayers, Zero::kLastLayer})) {
    for (const int units : {1, 3}) {
      GraphBuilder b = Builder();
      ValueId x = b.image();
      for (int i = 0; i < units; ++i) x = AddUnit(b, x, unit);
      const Graph graph = b.FinishFlat(x);
      for (const bool fused : {false, true}) {
        for (const int batch : {1, 2, 3, 8}) {
          const Images images = AllSizes(batch);
          const Answer answer = Compute(graph, fused, images);
          for (int i = 0; i < batch; ++i) {
            std::vector<float> expected = images[i];
            if (!unit.pre_activation) {
              for (float& value : expected) value = std::max(value, 0.0f);
            }
            ExpectSameBytes(
                expected, answer.values[0][i],
                absl::StrCat(NameOf(unit), ", ", units, fused ? " fused" : "", " units, image ", i, " of ", batch));
          }
        }
      }
    }
  }
}

// In the middle of a network x is what a convolution yielded. Nobody else may want it, and the sum is made in its
// place; or it is served too, and must stay as it is.
TEST(Residual, WhereverItsInputLies) {
  for (const Unit& unit : AllUnits({Zero::kAllLayers, Zero::kLastLayer})) {
    for (const bool served : {false, true}) {
      for (const bool fused : {false, true}) {
        for (const int batch : {1, 2, 3, 8}) {
          GraphBuilder b = Builder();
          const ValueId stem = b.Add(graph::Relu(), {AddConv(b, b.image(), kChannels)});
          GraphBuilder alone = b;
          Graph graph = b.FinishFlat(AddUnit(b, stem, unit));
          if (served) graph.outputs.push_back({"x", stem});
          const Images images = AllSizes(batch);
          const Answer answer = Compute(graph, fused, images), x = Compute(alone.FinishFlat(stem), fused, images);
          EXPECT_EQ(answer.in_place_sum, fused && !served) << NameOf(unit);
          for (int i = 0; i < batch; ++i) {
            const std::string what = absl::StrCat(NameOf(unit), served ? ", served" : "", fused ? ", fused" : "",
                                                  ", image ", i, " of ", batch);
            EXPECT_GT(reference::MaxAbs(x.values[0][i]), 1) << what;
            ExpectSameBytes(x.values[0][i], answer.values[0][i], what);
            if (served) ExpectSameBytes(x.values[0][i], answer.values[1][i], what);
          }
        }
      }
    }
  }
}

// One step a layer; behind them only the pool that serves the stage.
TEST(Residual, TheSumIsPartOfTheLastConvolution) {
  const std::pair<Unit, const char*> cases[] = {
      {{false, false}, "Conv+Relu, Conv+Add+Relu, ReduceMean"},
      {{true, false}, "Conv+Relu, Conv+Relu, Conv+Add+Relu, ReduceMean"},
      {{false, true}, "Mul+Add+Relu, Conv+Relu, Conv+Add, ReduceMean"},
      {{true, true}, "Mul+Add+Relu, Conv+Relu, Conv+Relu, Conv+Add, ReduceMean"},
  };
  for (const auto& [unit, steps] : cases) {
    GraphBuilder b = Builder();
    EXPECT_EQ(Compute(b.FinishFlat(AddUnit(b, b.image(), unit)), true, AllSizes(1)).steps, steps) << NameOf(unit);
  }
}

// H - x, before the last ReLU, against F of the same weights: computed by the plan alone, and by the reference.
TEST(Residual, TheOutputLessTheInputIsTheBranch) {
  for (const Unit& unit : AllUnits({Zero::kNothing})) {
    for (const bool fused : {false, true}) {
      for (const int batch : {1, 2, 3, 8}) {
        GraphBuilder with_shortcut = Builder(), without = Builder();
        const ValueId f = Branch(without, without.image(), unit);
        const ValueId branch = Branch(with_shortcut, with_shortcut.image(), unit);
        const ValueId h = with_shortcut.Add(graph::Add(), {branch, with_shortcut.image()});
        const Graph plain = without.FinishFlat(f), residual = with_shortcut.FinishFlat(h);
        Images images;
        for (int i = 0; i < batch; ++i) {
          images.push_back(reference::RandomImage({kChannels, 7, 6}, 90 + static_cast<uint32_t>(i)));
        }
        const Answer branches = Compute(plain, fused, images), sums = Compute(residual, fused, images);
        for (int i = 0; i < batch; ++i) {
          const std::string what = absl::StrCat(NameOf(unit), fused ? ", fused" : "", ", image ", i, " of ", batch);
          std::vector<float> difference = sums.values[0][i];
          for (size_t k = 0; k < difference.size(); ++k) difference[k] -= images[i][k];
          const std::vector<float> right = reference::Run(plain, images[i])[static_cast<size_t>(f)];
          ASSERT_GT(reference::MaxAbs(right), 0.5) << what;
          EXPECT_LE(reference::MaxDifference(difference, right), 1e-5 * reference::MaxAbs(right)) << what;
          EXPECT_LE(reference::MaxDifference(difference, branches.values[0][i]), 1e-5 * reference::MaxAbs(right))
              << what;
        }
      }
    }
  }
}

}  // namespace
}  // namespace resnetd::onednn
