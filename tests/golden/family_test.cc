// The engine against PyTorch and ONNX Runtime on every residual family, as PyTorch's exporters write them
// (tools/make_test_models.py): at three batch sizes and two thread counts, that an answer is a function of the image,
// the batch size and the thread count alone, and that the fast implementations run.
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/golden/golden_files.h"
#include "tests/support/session_runner.h"

namespace resnetd {
namespace {

const std::vector<int> kBatchSizes = {1, 3, 32};
constexpr std::array kThreads = {1, 2};
constexpr std::array kPeers = {"pytorch", "onnxruntime"};
constexpr std::array kOutputs = {"logits", "features"};

using Answer = std::array<std::vector<float>, kOutputs.size()>;  // logits and features of one image

struct Images {
  int count;
  size_t pixels;  // of one
  std::vector<float> values;

  absl::Span<const float> operator[](int i) const {
    return absl::MakeConstSpan(values).subspan(i % count * pixels, pixels);
  }
};

// Answers of `batch` images, slot i holding image (i + shift) % count; in the order of the slots.
std::vector<Answer> Compute(const SessionRunner& runner, const Images& images, int batch, int shift) {
  for (int slot = 0; slot < batch; ++slot) runner.Write(slot, images[slot + shift]);
  const auto ran = runner->Run({.count = batch});
  EXPECT_TRUE(ran.ok()) << ran.status();
  const ModelInfo& info = runner.engine().info();
  std::vector<Answer> answers;
  for (int slot = 0; slot < batch; ++slot) {
    const absl::Span<const float> logits = runner->output(info.logits, slot);
    const absl::Span<const float> features = runner->output(info.embedding, slot);
    answers.push_back({std::vector(logits.begin(), logits.end()), std::vector(features.begin(), features.end())});
  }
  return answers;
}

double Largest(absl::Span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0,
                         [](double most, float v) { return std::max<double>(most, std::abs(v)); });
}

// Returns the error as a fraction of what is expected; infinite where something is not finite or not as long.
double Difference(absl::Span<const float> got, absl::Span<const float> expected) {
  double difference = got.size() == expected.size() ? 0 : INFINITY;
  for (size_t k = 0; k < std::min(got.size(), expected.size()); ++k) {
    const double one = std::abs(static_cast<double>(got[k]) - expected[k]);
    difference = std::isfinite(one) ? std::max(difference, one) : INFINITY;
  }
  return difference / Largest(expected);
}

bool SameBytes(const Answer& a, const Answer& b) {
  for (size_t o = 0; o < a.size(); ++o) {
    if (a[o].size() != b[o].size() || std::memcmp(a[o].data(), b[o].data(), a[o].size() * sizeof(float)) != 0) {
      return false;
    }
  }
  return true;
}

class Family : public testing::TestWithParam<GoldenCase> {
 protected:
  void SetUp() override {
    const GoldenCase& c = GetParam();
    std::string file = ReadFile(absl::StrCat(FAMILY_MODELS "/", c.name, ".onnx"));
    for (const int threads : kThreads) {
      const auto load = [&](const std::vector<int>& batch_sizes) {
        return Engine::Load({file, c.name}, {.batch_sizes = batch_sizes, .threads = threads});
      };
      auto engine = load(kBatchSizes);
      ASSERT_TRUE(engine.ok()) << engine.status();
      // One copy is what a single batch size packs, with the channels that some instruction sets pad to.
      const auto one = load({kBatchSizes.back()});
      ASSERT_TRUE(one.ok()) << one.status();
      EXPECT_LE((*engine)->info().packed_weight_bytes, (*one)->info().packed_weight_bytes * 11 / 10);
      runners_.push_back(std::make_unique<SessionRunner>(*std::move(engine)));
    }
    file = {};
    const ModelInfo& info = runners_.front()->engine().info();
    ASSERT_EQ(info.classes, c.classes);
    ASSERT_EQ(info.features, c.features);
    images_ = {c.images, static_cast<size_t>(info.channels) * info.height * info.width, {}};
    images_.values = ReadFloats(absl::StrCat(FAMILY_MODELS "/", c.name, ".images.f32"), c.images * images_.pixels);
    // The file holds for each image PyTorch's logits and features, then ONNX Runtime's.
    const auto values = ReadFloats(absl::StrCat(FAMILY_EXPECTED "/", c.name, ".f32"),
                                   kPeers.size() * c.images * (c.classes + c.features));
    const float* next = values.data();
    for (int i = 0; i < c.images; ++i) {
      for (auto& answers : expected_) {
        const float* const logits = next;
        const float* const features = logits + c.classes;
        next = features + c.features;
        answers.push_back({std::vector(logits, features), std::vector(features, next)});
      }
    }
  }

