// Every operator we read against ONNX Runtime, at the opsets where it changed (operator_models.py): what importers make
// of a file, computed by the reference executor.
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "engine/onnx/onnx.h"
#include "gtest/gtest.h"
#include "tests/golden/golden_files.h"
#include "tests/reference/executor.h"

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

TEST(Operators, AgreeWithOnnxRuntime) {
  const std::vector<OperatorCase> cases = Cases();
  size_t total = 0;
  for (const OperatorCase& c : cases) total += kImages * c.values;
  ASSERT_GT(cases.size(), 900u);
  const std::vector<float> images = ReadFloats(OPERATOR_MODELS "/images.f32", kImages * kPixels);
  const std::vector<float> answers = ReadFloats(OPERATOR_EXPECTED "/answers.f32", total);
  absl::Span<const float> next = answers;
  for (const OperatorCase& c : cases) {
    const std::string file = ReadFile(absl::StrCat(OPERATOR_MODELS "/", c.name, ".onnx"));
    const auto graph = onnx::ReadOnnx({reinterpret_cast<const std::byte*>(file.data()), file.size()}, c.name);
    EXPECT_TRUE(graph.ok()) << graph.status();
    for (size_t i = 0; i < kImages; ++i, next.remove_prefix(c.values)) {
      if (!graph.ok()) continue;
      const auto values = reference::Run(*graph, absl::MakeConstSpan(images).subspan(i * kPixels, kPixels));
      const auto& output = values[static_cast<size_t>(graph->outputs.front().value)];
      Expect(output, next.first(c.values), absl::StrCat(c.name, ", image ", i));
    }
  }
}

}  // namespace
}  // namespace resnetd
