#include "server/edge/native/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "resnetd/v1/inference.pb.h"
#include "tests/support/fake_model.h"

namespace resnetd::server {
namespace {

using testing::HasSubstr;

std::string Field(const absl::Status& status) {
  google::rpc::BadRequest bad;
  const auto payload = status.GetPayload("type.googleapis.com/google.rpc.BadRequest");
  if (!payload || !bad.ParseFromString(std::string(*payload))) return "(none)";
  return bad.field_violations(0).field();
}

v1::Tensor Tensor(v1::Tensor::Type type, std::vector<int> shape, size_t bytes,
                  v1::Tensor::Layout layout = v1::Tensor::LAYOUT_UNSPECIFIED) {
  v1::Tensor tensor;
  tensor.set_type(type);
  for (int n : shape) tensor.add_shape(n);
  tensor.set_data(std::string(bytes, '\0'));
  tensor.set_layout(layout);
  return tensor;
}

// One image of a request of three, the other two of which are good.
absl::StatusOr<CheckedImage> Check(const v1::Image& image, image::Resize resize = image::Resize::kNone,
                                   const image::Limits& limits = {}) {
  const auto model = FakeModel();
  model->recipe.resize = resize;
  v1::ClassifyRequest request;
  *request.add_images()->mutable_tensor() = Tensor(v1::Tensor::UINT8, {28, 28, 1}, 784);
  *request.add_images() = image;
  *request.add_images()->mutable_tensor() = Tensor(v1::Tensor::FLOAT32, {1, 28, 28}, 3136);
  const auto checked = CheckImages(request.images(), *model, {.image = limits});
  EXPECT_TRUE(checked.ok());
  EXPECT_TRUE((*checked)[0].ok());
  EXPECT_TRUE((*checked)[2].ok());
  return (*checked)[1];
}

absl::StatusOr<CheckedImage> Check(const v1::Tensor& tensor, image::Resize resize = image::Resize::kNone,
                                   const image::Limits& limits = {}) {
  v1::Image image;
  *image.mutable_tensor() = tensor;
  return Check(image, resize, limits);
}

TEST(EdgeRequestTest, TensorsThatFit) {
  struct Case {
    v1::Tensor tensor;
    image::Resize resize;
    SourceKind kind;
    Layout layout;
    int height, width;
  };
  using T = v1::Tensor;
  constexpr auto kNone = image::Resize::kNone, kResizes = image::Resize::kShorterSide;
  const Case cases[] = {
      {Tensor(T::UINT8, {28, 28, 1}, 784), kNone, SourceKind::kPixelsU8, Layout::kNhwc, 28, 28},
      {Tensor(T::UINT8, {28, 28, 1}, 784, T::NHWC), kNone, SourceKind::kPixelsU8, Layout::kNhwc, 28, 28},
      {Tensor(T::UINT8, {1, 28, 28}, 784, T::NCHW), kNone, SourceKind::kPixelsU8, Layout::kNchw, 28, 28},
      {Tensor(T::FLOAT32, {1, 28, 28}, 3136), kNone, SourceKind::kTensorF32, Layout::kNchw, 28, 28},
      {Tensor(T::FLOAT32, {1, 28, 28}, 3136, T::NCHW), kNone, SourceKind::kTensorF32, Layout::kNchw, 28, 28},
      {Tensor(T::FLOAT32, {28, 28, 1}, 3136, T::NHWC), kNone, SourceKind::kTensorF32, Layout::kNhwc, 28, 28},
      {Tensor(T::FLOAT16, {1, 28, 28}, 1568), kResizes, SourceKind::kTensorF16, Layout::kNchw, 28, 28},
      {Tensor(T::FLOAT16, {28, 28, 1}, 1568, T::NHWC), kResizes, SourceKind::kTensorF16, Layout::kNhwc, 28, 28},
      {Tensor(T::UINT8, {1, 1, 1}, 1), kResizes, SourceKind::kPixelsU8, Layout::kNhwc, 1, 1},
      {Tensor(T::UINT8, {3, 5, 1}, 15), kResizes, SourceKind::kPixelsU8, Layout::kNhwc, 3, 5},
      {Tensor(T::UINT8, {1, 3, 5}, 15, T::NCHW), kResizes, SourceKind::kPixelsU8, Layout::kNchw, 3, 5},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.tensor.ShortDebugString());
    const auto checked = Check(c.tensor, c.resize);
    ASSERT_TRUE(checked.ok()) << checked.status();
    EXPECT_EQ(checked->source.kind, c.kind);
    EXPECT_EQ(checked->source.layout, c.layout);
    EXPECT_EQ(checked->source.height, c.height);
    EXPECT_EQ(checked->source.width, c.width);
    EXPECT_EQ(checked->source.bytes.size(), c.tensor.data().size());
  }
}

struct BadTensor {
  v1::Tensor tensor;
  const char* field;
  const char* expected;
  const char* got;
};

void ExpectRefused(const BadTensor& c, const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.got;
  EXPECT_EQ(Field(status), c.field) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(c.expected));
  EXPECT_THAT(std::string(status.message()), HasSubstr(c.got));
}

