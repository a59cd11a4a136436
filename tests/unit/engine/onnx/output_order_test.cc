// Outputs for which several things speak: which of them decides, whose the labels are, what each is called.
#include "gtest/gtest.h"
#include "tests/support/network_ends.h"
#include "tests/support/onnx_file.h"

namespace resnetd::onnx {
namespace {

// Gemms of `v`, by name and width.
std::function<void(OnnxFile&)> Heads(std::initializer_list<std::pair<const char*, int64_t>> heads) {
  return [heads = std::vector<std::pair<std::string, int64_t>>(heads.begin(), heads.end())](OnnxFile& f) {
    f.graph().clear_output();
    for (const auto& [name, width] : heads) {
      Gemm(f, "v", 4, name, width);
      OnnxFile::Describe(*f.graph().add_output(), name, {0, width});
    }
  };
}

TEST(OutputOrder, LabelsGoToTheOutputThatTheyFitBest) {
  const auto ages = Heads({{"age", 1}, {"gender", 2}});
  const auto behind = [](const char* op, int64_t width) {
    return [=](OnnxFile& f) {
      Gemm(f, "v", 4, "age", 1), Gemm(f, "v", 4, "l", width), f.Node(op, {"l"}, "gender"), Named(f, {"age", "gender"});
    };
  };
  const auto embedding = [](const char* end) {
    return [=](OnnxFile& f) {
      f.Node("Flatten", {"m"}, "u"), Gemm(f, "u", 256, "g", 8), BatchNorm(f, "g", "e", 8), Gemm(f, "e", 8, "l", 8);
      f.Node(end, {"l"}, "y"), Named(f, {"e", "y"});
    };
  };
  Check({
      {"two classes before no and yes",
       ages,
       "logits(gender){2} classifier, pool{4} embedding, age{1} value",
       {.labels = 2}},
      {"a softmax",
       behind("Softmax", 2),
       "logits(gender){2} classifier softmax, pool{4} embedding, age{1} value",
       {.labels = 2}},
      {"a sigmoid of one score",
       behind("Sigmoid", 1),
       "logits(gender){1} classifier sigmoid, pool{4} embedding, age{1} value",
       {.labels = 2}},
      {"one label of a value beside a classifier names it",
       Heads({{"age", 1}, {"kind", 10}}),
       "logits(kind){10} classifier, pool{4} embedding, age{1} value",
       {.labels = 1}},
      {"two labels of any of two values",
       Heads({{"age", 1}, {"height", 1}}),
       "logits(age){1} value, pool{4} embedding, height{1} value",
       {.labels = 2}},
      {"a softmax beside a normalised embedding",
       embedding("Softmax"),
       "logits(y){8} classifier softmax, pool(e){8} embedding",
       {.labels = 8}},
      {"a Gemm beside a named embedding",
       [](OnnxFile& f) {
         f.Node("Flatten", {"m"}, "u"), Gemm(f, "u", 256, "embedding", 8), Gemm(f, "embedding", 8, "logits", 8);
         Named(f, {"embedding", "logits"});
       },
       "logits{8} classifier, pool(embedding){8} embedding",
       {.labels = 8}},
  });
}

// Labels and the config, the file's functions and the name come before what the last layer is.
TEST(OutputOrder, WhatTheLastLayerIsComesLast) {
  const auto relu = [](OnnxFile& f) { Gemm(f, "v", 4, "e", 8), f.Node("Relu", {"e"}, "y"); };
  const auto prelu = [](OnnxFile& f) { Gemm(f, "v", 4, "e", 8), Slopes(f, "k", 8), f.Node("PRelu", {"e", "k"}, "y"); };
  const auto wide = [](const char* name) {  // as large as the map
    return [=](OnnxFile& f) {
      f.Floats("k", {8, 4, 8, 8}), f.Node("Conv", {"m", "k"}, "s"), f.Node("Flatten", {"s"}, name), Named(f, {name});
    };
  };
  const auto pool = [](OnnxFile& f) { Named(f, {"v"}); };
  const auto yes_or_no = [](OnnxFile& f) {
    Gemm(f, "v", 4, "l", 1), f.Floats("one", {}, 1), f.Node("Sigmoid", {"l"}, "yes");
    f.Node("Sub", {"one", "yes"}, "no"), SetInt(f.Node("Concat", {"no", "yes"}, "y"), "axis", 1);
  };
  const auto in_pieces = [](OnnxFile& f) {
    f.Ints("axes", {1}), Gemm(f, "v", 4, "l", 8), f.Node("Exp", {"l"}, "e");
    f.Node("ReduceSum", {"e", "axes"}, "t"), f.Node("Div", {"e", "t"}, "y");
  };
  const auto clipped = [](OnnxFile& f) {
    f.Floats("low", {}, 0.1f), f.Floats("high", {}, 0.9f), Gemm(f, "v", 4, "l", 8);
    f.Node("Sigmoid", {"l"}, "s"), f.Node("Clip", {"s", "low", "high"}, "y");
  };
  const char* const classes = "logits(y){8} classifier, pool{4} embedding";
  Check({
      {"no bias", ClassConv(8, 1, false), "pool(y){8} embedding"},
      {"no bias, labels", ClassConv(8, 1, false), classes, {.labels = 8}},
      {"no bias, the config", ClassConv(8, 1, false), classes, {.classifies = true}},
      {"no bias, named by the config", ClassConv(8, 1, false), classes, {.classifiers = {"y"}}},
      {"no bias, its name", ClassConv(8, 1, false, "", "scores"), "logits(scores){8} classifier, pool{4} embedding"},
      {"no bias, a sigmoid", ClassConv(8, 1, false, "Sigmoid"), "logits(y){8} classifier sigmoid, pool{4} embedding"},
      {"3x3, labels", ClassConv(8, 3, true), classes, {.labels = 8}},
      {"3x3, a sigmoid", ClassConv(8, 3, true, "Sigmoid"), "logits(y){8} classifier sigmoid, pool{4} embedding"},
      {"3x3, a sigmoid, named by the config",
       ClassConv(8, 3, true, "Sigmoid"),
       "logits(y){8} classifier sigmoid, pool{4} embedding",
       {.classifiers = {"y"}}},
      {"a ReLU, labels", relu, classes, {.labels = 8}},
      {"a PReLU, labels", prelu, classes, {.labels = 8}},
      {"as large as the map", wide("y"), "pool(y){8} embedding"},
      {"as large as the map, labels", wide("y"), "logits(y){8} classifier, pool{4} embedding", {.labels = 8}},
      {"as large as the map, its name", wide("logits"), "logits{8} classifier, pool{4} embedding"},
      {"a pool, labels", pool, "logits(v){4} classifier, pool{3} embedding", {.labels = 4}},
      {"a pool, the config", pool, "logits(v){4} classifier, pool{3} embedding", {.classifies = true}},
      {"p and 1 - p, labels", yes_or_no, "logits(y){2} classifier applied, pool{2} embedding", {.labels = 2}},
      {"a softmax in pieces", in_pieces, "logits(y){8} classifier applied, pool{4} embedding"},
      {"a softmax in pieces, labels", in_pieces, "logits(y){8} classifier applied, pool{4} embedding", {.labels = 8}},
      {"a clipped sigmoid", clipped, "logits(y){8} classifier applied, pool{4} embedding"},
      {"a clipped sigmoid, the config",
       clipped,
       "logits(y){8} classifier applied, pool{4} embedding",
       {.classifiers = {"y"}}},
      {"both a head and the embedding",
       [](OnnxFile& f) { Gemm(f, "v", 4, "l", 8), f.Node("Softmax", {"l"}, "y"); },
       "logits(y){8} classifier softmax, pool(y){8} embedding",
       {.embedding = "y", .classifiers = {"y"}}},
  });
}

// A convolution of each channel by itself that is as large as the map is no pool over it.
TEST(OutputOrder, AConvolutionIsNoPool) {
  const auto behind = [](std::function<void(OnnxFile&)> end) {
    return [=](OnnxFile& f) {
      f.Floats("dw", {4, 1, 8, 8}), SetInt(f.Node("Conv", {"m", "dw"}, "d"), "group", 4), f.Node("Flatten", {"d"}, "u");
      end(f);
    };
  };
  const auto pointwise = [](OnnxFile& f) {
    f.Floats("k", {8, 4, 1, 1}), f.Floats("b", {8}), f.Node("Conv", {"d", "k", "b"}, "e"),
        f.Node("Flatten", {"e"}, "y");
  };
  const auto gemm = [](OnnxFile& f) { Gemm(f, "u", 4, "y", 8); };
  Check({
      {"a Gemm", behind(gemm), "pool(y){8} undecided"},
      {"a 1x1 convolution", behind(pointwise), "pool(y){8} undecided"},
      {"with labels", behind(gemm), "logits(y){8} classifier, pool{4} embedding", {.labels = 8}},
      {"a hidden layer behind the pool",
       [](OnnxFile& f) {
         f.Floats("k", {6, 4, 1, 1}), f.Node("Conv", {"p", "k"}, "h"), f.Node("Relu", {"h"}, "r");
         f.Node("Flatten", {"r"}, "u"), Gemm(f, "u", 6, "y", 8);
       },
       "logits(y){8} classifier, pool{6} embedding"},
      {"a maximum as the pool",
       [](OnnxFile& f) { f.Node("GlobalMaxPool", {"m"}, "g"), f.Node("Flatten", {"g"}, "u"), Gemm(f, "u", 4, "y", 8); },
       "logits(y){8} classifier, pool{4} embedding"},
  });
}

TEST(OutputOrder, HeadsComeInTheConfigsOrder) {
  const auto two = Heads({{"a", 10}, {"b", 5}});
  const auto ages = Heads({{"age", 1}, {"gender", 2}});
  Check({
      {"the file's", two, "logits(a){10} classifier, pool{4} embedding, b{5} classifier"},
      {"the config's",
       two,
       "logits(b){5} classifier, pool{4} embedding, a{10} classifier",
       {.classifiers = {"b", "a"}}},
      {"one that is further",
       two,
       "logits(a){10} classifier, pool{4} embedding, b{5} classifier",
       {.classifiers = {"b"}}},
      {"beside what is said of the first",
       two,
       "logits(a){10} classifier, pool{4} embedding, b{5} classifier",
       {.classifiers = {"b"}, .classifies = true}},
      {"a value named last",
       ages,
       "logits(gender){2} classifier, pool{4} embedding, age{1} classifier",
       {.classifiers = {"gender", "age"}}},
      {"a value alone is further",
       ages,
       "logits(gender){2} classifier, pool{4} embedding, age{1} classifier",
       {.classifiers = {"age"}}},
  });
}

// Our names are the file's where it uses them.
TEST(OutputOrder, NamesOfTheFile) {
  const auto pooled = [](OnnxFile& f, const char* of) { f.Node("Identity", {of}, "pool"); };
  const auto temperature = [](std::initializer_list<const char*> order) {
    return [order = std::vector<const char*>(order)](OnnxFile& f) {
      f.Floats("t", {}, 2), Gemm(f, "v", 4, "logits", 8), f.Node("Div", {"logits", "t"}, "d");
      f.Node("Softmax", {"d"}, "prob"), f.graph().clear_output();
      for (const char* name : order) OnnxFile::Describe(*f.graph().add_output(), name, {0, 8});
    };
  };
  const char* const calibrated = "prob{8} classifier softmax, pool{4} embedding, logits{8} layer";
  Check({
      {"logits of another head", Heads({{"kind", 10}, {"logits", 5}}),
       "kind{10} classifier, pool{4} embedding, logits{5} classifier"},
      {"logits are a value", Heads({{"logits", 1}, {"kind", 10}}),
       "kind{10} classifier, pool{4} embedding, logits{1} value"},
      {"logits without the labels",
       Heads({{"logits", 10}, {"colour", 5}}),
       "colour{5} classifier, pool{4} embedding, logits{10} classifier",
       {.labels = 5}},
      {"logits are a map",
       [](OnnxFile& f) {
         f.Node("Identity", {"m"}, "logits"), Gemm(f, "v", 4, "y", 8), Named(f, {"y", "logits"});
       },
       "y{8} classifier, pool{4} embedding, logits{4x8x8} layer"},
      {"pool is a map",
       [=](OnnxFile& f) {
         pooled(f, "m"), Gemm(f, "v", 4, "y", 8), Named(f, {"y", "pool"});
       },
       "logits(y){8} classifier, embedding{4} embedding, pool{4x8x8} layer"},
      {"pool is the embedding",
       [=](OnnxFile& f) {
         pooled(f, "v"), Gemm(f, "v", 4, "y", 8), Named(f, {"y", "pool"});
       },
       "logits(y){8} classifier, pool{4} embedding"},
      {"pool is the embedding as a map",
       [=](OnnxFile& f) {
         pooled(f, "p"), Gemm(f, "v", 4, "y", 8), Named(f, {"y", "pool"});
       },
       "logits(y){8} classifier, pool{4} embedding"},
      {"pool beside another embedding",
       [=](OnnxFile& f) {
         pooled(f, "v"), f.Node("Flatten", {"m"}, "u"), Gemm(f, "u", 256, "features", 8),
             Named(f, {"features", "pool"});
       },
       "features{8} embedding, pool{4} embedding"},
      {"pool is the classifier",
       [](OnnxFile& f) { Gemm(f, "v", 4, "l", 8), f.Node("Softmax", {"l"}, "pool"), Named(f, {"pool"}); },
       "logits(pool){8} classifier softmax, pool{4} embedding"},
      {"each for the other",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "l", 8), f.Node("Softmax", {"l"}, "pool"), f.Node("Identity", {"v"}, "logits");
         Named(f, {"pool", "logits"});
       },
       "pool{8} classifier softmax, embedding{4} embedding, logits{4} classifier"},
      {"scores before their temperature", temperature({"prob", "logits"}), calibrated},
      {"the same the other way round", temperature({"logits", "prob"}), calibrated},
      {"an embedding before its normalisation",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "e", 8), BatchNorm(f, "e", "y", 8), Named(f, {"e", "y"});
       },
       "pool(y){8} embedding, e{8} layer"},
  });
}

}  // namespace
}  // namespace resnetd::onnx
