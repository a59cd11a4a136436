#include "models/config.h"

#include <google/protobuf/text_format.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace resnetd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

void ExpectInvalid(const absl::Status& status, const std::string& message) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(status.message(), HasSubstr(message));
}

// ---- config.textproto

TEST(ModelConfig, ParsesAConfig) {
  const auto config = ParseModelConfig(R"(# A comment.
    description: "a network"
    preprocessing { preset: "cifar10" resize: SHORTER_SIDE mean: 0.5 mean: 0.25 mean: 0.125 }
    labels_file: "classes.txt"
    golden_file: "..golden"
    batch_sizes: [1, 8]
    default_deadline_ms: 250
    outputs: ["layer2", "layer3"]
    activation: SIGMOID
    thresholds: [0.5, 0.25]
    heads { output: "colour" labels_file: "colours.txt" activation: NONE thresholds: 2 }
    truncatable { layer: "pool" sizes: [16, 32] })",
                                       "config.textproto");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->description(), "a network");
  EXPECT_EQ(config->preprocessing().preset(), "cifar10");
  EXPECT_EQ(config->preprocessing().resize(), v1::Preprocessing::SHORTER_SIDE);
  EXPECT_THAT(config->preprocessing().mean(), ElementsAre(0.5f, 0.25f, 0.125f));
  EXPECT_EQ(config->labels_file(), "classes.txt");
  EXPECT_EQ(config->golden_file(), "..golden");
  EXPECT_THAT(config->batch_sizes(), ElementsAre(1, 8));
  EXPECT_EQ(config->default_deadline_ms(), 250);
  EXPECT_THAT(config->outputs(), ElementsAre("layer2", "layer3"));
  EXPECT_EQ(config->activation(), v1::HeadConfig::SIGMOID);
  EXPECT_THAT(config->thresholds(), ElementsAre(0.5f, 0.25f));
  EXPECT_EQ(config->heads(0).output(), "colour");
  EXPECT_EQ(config->heads(0).labels_file(), "colours.txt");
  EXPECT_EQ(config->heads(0).activation(), v1::HeadConfig::NONE);
  EXPECT_THAT(config->heads(0).thresholds(), ElementsAre(2.0f));
  EXPECT_EQ(config->truncatable(0).layer(), "pool");
  EXPECT_THAT(config->truncatable(0).sizes(), ElementsAre(16, 32));
}

TEST(ModelConfig, EveryFieldIsOptional) {
  for (const char* text : {"", "\n", "# nothing\n", "preprocessing {}", "default_deadline_ms: 0"}) {
    EXPECT_TRUE(ParseModelConfig(text, "c").ok()) << text;
  }
}

struct BadConfigCase {
  std::string text, message;
};

const BadConfigCase kBadConfigs[] = {
    {"descriptoin: 'x'", "no field named \"descriptoin\""},
    {"preprocessing { means: 0.5 }", "no field named \"means\""},
    {"preprocessing { resize: SHORTEST }", "SHORTEST"},
    {"description: 'a' description: 'b'", "\"description\" is specified multiple times"},
    {"description: 7", "Expected string"},
    {"batch_sizes: 1.5", "Expected integer"},
    {"default_deadline_ms: 3000000000", "out of range"},
    {"preprocessing {", "Expected"},
    {"{}", "Expected"},
    {"default_deadline_ms: -1", "default_deadline_ms: expected at least 0, got -1"},
    {"labels_file: '../labels.txt'", "labels_file: expected the name of a file beside the model, got '../labels.txt'"},
    {"labels_file: '/etc/passwd'", "labels_file: expected the name of a file beside the model, got '/etc/passwd'"},
    {"labels_file: '..'", "labels_file: expected the name of a file beside the model, got '..'"},
    {"golden_file: '.'", "golden_file: expected the name of a file beside the model, got '.'"},
    {"golden_file: 'a/b'", "golden_file: expected the name of a file beside the model, got 'a/b'"},
    {"activation: sigmoid", "sigmoid"},
    {"heads { output: 'a' size: 3 }", "no field named \"size\""},
    {"heads {} heads { labels_file: '../l' }", "heads[1].labels_file: expected the name of a file beside the model"},
    {"golden_file: 'a\\000/b'", "golden_file: expected the name of a file beside the model"},
};