TEST(EdgeRequestTest, TensorsThatDoNot) {
  using T = v1::Tensor;
  const char* const shape = "images[1].tensor.shape";
  const char* const data = "images[1].tensor.data";
  const BadTensor cases[] = {
      {Tensor(T::UINT8, {28, 28}, 784), shape, "expected [28, 28, 1]", "got [28, 28]"},
      {Tensor(T::UINT8, {1, 28, 28}, 784), shape, "expected [28, 28, 1]", "got [1, 28, 28]"},
      {Tensor(T::UINT8, {28, 28, 1}, 784, T::NCHW), shape, "expected [1, 28, 28] (channels, height, width) for UINT8",
       "got [28, 28, 1]"},
      {Tensor(T::UINT8, {28, 28, -1}, 784), shape, "[28, 28, 1]", "got [28, 28, -1]"},
      {Tensor(T::UINT8, {28, 29, 1}, 812), shape, "expected [28, 28, 1]", "got [28, 29, 1]"},
      {Tensor(T::UINT8, {}, 784), shape, "expected [28, 28, 1]", "got []"},
      {Tensor(T::UINT8, std::vector<int>(1000, 1), 784), shape, "[28, 28, 1]", "1, ...]"},
      {Tensor(T::FLOAT32, {28, 28, 1}, 3136), shape, "expected [1, 28, 28]", "[28, 28, 1]"},
      {Tensor(T::FLOAT16, {1, 28, 28}, 1568, T::NHWC), shape,
       "expected [28, 28, 1] (height, width, channels) for FLOAT16", "[1, 28, 28]"},
      {Tensor(T::UINT8, {28, 28, 1}, 783), data, "expected 784 bytes", "got 783"},
      {Tensor(T::UINT8, {28, 28, 1}, 785), data, "expected 784 bytes", "got 785"},
      {Tensor(T::UINT8, {28, 28, 1}, 0), data, "expected 784 bytes", "got 0"},
      {Tensor(T::FLOAT32, {1, 28, 28}, 784), data, "expected 3136 bytes", "got 784"},
      {Tensor(T::FLOAT16, {1, 28, 28}, 3136), data, "expected 1568 bytes", "got 3136"},
      {Tensor(T::TYPE_UNSPECIFIED, {28, 28, 1}, 784), "images[1].tensor.type", "expected UINT8, FLOAT32 or FLOAT16",
       "got TYPE_UNSPECIFIED"},
      {Tensor(static_cast<T::Type>(7), {28, 28, 1}, 784), "images[1].tensor.type", "UINT8, FLOAT32 or FLOAT16",
       "got 7"},
      {Tensor(T::UINT8, {28, 28, 1}, 784, static_cast<T::Layout>(3)), "images[1].tensor.layout",
       "expected NHWC or NCHW", "got 3"},
  };
  for (const BadTensor& c : cases) ExpectRefused(c, Check(c.tensor).status());
}

TEST(EdgeRequestTest, TensorsThatCannotBeResized) {
  using T = v1::Tensor;
  const char* const shape = "images[1].tensor.shape";
  const image::Limits limits{.max_pixels = 100, .max_side = 50};
  const BadTensor cases[] = {
      {Tensor(T::UINT8, {28, 28, 3}, 2352), shape, "expected [height, width, 1]", "got [28, 28, 3]"},
      {Tensor(T::UINT8, {28, 28, 1}, 784, T::NCHW), shape, "expected [1, height, width]", "got [28, 28, 1]"},
      {Tensor(T::UINT8, {0, 28, 1}, 0), shape, "expected [height, width, 1]", "got [0, 28, 1]"},
      {Tensor(T::UINT8, {5, -1, 1}, 0), shape, "expected [height, width, 1]", "got [5, -1, 1]"},
      {Tensor(T::UINT8, {5, 5}, 25), shape, "expected [height, width, 1]", "got [5, 5]"},
      {Tensor(T::UINT8, {51, 1, 1}, 51), shape, "expected at most 50 pixels a side", "got [51, 1, 1]"},
      {Tensor(T::UINT8, {1, 1, 51}, 51, T::NCHW), shape, "expected at most 50 pixels a side", "got [1, 1, 51]"},
      {Tensor(T::UINT8, {1 << 30, 1 << 30, 1}, 0), shape, "50 pixels a side", "got [1073741824, 1073741824, 1]"},
      {Tensor(T::UINT8, {10, 11, 1}, 110), shape, "expected at most 100 pixels in all (--max-image-pixels)",
       "got [10, 11, 1]"},
      {Tensor(T::UINT8, {10, 10, 1}, 99), "images[1].tensor.data", "expected 100 bytes for UINT8 of shape [10, 10, 1]",
       "got 99"},
      {Tensor(T::FLOAT32, {1, 10, 10}, 400), shape, "expected [1, 28, 28] (channels, height, width) for FLOAT32",
       ", as only UINT8 is resized, got [1, 10, 10]"},
      {Tensor(T::FLOAT16, {10, 10, 1}, 200, T::NHWC), shape, "expected [28, 28, 1]", "as only UINT8 is resized"},
  };
  for (const BadTensor& c : cases) ExpectRefused(c, Check(c.tensor, image::Resize::kShorterSide, limits).status());
  for (const auto& shape_at_limit : {std::vector<int>{10, 10, 1}, {50, 2, 1}, {2, 50, 1}}) {
    EXPECT_TRUE(Check(Tensor(T::UINT8, shape_at_limit, 100), image::Resize::kExact, limits).ok());
  }
}

