// resnetctl inspect and check: the pictures, the places of the plus, the norms against a plain executor, and both
// commands on the model in the program and on folders that have something wrong with them.
#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/cli.h"
#include "cli/inspect/layer_picture.h"
#include "cli/inspect/layer_times.h"
#include "cli/inspect/residuals.h"
#include "cli/model_file.h"
#include "cli/print/svg.h"
#include "engine/image/image.h"
#include "engine/onnx/onnx.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/config.h"
#include "nlohmann/json.hpp"
#include "tests/reference/executor.h"
#include "tests/support/onnx_file.h"
#include "tests/support/temp_folder.h"

namespace resnetd::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(SvgTest, ShapesAndTextInTheirOrder) {
  Svg svg(200, 100.5);
  svg.Rectangle(1, 2, 3.14159, 4, "#0072b2");
  svg.Line(0, 0, 10, 10, "grey");
  svg.Text(5, 6, "a", Svg::Anchor::kEnd, 9, "red");
  EXPECT_EQ(svg.Finish(),
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"200\" height=\"100.5\" viewBox=\"0 0 200 100.5\" "
            "font-family=\"DejaVu Sans, Verdana, sans-serif\">\n"
            "<rect x=\"0.00\" y=\"0.00\" width=\"200.00\" height=\"100.50\" fill=\"white\"/>\n"
            "<rect x=\"1.00\" y=\"2.00\" width=\"3.14\" height=\"4.00\" fill=\"#0072b2\"/>\n"
            "<line x1=\"0.00\" y1=\"0.00\" x2=\"10.00\" y2=\"10.00\" stroke=\"grey\"/>\n"
            "<text x=\"5.00\" y=\"6.00\" font-size=\"9\" text-anchor=\"end\" fill=\"red\">a</text>\n"
            "</svg>\n");
}

TEST(SvgTest, TextThatXmlCannotHoldIsReplaced) {
  for (const auto& [text, expected] : {std::pair("a<b>&c", ">a&lt;b&gt;&amp;c<"),
                                       {"\xC3\xA9t\xC3\xA9", ">\xC3\xA9t\xC3\xA9<"},
                                       {"a\x01", ">a?<"},
                                       {"a\xFF", ">a\xEF\xBF\xBD<"},
                                       {"", "></text>"}}) {
    Svg svg(1, 1);
    svg.Text(0, 0, text, Svg::Anchor::kStart);
    EXPECT_THAT(svg.Finish(), HasSubstr(expected)) << text;
  }
}

LayerTime Layer(StepInfo step, double ms) {
  return {std::move(step), Duration(static_cast<int64_t>(ms * 1e6))};
}

TEST(LayerPictureTest, BarsAreTimesAndTheirDarkPartsShareOfThePeak) {
  // 2 ms for 50 million multiply-adds are 50 GFLOP/s, half of the peak.
  LayerTimes times{.batch = 8, .threads = 1, .runs = 3, .layers = {}, .run = std::chrono::milliseconds(4)};
  times.peak_gflops = 100;
  const StepInfo conv{.node = "conv<1>",
                      .op = "Conv",
                      .attributes = "3x3 pad 1",
                      .post_ops = "+Relu",
                      .shape = "",
                      .implementation = "",
                      .multiply_adds = 50'000'000};
  times.layers = {Layer(conv, 2), Layer({.node = "pool", .op = "MaxPool", .shape = "", .implementation = ""}, 1)};
  const std::string svg = DrawLayers("a network", "a CPU, avx2", times);
  // 420 pixels are the longest bar.
  EXPECT_THAT(svg, HasSubstr("width=\"420.00\" height=\"11.00\" fill=\"#f2b98f\""));
  EXPECT_THAT(svg, HasSubstr("width=\"210.00\" height=\"11.00\" fill=\"#d55e00\""));
  EXPECT_THAT(svg, HasSubstr("width=\"210.00\" height=\"11.00\" fill=\"#56b4e9\""));
  EXPECT_THAT(svg, HasSubstr("width=\"0.00\" height=\"11.00\" fill=\"#4b9ac7\""));
  for (const char* text : {">a network<", ">conv&lt;1&gt;<", ">Conv 3x3 pad 1 +Relu<", ">2.000 ms, 50 %<", ">1.000 ms<",
                           ">larger convolution<", ">pooling<", ">a CPU, avx2<",
                           ">batch 8, 1 thread: 4.00 ms, 25 GFLOP/s, 25 % of the 100 that the machine can do<"}) {
    EXPECT_EQ(Count(svg, text), 1u) << text;
  }
  EXPECT_THAT(svg, Not(HasSubstr("depthwise")));
}