TEST(ModelConfig, RefusesMistakes) {
  for (const BadConfigCase& c : kBadConfigs) {
    SCOPED_TRACE(c.text);
    const absl::Status status = ParseModelConfig(c.text, "config.textproto").status();
    ExpectInvalid(status, c.message);
    EXPECT_THAT(std::string(status.message()), StartsWith("config.textproto:"));
  }
}

TEST(ModelConfig, NamesLineAndColumnOfTheFirstMistake) {
  ExpectInvalid(ParseModelConfig("description: 'x'\n\n  colour: RGB\nsize: 1\n", "config.textproto").status(),
                "config.textproto:3:9: ");
}

// A value that is not there is refused with all that are; a number that stands for none would be passed over.
TEST(ModelConfig, ListsTheValuesOfAnEnumeration) {
  const std::tuple<const char*, const char*> cases[] = {
      {"preprocessing { interpolation: AREA }",
       "config.textproto:1:37: Unknown enumeration value of \"AREA\" for field \"interpolation\". There are NEAREST, "
       "BILINEAR, BICUBIC, BILINEAR_CV2, BILINEAR_TF2"},
      {"preprocessing { resize: BORDER }",
       "Unknown enumeration value of \"BORDER\" for field \"resize\". There are NONE, SHORTER_SIDE, EXACT, SQUASH"},
      {"heads { activation: RELU }", "There are AUTO, SOFTMAX, SIGMOID, NONE"},
      {"preprocessing { interpolation: 9 }",
       "config.textproto: interpolation: expected one of NEAREST, BILINEAR, BICUBIC, BILINEAR_CV2, BILINEAR_TF2, got "
       "9"},
      {"heads { activation: SOFTMAX } heads { activation: -1 }",
       "config.textproto: activation: expected one of AUTO, SOFTMAX, SIGMOID, NONE, got -1"},
      {"description: \"Unknown enumeration value of \" preprocessing { resize: \"EXACT\" }", "config.textproto:1:"},
  };
  for (const auto& [text, message] : cases) {
    ExpectInvalid(ParseModelConfig(text, "config.textproto").status(), message);
  }
  EXPECT_TRUE(ParseModelConfig("preprocessing { interpolation: 4 }", "config.textproto").ok());
}

// ---- golden.textproto

TEST(GoldenSet, ParsesTheSet) {
  const auto set = ParseGoldenSet(
      "tolerance: 0.01 golden { name: 'boot' image: '\\xff\\xd8' logits: [1, -2.5] label: 9 }", "golden.textproto");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_FLOAT_EQ(set->tolerance(), 0.01f);
  ASSERT_EQ(set->golden_size(), 1);
  EXPECT_EQ(set->golden(0).name(), "boot");
  EXPECT_EQ(set->golden(0).image(), "\xff\xd8");
  EXPECT_THAT(set->golden(0).logits(), ElementsAre(1, -2.5f));
  EXPECT_EQ(set->golden(0).label(), 9);
}

TEST(GoldenSet, RefusesWhatCouldNotFail) {
  struct Case {
    std::string text, message;  // none: good
  };
  for (const Case& c : {
           Case{"golden { logits: 1 }", ""},
           Case{"tolerance: 0 golden { logits: 1 }", ""},
           Case{"tolerance: 0.999 golden { logits: 1 }", ""},
           Case{"tolerance: 1 golden { logits: 1 }", "tolerance: expected a fraction from 0 to below 1, got 1"},
           Case{"tolerance: -0.001 golden { logits: 1 }",
                "tolerance: expected a fraction from 0 to below 1, got -0.001"},
           Case{"tolerance: inf golden { logits: 1 }", "tolerance: expected a fraction from 0 to below 1, got inf"},
           Case{"tolerance: nan golden { logits: 1 }", "tolerance: expected a fraction from 0 to below 1, got nan"},
           Case{"", "golden: expected at least one image, got none"},
           Case{"golden { embedding: 1 }", ""},
           Case{"golden { name: 'a' logits: [1, 2] } golden { name: 'b' logits: [1, inf] }",
                "golden 'b': expected finite values"},
           Case{"golden { name: 'a' logits: [nan, 2] }", "golden 'a': expected finite values"},
           Case{"golden { name: 'a' logits: 1 embedding: [0, -inf] }", "golden 'a': expected finite values"},
           Case{"golden { logits: 1 } golden { name: 'b' label: 1 }", "golden 'b': expected logits or an embedding"},
           Case{"golden { logit: 1 }", "no field named \"logit\""},
       }) {
    SCOPED_TRACE(c.text);
    const absl::Status status = ParseGoldenSet(c.text, "golden.textproto").status();
    if (c.message.empty()) {
      EXPECT_TRUE(status.ok()) << status;
      continue;
    }
    ExpectInvalid(status, c.message);
    EXPECT_THAT(std::string(status.message()), StartsWith("golden.textproto:"));
  }
}

