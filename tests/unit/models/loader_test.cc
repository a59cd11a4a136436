// The embedded model is the real thing: it is loaded whole, then with one file beside it changed at a time.
#include "models/loader.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/temp_folder.h"

namespace resnetd {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// The embedded model with `files` in place of its own; nullopt: missing.
ModelSource Changed(std::map<std::string, std::optional<std::string>> files) {
  ModelSource source = EmbeddedSource();
  source.read = [embedded = source.read, files = std::move(files)](absl::string_view file,
                                                                   size_t max_bytes) -> absl::StatusOr<std::string> {
    const auto it = files.find(std::string(file));
    if (it == files.end()) return embedded(file, max_bytes);
    if (!it->second.has_value()) return absl::NotFoundError(absl::StrCat("no file '", file, "'"));
    return *it->second;
  };
  return source;
}

std::string Embedded(const char* file) {
  return EmbeddedSource().read(file, size_t{1} << 30).value();
}

absl::StatusOr<LoadedModel> Load(const ModelSource& source, const LoadOptions& options = {}) {
  return LoadModel(source, options);
}

TEST(LoadModel, TheEmbeddedOneIsReady) {
  const absl::StatusOr<LoadedModel> loaded = Load(EmbeddedSource());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const Model& model = *loaded->model;
  EXPECT_EQ(model.name, "fashion-resnet20");
  EXPECT_EQ(model.version, "1");
  EXPECT_EQ(model.engine->info().classes, 10);
  EXPECT_EQ(model.engine->info().features, 64);
  ASSERT_EQ(model.heads.size(), 1u);
  EXPECT_EQ(model.heads[0].activation, HeadActivation::kSoftmax);
  EXPECT_THAT(model.heads[0].thresholds, IsEmpty());
  EXPECT_THAT(model.heads[0].labels, Contains("Ankle boot"));
  EXPECT_EQ(model.recipe.colour, image::Colour::kGrey);
  EXPECT_EQ(model.sha256.size(), 64u);
  EXPECT_THAT(loaded->notes, IsEmpty()) << "nothing about it is assumed";
  ASSERT_EQ(loaded->costs.size(), 4u);
  for (const MeasuredBatch& cost : loaded->costs) EXPECT_GT(cost.cost.count(), 0) << cost.batch;
}

TEST(LoadModel, SaysWhatItAssumes) {
  const absl::StatusOr<LoadedModel> loaded = Load(
      Changed({{"config.textproto", std::nullopt}, {"labels.txt", std::nullopt}, {"golden.textproto", std::nullopt}}));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(loaded->notes, Contains(HasSubstr("assuming mnist")));
  EXPECT_THAT(loaded->notes, Contains(HasSubstr("no labels")));
  EXPECT_THAT(loaded->notes, Contains(HasSubstr("no golden answers")));
  EXPECT_THAT(loaded->model->heads[0].labels, IsEmpty());
}

// The embedded model for colours: each plane of the first convolution three times.
std::string EmbeddedForColours(int height, int width) {
  ::onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(Embedded("model.onnx")));
  for (::onnx::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.dims_size() != 4 || tensor.dims(1) != 1) continue;
    const size_t plane = tensor.raw_data().size() / static_cast<size_t>(tensor.dims(0));
    std::string planes;
    for (size_t at = 0; at < tensor.raw_data().size(); at += plane) {
      for (int c = 0; c < 3; ++c) planes += tensor.raw_data().substr(at, plane);
    }
    tensor.set_raw_data(planes);
    tensor.set_dims(1, 3);
  }
  auto& shape = *model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  for (const auto& [axis, size] : {std::pair(1, 3), std::pair(2, height), std::pair(3, width)}) {
    shape.mutable_dim(axis)->set_dim_value(size);
  }
  model.mutable_graph()->clear_value_info();
  return model.SerializeAsString();
}