TEST(LayerPictureTest, TicksAreNumbersHoweverSmallAndABusyMachineIsTold) {
  LayerTimes times{.batch = 1, .threads = 1, .runs = 1, .layers = {}, .run = Duration(100)};
  times.peak_gflops = 1;
  times.disturbance.waited = 0.25;
  times.layers = {Layer({.node = "n", .op = "Conv", .shape = "", .implementation = ""}, 0.0001)};
  const std::string svg = DrawLayers("", "a CPU", times);
  EXPECT_THAT(svg, AllOf(HasSubstr(">0.0001<"), HasSubstr(">0.00002<"), Not(HasSubstr("e-0"))));
  EXPECT_THAT(svg, HasSubstr(">a CPU; the machine was busy: its threads waited for a core 25.0 % of the time<"));
}

TEST(LayerPictureTest, KindsOfOperatorsAndTicks) {
  struct Case {
    const char* op;
    const char* attributes;
    const char* kind;
  };
  for (const Case& c : std::vector<Case>{{"Conv", "1x1/2", "1x1 convolution"},
                                         {"Conv", "7x7/2 pad 3", "larger convolution"},
                                         {"Conv", "3x3 groups 32", "grouped convolution"},
                                         {"Conv", "3x3 depthwise", "depthwise convolution"},
                                         {"Gemm", "", "inner product"},
                                         {"AveragePool", "2x2", "pooling"},
                                         {"ReduceMean", "axes 1,2", "pooling"},
                                         {"Reorder", "", "all else"}}) {
    LayerTimes times{.batch = 1, .threads = 2, .runs = 1, .layers = {}, .run = Duration(1000)};
    times.peak_gflops = 1;
    times.layers = {
        Layer({.node = "n", .op = c.op, .attributes = c.attributes, .shape = "", .implementation = ""}, 0.3)};
    const std::string svg = DrawLayers("", "", times);
    EXPECT_EQ(Count(svg, absl::StrCat(">", c.kind, "<")), 1u) << c.kind;
    EXPECT_THAT(svg, AllOf(HasSubstr(">0 ms<"), HasSubstr(">0.05<"), HasSubstr(">0.3<"), Not(HasSubstr(">0.35<"))));
  }
}

TEST(ResidualsTest, WhereThePlusIs) {
  const ResidualUnit unit{.node = "add", .shortcut = "identity", .input = "x", .branch = "f", .shape = "", .step = "c"};
  const auto step = [](const char* node, const char* op, const char* post_ops, bool in_place) {
    return StepInfo{
        .node = node, .op = op, .post_ops = post_ops, .shape = "", .implementation = "", .in_place_sum = in_place};
  };
  struct Case {
    std::vector<StepInfo> steps;
    const char* expected;
  };
  for (const Case& c :
       std::vector<Case>{{{step("b", "Conv", "+Add", true), step("c", "Conv", "+Add+Relu", true)}, "sum in place"},
                         {{step("c", "Reorder", "", false), step("c", "Conv", "+Add", false)}, "binary post-op"},
                         {{step("c", "Add", "+Relu", false)}, "a step of its own"},
                         {{step("b", "Conv", "+Add", true)}, "-"},
                         {{}, "-"}}) {
    EXPECT_EQ(PlaceOfPlus(unit, c.steps), c.expected);
  }
  ResidualUnit none = unit;
  none.step.clear();
  EXPECT_EQ(PlaceOfPlus(none, {step("", "Conv", "+Add", true)}), "-");
}

