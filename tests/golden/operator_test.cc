// Every operator we read against ONNX Runtime, at the opsets where it changed (operator_models.py): what importers make
// of a file, computed by the reference executor; and the same by the engine.
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "engine/engine.h"
#include "engine/onnx/onnx.h"
#include "gtest/gtest.h"
#include "tests/golden/golden_files.h"
#include "tests/reference/executor.h"
#include "tests/support/session_runner.h"

namespace resnetd {
namespace {

constexpr size_t kImages = 2, kPixels = 4 * 6 * 5;

struct OperatorCase {
  std::string name;
  size_t values = 0;  // of the answer for one image
};

std::vector<OperatorCase> Cases() {
  std::vector<OperatorCase> cases;
  std::ifstream file(OPERATOR_EXPECTED "/cases.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream(line) >> cases.emplace_back().name >> cases.back().values;
  }
  return cases;
}

void Expect(absl::Span<const float> got, absl::Span<const float> expected, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  double largest = 0, difference = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    largest = std::max<double>(largest, std::abs(expected[i]));
    difference = std::max<double>(difference, std::isfinite(got[i]) ? std::abs(got[i] - expected[i]) : INFINITY);
  }
  EXPECT_LE(difference, 1e-5 * largest) << what;
}

class Operators : public testing::Test {
 protected:
  void SetUp() override {
    for (const OperatorCase& c : cases_) total_ += kImages * c.values;
    ASSERT_GT(cases_.size(), 900u);
    images_ = ReadFloats(OPERATOR_MODELS "/images.f32", kImages * kPixels);
    answers_ = ReadFloats(OPERATOR_EXPECTED "/answers.f32", total_);
  }

  absl::Span<const float> image(size_t i) const { return absl::MakeConstSpan(images_).subspan(i * kPixels, kPixels); }

  // Calls check(case, file, answers) for each case; the answers of all images, one after the other.
  template <typename F>
  void ForEach(const F& check) const {
    absl::Span<const float> next = answers_;
    for (const OperatorCase& c : cases_) {
      const Bytes file = ReadFile(absl::StrCat(OPERATOR_MODELS "/", c.name, ".onnx"));
      check(c, file, next.first(kImages * c.values));
      next.remove_prefix(kImages * c.values);
    }
  }

  const std::vector<OperatorCase> cases_ = Cases();
  size_t total_ = 0;
  std::vector<float> images_, answers_;
};

TEST_F(Operators, AsTheyAreImported) {
  ForEach([&](const OperatorCase& c, const Bytes& file, absl::Span<const float> answers) {
    const auto model = onnx::ReadOnnx(file, c.name);
    ASSERT_TRUE(model.ok()) << model.status();
    const graph::Graph& graph = model->graph;
    for (size_t i = 0; i < kImages; ++i) {
      const auto values = reference::Run(graph, image(i));
      Expect(values[static_cast<size_t>(graph.outputs.front().value)], answers.subspan(i * c.values, c.values),
             absl::StrCat(c.name, ", image ", i));
    }
  });
}

TEST_F(Operators, AsTheEngineComputesThem) {
  ForEach([&](const OperatorCase& c, const Bytes& file, absl::Span<const float> answers) {
    auto engine = Engine::Load({file, c.name}, {.batch_sizes = {1, kImages}, .threads = 1});
    ASSERT_TRUE(engine.ok()) << engine.status();
    const SessionRunner runner(*std::move(engine));
    const ModelInfo& info = runner.engine().info();
    for (int batch : {1, static_cast<int>(kImages)}) {
      for (int i = 0; i < batch; ++i) runner.Write(i, image(i));
      const auto ran = runner->Run({.count = batch});
      ASSERT_TRUE(ran.ok()) << c.name << ": " << ran.status();
      for (int i = 0; i < batch; ++i) {
        Expect(runner->output(info.classes > 0 ? info.logits : info.embedding, i),
               answers.subspan(i * c.values, c.values), absl::StrCat(c.name, ", batch ", batch, ", image ", i));
      }
    }
  });
}

}  // namespace
}  // namespace resnetd
