#include "server/edge/native_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "resnetd/v1/inference.pb.h"
#include "tests/e2e/fake_model.h"

namespace resnetd::server {
namespace {

using testing::HasSubstr;

std::string Field(const absl::Status& status) {
  google::rpc::BadRequest bad;
  const auto payload = status.GetPayload("type.googleapis.com/google.rpc.BadRequest");
  if (!payload || !bad.ParseFromString(std::string(*payload))) return "(none)";
  return bad.field_violations(0).field();
}

v1::Tensor Tensor(v1::Tensor::Type type, std::vector<int> shape, size_t bytes) {
  v1::Tensor tensor;
  tensor.set_type(type);
  for (int n : shape) tensor.add_shape(n);
  tensor.set_data(std::string(bytes, '\0'));
  return tensor;
}

// One image of a request of three, the other two of which are good.
absl::StatusOr<CheckedImage> Check(const v1::Image& image) {
  v1::ClassifyRequest request;
  *request.add_images()->mutable_tensor() = Tensor(v1::Tensor::UINT8, {28, 28, 1}, 784);
  *request.add_images() = image;
  *request.add_images()->mutable_tensor() = Tensor(v1::Tensor::FLOAT32, {1, 28, 28}, 3136);
  const auto checked = CheckImages(request.images(), FakeInfo(), {});
  EXPECT_TRUE(checked.ok());
  EXPECT_TRUE((*checked)[0].ok());
  EXPECT_TRUE((*checked)[2].ok());
  return (*checked)[1];
}

absl::StatusOr<CheckedImage> Check(const v1::Tensor& tensor) {
  v1::Image image;
  *image.mutable_tensor() = tensor;
  return Check(image);
}

TEST(EdgeRequestTest, TensorsThatFit) {
  const auto u8 = Check(Tensor(v1::Tensor::UINT8, {28, 28, 1}, 784));
  ASSERT_TRUE(u8.ok()) << u8.status();
  EXPECT_EQ(u8->source.kind, SourceKind::kPixelsU8);
  const auto f32 = Check(Tensor(v1::Tensor::FLOAT32, {1, 28, 28}, 3136));
  ASSERT_TRUE(f32.ok()) << f32.status();
  EXPECT_EQ(f32->source.kind, SourceKind::kTensorF32);
}

TEST(EdgeRequestTest, TensorsThatDoNot) {
  struct Case {
    v1::Tensor tensor;
    const char* field;
    const char* expected;
    const char* got;
  };
  const Case cases[] = {
      {Tensor(v1::Tensor::UINT8, {28, 28}, 784), "images[1].tensor.shape", "expected [28, 28, 1]", "got [28, 28]"},
      {Tensor(v1::Tensor::UINT8, {1, 28, 28}, 784), "images[1].tensor.shape", "expected [28, 28, 1]",
       "got [1, 28, 28]"},
      {Tensor(v1::Tensor::UINT8, {28, 28, -1}, 784), "images[1].tensor.shape", "[28, 28, 1]", "got [28, 28, -1]"},
      {Tensor(v1::Tensor::UINT8, {}, 784), "images[1].tensor.shape", "expected [28, 28, 1]", "got []"},
      {Tensor(v1::Tensor::UINT8, std::vector<int>(1000, 1), 784), "images[1].tensor.shape", "[28, 28, 1]", "1, ...]"},
      {Tensor(v1::Tensor::FLOAT32, {28, 28, 1}, 3136), "images[1].tensor.shape", "expected [1, 28, 28]", "[28, 28, 1]"},
      {Tensor(v1::Tensor::UINT8, {28, 28, 1}, 783), "images[1].tensor.data", "expected 784 bytes", "got 783"},
      {Tensor(v1::Tensor::UINT8, {28, 28, 1}, 785), "images[1].tensor.data", "expected 784 bytes", "got 785"},
      {Tensor(v1::Tensor::UINT8, {28, 28, 1}, 0), "images[1].tensor.data", "expected 784 bytes", "got 0"},
      {Tensor(v1::Tensor::FLOAT32, {1, 28, 28}, 784), "images[1].tensor.data", "expected 3136 bytes", "got 784"},
      {Tensor(v1::Tensor::TYPE_UNSPECIFIED, {28, 28, 1}, 784), "images[1].tensor.type", "expected UINT8 or FLOAT32",
       "got TYPE_UNSPECIFIED"},
      {Tensor(static_cast<v1::Tensor::Type>(7), {28, 28, 1}, 784), "images[1].tensor.type", "UINT8 or FLOAT32",
       "got 7"},
  };
  for (const Case& c : cases) {
    const absl::Status status = Check(c.tensor).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.got;
    EXPECT_EQ(Field(status), c.field) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.expected));
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.got));
  }
}