TEST(LayerTimesTest, OfTheModelInTheProgram) {
  const auto model = OpenModel({});
  ASSERT_TRUE(model.ok()) << model.status();
  for (const int threads : {1, 2}) {
    const auto engine = Engine::Load(model->bytes(), {.batch_sizes = {3}, .threads = threads});
    ASSERT_TRUE(engine.ok()) << engine.status();
    std::vector<int> told;
    const auto times = MeasureLayers(*engine, 3, 4, [&](int done) { told.push_back(done); });
    ASSERT_TRUE(times.ok()) << times.status();
    EXPECT_EQ(told, (std::vector<int>{1, 2, 3, 4}));
    EXPECT_EQ(times->threads, threads);
    EXPECT_EQ(times->multiply_adds(), 3 * (*engine)->info().multiply_adds);
    EXPECT_GT(times->peak_gflops, 1);
    EXPECT_GT(times->gflops(), 0);
    for (const LayerTime& layer : times->layers) {
      EXPECT_GT(layer.time.count(), 0) << layer.step.node;
      EXPECT_THAT(layer.step.node, Not(HasSubstr("stage"))) << "a stage costs nothing to those who do not ask for it";
    }
  }
}

// One layer runs after the other, however busy the machine is. (Medians of several runs need not add up.)
TEST(LayerTimesTest, TheLayersOfARunTakeNoLongerThanTheRun) {
  const auto model = OpenModel({});
  ASSERT_TRUE(model.ok()) << model.status();
  const auto engine = Engine::Load(model->bytes(), {.batch_sizes = {3}, .threads = 2});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto times = MeasureLayers(*engine, 3, 1, [](int) {});
  ASSERT_TRUE(times.ok()) << times.status();
  Duration sum{};
  for (const LayerTime& layer : times->layers) sum += layer.time;
  EXPECT_GT(sum.count(), 0);
  EXPECT_LE(sum.count(), times->run.count());
}

// The first golden image of the model in the program, through the same graph by plain loops.
TEST(ResidualsTest, NormsAreThoseOfThePlainExecutor) {
  const auto model = OpenModel({});
  ASSERT_TRUE(model.ok()) << model.status();
  const auto inspection = Inspect(model->bytes());
  ASSERT_TRUE(inspection.ok()) << inspection.status();
  const auto golden = ParseGoldenSet(model->source.read("golden.textproto", 1 << 26).value(), "golden");
  ASSERT_TRUE(golden.ok()) << golden.status();
  const std::string& file = golden->golden(0).image();
  const TempFolder folder;
  folder.Write("image.png", file);
  size_t told = 0;
  const auto norms =
      MeasureUnits(*model, inspection->units, folder / "image.png", 1, [&](size_t done) { told = done; });
  ASSERT_TRUE(norms.ok()) << norms.status();
  ASSERT_EQ(norms->size(), 9u);
  EXPECT_EQ(told, 9u);

  const auto read = onnx::ReadOnnx(model->bytes().onnx, "tested");
  ASSERT_TRUE(read.ok()) << read.status();
  const graph::Graph* const graph = &read->graph;
  const auto config = ParseModelConfig(model->source.read("config.textproto", 1 << 20).value(), "config");
  ASSERT_TRUE(config.ok()) << config.status();
  ModelInfo info;
  info.height = info.width = 28;
  info.channels = 1;
  const auto chosen = ChooseRecipe(config->preprocessing(), "", info);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  std::vector<float> image(28 * 28);
  image::Preprocessor preprocessor;
  ASSERT_TRUE(preprocessor
                  .FromFile({reinterpret_cast<const std::byte*>(file.data()), file.size()}, chosen->recipe,
                            {image.data(), 28, 28, 1, 28, 1, 28 * 28})
                  .ok());
  const std::vector<std::vector<float>> values = reference::Run(*graph, image);
  const auto norm_of = [&](const std::string& name) {
    double squares = 0;
    for (size_t i = 0; i < graph->values.size(); ++i) {
      if (graph->values[i].name != name) continue;
      for (const float value : values[i]) squares += static_cast<double>(value) * value;
    }
    return std::sqrt(squares);
  };
  for (size_t i = 0; i < norms->size(); ++i) {
    const ResidualUnit& unit = inspection->units[i];
    ASSERT_TRUE((*norms)[i].has_value()) << unit.node;
    EXPECT_GT((*norms)[i]->branch, 0.1) << unit.node;
    EXPECT_NEAR((*norms)[i]->input, norm_of(unit.input), 1e-4 * norm_of(unit.input)) << unit.node;
    EXPECT_NEAR((*norms)[i]->branch, norm_of(unit.branch), 1e-4 * norm_of(unit.branch)) << unit.node;
  }
}

