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
  EXPECT_EQ(CheckWanted(v1::ClassifyRequest(), {}, out).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CheckWanted(v1::PredictRequest(), {}, out).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(CheckWanted(v1::EmbedRequest(), {}, out).ok());
  out.model = FakeModel("featureless", {.features = 0});
  EXPECT_EQ(CheckWanted(v1::EmbedRequest(), {}, out).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(CheckWanted(v1::ClassifyRequest(), {}, out).ok());
}

TEST(EdgeRequestTest, PredictTakesBothOptions) {
  ImageRequest out;
  out.model = FakeModel();
  v1::PredictRequest request;
  request.mutable_classify()->set_scores(v1::ClassifyOptions::LOGITS);
  request.mutable_embed()->set_l2_normalize(true);
  request.mutable_embed()->add_layers("map");
  ASSERT_TRUE(CheckWanted(request, {}, out).ok());
  EXPECT_TRUE(out.classify->logits);
  EXPECT_TRUE(out.embed->l2_normalize);
  EXPECT_EQ(out.embed->layers[0].layer->name, "map");
}

TEST(EdgeRequestTest, Heads) {
  const auto model = FakeModel();
  model->heads.push_back({"colour", OutputId{2}, 18, Activation::kSigmoid, std::vector<float>(18, 0.5f), {}});
  struct Case {
    const char* head;
    int top_k;
    size_t index;
    int wanted;  // top k; 0: refused
  };
  for (const Case& c :
       {Case{"", 0, 0, 5}, Case{"logits", 0, 0, 5}, Case{"logits", 10, 0, 10}, Case{"logits", 11, 0, 0},
        Case{"colour", 0, 1, 18}, Case{"colour", 18, 1, 18}, Case{"colour", 19, 1, 0}, Case{"colours", 0, 0, 0}}) {
    SCOPED_TRACE(testing::Message() << c.head << " " << c.top_k);
    v1::ClassifyOptions options;
    options.set_head(c.head);
    options.set_top_k(c.top_k);
    const auto checked = CheckClassify(options, "options", *model);
    ASSERT_EQ(checked.ok(), c.wanted > 0) << checked.status();
    if (!checked.ok()) continue;
    EXPECT_EQ(checked->head, c.index);
    EXPECT_EQ(checked->top_k, c.wanted);
  }
  v1::ClassifyOptions options;
  options.set_head("shape");
  const absl::Status status = CheckClassify(options, "classify", *model).status();
  EXPECT_EQ(Field(status), "classify.head");
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected one of 'logits', 'colour'"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("got 'shape'"));
}

absl::StatusOr<EmbedOptions> Embed(const Model& model, const std::vector<std::string>& layers, int dimensions = 0,
                                   const std::vector<std::string>& spaces = {}, bool l2_normalize = false) {
  v1::EmbedOptions options;
  for (const std::string& layer : layers) options.add_layers(layer);
  for (const std::string& space : spaces) options.add_require_space(space);
  options.set_dimensions(dimensions);
  options.set_l2_normalize(l2_normalize);
  return CheckEmbed(options, "options", model, 1, {});
}

TEST(EdgeRequestTest, Layers) {
  const auto model = FakeModel();
  const auto unnamed = Embed(*model, {});
  ASSERT_TRUE(unnamed.ok());
  EXPECT_FALSE(unnamed->named);
  ASSERT_EQ(unnamed->layers.size(), 1u);
  EXPECT_EQ(unnamed->layers[0].layer->name, "pool");
  const auto two = Embed(*model, {"map", "logits"});
  ASSERT_TRUE(two.ok());
  EXPECT_TRUE(two->named);
  ASSERT_EQ(two->layers.size(), 2u);
  EXPECT_EQ(two->layers[0].layer->name, "map");
  EXPECT_EQ(two->layers[0].space->dimensions, 18);
  EXPECT_EQ(two->layers[1].layer->name, "logits");

  const absl::Status unknown = Embed(*model, {"pool", "stage5"}).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Field(unknown), "options.layers[1]");
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("expected one of 'logits', 'pool', 'map'"));
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("got 'stage5'"));
  EXPECT_EQ(Field(Embed(*model, {"pool", "map", "pool"}).status()), "options.layers[2]");
  EXPECT_EQ(Field(Embed(*model, {""}).status()), "options.layers[0]");
}