TEST(EdgeRequestTest, FloatsMustBeFinite) {
  for (float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                    std::numeric_limits<float>::quiet_NaN()}) {
    v1::Tensor tensor = Tensor(v1::Tensor::FLOAT32, {1, 28, 28}, 3136);
    std::memcpy(tensor.mutable_data()->data() + 3132, &bad, sizeof bad);
    const absl::Status status = Check(tensor).status();
    EXPECT_EQ(Field(status), "images[1].tensor.data") << bad;
    EXPECT_THAT(std::string(status.message()), HasSubstr("finite"));
  }
}

TEST(EdgeRequestTest, FilesAreToldByTheirHeader) {
  v1::Image image;
  EXPECT_EQ(Field(Check(image).status()), "images[1]") << "no source";
  for (const std::string& file : {std::string(), std::string("some text"), std::string("\xff\xd8", 2)}) {
    image.set_encoded(file);
    const absl::Status status = Check(image).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << file;
    EXPECT_EQ(Field(status), "images[1].encoded") << file;
  }
}

TEST(EdgeRequestTest, NumberOfImages) {
  v1::ClassifyRequest request;
  const RequestLimits limits{.max_images = 2};
  for (int n = 0; n <= 3; ++n) {
    const auto checked = CheckImages(request.images(), FakeInfo(), limits);
    EXPECT_EQ(checked.ok(), n == 1 || n == 2) << n;
    if (!checked.ok()) {
      EXPECT_EQ(Field(checked.status()), "images");
      EXPECT_THAT(std::string(checked.status().message()), HasSubstr(absl::StrCat("got ", n)));
      EXPECT_THAT(std::string(checked.status().message()), HasSubstr("--max-images-per-request"));
    }
    request.add_images();
  }
}

TEST(EdgeRequestTest, TopK) {
  const auto model = FakeModel();
  for (const auto& [given, wanted] : std::vector<std::pair<int, int>>{{0, 5}, {1, 1}, {10, 10}}) {
    v1::ClassifyOptions options;
    options.set_top_k(given);
    const auto checked = CheckClassify(options, "options", *model);
    ASSERT_TRUE(checked.ok()) << given;
    EXPECT_EQ(checked->top_k, wanted);
  }
  for (int given : {-1, 11, 1'000'000'000, std::numeric_limits<int>::min()}) {
    v1::ClassifyOptions options;
    options.set_top_k(given);
    const absl::Status status = CheckClassify(options, "classify", *model).status();
    EXPECT_EQ(Field(status), "classify.top_k");
    EXPECT_THAT(std::string(status.message()), HasSubstr("1 to 10"));
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("got ", given)));
  }
}

TEST(EdgeRequestTest, FewClassesMakeTheDefaultSmaller) {
  const auto model = FakeModel("three", {.classes = 3});
  EXPECT_EQ(CheckClassify({}, "options", *model)->top_k, 3);
}

TEST(EdgeRequestTest, ThresholdAndScores) {
  const auto model = FakeModel();
  v1::ClassifyOptions options;
  EXPECT_EQ(CheckClassify(options, "options", *model)->threshold, std::nullopt);
  options.set_threshold(0);
  EXPECT_EQ(CheckClassify(options, "options", *model)->threshold, 0.0f);
  for (float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    options.set_threshold(bad);
    EXPECT_EQ(Field(CheckClassify(options, "options", *model).status()), "options.threshold") << bad;
  }
  options.clear_threshold();
  options.set_scores(static_cast<v1::ClassifyOptions::Scores>(9));
  EXPECT_EQ(Field(CheckClassify(options, "options", *model).status()), "options.scores");
}

TEST(EdgeRequestTest, OutputsThatTheModelLacks) {
  ImageRequest out;
  out.model = FakeModel("headless", {.classes = 0});
  EXPECT_EQ(CheckWanted(v1::ClassifyRequest(), out).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CheckWanted(v1::PredictRequest(), out).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(CheckWanted(v1::EmbedRequest(), out).ok());
  out.model = FakeModel("featureless", {.features = 0});
  EXPECT_EQ(CheckWanted(v1::EmbedRequest(), out).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(CheckWanted(v1::ClassifyRequest(), out).ok());
}

TEST(EdgeRequestTest, PredictTakesBothOptions) {
  ImageRequest out;
  out.model = FakeModel();
  v1::PredictRequest request;
  request.mutable_classify()->set_scores(v1::ClassifyOptions::LOGITS);
  request.mutable_embed()->set_l2_normalize(true);
  ASSERT_TRUE(CheckWanted(request, out).ok());
  EXPECT_TRUE(out.classify->logits);
  EXPECT_TRUE(out.embed->l2_normalize);
}

}  // namespace
}  // namespace resnetd::server