struct Result {
  int status = 0;
  std::string out, err;
  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

Result RunCli(const std::vector<std::string>& args) {
  std::ostringstream out, err;
  const int status = Run(args, out, err, false);
  return {status, out.str(), err.str()};
}

TEST(InspectTest, TheModelInTheProgramAsText) {
  const Result result = RunCli({"inspect", "--runs", "2"});
  EXPECT_EQ(result.status, 0) << result.err;
  for (const char* part : {"fashion-resnet20 version 1 (embedded)", "28 x 28 x 1", "of the least possible", "import",
                           "fuse-post-ops", "GFLOP/s", "this machine's peak on 1 thread: ", "+Add+Relu"}) {
    EXPECT_THAT(result.out, HasSubstr(part));
  }
}

TEST(InspectTest, TheModelInTheProgramAsJson) {
  const Result result = RunCli({"--json", "inspect", "--runs", "2", "--batch", "2", "--graph"});
  ASSERT_EQ(result.status, 0) << result.err;
  const nlohmann::json json = result.json();
  EXPECT_EQ(json["batch"], 2);
  EXPECT_EQ(json["parameters"], 268'746);
  EXPECT_GE(json["arena_bytes"], json["arena_lower_bound"]);
  EXPECT_EQ(json["outputs"][0]["name"], "logits");
  EXPECT_EQ(json["passes"][0]["pass"], "import");
  EXPECT_THAT(json["passes"].back()["graph"].get<std::string>(), HasSubstr(" + Add %"));
  EXPECT_EQ(json["passes"][0]["operators"]["Add"], 9);
  EXPECT_FALSE(json["passes"].back()["operators"].contains("Add"));
  int64_t multiply_adds = 0;
  for (const auto& layer : json["layers"]) multiply_adds += layer["multiply_adds"].get<int64_t>();
  EXPECT_EQ(multiply_adds, 2 * json["multiply_adds"].get<int64_t>());
  EXPECT_FALSE(json.contains("units"));
}

TEST(InspectTest, SaysWhatTheFileAppliedToAnOutput) {
  struct Case {
    std::vector<const char*> operators;  // behind the logits
    const char* activation;
  };
  for (const Case& c :
       {Case{{}, "none"}, {{"Softmax"}, "softmax"}, {{"Sigmoid"}, "sigmoid"}, {{"Softmax", "Sqrt"}, "applied"}}) {
    SCOPED_TRACE(c.activation);
    onnx::OnnxFile f;
    f.Node("GlobalAveragePool", {"x"}, "p");
    f.Node("Flatten", {"p"}, "v");
    f.Floats("w", {3, 10});
    f.Node("Gemm", {"v", "w"}, c.operators.empty() ? "y" : "t0");
    for (size_t i = 0; i < c.operators.size(); ++i) {
      const std::string from = absl::StrCat("t", i), to = i + 1 < c.operators.size() ? absl::StrCat("t", i + 1) : "y";
      f.Node(c.operators[i], {from.c_str()}, to);
    }
    const TempFolder folder;
    folder.Write("m.onnx", f.Bytes());
    const Result result = RunCli({"--json", "inspect", "--runs", "1", folder / "m.onnx"});
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.json()["outputs"][0]["activation"], c.activation);
  }
}

TEST(InspectTest, Residuals) {
  const Result result = RunCli({"--json", "inspect", "--residuals"});
  ASSERT_EQ(result.status, 0) << result.err;
  const nlohmann::json units = result.json()["units"];
  ASSERT_EQ(units.size(), 9u);
  for (size_t i = 0; i < units.size(); ++i) {
    EXPECT_EQ(units[i]["shortcut"], i == 3 || i == 6 ? "padded" : "identity") << i;  // option A
    EXPECT_EQ(units[i]["plus"], "sum in place") << i;
    EXPECT_FALSE(units[i].contains("ratio")) << "without an image";
  }
  EXPECT_FALSE(result.json().contains("layers"));
  const Result text = RunCli({"inspect", "--residuals"});
  EXPECT_EQ(Count(text.out, "sum in place"), 9u) << text.out;
}

TEST(InspectTest, DrawsAPicture) {
  const TempFolder folder;
  const Result result = RunCli({"inspect", "--runs", "1", "--svg", folder / "layers.svg"});
  EXPECT_EQ(result.status, 0) << result.err;
  std::ifstream file(folder / "layers.svg");
  const std::string svg((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(svg, AllOf(HasSubstr("<svg "), HasSubstr("fashion-resnet20"), HasSubstr("</svg>\n")));

  const Result failed = RunCli({"inspect", "--runs", "1", "--svg", folder / "no/layers.svg"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.err, HasSubstr("cannot write"));
}

TEST(InspectTest, Mistakes) {
  const TempFolder folder;
  folder.Write("text.onnx", "no model");
  struct Case {
    std::vector<std::string> args;
    int status;
    const char* says;
  };
  for (const Case& c : std::vector<Case>{
           {{"inspect", folder / "missing"}, 1, "expected an ONNX file or a model's folder, found no"},
           {{"inspect", folder.path()}, 1, "expected model.onnx or <version>/model.onnx in"},
           {{"inspect", folder / "text.onnx"}, 1, "model 'text'"},
           {{"inspect", "--batch", "0"}, 2, "--batch"},
           {{"inspect", "--batch", "257"}, 2, "--batch"},
           {{"inspect", "--runs", "0"}, 2, "--runs"},
           {{"inspect", "--threads", "257"}, 2, "--threads"},
           {{"inspect", "--image", "a.png"}, 2, "--residuals"},
           {{"inspect", "--residuals", "--svg", "a.svg"}, 2, "--svg"},
           {{"inspect", "--residuals", "--image", folder / "missing.png"}, 1, "missing.png"},
           {{"inspect", "--residuals", "--image", folder / "text.onnx"}, 1, "expected a JPEG, PNG or WebP file"},
       }) {
    const Result result = RunCli(c.args);
    EXPECT_EQ(result.status, c.status) << c.says;
    EXPECT_THAT(result.out + result.err, HasSubstr(c.says));
  }
}

// The model in the program as a folder whose files a test may change.
void WriteModel(const TempFolder& folder) {
  const ModelSource source = EmbeddedSource();
  for (const char* file : {"model.onnx", "config.textproto", "labels.txt", "golden.textproto"}) {
    folder.Write(absl::StrCat("1/", file), source.read(file, 1 << 26).value());
  }
}

TEST(CheckTest, ASoundModel) {
  const TempFolder folder;
  WriteModel(folder);
  for (const std::string& path : {std::string(), folder.path(), folder / "1", folder / "1/model.onnx"}) {
    std::vector<std::string> args = {"check"};
    if (!path.empty()) args.push_back(path);
    const Result text = RunCli(args);
    EXPECT_EQ(text.status, 0) << path << text.err;
    EXPECT_THAT(text.out, HasSubstr("a server would serve it")) << path;
    EXPECT_THAT(text.err, IsEmpty()) << path;
  }
  const Result result = RunCli({"--json", "check"});
  EXPECT_EQ(result.status, 0);
  const nlohmann::json json = result.json();
  EXPECT_EQ(json["ok"], true);
  EXPECT_GT(json["nodes"], 50);
  EXPECT_THAT(json["unsupported"], IsEmpty());
  EXPECT_THAT(json["errors"], IsEmpty());
}

// A folder is taken as --models takes it: each model is told, and what is none.
TEST(CheckTest, AFolderOfModels) {
  const TempFolder folder;
  for (const char* name : {"a", "b"}) {
    for (const char* file : {"model.onnx", "config.textproto", "labels.txt", "golden.textproto"}) {
      folder.Write(absl::StrCat(name, "/1/", file), EmbeddedSource().read(file, 1 << 26).value());
    }
  }
  folder.Write("c/readme.txt", "");
  Result text = RunCli({"check", folder.path()});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("a version 1"), HasSubstr("b version 1"), HasSubstr("c' is not served"),
                              HasSubstr("2 models: a server would serve all\n")));
  folder.Write("b/1/labels.txt", "one\n");
  text = RunCli({"check", folder.path()});
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.out, AllOf(HasSubstr("a server would serve it"), HasSubstr("would not serve all")));
  EXPECT_THAT(text.err, HasSubstr("expected 10 labels"));
  const Result result = RunCli({"--json", "check", folder.path()});
  EXPECT_EQ(result.status, 1);
  const nlohmann::json json = result.json();
  EXPECT_EQ(json["ok"], false);
  ASSERT_EQ(json["models"].size(), 2u);
  EXPECT_EQ(json["models"][0]["ok"], true);
  EXPECT_EQ(json["models"][1]["ok"], false);
  EXPECT_EQ(json["passed_over"].size(), 1u);
}

TEST(CheckTest, AFolderThatLacksItsVersionIsTold) {
  const TempFolder folder;
  folder.Write("a/model.onnx", "");
  const Result text = RunCli({"check", folder.path()});
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.err, AllOf(HasSubstr("a' is not served: expected <version>/model.onnx, found model.onnx"),
                              Not(HasSubstr("--models"))));
}

