// The engine against ONNX Runtime on the golden networks (golden_models.py), and what else only whole networks show:
// which implementations run, that no weights are held twice, that an image's batch mates don't matter.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/engine.h"
#include "gtest/gtest.h"
#include "tests/golden/golden_files.h"
#include "tests/support/session_runner.h"

namespace resnetd {
namespace {

struct Output {
  OutputId id;
  const char* name;
};

class Golden : public testing::TestWithParam<GoldenCase> {};

TEST_P(Golden, Network) {
  const GoldenCase& c = GetParam();
  std::string file = ReadFile(absl::StrCat(GOLDEN_MODELS "/", c.name, ".onnx"));
  const auto loaded = Engine::Load({file, c.name}, {.batch_sizes = {1, 2, 8}, .threads = 1});
  file = {};
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const SessionRunner runner(*loaded);
  const ModelInfo& info = runner.engine().info();
  ASSERT_EQ(info.classes, c.classes);
  ASSERT_EQ(info.features, c.features);

  const Output outputs[] = {{info.logits, "logits"}, {info.embedding, "features"}};
  const size_t pixels = static_cast<size_t>(info.channels) * info.height * info.width;
  const auto images = ReadFloats(absl::StrCat(GOLDEN_MODELS "/", c.name, ".images.f32"), c.images * pixels);
  const size_t row = static_cast<size_t>(c.classes + c.features);
  const auto expected = ReadFloats(absl::StrCat(GOLDEN_EXPECTED "/", c.name, ".f32"), c.images * row);
  const auto image = [&](int i) { return absl::MakeConstSpan(images).subspan(i * pixels, pixels); };

  // All together.
  for (int i = 0; i < c.images; ++i) runner.Write(i, image(i));
  ASSERT_TRUE(runner->Run({.count = c.images}).ok());
  std::vector<std::vector<float>> together[2];
  for (const Output& output : outputs) {
    double most = 0, difference = 0;  // over all images
    for (int i = 0; i < c.images; ++i) {
      const absl::Span<const float> got = runner->output(output.id, i);
      const float* right = &expected[i * row + (output.id == info.logits ? 0 : c.classes)];
      for (size_t k = 0; k < got.size(); ++k) {
        ASSERT_TRUE(std::isfinite(got[k])) << output.name << " of image " << i;
        most = std::max<double>(most, std::abs(right[k]));
        difference = std::max<double>(difference, std::abs(got[k] - right[k]));
      }
      together[static_cast<int>(output.id)].emplace_back(got.begin(), got.end());
    }
    EXPECT_LE(difference, 1e-4 * most) << output.name;
    RecordProperty(absl::StrCat(output.name, "_difference"), absl::StrCat(difference / most));
  }

  // Each alone: another plan, the same answer.
  for (int i = 0; i < c.images; ++i) {
    runner.Write(0, image(i));
    ASSERT_TRUE(runner->Run({.count = 1}).ok());
    for (const Output& output : outputs) {
      const absl::Span<const float> alone = runner->output(output.id, 0);
      double most = 0, difference = 0;
      for (size_t k = 0; k < alone.size(); ++k) {
        most = std::max<double>(most, std::abs(alone[k]));
        difference = std::max<double>(difference, std::abs(alone[k] - together[static_cast<int>(output.id)][i][k]));
      }
      EXPECT_LE(difference, 1e-5 * most) << output.name << " of image " << i << " alone and in a batch";
    }
  }

  // The fast implementations run, each residual is fused, and weights are held once.
  for (const int batch : info.batch_sizes) {
    for (const StepInfo& step : runner.engine().Describe(batch)) {
      const std::string printed = absl::StrCat(step.op, " '", step.node, "' ", step.shape, ": ", step.implementation);
      EXPECT_TRUE(step.op != "Add" && step.op != "Mul" && step.op != "Relu") << printed << " is not fused";
      if (step.op != "Conv" && step.op != "Gemm") continue;
      EXPECT_FALSE(IsSlow(step.implementation)) << printed;
    }
  }
  EXPECT_LE(static_cast<double>(info.packed_weight_bytes), 1.10 * static_cast<double>(info.parameters) * sizeof(float));
}

INSTANTIATE_TEST_SUITE_P(All, Golden, testing::ValuesIn(ReadGoldenCases(GOLDEN_EXPECTED "/cases.txt")), NameOfCase);

}  // namespace
}  // namespace resnetd
