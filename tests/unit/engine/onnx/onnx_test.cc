// ONNX files that are read: what graph each way of writing a network becomes. (Whole networks: tests/golden.)
#include "engine/onnx/onnx.h"

#include <functional>

#include "absl/strings/str_cat.h"
#include "engine/graph/outputs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_file.h"
#include "tests/support/onnx_reading.h"

namespace resnetd::onnx {
namespace {

struct Case {
  const char* what;
  std::function<void(OnnxFile&)> build;
  const char* expected;
};

void Check(const Case& c, int opset, int64_t batch = 0) {
  OnnxFile file(opset, batch);
  c.build(file);
  auto graph = ReadBytes(file.Bytes());
  ASSERT_TRUE(graph.ok()) << c.what << ", opset " << opset << ": " << graph.status();
  graph::RemoveDeadNodes(*graph);
  EXPECT_EQ(Summary(*graph), c.expected) << c.what << ", opset " << opset;
}

// x -> 4x8x8 -> pooled 4x1x1 called "p"
void Pooled(OnnxFile& f) {
  f.Floats("w", {4, 3, 1, 1});
  f.Node("Conv", {"x", "w"}, "c");
  f.Node("GlobalAveragePool", {"c"}, "p");
}

void Classify(OnnxFile& f, const char* vector) {
  f.Floats("fw", {10, 4});
  f.Floats("fb", {10});
  SetInt(f.Node("Gemm", {vector, "fw", "fb"}, "y"), "transB", 1);
}

TEST(ReadOnnx, Opsets) {
  const Case block = {"a residual block",
                      [](OnnxFile& f) {
                        f.Floats("w", {3, 3, 3, 3});
                        for (const char* name : {"scale", "shift", "mean", "variance"}) f.Floats(name, {3});
                        SetInts(f.Node("Conv", {"x", "w"}, "a"), "pads", {1, 1, 1, 1});
                        f.Node("BatchNormalization", {"a", "scale", "shift", "mean", "variance"}, "b");
                        f.Node("Add", {"b", "x"}, "c");
                        f.Node("Relu", {"c"}, "d");
                        f.Node("GlobalAveragePool", {"d"}, "e");
                        f.Node("Flatten", {"e"}, "g");
                        f.Floats("fw", {10, 3});
                        SetInt(f.Node("Gemm", {"g", "fw"}, "y"), "transB", 1);
                      },
                      "Conv 3x3 pad 1{3x8x8}, BatchNorm{3x8x8}, Add{3x8x8}, Relu{3x8x8}, ReduceMean axes 1,2{3x1x1}, "
                      "Reshape{3}, Gemm{10}"};
  for (int opset = kOldestOpset; opset <= kNewestOpset; ++opset) {
    for (const int64_t batch : {0, 1, 7}) Check(block, opset, batch);
  }
  for (const int opset : {kOldestOpset - 1, kNewestOpset + 1, -1}) {
    OnnxFile file(opset);
    block.build(file);
    EXPECT_THAT(std::string(ReadBytes(file.Bytes()).status().message()),
                testing::HasSubstr(absl::StrCat("model 'tested': expected opset 7 to 28, got ", opset)));
  }
}

TEST(ReadOnnx, Heads) {
  const char* const head = "Conv 1x1{4x8x8}, ReduceMean axes 1,2{4x1x1}, Reshape{4}, Gemm{10}";
  const auto shape_arithmetic = [](OnnxFile& f, bool axes_as_input) {
    f.Node("Shape", {"p"}, "s");
    f.Int("zero", 0);
    f.Node("Gather", {"s", "zero"}, "n");
    f.Ints("axes", {0});
    if (axes_as_input) {
      f.Node("Unsqueeze", {"n", "axes"}, "n1");
    } else {
      SetInts(f.Node("Unsqueeze", {"n"}, "n1"), "axes", {0});
    }
    f.Ints("rest", {-1});
    SetInt(f.Node("Concat", {"n1", "rest"}, "to"), "axis", 0);
    f.Node("Reshape", {"p", "to"}, "v");
  };
  const auto pooled = [](const std::function<void(OnnxFile&)>& flatten) {
    return [flatten](OnnxFile& f) {
      Pooled(f);
      flatten(f);
      Classify(f, "v");
    };
  };
  const std::vector<Case> cases = {
      {"flatten", pooled([](OnnxFile& f) { f.Node("Flatten", {"p"}, "v"); }), head},
      {"flatten, axis from behind", pooled([](OnnxFile& f) { SetInt(f.Node("Flatten", {"p"}, "v"), "axis", -3); }),
       head},
      {"reshape to 0, -1", pooled([](OnnxFile& f) {
         f.Ints("to", {0, -1}), f.Node("Reshape", {"p", "to"}, "v");
       }),
       head},
      {"reshape to 0, 4", pooled([](OnnxFile& f) {
         f.Ints("to", {0, 4}), f.Node("Reshape", {"p", "to"}, "v");
       }),
       head},
      {"reshape to -1, 4", pooled([](OnnxFile& f) {
         f.Ints("to", {-1, 4}), f.Node("Reshape", {"p", "to"}, "v");
       }),
       head},
      {"a constant node's shape", pooled([](OnnxFile& f) {
         NodeProto& node = f.Node("Constant", {}, "to");
         SetInts(node, "value_ints", {0, -1});
         f.Node("Reshape", {"p", "to"}, "v");
       }),
       head},
      {"shape arithmetic", pooled([&](OnnxFile& f) { shape_arithmetic(f, true); }), head},
      {"a newer exporter's reshape", pooled([](OnnxFile& f) {
         f.Ints("to", {-1, 4});
         SetInt(f.Node("Reshape", {"p", "to"}, "v"), "allowzero", 1);
       }),
       head},
      {"squeeze", pooled([](OnnxFile& f) {
         f.Ints("a", {2, 3}), f.Node("Squeeze", {"p", "a"}, "v");
       }),
       head},
      {"squeeze from behind", pooled([](OnnxFile& f) {
         f.Ints("a", {-1, -2}), f.Node("Squeeze", {"p", "a"}, "v");
       }),
       head},
      {"identity and dropout", pooled([](OnnxFile& f) {
         f.Node("Identity", {"p"}, "i");
         f.Node("Flatten", {"i"}, "d");
         f.Node("Dropout", {"d"}, "v");
       }),
       head},
      {"softmax at the end",
       [](OnnxFile& f) {
         Pooled(f);
         f.Node("Flatten", {"p"}, "v");
         f.Floats("fw", {4, 10});
         f.Node("Gemm", {"v", "fw"}, "l");
         SetInt(f.Node("Softmax", {"l"}, "y"), "axis", 1);
       },
       head},
      {"matmul and add",
       [](OnnxFile& f) {
         Pooled(f);
         f.Node("Flatten", {"p"}, "v");
         f.Floats("fw", {4, 10});
         f.Floats("fb", {10});
         f.Node("MatMul", {"v", "fw"}, "m");
         f.Node("Add", {"fb", "m"}, "y");
       },
       head},
      {"mean over height and width",
       [](OnnxFile& f) {
         f.Floats("w", {4, 3, 1, 1});
         f.Node("Conv", {"x", "w"}, "c");
         SetInt(SetInts(f.Node("ReduceMean", {"c"}, "v"), "axes", {-1, 2}), "keepdims", 0);
         Classify(f, "v");
       },
       head},
      {"no classifier",
       [](OnnxFile& f) {
         f.Floats("w", {4, 3, 1, 1});
         f.Node("Conv", {"x", "w"}, "c");
         f.Node("GlobalAveragePool", {"c"}, "y");
       },
       "Conv 1x1{4x8x8}, ReduceMean axes 1,2{4x1x1}, Reshape{4}"},
  };
  for (const Case& c : cases) Check(c, 17);
  Check({"shape arithmetic of old", pooled([&](OnnxFile& f) { shape_arithmetic(f, false); }), head}, 11);
  Check({"squeeze of old", pooled([](OnnxFile& f) {
           SetInts(f.Node("Squeeze", {"p"}, "v"), "axes", {2, 3});
         }),
         head},
        11);
  Check({"the batch by number", pooled([](OnnxFile& f) {
           f.Ints("to", {6, 4}), f.Node("Reshape", {"p", "to"}, "v");
         }),
         head},
        17, 6);
  Check({"mean, axes as input",
         [](OnnxFile& f) {
           f.Floats("w", {4, 3, 1, 1});
           f.Ints("axes", {2, 3});
           f.Node("Conv", {"x", "w"}, "c");
           SetInt(f.Node("ReduceMean", {"c", "axes"}, "p"), "keepdims", 1);
           f.Node("Flatten", {"p"}, "v");
           Classify(f, "v");
         },
         head},
        18);
}

// The end of the graph behind the classifier: what is said of the output, and what is left of the graph behind the pool
// "p".
TEST(ReadOnnx, HeadActivations) {
  using Head = graph::HeadActivation;
  struct HeadCase {
    const char* what;
    std::function<void(OnnxFile&)> build;
    Head head;
    const char* nodes;
    int first_opset = kOldestOpset;
  };
  const auto gemm = [](OnnxFile& f, const char* output) {
    f.Floats("fw", {4, 10}), f.Node("Flatten", {"p"}, "v");
    f.Node("Gemm", {"v", "fw"}, output);
  };
  const auto conv = [](OnnxFile& f, const char* output) {
    f.Floats("fw", {10, 4, 1, 1}), f.Node("Conv", {"p", "fw"}, output);
  };
  const char* const plain = "Reshape{4}, Gemm{10}";
  const std::vector<HeadCase> cases = {
      {"none", [&](OnnxFile& f) { gemm(f, "y"); }, Head::kNone, plain},
      {"softmax", [&](OnnxFile& f) { gemm(f, "l"), f.Node("Softmax", {"l"}, "y"); }, Head::kSoftmax, plain},
      {"softmax, axis 1", [&](OnnxFile& f) { gemm(f, "l"), SetInt(f.Node("Softmax", {"l"}, "y"), "axis", 1); },
       Head::kSoftmax, plain},
      {"sigmoid", [&](OnnxFile& f) { gemm(f, "l"), f.Node("Sigmoid", {"l"}, "y"); }, Head::kSigmoid, plain},
      {"identity behind softmax",
       [&](OnnxFile& f) { gemm(f, "l"), f.Node("Softmax", {"l"}, "s"), f.Node("Identity", {"s"}, "y"); },
       Head::kSoftmax, plain},
      {"flatten before and behind softmax",
       [&](OnnxFile& f) {
         conv(f, "l"), f.Node("Flatten", {"l"}, "m"), f.Node("Softmax", {"m"}, "s"), f.Node("Flatten", {"s"}, "y");
       },
       Head::kSoftmax, "Conv 1x1{10x1x1}, Reshape{10}, Reshape{4}"},
      {"softmax of a pixel", [&](OnnxFile& f) { conv(f, "l"), SetInt(f.Node("Softmax", {"l"}, "y"), "axis", 1); },
       Head::kSoftmax, "Conv 1x1{10x1x1}, Reshape{10}, Reshape{4}"},
      {"sigmoid of a pixel", [&](OnnxFile& f) { conv(f, "l"), f.Node("Sigmoid", {"l"}, "y"); }, Head::kSigmoid,
       "Conv 1x1{10x1x1}, Reshape{10}, Reshape{4}"},
      {"scaled scores",
       [&](OnnxFile& f) {
         f.Floats("k", {}), gemm(f, "l"), f.Node("Mul", {"l", "k"}, "m"), f.Node("Softmax", {"m"}, "y");
       },
       Head::kSoftmax, "Reshape{4}, Gemm{10}, Mul constant 1{10}"},
      {"softmax within the height",
       [&](OnnxFile& f) { conv(f, "l"), SetInt(f.Node("Softmax", {"l"}, "y"), "axis", 2); }, Head::kNone,
       "Conv 1x1{10x1x1}, Softmax axis 1{10x1x1}, Reshape{10}", 13},
  };
  for (const HeadCase& c : cases) {
    for (int opset = c.first_opset; opset <= kNewestOpset; ++opset) {
      OnnxFile f(opset);
      Pooled(f);
      c.build(f);
      auto graph = ReadBytes(f.Bytes());
      ASSERT_TRUE(graph.ok()) << c.what << ", opset " << opset << ": " << graph.status();
      graph::RemoveDeadNodes(*graph);
      EXPECT_EQ(graph->outputs[0].activation, c.head) << c.what << ", opset " << opset;
      EXPECT_EQ(graph->outputs[0].tensor, c.head == graph::HeadActivation::kNone ? "y" : "") << c.what;
      EXPECT_EQ(Summary(*graph, 2), c.nodes) << c.what << ", opset " << opset;
    }
  }
}

// A sigmoid of anything but what a layer yields stays what it is anywhere.
TEST(ReadOnnx, SigmoidOfASum) {
  OnnxFile f;
  Pooled(f);
  f.Node("Add", {"p", "p"}, "d"), f.Node("Sigmoid", {"d"}, "y");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ(graph->outputs.size(), 1u);
  EXPECT_EQ(graph->outputs[0].name, "pool");
  EXPECT_EQ(graph->outputs[0].activation, graph::HeadActivation::kNone);
}

TEST(ReadOnnx, ConvolutionThatClassifies) {
  OnnxFile f;
  Pooled(f);
  f.Floats("fw", {10, 4, 1, 1});
  f.Node("Conv", {"p", "fw"}, "l"), f.Node("Flatten", {"l"}, "y");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ(graph->outputs.size(), 2u);
  EXPECT_EQ(graph::ToString(graph->value(graph->FindOutput("logits")->value).dims), "10");
  EXPECT_EQ(graph::ToString(graph->value(graph->FindOutput("pool")->value).dims), "4");
  EXPECT_EQ(graph->FindOutput("pool")->tensor, "p") << "a map of one pixel";
}

TEST(ReadOnnx, EmbeddingIsWhatTheClassifierReads) {
  OnnxFile f;
  Pooled(f);
  f.Node("Flatten", {"p"}, "v");
  Classify(f, "v");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto output = [&](absl::string_view name) { return graph->value(graph->FindOutput(name)->value).name; };
  ASSERT_EQ(graph->outputs.size(), 2u);
  EXPECT_EQ(output("pool"), "v");
  EXPECT_EQ(output("logits"), "y");
  EXPECT_EQ(graph->FindOutput("pool")->tensor, "v");
  EXPECT_EQ(graph->FindOutput("logits")->tensor, "y");
  EXPECT_EQ(graph->name, "tested");

  OnnxFile bare;
  Pooled(bare);
  bare.Node("Flatten", {"p"}, "y");
  const auto features = ReadBytes(bare.Bytes());
  ASSERT_TRUE(features.ok()) << features.status();
  ASSERT_EQ(features->outputs.size(), 1u);
  EXPECT_EQ(features->outputs[0].name, "pool");
  EXPECT_EQ(features->outputs[0].tensor, "y");
}

TEST(ReadOnnx, TypedElementsAndWeightsAmongTheInputs) {
  OnnxFile f;
  TensorProto& w = f.Floats("w", {2, 192});
  w.clear_raw_data();
  for (int i = 0; i < 384; ++i) w.add_float_data(2);
  OnnxFile::Describe(*f.graph().add_input(), "w", {2, 192});
  f.Node("Flatten", {"x"}, "v");
  SetInt(f.Node("Gemm", {"v", "w"}, "y"), "transB", 1);
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(std::get<graph::Gemm>(graph->nodes[1].op).weights->data[383], 2);
}

}  // namespace
}  // namespace resnetd::onnx