TEST(CheckTest, WhatWasNotReadIsNull) {
  const TempFolder folder;
  folder.Write("text.onnx", "no model");
  nlohmann::json json = RunCli({"--json", "check", folder / "missing.onnx"}).json();
  EXPECT_EQ(json["origin"], folder / "missing.onnx");
  for (const char* key : {"model", "version", "opset", "nodes", "unsupported", "outputs", "notes"}) {
    EXPECT_TRUE(json.contains(key) && json[key].is_null()) << key << json;
  }
  json = RunCli({"--json", "check", folder / "text.onnx"}).json();
  EXPECT_EQ(json["model"], "text");
  EXPECT_TRUE(json["opset"].is_null());
  EXPECT_TRUE(json["nodes"].is_null());
}

TEST(CheckTest, TheNameIsToldOnce) {
  const TempFolder folder;
  WriteModel(folder);
  folder.Write("1/config.textproto", "colour: RED");
  folder.Write("text.onnx", "no model");
  for (const std::string& path : {folder / "missing.onnx", folder / "text.onnx", folder.path()}) {
    const Result text = RunCli({"check", path});
    EXPECT_LE(Count(text.err, path), 1u) << text.err;
    EXPECT_LE(Count(text.err, "model '"), 1u) << text.err;
    EXPECT_THAT(text.err, Not(HasSubstr("INVALID_ARGUMENT"))) << text.err;
    EXPECT_THAT(text.err, Not(HasSubstr("NOT_FOUND"))) << text.err;
  }
}