TEST(LoadModel, SaysThatItCutsNothingWhereTheInputIsNotSquare) {
  constexpr char kNote[] = "the input is 80x96, not square: images are scaled to it exactly";
  const std::string onnx = EmbeddedForColours(96, 80);
  const auto load = [&onnx](const char* config) {
    return Load(Changed({{"model.onnx", onnx}, {"config.textproto", config}, {"golden.textproto", std::nullopt}}));
  };
  const absl::StatusOr<LoadedModel> exact = load("");
  ASSERT_TRUE(exact.ok()) << exact.status();
  EXPECT_THAT(exact->notes, Contains(HasSubstr(kNote)));
  EXPECT_EQ(exact->model->recipe.resize, image::Resize::kExact);
  // The recipe of before is another embedding space.
  const absl::StatusOr<LoadedModel> cropped = load("preprocessing { resize: SHORTER_SIDE }");
  ASSERT_TRUE(cropped.ok()) << cropped.status();
  EXPECT_THAT(cropped->notes, Not(Contains(HasSubstr(kNote))));
  EXPECT_EQ(cropped->model->recipe_id, "torchvision-v1");
  EXPECT_NE(cropped->model->recipe_hash, exact->model->recipe_hash);
  ASSERT_FALSE(exact->model->layers.empty());
  EXPECT_NE(cropped->model->layers[0].spaces[0].plain, exact->model->layers[0].spaces[0].plain);
}

TEST(LoadModel, OptionsAndConfigDecide) {
  LoadOptions options;
  options.batch_sizes = {3};
  options.default_deadline = std::chrono::milliseconds(500);
  const absl::StatusOr<LoadedModel> from_options = Load(EmbeddedSource(), options);
  ASSERT_TRUE(from_options.ok()) << from_options.status();
  EXPECT_THAT(from_options->model->engine->info().batch_sizes, testing::ElementsAre(3));
  EXPECT_EQ(from_options->model->default_deadline, std::chrono::milliseconds(500));

  const absl::StatusOr<LoadedModel> from_config = Load(
      Changed({{"config.textproto", Embedded("config.textproto") + "batch_sizes: [1, 5]\ndefault_deadline_ms: 70\n"}}),
      options);
  ASSERT_TRUE(from_config.ok()) << from_config.status();
  EXPECT_THAT(from_config->model->engine->info().batch_sizes, testing::ElementsAre(1, 5));
  EXPECT_EQ(from_config->model->default_deadline, std::chrono::milliseconds(70));
}

// A golden set of which the first logit is off by `error` times the image's largest.
std::string GoldenOffBy(double error) {
  std::string golden = Embedded("golden.textproto");
  const size_t begin = golden.find("logits: [") + 9, end = golden.find(']', begin);
  double largest = 0;
  for (absl::string_view z : absl::StrSplit(golden.substr(begin, end - begin), ", ")) {
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(z, &value)) << z;
    largest = std::max(largest, std::abs(value));
  }
  const size_t comma = golden.find(',', begin);
  const double first = std::stod(golden.substr(begin, comma - begin));
  return golden.replace(begin, comma - begin, absl::StrCat(first + error * largest));
}

// A golden set of one image whose embedding is this value 64 times.
std::string GoldenEmbeddingOf(float value) {
  v1::GoldenSet golden;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(Embedded("golden.textproto"), &golden));
  v1::Golden one = golden.golden(0);
  one.clear_logits();
  for (int i = 0; i < 64; ++i) one.add_embedding(value);
  golden.clear_golden();
  *golden.add_golden() = one;
  return golden.DebugString();
}