TEST(EdgeRequestTest, FloatsMustBeFinite) {
  using T = v1::Tensor;
  struct Case {
    T::Type type;
    T::Layout layout;
    uint32_t bits;
    int index;
    const char* error;  // null: accepted
  };
  const Case cases[] = {
      {T::FLOAT32, T::NCHW, 0x7F80'0000, 783, "got inf at index 783, [0, 27, 27]"},
      {T::FLOAT32, T::NCHW, 0xFF80'0000, 0, "got -inf at index 0, [0, 0, 0]"},
      {T::FLOAT32, T::NCHW, 0x7FC0'0000, 29, "got nan at index 29, [0, 1, 1]"},
      {T::FLOAT32, T::NCHW, 0xFFFF'FFFF, 29, "got nan at index 29"},
      {T::FLOAT32, T::NCHW, 0x7F80'0001, 29, "got nan at index 29"},  // a signalling one
      {T::FLOAT32, T::NHWC, 0x7F80'0000, 29, "got inf at index 29, [1, 1, 0]"},
      {T::FLOAT32, T::NCHW, 0x7F7F'FFFF, 783, nullptr},  // the largest
      {T::FLOAT32, T::NCHW, 0xFF7F'FFFF, 783, nullptr},
      {T::FLOAT32, T::NCHW, 0x0000'0001, 783, nullptr},  // the smallest
      {T::FLOAT16, T::NCHW, 0x7C00, 783, "got inf at index 783, [0, 27, 27]"},
      {T::FLOAT16, T::NCHW, 0xFC00, 1, "got -inf at index 1, [0, 0, 1]"},
      {T::FLOAT16, T::NHWC, 0x7E00, 29, "got nan at index 29, [1, 1, 0]"},
      {T::FLOAT16, T::NCHW, 0xFC01, 29, "got nan at index 29"},
      {T::FLOAT16, T::NCHW, 0x7BFF, 783, nullptr},
      {T::FLOAT16, T::NCHW, 0xFBFF, 783, nullptr},
      {T::FLOAT16, T::NCHW, 0x0001, 783, nullptr},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << T::Type_Name(c.type) << " " << std::hex << c.bits);
    const size_t bytes = c.type == T::FLOAT32 ? 4 : 2;
    T tensor = c.layout == T::NCHW ? Tensor(c.type, {1, 28, 28}, 784 * bytes, c.layout)
                                   : Tensor(c.type, {28, 28, 1}, 784 * bytes, c.layout);
    std::memcpy(tensor.mutable_data()->data() + static_cast<size_t>(c.index) * bytes, &c.bits, bytes);
    const absl::Status status = Check(tensor).status();
    if (c.error == nullptr) {
      EXPECT_TRUE(status.ok()) << status;
      continue;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Field(status), "images[1].tensor.data");
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("expected finite values, ", c.error)));
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

// The scheduler hears of it, if the recipe turns photographs upright.
TEST(EdgeRequestTest, PhotographsThatLieOnASideCostMore) {
  using std::string_literals::operator""s;
  const std::string exif = "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"s;
  v1::ClassifyRequest request;
  request.add_images()->set_encoded(
      absl::StrCat("\xFF\xD8\xFF\xE1\0\x1E"s, exif, "\xFF\xC0\0\x0B\x08\x01\0\x01\0"s, "\x01\x01\x11\0"s));
  Duration before{};
  for (const auto orientation : {image::Orientation::kIgnore, image::Orientation::kApply}) {
    const auto model = FakeModel();
    model->recipe.orientation = orientation;
    const auto checked = CheckImages(request.images(), *model, {});
    ASSERT_TRUE(checked.ok());
    ASSERT_TRUE((*checked)[0].ok()) << (*checked)[0].status();
    EXPECT_GT((*checked)[0]->prepare, before);
    before = (*checked)[0]->prepare;
  }
}

// Nothing is decoded for it: these files have no pixels.
TEST(EdgeRequestTest, ScansAndCodingOfPhotographsAreInTheirCost) {
  using std::string_literals::operator""s;
  const auto jpeg = [](char frame, int scans) {
    std::string file =
        absl::StrCat("\xFF\xD8\xFF"s, std::string(1, frame), "\0\x0B\x08\x04\0\x04\0"s, "\x01\x01\x11\0"s);
    for (int i = 0; i < scans; ++i) absl::StrAppend(&file, "\xFF\xDA\0\x08\x01\x01\0\x01\x3F\0"s);
    return file;
  };
  v1::ClassifyRequest request;
  request.add_images()->set_encoded(jpeg('\xC0', 1));    // baseline
  request.add_images()->set_encoded(jpeg('\xC2', 10));   // progressive
  request.add_images()->set_encoded(jpeg('\xC2', 100));  // as many scans as may be
  request.add_images()->set_encoded(jpeg('\xCA', 100));  // and in arithmetic coding
  request.add_images()->set_encoded(jpeg('\xC2', 101));
  const auto checked = CheckImages(request.images(), *FakeModel(), {});
  ASSERT_TRUE(checked.ok());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE((*checked)[i].ok()) << (*checked)[i].status();
  for (int i = 1; i < 4; ++i) EXPECT_GT((*checked)[i]->prepare, 3 * (*checked)[i - 1]->prepare) << i;
  EXPECT_GT((*checked)[3]->prepare, std::chrono::milliseconds(200)) << "of a megapixel of one component";
  EXPECT_THAT(std::string((*checked)[4].status().message()), HasSubstr("expected at most 100 scans, got 101"));
}

TEST(EdgeRequestTest, ModelsOfOtherChannelsTakeTensorsOnly) {
  const auto model = FakeModel();
  model->recipe.resize = image::Resize::kNone;
  model->recipe.colour = image::Colour::kFourChannels;
  v1::ClassifyRequest request;
  *request.add_images()->mutable_tensor() = Tensor(v1::Tensor::UINT8, {28, 28, 1}, 784);
  request.add_images()->set_encoded("\x89PNG");
  const auto checked = CheckImages(request.images(), *model, {});
  ASSERT_TRUE(checked.ok());
  EXPECT_TRUE((*checked)[0].ok());
  const absl::Status& status = (*checked)[1].status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Field(status), "images[1].encoded");
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("expected a tensor, as the input of model \"fake\" has 4 channels, which are no colours"));
}

TEST(EdgeRequestTest, NumberOfImages) {
  v1::ClassifyRequest request;
  const RequestLimits limits{.max_images = 2};
  const auto model = FakeModel();
  for (int n = 0; n <= 3; ++n) {
    const auto checked = CheckImages(request.images(), *model, limits);
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
  for (const auto& [given, wanted] :
       std::vector<std::pair<int, int>>{{0, 5}, {1, 1}, {10, 10}, {11, 10}, {1'000'000'000, 10}}) {
    v1::ClassifyOptions options;
    options.set_top_k(given);
    const auto checked = CheckClassify(options, "options", *model);
    ASSERT_TRUE(checked.ok()) << given;
    EXPECT_EQ(checked->top_k, wanted);
  }
  for (int given : {-1, std::numeric_limits<int>::min()}) {
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
  out.served.model = FakeModel("headless", {.classes = 0});
  EXPECT_EQ(CheckWanted(v1::ClassifyRequest(), {}, out).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CheckWanted(v1::PredictRequest(), {}, out).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(CheckWanted(v1::EmbedRequest(), {}, out).ok());
  out.served.model = FakeModel("featureless", {.features = 0});
  EXPECT_EQ(CheckWanted(v1::EmbedRequest(), {}, out).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(CheckWanted(v1::ClassifyRequest(), {}, out).ok());
}

TEST(EdgeRequestTest, PredictTakesBothOptions) {
  ImageRequest out;
  out.served.model = FakeModel();
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
  model->heads.push_back({"colour", OutputId{2}, 18, HeadActivation::kSigmoid, std::vector<float>(18, 0.5f), {}});
  struct Case {
    const char* head;
    int top_k;
    size_t index;
    int wanted;  // top k; 0: refused
  };
  for (const Case& c : {Case{"", 0, 0, 5}, Case{"logits", 0, 0, 5}, Case{"logits", 10, 0, 10},
                        Case{"logits", 11, 0, 10}, Case{"logits", -1, 0, 0}, Case{"colour", 0, 1, 18},
                        Case{"colour", 18, 1, 18}, Case{"colour", 19, 1, 18}, Case{"colours", 0, 0, 0}}) {
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