// Triton's layout is the one that is served; only its configuration is not read.
TEST(CheckTest, TritonsConfigurationIsToldOf) {
  const TempFolder folder;
  WriteModel(folder);
  folder.Write("config.pbtxt", "platform: \"onnxruntime_onnx\"\n");
  const Result sound = RunCli({"check", folder.path()});
  EXPECT_EQ(sound.status, 0) << sound.err;
  EXPECT_THAT(sound.out, HasSubstr("config.pbtxt is Triton's"));
  const Result named = RunCli({"check", folder / "config.pbtxt"});
  EXPECT_EQ(named.status, 1);
  EXPECT_THAT(named.err, HasSubstr("Triton's configuration and no network: name the folder"));
}

TEST(CheckTest, EveryMistakeIsFound) {
  const std::string golden = EmbeddedSource().read("golden.textproto", 1 << 26).value();
  std::string wrong_golden = golden;
  const size_t logit = wrong_golden.find("logits:");
  ASSERT_NE(logit, std::string::npos);
  wrong_golden.insert(logit, "logits: 77 ");
  struct Case {
    const char* file;
    std::string content;
    const char* says;
  };
  for (const Case& c : std::vector<Case>{{"config.textproto", "colour: RED", "config.textproto:1:"},
                                         {"labels.txt", "one\ntwo\n", "expected 10 labels"},
                                         {"golden.textproto", wrong_golden, "golden image '"},
                                         {"model.onnx", "no model", "not an ONNX model"}}) {
    const TempFolder folder;
    WriteModel(folder);
    folder.Write(absl::StrCat("1/", c.file), c.content);
    const Result text = RunCli({"check", folder.path()});
    EXPECT_EQ(text.status, 1) << c.says;
    EXPECT_THAT(text.err, HasSubstr(c.says));
    EXPECT_THAT(text.out, Not(HasSubstr("would serve"))) << c.says;
    const Result result = RunCli({"--json", "check", folder.path()});
    EXPECT_EQ(result.status, 1) << c.says;
    EXPECT_EQ(result.json()["ok"], false) << c.says;
    EXPECT_THAT(result.json()["errors"][0]["message"].get<std::string>(), HasSubstr(c.says));
  }
}