// ---- the recipe

ModelInfo Input(int channels, int height, int width) {
  ModelInfo info;
  info.channels = channels;
  info.height = height;
  info.width = width;
  return info;
}

absl::StatusOr<ChosenRecipe> Choose(const std::string& preprocessing, const std::string& preset,
                                    const ModelInfo& input) {
  v1::Preprocessing config;
  if (!google::protobuf::TextFormat::ParseFromString(preprocessing, &config)) {
    ADD_FAILURE() << "not a Preprocessing: " << preprocessing;
  }
  return ChooseRecipe(config, preset, input);
}

struct RecipeCase {
  std::string config, preset;
  ModelInfo input;
  bool assumed;
  std::string from, recipe;  // the preset it started from, and what ToString() says
};

constexpr char kImageNet[] = "mean 0.485 0.456 0.406, std 0.229 0.224 0.225";
constexpr char kCifar[] = "mean 0.4914 0.4822 0.4465, std 0.2023 0.1994 0.201";

const RecipeCase kRecipes[] = {
    // The choice follows the input's size.
    {"", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 256, bilinear, crop 224x224, RGB, ", kImageNet)},
    {"", "", Input(3, 65, 65), true, "torchvision-v1",
     absl::StrCat("shorter side 74, bilinear, crop 65x65, RGB, ", kImageNet)},
    {"", "", Input(3, 64, 64), true, "cifar10", absl::StrCat("resize to 64x64, bilinear, RGB, ", kCifar)},
    // Nothing is cut for an input that is not square, unless something says how to resize.
    {"", "", Input(3, 32, 65), true, "torchvision-v1", absl::StrCat("resize to 65x32, bilinear, RGB, ", kImageNet)},
    {"", "", Input(3, 256, 128), true, "torchvision-v1", absl::StrCat("resize to 128x256, bilinear, RGB, ", kImageNet)},
    {"interpolation: BILINEAR_CV2 mean: [0, 0, 0] std: [1, 1, 1]", "", Input(3, 256, 128), false, "torchvision-v1",
     "resize to 128x256, bilinear of cv2, RGB, mean 0 0 0, std 1 1 1"},
    {"resize: SHORTER_SIDE", "", Input(3, 32, 65), true, "torchvision-v1",
     absl::StrCat("shorter side 74, bilinear, crop 65x32, RGB, ", kImageNet)},
    {"resize_size: 70", "", Input(3, 32, 65), true, "torchvision-v1",
     absl::StrCat("shorter side 70, bilinear, crop 65x32, RGB, ", kImageNet)},
    {"", "torchvision-v1", Input(3, 32, 65), false, "torchvision-v1",
     absl::StrCat("shorter side 74, bilinear, crop 65x32, RGB, ", kImageNet)},
    {"preset: 'torchvision-v1'", "", Input(3, 32, 65), false, "torchvision-v1",
     absl::StrCat("shorter side 74, bilinear, crop 65x32, RGB, ", kImageNet)},
    {"preset: 'torchvision-v1' resize: EXACT", "", Input(3, 32, 65), false, "torchvision-v1",
     absl::StrCat("resize to 65x32, bilinear, RGB, ", kImageNet)},
    {"resize: SQUASH", "", Input(3, 256, 128), true, "torchvision-v1",
     absl::StrCat("squash to 146x293, bilinear, crop 128x256, RGB, ", kImageNet)},
    {"", "", Input(3, 32, 32), true, "cifar10", absl::StrCat("resize to 32x32, bilinear, RGB, ", kCifar)},
    {"", "", Input(1, 28, 28), true, "mnist", "resize to 28x28, bilinear, grey, mean 0.1307, std 0.3081"},
    {"", "", Input(1, 224, 224), true, "mnist", "resize to 224x224, bilinear, grey, mean 0.1307, std 0.3081"},
    // The choice follows the name. The ratio of the shorter side to the crop is kept for another input.
    {"preset: 'torchvision-v2'", "", Input(3, 224, 224), false, "torchvision-v2",
     absl::StrCat("shorter side 232, bilinear, crop 224x224, RGB, ", kImageNet)},
    {"preset: 'torchvision-v1'", "", Input(3, 448, 448), false, "torchvision-v1",
     absl::StrCat("shorter side 512, bilinear, crop 448x448, RGB, ", kImageNet)},
    {"preset: 'torchvision-v1'", "", Input(3, 32, 32), false, "torchvision-v1",
     absl::StrCat("shorter side 37, bilinear, crop 32x32, RGB, ", kImageNet)},
    {"preset: 'cifar10'", "torchvision-v2", Input(3, 224, 224), false, "torchvision-v2",
     absl::StrCat("shorter side 232, bilinear, crop 224x224, RGB, ", kImageNet)},
    {"", "cifar10", Input(3, 224, 224), false, "cifar10", absl::StrCat("resize to 224x224, bilinear, RGB, ", kCifar)},
    // Changed field by field.
    {"resize: NONE", "", Input(3, 32, 32), true, "cifar10", absl::StrCat("no resize, 32x32, RGB, ", kCifar)},
    {"resize: EXACT", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("resize to 224x224, bilinear, RGB, ", kImageNet)},
    {"resize: SHORTER_SIDE resize_size: 40", "", Input(3, 32, 32), true, "cifar10",
     absl::StrCat("shorter side 40, bilinear, crop 32x32, RGB, ", kCifar)},
    {"crop_offset: DOWN", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 256, bilinear, crop 224x224, odd margins rounded down, RGB, ", kImageNet)},
    {"crop_offset: HALF_TO_EVEN", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 256, bilinear, crop 224x224, RGB, ", kImageNet)},
    {"resize_size: 224", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 224, bilinear, crop 224x224, RGB, ", kImageNet)},
    {"interpolation: NEAREST", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 256, nearest, crop 224x224, RGB, ", kImageNet)},
    {"interpolation: BICUBIC", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 256, bicubic, crop 224x224, RGB, ", kImageNet)},
    {"colour: BGR", "", Input(3, 32, 32), true, "cifar10", absl::StrCat("resize to 32x32, bilinear, BGR, ", kCifar)},
    {"colour: BGR", "", Input(1, 28, 28), true, "mnist", "resize to 28x28, bilinear, grey, mean 0.1307, std 0.3081"},
    {"mean: [0.5, 0.25, 0.125]", "", Input(3, 32, 32), false, "cifar10",
     "resize to 32x32, bilinear, RGB, mean 0.5 0.25 0.125, std 0.2023 0.1994 0.201"},
    {"mean: 0.286 std: 0.353", "", Input(1, 28, 28), false, "mnist",
     "resize to 28x28, bilinear, grey, mean 0.286, std 0.353"},
    {"resize_size: 100", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 100, bilinear, crop 224x224 with black around, RGB, ", kImageNet)},
    {"alpha: BLACK orientation: APPLY scale: 0.5", "", Input(3, 32, 32), true, "cifar10",
     absl::StrCat("turned upright, resize to 32x32, bilinear, RGB on black, times 0.5, ", kCifar)},
    {"dct_scaling: true", "", Input(3, 32, 32), true, "cifar10",
     absl::StrCat("resize to 32x32, bilinear, RGB, ", kCifar, ", JPEG by DCT scaling")},
    {"alpha: DROP orientation: IGNORE", "", Input(3, 32, 32), true, "cifar10",
     absl::StrCat("resize to 32x32, bilinear, RGB, ", kCifar)},
    // timm's own arithmetic: math.floor(side / crop_pct).
    {"preset: 'timm'", "", Input(3, 224, 224), false, "timm",
     absl::StrCat("shorter side 256, bicubic, crop 224x224, RGB, ", kImageNet)},
    {"preset: 'timm' crop_fraction: 0.95", "", Input(3, 224, 224), false, "timm",
     absl::StrCat("shorter side 235, bicubic, crop 224x224, RGB, ", kImageNet)},
    {"preset: 'timm' crop_fraction: 0.965 interpolation: BILINEAR", "", Input(3, 288, 288), false, "timm",
     absl::StrCat("shorter side 298, bilinear, crop 288x288, RGB, ", kImageNet)},
    {"crop_fraction: 1", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 224, bilinear, crop 224x224, RGB, ", kImageNet)},
    {"crop_fraction: 0.00341797", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 65535, bilinear, crop 224x224, RGB, ", kImageNet)},
    {"resize_size: 65535", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 65535, bilinear, crop 224x224, RGB, ", kImageNet)},
    {"resize_size: 1", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 1, bilinear, crop 224x224 with black around, RGB, ", kImageNet)},
    // torchvision's Resize((256, 256)) and CenterCrop(224), and timm's squash, which scales each side by crop_pct.
    {"resize: SQUASH", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("squash to 256x256, bilinear, crop 224x224, RGB, ", kImageNet)},
    {"resize: SQUASH resize_size: 240", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("squash to 240x240, bilinear, crop 224x224, RGB, ", kImageNet)},
    {"resize: SQUASH resize_height: 300 resize_width: 150", "", Input(3, 256, 128), true, "torchvision-v1",
     absl::StrCat("squash to 150x300, bilinear, crop 128x256, RGB, ", kImageNet)},
    {"preset: 'timm' resize: SQUASH crop_fraction: 0.95", "", Input(3, 224, 224), false, "timm",
     absl::StrCat("squash to 235x235, bicubic, crop 224x224, RGB, ", kImageNet)},
    {"preset: 'timm' resize: SQUASH crop_fraction: 0.9", "", Input(3, 256, 128), false, "timm",
     absl::StrCat("squash to 142x284, bicubic, crop 128x256, RGB, ", kImageNet)},
    {"preset: 'timm' resize: SQUASH crop_fraction: 1", "", Input(3, 224, 224), false, "timm",
     absl::StrCat("resize to 224x224, bicubic, RGB, ", kImageNet)},
    {"resize: SQUASH resize_size: 200 crop_offset: DOWN", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("squash to 200x200, bilinear, crop 224x224 with black around, odd margins rounded down, RGB, ",
                  kImageNet)},
    // Without antialiasing.
    {"interpolation: BILINEAR_CV2", "", Input(3, 224, 224), true, "torchvision-v1",
     absl::StrCat("shorter side 256, bilinear of cv2, crop 224x224, RGB, ", kImageNet)},
    {"preset: 'keras-tf' interpolation: BILINEAR_TF2", "", Input(3, 224, 224), false, "keras-tf",
     "resize to 224x224, bilinear of tf2, RGB, times 0.00784314, mean 1 1 1, std 1 1 1"},
    {"", "keras-caffe", Input(3, 299, 299), false, "keras-caffe",
     "resize to 299x299, nearest, BGR, times 1, mean 103.939 116.779 123.68, std 1 1 1"},
    // Nothing changed, whatever the channels; those that are no colours come no other way by themselves.
    {"preset: 'none'", "", Input(3, 224, 224), false, "none",
     "no resize, 224x224, RGB, times 1, mean 0 0 0, std 1 1 1"},
    {"preset: 'none'", "", Input(1, 28, 28), false, "none", "no resize, 28x28, grey, times 1, mean 0, std 1"},
    {"preset: 'none' resize: EXACT scale: 0.25", "", Input(1, 28, 28), false, "none",
     "resize to 28x28, bilinear, grey, times 0.25, mean 0, std 1"},
    {"", "", Input(2, 32, 32), true, "none", "no resize, 32x32, 2 channels, times 1, mean 0 0, std 1 1"},
    {"", "", Input(4, 224, 224), true, "none", "no resize, 224x224, 4 channels, times 1, mean 0 0 0 0, std 1 1 1 1"},
    {"preset: 'torchvision-v1' resize: NONE mean: [1, 2, 3, 4] std: [5, 6, 7, 8]", "", Input(4, 32, 32), false,
     "torchvision-v1", "no resize, 32x32, 4 channels, mean 1 2 3 4, std 5 6 7 8"},
    // A preset for other channels, with the figures that it lacks.
    {"mean: 0.5 std: 0.25", "torchvision-v1", Input(1, 224, 224), false, "torchvision-v1",
     "shorter side 256, bilinear, crop 224x224, grey, mean 0.5, std 0.25"},
    {"preset: 'mnist' mean: [0.5, 0.5, 0.5] std: [1, 1, 2]", "", Input(3, 28, 28), false, "mnist",
     "resize to 28x28, bilinear, RGB, mean 0.5 0.5 0.5, std 1 1 2"},
};

TEST(Recipe, ChosenByPresetAndField) {
  for (const RecipeCase& c : kRecipes) {
    SCOPED_TRACE(testing::Message() << '"' << c.config << "\", preset '" << c.preset << "', " << c.input.channels << 'x'
                                    << c.input.height << 'x' << c.input.width);
    const auto chosen = Choose(c.config, c.preset, c.input);
    ASSERT_TRUE(chosen.ok()) << chosen.status();
    EXPECT_EQ(chosen->assumed, c.assumed);
    EXPECT_EQ(chosen->preset, c.from);
    EXPECT_EQ(image::ToString(chosen->recipe), c.recipe);
  }
}

// The log says so, as nobody asked for it.
TEST(Recipe, TellsThatItScalesExactlyByDefault) {
  for (const auto& [config, preset, input, by_default] :
       {std::tuple("", "", Input(3, 256, 128), true), std::tuple("colour: BGR", "", Input(3, 100, 128), true),
        std::tuple("resize: EXACT", "", Input(3, 256, 128), false), std::tuple("", "timm", Input(3, 256, 128), false),
        std::tuple("", "", Input(3, 224, 224), false), std::tuple("", "", Input(1, 28, 56), false),
        std::tuple("resize: SHORTER_SIDE", "", Input(3, 256, 128), false)}) {
    EXPECT_EQ(Choose(config, preset, input)->exact_by_default, by_default) << config << " " << preset;
  }
}

struct BadRecipeCase {
  std::string config, preset;
  ModelInfo input;
  std::string message;
};

const BadRecipeCase kBadRecipes[] = {
    {"", "", Input(0, 32, 32), "the model's input: expected 1 to 4 channels, got 0"},
    {"", "", Input(5, 32, 32), "the model's input: expected 1 to 4 channels, got 5"},
    {"", "cifar10", Input(4, 32, 32), "recipe 'cifar10' is for 3 channels, the model's input has 4"},
    {"resize: EXACT", "", Input(4, 32, 32), "recipe.resize: expected none with 4 channels, which are no colours"},
    {"mean: [0, 0] std: [1, 1]", "torchvision-v1", Input(2, 32, 32), "recipe.resize: expected none with 2 channels"},
    {"preset: 'imagenet'", "", Input(3, 224, 224), "preprocessing.preset: no recipe is called 'imagenet'"},
    {"preset: 'cifar10'", "imagenet", Input(3, 224, 224), "--recipe: no recipe is called 'imagenet'"},
    {"", "mnist", Input(3, 32, 32), "recipe 'mnist' is for 1 channels, the model's input has 3"},
    {"mean: 0.5", "cifar10", Input(1, 32, 32), "recipe 'cifar10' is for 3 channels, the model's input has 1"},
    {"std: 0.5", "cifar10", Input(1, 32, 32), "recipe 'cifar10' is for 3 channels, the model's input has 1"},
    {"mean: [0.5, 0.5]", "", Input(3, 32, 32), "preprocessing.mean: expected 3 values, one a channel, got 2"},
    {"std: [1, 1, 1, 1]", "", Input(3, 32, 32), "preprocessing.std: expected 3 values, one a channel, got 4"},
    {"mean: [1, 1, 1]", "", Input(1, 28, 28), "preprocessing.mean: expected 1 values, one a channel, got 3"},
    {"std: [1, 0, 1]", "", Input(3, 32, 32), "std[1]"},
    {"mean: [0, 0, nan]", "", Input(3, 32, 32), "mean[2]"},
    {"resize_size: 65536", "", Input(3, 224, 224), "recipe.resize_size: expected 1 to 65535, got 65536"},
    {"resize_size: 0", "", Input(3, 224, 224), "recipe.resize_size: expected 1 to 65535, got 0"},
    {"crop_fraction: 0 resize_size: 256", "", Input(3, 224, 224), "expected resize_size or crop_fraction, got both"},
    {"resize_size: -1", "", Input(3, 224, 224), "recipe.resize_size: expected 1 to 65535, got -1"},
    {"crop_fraction: 1.001", "", Input(3, 224, 224),
     "preprocessing.crop_fraction: expected above 0 and up to 1, got 1.001"},
    {"crop_fraction: -0.5", "", Input(3, 224, 224),
     "preprocessing.crop_fraction: expected above 0 and up to 1, got -0.5"},
    {"crop_fraction: nan", "", Input(3, 224, 224),
     "preprocessing.crop_fraction: expected above 0 and up to 1, got nan"},
    {"crop_fraction: 0", "", Input(3, 224, 224), "preprocessing.crop_fraction: expected above 0 and up to 1, got 0"},
    {"crop_fraction: 1e-300", "", Input(3, 224, 224),
     "preprocessing.crop_fraction: expected a scaled side, 224 / crop_fraction, of at most 65535, got 1e-300"},
    {"crop_fraction: 0.00341796", "", Input(3, 224, 224), "224 / crop_fraction, of at most 65535, got 0.00341796"},
    {"crop_fraction: 0.9", "", Input(3, 224, 192),
     "preprocessing.crop_fraction: expected with a square input or SQUASH, got 192x224"},
    {"resize: SQUASH resize_size: 256 crop_fraction: 0.9", "", Input(3, 224, 224),
     "preprocessing: expected resize_size or crop_fraction, got both"},
    {"resize: SQUASH resize_size: 256 resize_height: 256 resize_width: 256", "", Input(3, 224, 224),
     "preprocessing: expected resize_height and resize_width, or resize_size, got both"},
    {"resize: SQUASH crop_fraction: 0.9 resize_height: 256 resize_width: 256", "", Input(3, 224, 224),
     "preprocessing: expected resize_height and resize_width, or crop_fraction, got both"},
    {"resize: SQUASH resize_height: 256", "", Input(3, 224, 224),
     "preprocessing: expected resize_height and resize_width, got resize_height alone"},
    {"resize: SQUASH resize_height: 256 resize_width: 0", "", Input(3, 224, 224),
     "recipe.resize_width: expected 1 to 65535, got 0"},
    {"resize: SQUASH resize_size: 65536", "", Input(3, 224, 224), "recipe.resize_height: expected 1 to 65535"},
    {"resize_height: 256 resize_width: 256", "", Input(3, 224, 224),
     "preprocessing.resize_height: expected with SQUASH only, got it with another resize"},
    {"resize: SQUASH", "", Input(4, 32, 32), "recipe.resize: expected none with 4 channels"},
    {"interpolation: BILINEAR_TF2 dct_scaling: true", "", Input(3, 224, 224),
     "recipe.dct_scaling: expected false with bilinear of tf2"},
    {"crop_fraction: 0.9", "", Input(3, 32, 32),
     "preprocessing.crop_fraction: expected with SHORTER_SIDE and SQUASH only"},
    {"crop_fraction: 0.9 resize_size: 256", "", Input(3, 224, 224), "expected resize_size or crop_fraction, got both"},
    {"scale: 0", "", Input(3, 32, 32), "recipe.scale: expected a finite number above 0, got 0"},
    {"scale: -1", "", Input(3, 32, 32), "recipe.scale: expected a finite number above 0, got -1"},
    {"scale: nan", "", Input(3, 32, 32), "recipe.scale: expected a finite number above 0, got nan"},
    {"resize_size: 40", "", Input(3, 32, 32), "preprocessing.resize_size: expected with SHORTER_SIDE and SQUASH only"},
    {"resize: NONE resize_size: 256", "", Input(3, 224, 224), "preprocessing.resize_size: expected with SHORTER_SIDE"},
    {"", "", Input(3, 1, 2'000'000'000), "width"},  // the scaled side must not overflow either
};

TEST(Recipe, RefusesWhatCannotWork) {
  for (const BadRecipeCase& c : kBadRecipes) {
    SCOPED_TRACE(testing::Message() << '"' << c.config << "\", preset '" << c.preset << "', " << c.input.channels << 'x'
                                    << c.input.height << 'x' << c.input.width);
    ExpectInvalid(Choose(c.config, c.preset, c.input).status(), c.message);
  }
}

// ---- the input

TEST(InputSize, HasOneForm) {
  const auto size = ParseInputSize("256x128", "--input-size");
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(size->height, 256);
  EXPECT_EQ(size->width, 128);
  EXPECT_EQ(size->from, "--input-size");
  EXPECT_TRUE(ParseInputSize("1x16384", "-").ok());
  for (const char* odd : {"", "64", "64x", "x64", "x", "0x0", "0x64", "-64x64", "64x-64", "064x64", "+64x64", "64 x 64",
                          "64x64x3", "64X64", "64.0x64", "16385x64", "99999999999x64", "64x64\n"}) {
    ExpectInvalid(ParseInputSize(odd, "input_size").status(),
                  "input_size: expected HEIGHTxWIDTH in pixels, 224x224 say, each 1 to 16384, got '");
  }
}

TEST(InputSize, TheOptionComesBeforeTheConfigAndThePresetIsUsual) {
  v1::ModelConfig config;
  EXPECT_FALSE(ChooseInputSize(config, "", "")->is_given());
  config.set_input_size("32x48");
  config.mutable_preprocessing()->set_preset("cifar10");
  auto size = ChooseInputSize(config, "", "");
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(size->height, 32);
  EXPECT_EQ(size->from, "input_size");
  EXPECT_EQ(size->usual_height, 32);
  EXPECT_EQ(size->usual_from, "preset cifar10");
  size = ChooseInputSize(config, "64x96", "timm");
  EXPECT_EQ(size->width, 96);
  EXPECT_EQ(size->from, "--input-size");
  EXPECT_EQ(size->usual_height, 224);
  EXPECT_EQ(ChooseInputSize(config, "", "none")->usual_height, 0);
  EXPECT_EQ(ChooseInputSize(config, "", "nobody's")->usual_height, 0);
  config.set_input_size("");
  ExpectInvalid(ChooseInputSize(config, "", "").status(), "input_size: expected HEIGHTxWIDTH");
}

ModelInfo Bytes(std::vector<double> factors, std::vector<double> shifts) {
  ModelInfo info = Input(static_cast<int>(factors.size()), 64, 64);
  info.input_values = {
      .are_pixels = true, .are_bytes = true, .factors = std::move(factors), .shifts = std::move(shifts)};
  return info;
}

TEST(ChooseRecipe, OfAFileThatNormalisesBytes) {
  const std::string none = "times 1, mean 0 0 0, std 1 1 1", size = "resize to 64x64, bilinear, ";
  const ModelInfo plain = Bytes({1, 1, 1}, {0, 0, 0}), keras = Bytes({1 / 127.5, 1 / 127.5, 1 / 127.5}, {-1, -1, -1});
  const float imagenet = 0.229f;
  const double third = 1 / (255.0 * imagenet);
  for (const auto& [config, preset, info, expected] :
       {std::tuple("", "", plain, size + "RGB, " + none), std::tuple("", "cifar10", plain, size + "RGB, " + none),
        std::tuple("preset: 'timm' resize: EXACT colour: BGR", "", plain,
                   std::string("resize to 64x64, bicubic, BGR, ") + none),
        std::tuple("", "", keras, size + "RGB, mean 0.5 0.5 0.5, std 0.5 0.5 0.5"),
        std::tuple("scale: 1 mean: [0, 0, 0] std: [1, 1, 1]", "", keras,
                   size + "RGB, mean 0.5 0.5 0.5, std 0.5 0.5 0.5"),
        std::tuple("", "", Bytes({third, third, third}, {0, 0, 0}), size + "RGB, mean 0 0 0, std 0.229 0.229 0.229"),
        std::tuple("", "", Bytes({1, 1, 1}, {-123.68, -116.779, -103.939}),
                   size + "RGB, times 1, mean 123.68 116.779 103.939, std 1 1 1"),
        std::tuple("", "", Bytes({1 / 255.0}, {0}), size + "grey, mean 0, std 1")}) {
    const auto chosen = Choose(config, preset, info);
    ASSERT_TRUE(chosen.ok()) << chosen.status();
    EXPECT_EQ(image::ToString(chosen->recipe), expected) << config;
    EXPECT_THAT(chosen->note, StartsWith("the file takes bytes and normalises them itself"));
  }
  for (const char* field : {"mean", "std"}) {
    ExpectInvalid(Choose(absl::StrCat(field, ": [0.5, 0.5, 0.5]"), "", plain).status(),
                  absl::StrCat("preprocessing.", field, ": expected none, as the file takes bytes"));
  }
  ExpectInvalid(Choose("scale: 0.5", "", plain).status(),
                "preprocessing.scale: expected none, as the file takes bytes");
}

TEST(ChooseRecipe, OfAFileOfFloatsThatTakesPixels) {
  ModelInfo info = Input(3, 64, 64);
  info.input_values.are_pixels = true;
  auto chosen = Choose("", "", info);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_EQ(image::ToString(chosen->recipe), "resize to 64x64, bilinear, RGB, times 1, mean 0 0 0, std 1 1 1");
  EXPECT_THAT(chosen->note, HasSubstr("its input is taken to be pixels"));
  chosen = Choose("preset: 'cifar10'", "", info);
  EXPECT_EQ(image::ToString(chosen->recipe), absl::StrCat("resize to 64x64, bilinear, RGB, ", kCifar));
  EXPECT_THAT(chosen->note, HasSubstr("leave it out for 0 to 255"));
  EXPECT_EQ(Choose("preset: 'none'", "", info)->note, "");
  EXPECT_EQ(Choose("", "", Input(3, 64, 64))->note, "");
}

}  // namespace
}  // namespace resnetd