// The embedded model with the first `count` weights of its `nth` float tensor replaced, from the back if negative.
std::string EmbeddedWithWeight(int nth, float value, size_t count = 1) {
  ::onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(Embedded("model.onnx")));
  std::vector<::onnx::TensorProto*> floats;
  for (::onnx::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.data_type() == ::onnx::TensorProto::FLOAT) floats.push_back(&tensor);
  }
  std::string& raw = *floats[nth < 0 ? floats.size() + nth : nth]->mutable_raw_data();
  EXPECT_GE(raw.size(), count * sizeof value);
  for (size_t i = 0; i < count; ++i) std::memcpy(&raw[i * sizeof value], &value, sizeof value);
  return model.SerializeAsString();
}

TEST(LoadModel, RefusesOutputsThatAreNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const int nth : {0, -1}) {
    for (const float value : {nan, infinity, -infinity}) {
      SCOPED_TRACE(absl::StrCat("tensor ", nth, ": ", value));
      const absl::Status status =
          Load(Changed({{"model.onnx", EmbeddedWithWeight(nth, value)}, {"golden.textproto", std::nullopt}})).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("expected finite values"));
      EXPECT_THAT(std::string(status.message()), HasSubstr("tensor '"));
    }
  }
  // Finite weights, of which what a batch normalisation makes, or the results, are not.
  const absl::Status overflow =
      Load(Changed({{"model.onnx", EmbeddedWithWeight(-2, 2e38f, 64)}, {"golden.textproto", std::nullopt}})).status();
  EXPECT_EQ(overflow.code(), absl::StatusCode::kFailedPrecondition) << overflow;
  EXPECT_THAT(std::string(overflow.message()), HasSubstr("': expected finite values for an input of -2 to 2"));
  const absl::StatusOr<LoadedModel> sound =
      Load(Changed({{"model.onnx", EmbeddedWithWeight(-1, 0.5f)}, {"golden.textproto", std::nullopt}}));
  EXPECT_TRUE(sound.ok()) << sound.status();
}