TEST(CheckTest, ListsUnsupportedNodesAndTheConfigsMistake) {
  onnx::OnnxFile file(18);
  file.Floats("w", {10, 3, 1, 1});
  file.Node("Conv", {"x", "w"}, "a");
  for (int i = 0; i < 60; ++i) file.Node("Loop", {"a"}, absl::StrCat("l", i));
  file.Node("Attention", {"a"}, "y").set_domain("com.example");
  const TempFolder folder;
  folder.Write("model.onnx", file.Bytes());
  folder.Write("config.textproto", "colour: RED");
  const Result text = RunCli({"check", folder.path()});
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.out, testing::ContainsRegex("Loop +60 +node1\n")) << text.out;
  EXPECT_THAT(text.out, testing::ContainsRegex("com.example.Attention +1 +node61\n")) << text.out;
  EXPECT_THAT(text.err,
              AllOf(HasSubstr("61 of 62 nodes at opset 18 have operators that are not supported: Loop (60 nodes), "
                              "com.example.Attention (1 node)"),
                    HasSubstr("config.textproto:1:")));

  const nlohmann::json json = RunCli({"--json", "check", folder.path()}).json();
  EXPECT_EQ(json["opset"], 18);
  ASSERT_EQ(json["unsupported"].size(), 61u);
  EXPECT_EQ(json["unsupported"][60]["node"], "node61");
  EXPECT_EQ(json["unsupported"][60]["operator"], "com.example.Attention");
  EXPECT_EQ(json["errors"].size(), 1u);
}

}  // namespace
}  // namespace resnetd::cli
