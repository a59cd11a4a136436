#include "models/outputs.h"

#include <google/protobuf/text_format.h>

#include <cmath>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/embedding_space.h"

namespace resnetd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::ModelConfig Config(const std::string& text) {
  v1::ModelConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

// Logits of 3 classes, a pool of 8, a stage, two further vectors of which one ends in a sigmoid, and a map.
ModelInfo Info(bool classifies = true, HeadActivation of_file = HeadActivation::kNone) {
  ModelInfo info;
  info.precision = "f32";
  if (classifies) {
    info.logits = OutputId{0};
    info.outputs.push_back({"logits", {3}, 3, of_file});
  }
  info.embedding = static_cast<OutputId>(info.outputs.size());
  info.outputs.push_back({"pool", {8}, 8, HeadActivation::kNone});
  info.outputs.push_back({"stage1", {4}, 4, HeadActivation::kNone});
  info.outputs.push_back({"age", {5}, 5, HeadActivation::kNone});
  info.outputs.push_back({"tags", {2}, 2, HeadActivation::kSigmoid});
  info.outputs.push_back({"map", {2, 3, 3}, 18, HeadActivation::kNone});
  return info;
}

std::vector<std::string> Names(const std::vector<ChosenHead>& heads) {
  std::vector<std::string> names;
  for (const ChosenHead& chosen : heads) names.push_back(chosen.head.name);
  return names;
}

TEST(ChooseHeads, TheLogitsThenThoseOfTheConfigThenThoseOfTheFile) {
  struct Case {
    std::string config;
    bool classifies;
    std::vector<std::string> heads;
  };
  for (const Case& c : {Case{"", true, {"logits", "tags"}}, Case{"", false, {"tags"}},
                        Case{"heads { output: 'age' }", true, {"logits", "age", "tags"}},
                        Case{"heads { output: 'tags' } heads { output: 'age' }", true, {"logits", "tags", "age"}},
                        Case{"heads { output: 'pool' }", false, {"pool", "tags"}}}) {
    const auto heads = ChooseHeads(Config(c.config), Info(c.classifies));
    ASSERT_TRUE(heads.ok()) << heads.status();
    EXPECT_EQ(Names(*heads), c.heads) << c.config;
  }
}

TEST(ChooseHeads, ActivationIsTheConfigsOrTheFiles) {
  struct Case {
    const char* config;
    HeadActivation of_file;
    HeadActivation activation;
  };
  for (const Case& c : {Case{"", HeadActivation::kNone, HeadActivation::kSoftmax},
                        Case{"", HeadActivation::kSoftmax, HeadActivation::kSoftmax},
                        Case{"", HeadActivation::kSigmoid, HeadActivation::kSigmoid},
                        Case{"activation: AUTO", HeadActivation::kSigmoid, HeadActivation::kSigmoid},
                        Case{"activation: SOFTMAX", HeadActivation::kSigmoid, HeadActivation::kSoftmax},
                        Case{"activation: SIGMOID", HeadActivation::kSoftmax, HeadActivation::kSigmoid},
                        Case{"activation: NONE", HeadActivation::kSoftmax, HeadActivation::kNone}}) {
    const auto heads = ChooseHeads(Config(c.config), Info(true, c.of_file));
    ASSERT_TRUE(heads.ok()) << heads.status();
    EXPECT_EQ(heads->front().head.activation, c.activation)
        << '"' << c.config << "\" of a file with " << static_cast<int>(c.of_file);
  }
}

// One score: a value, or the score of a class, or of no and yes.
TEST(ChooseHeads, OfOneScore) {
  struct Case {
    const char* config;
    HeadActivation of_file;
    int labels;
    int classes;
    HeadActivation activation;
    const char* evidence;
  };
  for (const Case& c :
       {Case{"", HeadActivation::kNone, 0, 1, HeadActivation::kNone, "the file"},
        Case{"", HeadActivation::kNone, 1, 1, HeadActivation::kSigmoid, "1 label"},
        Case{"", HeadActivation::kNone, 2, 2, HeadActivation::kSigmoid, "2 labels"},
        Case{"", HeadActivation::kSigmoid, 0, 1, HeadActivation::kSigmoid, "the file"},
        Case{"", HeadActivation::kSigmoid, 2, 2, HeadActivation::kSigmoid, "the file"},
        Case{"activation: SIGMOID", HeadActivation::kNone, 0, 1, HeadActivation::kSigmoid, "the config"},
        Case{"activation: SIGMOID", HeadActivation::kNone, 2, 2, HeadActivation::kSigmoid, "the config"},
        Case{"activation: NONE", HeadActivation::kSigmoid, 1, 1, HeadActivation::kNone, "the config"}}) {
    SCOPED_TRACE(absl::StrCat("\"", c.config, "\" ", c.labels));
    ModelInfo info = Info(true, c.of_file);
    info.outputs[0].dims = {1};
    info.outputs[0].width = 1;
    info.outputs[0].labelled = c.labels > 0;
    info.outputs[0].role = c.labels > 0 ? OutputRole::kClassifier : OutputRole::kValue;
    info.outputs[0].evidence = "the file";
    const auto heads = ChooseHeads(Config(c.config), info, {.first = c.labels, .heads = {}});
    ASSERT_TRUE(heads.ok()) << heads.status();
    const Head& head = heads->front().head;
    EXPECT_EQ(head.classes, c.classes);
    EXPECT_EQ(head.activation, c.activation);
    EXPECT_EQ(head.evidence, c.evidence);
    EXPECT_EQ(head.is_value(), c.activation == HeadActivation::kNone);
    const auto softmax = ChooseHeads(Config("activation: SOFTMAX"), info, {.first = c.labels, .heads = {}});
    EXPECT_EQ(softmax.status().message(),
              "activation: expected SIGMOID or NONE for one score, of which a softmax is always 1, got SOFTMAX");
  }
}

TEST(ChooseHeads, AHeadByItsNameInTheFile) {
  ModelInfo info = Info();
  info.outputs[0].aliases = {"kind"};
  const auto heads = ChooseHeads(Config("heads { output: 'kind' activation: SIGMOID } heads { output: 'age' }"), info);
  ASSERT_TRUE(heads.ok()) << heads.status();
  EXPECT_EQ(Names(*heads), (std::vector<std::string>{"logits", "age", "tags"}));
  EXPECT_EQ(heads->front().head.activation, HeadActivation::kSigmoid);
  EXPECT_EQ(ChooseHeads(Config("activation: NONE heads { output: 'kind' }"), info).status().message(),
            "heads[0].output: expected each head once, got 'logits' again");
  const auto ours = ChooseHeads(Config("heads { output: 'logits' activation: NONE }"), info);
  ASSERT_TRUE(ours.ok()) << ours.status();
  EXPECT_EQ(ours->front().head.activation, HeadActivation::kNone);
}

// A declared tensor may be called as the file calls the scores of a head before its softmax.
TEST(ChooseHeads, ANameOfAHeadAndOfALayer) {
  ModelInfo info = Info(true, HeadActivation::kSoftmax);
  info.outputs[0].aliases = {"y", "pool"};
  info.outputs.push_back({"y", {3}, 3});
  const auto chosen = ChooseHeads(Config("heads { output: 'y' activation: SIGMOID }"), info);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_EQ(Names(*chosen), (std::vector<std::string>{"logits", "tags"}));
  std::vector<Head> heads;
  for (const ChosenHead& one : *chosen) heads.push_back(one.head);
  for (const char* name : {"logits", "y", "pool"}) EXPECT_EQ(FindHead(heads, info, name), &heads[0]) << name;
  EXPECT_EQ(FindHead(heads, info, "tags"), &heads[1]);
  EXPECT_EQ(FindHead(heads, info, "stage1"), nullptr);
}

// A value of which the file has made a probability stays one, whatever the config says but NONE.
TEST(ChooseHeads, ProbabilitiesOfTheFileStay) {
  struct Case {
    const char* config;
    int width;
    int labels;
    HeadActivation activation;
    int classes;
  };
  for (const Case& c :
       {Case{"", 3, 0, HeadActivation::kNone, 3}, Case{"activation: SIGMOID", 3, 0, HeadActivation::kNone, 3},
        Case{"activation: SOFTMAX", 3, 3, HeadActivation::kNone, 3},
        Case{"heads { output: 'logits' }", 3, 0, HeadActivation::kNone, 3}, Case{"", 1, 0, HeadActivation::kSigmoid, 1},
        Case{"activation: SIGMOID", 1, 0, HeadActivation::kSigmoid, 1}, Case{"", 1, 2, HeadActivation::kSigmoid, 2},
        Case{"activation: NONE", 1, 0, HeadActivation::kNone, 1}}) {
    SCOPED_TRACE(absl::StrCat("\"", c.config, "\" ", c.width, " ", c.labels));
    ModelInfo info = Info();
    OutputInfo& output = info.outputs[0];
    output.dims = {c.width};
    output.width = c.width;
    output.role = OutputRole::kClassifier;
    output.probabilities = true;
    output.labelled = c.labels > 0;
    const auto heads = ChooseHeads(Config(c.config), info, {.first = c.labels, .heads = {}});
    ASSERT_TRUE(heads.ok()) << heads.status();
    const Head& head = heads->front().head;
    EXPECT_EQ(head.activation, c.activation);
    EXPECT_EQ(head.classes, c.classes);
    EXPECT_EQ(head.probability, c.width == 1 && c.activation == HeadActivation::kSigmoid);
  }
}

TEST(ChooseHeads, LabelsAreThoseOfTheOutputTheyFit) {
  ModelInfo info = Info();
  EXPECT_TRUE(ChooseHeads({}, info)->front().takes_labels) << "which refuses them, if they do not fit";
  info.outputs[3] = {"age", {1}, 1};
  info.outputs[3].role = OutputRole::kValue;
  info.outputs[3].labelled = true;  // one label names the value, and makes no class of it
  const auto heads = ChooseHeads({}, info, {.first = 1, .heads = {}});
  ASSERT_TRUE(heads.ok()) << heads.status();
  EXPECT_FALSE(heads->front().takes_labels);
  EXPECT_EQ(Names(*heads), (std::vector<std::string>{"logits", "age", "tags"}));
  EXPECT_TRUE((*heads)[1].takes_labels);
  EXPECT_TRUE((*heads)[1].head.is_value());
}

// The line of the config that would make a probability of a value names the value's own head.
TEST(ChooseHeads, TheLineThatMakesAClassOfAValue) {
  struct Case {
    const char* config;
    int value;
    const char* line;
  };
  for (const Case& c :
       {Case{"", 0, "activation: SIGMOID"},
        Case{"heads { output: 'y' activation: NONE }", 0, "heads { output: \"y\" activation: SIGMOID }"},
        Case{"", 3, "heads { output: \"age\" activation: SIGMOID }"}}) {
    ModelInfo info = Info();
    info.outputs[0].aliases = {"y"};
    OutputInfo& output = info.outputs[static_cast<size_t>(c.value)];
    output.dims = {1};
    output.width = 1;
    output.role = OutputRole::kValue;
    const auto chosen = ChooseHeads(Config(c.config), info);
    ASSERT_TRUE(chosen.ok()) << chosen.status();
    std::vector<Head> heads;
    for (const ChosenHead& one : *chosen) heads.push_back(one.head);
    const Head* head = FindHead(heads, info, output.name);
    ASSERT_NE(head, nullptr);
    EXPECT_EQ(head->sigmoid_line, c.line);
    if (c.config[0] != '\0') continue;
    std::string notes;
    for (const OutputNote& note : OutputNotes(heads, info)) notes += note.text;
    EXPECT_THAT(notes, HasSubstr(c.line));
  }
}

TEST(ChooseHeads, ThresholdsForAllOrForEach) {
  struct Case {
    const char* config;
    std::vector<float> thresholds;
  };
  for (const Case& c :
       {Case{"", {}}, Case{"thresholds: 0.25", {0.25f, 0.25f, 0.25f}}, Case{"thresholds: [0.5, 0, 1]", {0.5f, 0, 1}}}) {
    const auto heads = ChooseHeads(Config(c.config), Info());
    ASSERT_TRUE(heads.ok()) << heads.status();
    EXPECT_EQ(heads->front().head.thresholds, c.thresholds) << c.config;
    EXPECT_THAT(heads->back().head.thresholds, IsEmpty()) << "of another head";
  }
}

TEST(ChooseHeads, EachHasItsOwnSettings) {
  const auto heads = ChooseHeads(
      Config("labels_file: 'a.txt' heads { output: 'age' labels_file: 'b.txt' activation: NONE thresholds: 3 }"),
      Info());
  ASSERT_TRUE(heads.ok()) << heads.status();
  EXPECT_TRUE((*heads)[0].takes_labels);
  EXPECT_EQ((*heads)[0].config, std::nullopt);
  EXPECT_FALSE((*heads)[1].takes_labels);
  EXPECT_EQ((*heads)[1].config, 0);
  EXPECT_EQ((*heads)[1].head.classes, 5);
  EXPECT_EQ((*heads)[1].head.activation, HeadActivation::kNone);
  EXPECT_EQ((*heads)[1].head.thresholds, std::vector<float>(5, 3.0f));
  EXPECT_EQ((*heads)[0].head.activation, HeadActivation::kSoftmax);
}

TEST(ChooseHeads, RefusesMistakes) {
  struct Case {
    const char* config;
    bool classifies;
    const char* message;
  };
  for (const Case& c :
       {Case{"thresholds: [0.1, 0.2]", true, "thresholds: expected one, or one for each of 3 classes, got 2"},
        Case{"thresholds: [0.1, 0.2, 0.3, 0.4]", true, "thresholds: expected one, or one for each of 3 classes, got 4"},
        Case{"thresholds: nan", true, "thresholds: expected finite numbers, got nan"},
        Case{"thresholds: 0.5", false, "thresholds: expected none, as the model has no logits"},
        Case{"activation: SIGMOID", false, "activation: expected none, as the model has no logits"},
        Case{"labels_file: 'l'", false, "labels_file: expected none, as the model has no logits"},
        Case{"heads { output: 'size' }", true,
             "heads[0].output: expected one of the model's outputs, 'logits', 'pool', 'stage1', 'age', 'tags', 'map', "
             "got 'size'"},
        Case{"heads {}", true, "heads[0].output: expected one of the model's outputs"},
        Case{"heads { output: 'map' }", true, "heads[0].output: expected a vector, got 'map' of 2x3x3"},
        Case{"thresholds: 1 heads { output: 'logits' }", true,
             "heads[0].output: expected each head once, got 'logits' again"},
        Case{"heads { output: 'age' } heads { output: 'age' }", true, "heads[1].output: expected each head once"},
        Case{"heads { output: 'age' thresholds: [1, 2] }", true,
             "heads[0].thresholds: expected one, or one for each of 5 classes, got 2"}}) {
    SCOPED_TRACE(c.config);
    const absl::Status status = ChooseHeads(Config(c.config), Info(c.classifies)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
}

absl::StatusOr<std::vector<Layer>> Layers(const std::string& config) {
  return ChooseLayers(Config(config), Info(), "abc", image::Recipe());
}

TEST(ChooseLayers, EveryOutputWholeAndCut) {
  const auto layers = Layers("truncatable { layer: 'pool' sizes: [4, 7] } truncatable { layer: 'pool' sizes: 1 }");
  ASSERT_TRUE(layers.ok()) << layers.status();
  ASSERT_EQ(layers->size(), 6u);
  std::set<std::string> ids;
  size_t spaces = 0;
  for (const Layer& layer : *layers) {
    std::vector<int> dimensions;
    for (const Space& space : layer.spaces) {
      dimensions.push_back(space.dimensions);
      ids.insert({space.plain, space.normalized});
      spaces += 2;
    }
    if (layer.name == "pool") {
      EXPECT_THAT(dimensions, ElementsAre(8, 1, 4, 7));
    } else {
      EXPECT_EQ(dimensions.size(), 1u) << layer.name;
    }
  }
  EXPECT_EQ((*layers)[5].spaces[0].dimensions, 18);
  EXPECT_EQ(ids.size(), spaces) << "no two are alike";
  EXPECT_EQ((*layers)[1].spaces[2].normalized, EmbeddingSpace({"abc", image::Recipe(), "pool", "f32", true, 4}));
}

// A vector of the network's own length 1 is the same scaled; what is cut from it is not.
TEST(ChooseLayers, VectorsOfLengthOneHaveOneSpace) {
  ModelInfo info = Info();
  info.outputs[1].unit_length = true;
  const auto config = Config("truncatable { layer: 'pool' sizes: 4 }");
  const auto layers = ChooseLayers(config, info, "abc", image::Recipe());
  ASSERT_TRUE(layers.ok()) << layers.status();
  ASSERT_EQ((*layers)[1].name, "pool");
  const std::vector<Space>& spaces = (*layers)[1].spaces;
  EXPECT_EQ(spaces[0].plain, EmbeddingSpace({"abc", image::Recipe(), "pool", "f32", false, 8}));
  EXPECT_EQ(spaces[0].normalized, spaces[0].plain);
  EXPECT_NE(spaces[1].normalized, spaces[1].plain);
  EXPECT_NE((*layers)[0].spaces[0].normalized, (*layers)[0].spaces[0].plain);
}

TEST(ChooseLayers, RefusesMistakes) {
  struct Case {
    const char* config;
    const char* message;
  };
  for (const Case& c :
       {Case{"truncatable { layer: 'pool' sizes: 8 }",
             "truncatable[0].sizes: expected 1 to 7, less than 'pool' has, got 8"},
        Case{"truncatable { layer: 'pool' sizes: 0 }", "truncatable[0].sizes: expected 1 to 7"},
        Case{"truncatable { layer: 'pool' }", "truncatable[0].sizes: expected at least one, got none"},
        Case{"truncatable { layer: 'pool' sizes: [4, 2, 4] }", "truncatable: expected each size of 'pool' once, got 4"},
        Case{"truncatable { layer: 'stage1' sizes: 1 } truncatable { layer: 'stage9' sizes: 1 }",
             "truncatable[1].layer: expected one of the model's outputs"}}) {
    SCOPED_TRACE(c.config);
    const absl::Status status = Layers(c.config).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
}

// ---- embedding spaces ----

SpaceKey Key() {
  return {"0123abcd", image::Recipe(), "pool", "f32", false, 64};
}

// Clients store ids beside their vectors: what this test expects never changes.
TEST(EmbeddingSpace, StaysWhatItWas) {
  EXPECT_EQ(EmbeddingSpace(Key()), "74d66fcd6cb17b7e");
}

TEST(RecipeHash, StaysWhatItWas) {
  EXPECT_EQ(RecipeHash(image::Recipe()), "432b35e2c5a1b264");
  EXPECT_EQ(RecipeHash(*image::FindPreset("none")), "a19aea2c3e0c24cd");
}

TEST(EmbeddingSpace, DependsOnAllThatChangesWhatAVectorMeans) {
  std::vector<SpaceKey> keys(19, Key());
  keys[1].weights_sha256 = "0123abce";
  keys[2].layer = "stage4";
  keys[3].precision = "int8";
  keys[4].l2_normalized = true;
  keys[5].dimensions = 32;
  keys[6].recipe.resize_size = 232;
  keys[7].recipe.mean[2] = std::nextafter(keys[7].recipe.mean[2], 1.0f);
  keys[8].recipe.std[0] = 0.23f;
  keys[9].recipe.colour = image::Colour::kBgr;
  keys[10].recipe.interpolation = image::Interpolation::kBicubic;
  keys[11].recipe.resize = image::Resize::kExact;
  keys[12].recipe.crop_offset = image::CropOffset::kDown;
  keys[13].recipe.alpha = image::Alpha::kBlack;
  keys[14].recipe.orientation = image::Orientation::kApply;
  keys[15].recipe.scale = 1;
  keys[16].recipe.interpolation = image::Interpolation::kBilinearCv2;
  keys[17].recipe.interpolation = image::Interpolation::kBilinearTf2;
  keys[18].recipe.resize = image::Resize::kSquash;
  std::set<std::string> ids;
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string id = EmbeddingSpace(keys[i]);
    EXPECT_EQ(id.size(), 16u);
    EXPECT_TRUE(ids.insert(id).second) << "key " << i;
  }
}

TEST(EmbeddingSpace, DoesNotDependOnWhatHasNoEffect) {
  SpaceKey key = Key();
  key.recipe.resize = image::Resize::kExact;
  const std::string exact = EmbeddingSpace(key);
  key.recipe.resize_size = 300;
  key.recipe.crop_offset = image::CropOffset::kDown;
  EXPECT_EQ(EmbeddingSpace(key), exact);
  key.recipe.resize_width = 300;
  EXPECT_EQ(EmbeddingSpace(key), exact) << "a squash's side";
  key.recipe.mean[3] = 0.5f;
  EXPECT_EQ(EmbeddingSpace(key), exact) << "a channel that is not there";
  key.recipe.resize = image::Resize::kNone;
  const std::string none = EmbeddingSpace(key);
  key.recipe.interpolation = image::Interpolation::kNearest;
  EXPECT_EQ(EmbeddingSpace(key), none);
}

}  // namespace
}  // namespace resnetd