TEST(LoadModel, OutputsOfTheConfig) {
  const absl::StatusOr<LoadedModel> loaded = Load(Changed({{"config.textproto", Embedded("config.textproto") + R"(
                       activation: SIGMOID
                       thresholds: 0.5
                       heads { output: "stage1" activation: NONE }
                       truncatable { layer: "pool" sizes: [16, 32] })"}}));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const Model& model = *loaded->model;
  ASSERT_EQ(model.heads.size(), 2u);
  EXPECT_EQ(model.heads[0].activation, HeadActivation::kSigmoid);
  EXPECT_EQ(model.heads[0].thresholds, std::vector<float>(10, 0.5f));
  EXPECT_EQ(model.heads[1].name, "stage1");
  EXPECT_THAT(model.heads[1].labels, IsEmpty());
  const ModelInfo& info = model.engine->info();
  ASSERT_EQ(model.layers.size(), info.outputs.size());
  for (size_t i = 0; i < model.layers.size(); ++i) EXPECT_EQ(model.layers[i].name, info.outputs[i].name);
  EXPECT_EQ(model.layers[static_cast<size_t>(info.embedding)].spaces.size(), 3u);
}

TEST(LoadModel, RefusesWhatIsWrong) {
  const std::string config = Embedded("config.textproto");
  struct Case {
    const char* what;
    std::map<std::string, std::optional<std::string>> files;
    absl::StatusCode code;
    const char* said;
  };
  constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
  const Case cases[] = {
      {"no model", {{"model.onnx", std::nullopt}}, absl::StatusCode::kNotFound, "model.onnx"},
      {"empty model", {{"model.onnx", ""}}, kInvalid, "fashion-resnet20"},
      {"text", {{"model.onnx", "not a network"}}, kInvalid, "fashion-resnet20"},
      {"half a model", {{"model.onnx", Embedded("model.onnx").substr(0, 100'000)}}, kInvalid, "fashion-resnet20"},
      {"unknown key", {{"config.textproto", config + "colour: RGB\n"}}, kInvalid, "config.textproto"},
      {"unknown preset", {{"config.textproto", "preprocessing { preset: \"cifar\" }"}}, kInvalid, "cifar"},
      {"preset of three channels",
       {{"config.textproto", "preprocessing { preset: \"cifar10\" }"}},
       kInvalid,
       "channels"},
      {"a named file is missing",
       {{"config.textproto", "labels_file: \"names.txt\""}},
       absl::StatusCode::kNotFound,
       "names.txt"},
      {"nine labels", {{"labels.txt", "1\n2\n3\n4\n5\n6\n7\n8\n9\n"}}, kInvalid, "labels.txt: expected 10"},
      {"eleven labels", {{"labels.txt", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n"}}, kInvalid, "labels.txt: expected 10"},
      {"batch sizes that descend", {{"config.textproto", config + "batch_sizes: [4, 2]\n"}}, kInvalid, "batch_sizes"},
      {"golden answer off",
       {{"golden.textproto", GoldenOffBy(2e-3)}},
       absl::StatusCode::kFailedPrecondition,
       "expected the logit of class 0"},
      {"golden image that is none",
       {{"golden.textproto", "golden { name: 'x' image: 'text' logits: [0,0,0,0,0,0,0,0,0,0] }"}},
       kInvalid,
       "golden image 'x'"},
      {"nine golden logits",
       {{"golden.textproto", "golden { name: 'x' image: 'text' logits: [0,0,0,0,0,0,0,0,0] }"}},
       kInvalid,
       "golden image 'x': expected 10 logits, got 9"},
      {"golden embedding of three",
       {{"golden.textproto", "golden { name: 'x' image: 'text' embedding: [0,0,0] }"}},
       kInvalid,
       "golden image 'x': expected 64 values of the embedding, got 3"},
      {"golden embedding off",
       {{"golden.textproto", GoldenEmbeddingOf(0)}},
       absl::StatusCode::kFailedPrecondition,
       "expected the embedding's value 0 to be 0 "},
      {"a tensor that is not there", {{"config.textproto", config + "outputs: \"nowhere\"\n"}}, kInvalid, "'nowhere'"},
      {"a layer that is not there",
       {{"config.textproto", config + "truncatable { layer: \"nowhere\" sizes: 1 }\n"}},
       kInvalid,
       "truncatable[0].layer"},
      {"thresholds of two classes", {{"config.textproto", config + "thresholds: [0, 1]\n"}}, kInvalid, "thresholds"},
      {"a head's labels are missing",
       {{"config.textproto", config + "heads { output: \"pool\" labels_file: \"pool.txt\" }\n"}},
       absl::StatusCode::kNotFound,
       "pool.txt"},
      {"ten labels of a head of 64",
       {{"config.textproto", config + "heads { output: \"pool\" labels_file: \"labels.txt\" }\n"}},
       kInvalid,
       "labels.txt: expected 64"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const absl::StatusOr<LoadedModel> loaded = Load(Changed(c.files));
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.status().code(), c.code) << loaded.status();
    EXPECT_THAT(std::string(loaded.status().message()), HasSubstr(c.said));
    EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("model 'fashion-resnet20' (embedded): "));
  }
}

TEST(LoadModel, AGoldenAnswerWithinTheToleranceIsRight) {
  const absl::StatusOr<LoadedModel> loaded = Load(Changed({{"golden.textproto", GoldenOffBy(0.5e-4)}}));
  EXPECT_TRUE(loaded.ok()) << loaded.status();
}

// The embedded model with its weights in a file "model.onnx.data", as PyTorch's exporter writes it.
struct Parted {
  std::string onnx, data;
};

Parted WithWeightsBeside() {
  ::onnx::ModelProto model;
  Parted parted;
  EXPECT_TRUE(model.ParseFromString(Embedded("model.onnx")));
  for (::onnx::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.data_type() != ::onnx::TensorProto::FLOAT) continue;
    const auto add = [&tensor](const char* key, const std::string& value) {
      auto* entry = tensor.add_external_data();
      entry->set_key(key), entry->set_value(value);
    };
    add("location", "model.onnx.data");
    add("offset", absl::StrCat(parted.data.size()));
    add("length", absl::StrCat(tensor.raw_data().size()));
    parted.data += tensor.raw_data();
    tensor.clear_raw_data();
    tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
  }
  parted.onnx = model.SerializeAsString();
  return parted;
}

std::string Sha256Hex(const std::string& bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), sizeof digest});
}

TEST(LoadModel, WeightsBesideTheModelAreHashedWithIt) {
  const Parted parted = WithWeightsBeside();
  ASSERT_GT(parted.data.size(), 1'000'000u);
  const TempFolder folder;
  for (const char* file : {"config.textproto", "labels.txt", "golden.textproto"}) {
    folder.Write(absl::StrCat("net/1/", file), Embedded(file));
  }
  folder.Write("net/1/model.onnx", parted.onnx);
  std::string data = parted.data;
  for (const bool changed : {false, true}) {
    if (changed) data[0] = static_cast<char>(data[0] ^ 1);  // the lowest bit of a weight
    folder.Write("net/1/model.onnx.data", data);
    const auto sources = FolderSources(folder.path());
    ASSERT_TRUE(sources.ok()) << sources.status();
    const absl::StatusOr<LoadedModel> loaded = Load(sources->sources.front());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_THAT(loaded->notes, IsEmpty()) << "its golden answers were checked";
    EXPECT_EQ(loaded->model->sha256, Sha256Hex(parted.onnx + data));
  }
}

// A snapshot of the hub has a config.json, whose labels nobody has pointed to.
TEST(LoadModel, TakesTheHubsLabelsWhereTheyFit) {
  const std::string ten = R"({"0":"a","1":"b","2":"c","3":"d","4":"e","5":"f","6":"g","7":"h","8":"i","9":"j"})";
  struct Case {
    const char* what;
    std::optional<std::string> labels, hub;
    std::string first, note;
  };
  for (const Case& c : {
           Case{"they fit", std::nullopt, "{\"model_type\": \"resnet\", \"id2label\": " + ten + "}", "a",
                "labels are those of config.json"},
           Case{"one folder above", std::nullopt, std::nullopt, "a", "labels are those of ../config.json"},
           Case{"there are others", Embedded("labels.txt"), ten, "T-shirt/top", ""},
           Case{"too few", std::nullopt, R"({"id2label": {"0": "a", "1": "b"}})", "",
                "the 2 labels of config.json are not used, as there are 10 classes"},
           Case{"somebody else's file", std::nullopt, R"({"name": "x"})", "", "no labels"},
           Case{"no JSON", std::nullopt, "{", "", "no labels"},
       }) {
    const absl::StatusOr<LoadedModel> loaded =
        Load(Changed({{"labels.txt", c.labels}, {"config.json", c.hub}, {"../config.json", ten}}));
    ASSERT_TRUE(loaded.ok()) << c.what << ": " << loaded.status();
    const std::vector<std::string>& labels = loaded->model->heads[0].labels;
    EXPECT_EQ(labels.empty() ? "" : labels[0], c.first) << c.what;
    if (c.note.empty()) continue;
    EXPECT_THAT(loaded->notes, Contains(HasSubstr(c.note))) << c.what;
  }
}

TEST(LoadModel, RefusesWeightsThatAreNotBesideTheModel) {
  const Parted parted = WithWeightsBeside();
  const TempFolder folder;
  folder.Write("model.onnx", parted.onnx);
  EXPECT_THAT(std::string(Load(FileSource(folder / "model.onnx")).status().message()),
              HasSubstr("external data 'model.onnx.data': there is no such file beside the model"));
  EXPECT_THAT(std::string(Load(Changed({{"model.onnx", parted.onnx}})).status().message()),
              HasSubstr("external data 'model.onnx.data': expected the data inside this model's file"));
}

}  // namespace
}  // namespace resnetd