TEST(EdgeRequestTest, Dimensions) {
  struct Case {
    std::vector<std::string> layers;
    int dimensions;
    int kept;  // 0: refused
  };
  const auto model = FakeModel();
  for (const Case& c :
       {Case{{}, 0, 4}, Case{{}, 2, 2}, Case{{}, 4, 4}, Case{{}, 1, 0}, Case{{}, 3, 0}, Case{{}, 5, 0}, Case{{}, -1, 0},
        Case{{"pool"}, 2, 2}, Case{{"map"}, 2, 0}, Case{{"map"}, 18, 18}, Case{{"pool", "map"}, 2, 0}}) {
    SCOPED_TRACE(testing::Message() << testing::PrintToString(c.layers) << " " << c.dimensions);
    const auto checked = Embed(*model, c.layers, c.dimensions);
    ASSERT_EQ(checked.ok(), c.kept > 0) << checked.status();
    if (checked.ok()) {
      EXPECT_EQ(checked->layers[0].space->dimensions, c.kept);
    } else {
      EXPECT_EQ(Field(checked.status()), "options.dimensions");
      EXPECT_THAT(std::string(checked.status().message()), HasSubstr(absl::StrCat("got ", c.dimensions)));
    }
  }
}

TEST(EdgeRequestTest, RequiredSpaces) {
  struct Case {
    std::vector<std::string> layers;
    int dimensions;
    bool l2_normalize;
    std::vector<std::string> spaces;
    absl::StatusCode code;
  };
  using absl::StatusCode;
  const auto model = FakeModel();
  for (const Case& c :
       {Case{{}, 0, false, {"fake/pool"}, StatusCode::kOk},
        Case{{}, 0, false, {"fake/pool/l2"}, StatusCode::kFailedPrecondition},
        Case{{}, 0, true, {"fake/pool/l2"}, StatusCode::kOk},
        Case{{}, 2, false, {"fake/pool"}, StatusCode::kFailedPrecondition},
        Case{{}, 2, false, {"fake/pool/2"}, StatusCode::kOk}, Case{{}, 2, true, {"fake/pool/2/l2"}, StatusCode::kOk},
        Case{{}, 0, false, {""}, StatusCode::kFailedPrecondition},
        Case{{}, 0, false, {"fake/pool", "fake/pool"}, StatusCode::kInvalidArgument},
        Case{{"map", "pool"}, 0, false, {"fake/map", "fake/pool"}, StatusCode::kOk},
        Case{{"map", "pool"}, 0, false, {"fake/map"}, StatusCode::kInvalidArgument},
        Case{{"map", "pool"}, 0, false, {"fake/pool", "fake/map"}, StatusCode::kFailedPrecondition}}) {
    const absl::Status status = Embed(*model, c.layers, c.dimensions, c.spaces, c.l2_normalize).status();
    EXPECT_EQ(status.code(), c.code) << testing::PrintToString(c.spaces) << " " << status;
  }
  const absl::Status other = Embed(*model, {"map", "pool"}, 0, {"fake/map", "yours"}).status();
  EXPECT_THAT(std::string(other.message()), HasSubstr("options.require_space[1]: expected embedding space 'yours'"));
  EXPECT_THAT(std::string(other.message()), HasSubstr("layer 'pool' of model \"fake\" is in 'fake/pool'"));
}

TEST(EdgeRequestTest, AnswersHaveALimit) {
  const auto model = FakeModel();
  v1::EmbedOptions options;
  for (const char* layer : {"map", "logits"}) options.add_layers(layer);  // 28 values
  struct Case {
    int images;
    size_t max_bytes;
    bool ok;
  };
  for (const Case& c :
       {Case{1, 28 * 4, true}, Case{1, 28 * 4 - 1, false}, Case{3, 28 * 4 * 3, true}, Case{3, 28 * 4 * 3 - 1, false}}) {
    const RequestLimits limits{.max_images = 3, .max_answer_bytes = c.max_bytes};
    const absl::Status status = CheckEmbed(options, "embed", *model, c.images, limits).status();
    EXPECT_EQ(status.ok(), c.ok) << c.images << " images, " << c.max_bytes << " bytes: " << status;
    EXPECT_EQ(Field(status), c.ok ? "(none)" : "embed.layers");
  }
}

}  // namespace
}  // namespace resnetd::server