  // `alone`: each image's answer in a batch of one.
  void ExpectAnswers(const SessionRunner& runner, int batch, const std::vector<Answer>& alone) {
    const std::vector<Answer> answers = Compute(runner, images_, batch, 0);
    for (int slot = 0; slot < batch; ++slot) {
      const int image = slot % images_.count;
      for (size_t o = 0; o < kOutputs.size(); ++o) {
        for (size_t peer = 0; peer < kPeers.size(); ++peer) {
          const double difference = Difference(answers[slot][o], expected_[peer][image][o]);
          ASSERT_LE(difference, 1e-4) << kOutputs[o] << " of slot " << slot << " from " << kPeers[peer];
          from_peer_[peer] = std::max(from_peer_[peer], difference);
        }
        across_batches_ = std::max(across_batches_, Difference(answers[slot][o], alone[image][o]));
      }
    }
    // Other slots and other neighbours give the same bytes.
    const std::vector<Answer> shifted = Compute(runner, images_, batch, 1);
    for (int slot = 0; slot < batch; ++slot) {
      const int image = (slot + 1) % images_.count;
      ASSERT_TRUE(SameBytes(shifted[slot], batch == 1 ? alone[image] : answers[image]))
          << "slot " << slot << ", image " << image;
    }
  }

  static void ExpectFastImplementations(const SessionRunner& runner, int batch) {
    for (const StepInfo& step : runner.engine().Describe(batch)) {
      if (step.op != "Conv" && step.op != "Gemm") continue;
      EXPECT_FALSE(IsSlow(step.implementation))
          << step.op << " '" << step.node << "' " << step.shape << ": " << step.implementation;
    }
  }

  std::vector<std::unique_ptr<SessionRunner>> runners_;  // one of each thread count
  Images images_{};
  std::array<std::vector<Answer>, kPeers.size()> expected_;
  std::array<double, kPeers.size()> from_peer_{};  // the largest seen, as a fraction
  double across_batches_ = 0;
};

TEST_P(Family, Network) {
  for (const auto& runner : runners_) {
    std::vector<Answer> alone;
    for (int i = 0; i < images_.count; ++i) alone.push_back(Compute(*runner, images_, 1, i)[0]);
    for (const int batch : kBatchSizes) {
      SCOPED_TRACE(absl::StrCat("batch ", batch, ", threads ", runner->engine().info().threads));
      ASSERT_NO_FATAL_FAILURE(ExpectAnswers(*runner, batch, alone));
      ExpectFastImplementations(*runner, batch);
    }
  }
  for (size_t peer = 0; peer < kPeers.size(); ++peer) RecordProperty(kPeers[peer], absl::StrCat(from_peer_[peer]));
  RecordProperty("across_batches", absl::StrCat(across_batches_));
}

std::vector<GoldenCase> Cases() {
  return ReadGoldenCases(FAMILY_EXPECTED "/cases.txt");
}

INSTANTIATE_TEST_SUITE_P(All, Family, testing::ValuesIn(Cases()), NameOfCase);

TEST(Families, AreThere) {
  EXPECT_THAT(Cases(), testing::Not(testing::IsEmpty())) << FAMILY_EXPECTED "/cases.txt";
}

}  // namespace
}  // namespace resnetd
