// ONNX files that are read: what graph each way of writing a network becomes. (Whole networks: tests/golden.)
#include "engine/onnx/onnx.h"

#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/onnx_file.h"

namespace resnetd::onnx {
namespace {

// "Conv{4x8x8}, Reshape{256}": operators and the dims they yield; the names of logits and embedding where they differ.
std::string Summary(const graph::Graph& g) {
  std::string s;
  for (const graph::Node& node : g.nodes) {
    absl::StrAppend(&s, s.empty() ? "" : ", ", OpName(node.op), "{", graph::ToString(g.value(node.output).dims), "}");
  }
  return s;
}

struct Case {
  const char* what;
  std::function<void(OnnxFile&)> build;
  const char* expected;
};

void Check(const Case& c, int opset, int64_t batch = 0) {
  OnnxFile file(opset, batch);
  c.build(file);
  const auto graph = ReadBytes(file.Bytes());
  ASSERT_TRUE(graph.ok()) << c.what << ", opset " << opset << ": " << graph.status();
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
                      "Conv{3x8x8}, BatchNorm{3x8x8}, Add{3x8x8}, Relu{3x8x8}, ReduceMean{3x1x1}, Reshape{3}, "
                      "Gemm{10}"};
  for (int opset = kOldestOpset; opset <= kNewestOpset; ++opset) {
    for (const int64_t batch : {0, 1, 7}) Check(block, opset, batch);
  }
  for (const int opset : {kOldestOpset - 1, kNewestOpset + 1, -1}) {
    OnnxFile file(opset);
    block.build(file);
    EXPECT_THAT(std::string(ReadBytes(file.Bytes()).status().message()),
                testing::HasSubstr(absl::StrCat("model 'tested': expected opset 7 to 22, got ", opset)));
  }
}

TEST(ReadOnnx, Heads) {
  const char* const head = "Conv{4x8x8}, ReduceMean{4x1x1}, Reshape{4}, Gemm{10}";
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
       "Conv{4x8x8}, ReduceMean{4x1x1}, Reshape{4}"},
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
  EXPECT_EQ(graph->name, "tested");

  OnnxFile bare;
  Pooled(bare);
  bare.Node("Flatten", {"p"}, "y");
  const auto features = ReadBytes(bare.Bytes());
  ASSERT_TRUE(features.ok()) << features.status();
  ASSERT_EQ(features->outputs.size(), 1u);
  EXPECT_EQ(features->outputs[0].name, "pool");
}

// The attributes arrive where they should.
TEST(ReadOnnx, Windows) {
  struct WindowCase {
    const char* what;
    std::function<void(NodeProto&)> set;
    const char* dims;
    graph::Pads2 pads;
  };
  const std::vector<WindowCase> cases = {
      {"nothing set", [](NodeProto&) {}, "4x6x7", {}},
      {"pads: top, left, bottom, right",
       [](NodeProto& n) {
         SetInts(n, "pads", {1, 0, 2, 1});
       },
       "4x9x8",
       {1, 0, 2, 1}},
      {"strides",
       [](NodeProto& n) {
         SetInts(n, "strides", {2, 3});
       },
       "4x3x3",
       {}},
      {"dilations",
       [](NodeProto& n) {
         SetInts(n, "dilations", {2, 3});
       },
       "4x4x5",
       {}},
      {"VALID", [](NodeProto& n) { SetString(n, "auto_pad", "VALID"); }, "4x6x7", {}},
      {"SAME_UPPER", [](NodeProto& n) { SetString(n, "auto_pad", "SAME_UPPER"); }, "4x8x8", {1, 0, 1, 1}},
      {"SAME_LOWER", [](NodeProto& n) { SetString(n, "auto_pad", "SAME_LOWER"); }, "4x8x8", {1, 1, 1, 0}},
      {"SAME_UPPER with strides",
       [](NodeProto& n) {
         SetString(SetInts(n, "strides", {2, 3}), "auto_pad", "SAME_UPPER");
       },
       "4x4x3",
       {0, 0, 1, 0}},
      {"the kernel again",
       [](NodeProto& n) {
         SetInts(n, "kernel_shape", {3, 2});
       },
       "4x6x7",
       {}},
  };
  for (const WindowCase& c : cases) {
    OnnxFile f;
    f.Floats("w", {4, 3, 3, 2});
    c.set(f.Node("Conv", {"x", "w"}, "c"));
    f.Node("Flatten", {"c"}, "y");
    const auto graph = ReadBytes(f.Bytes());
    ASSERT_TRUE(graph.ok()) << c.what << ": " << graph.status();
    EXPECT_EQ(graph::ToString(graph->value(graph->nodes[0].output).dims), c.dims) << c.what;
    EXPECT_EQ(std::get<graph::Conv>(graph->nodes[0].op).pads, c.pads) << c.what;
  }
}

TEST(ReadOnnx, OptionA) {
  for (const int opset : {9, 13}) {
    OnnxFile f(opset);
    const int64_t far = std::numeric_limits<int64_t>::max();
    f.Ints("starts", {0, -8}), f.Ints("ends", {far, far}), f.Ints("axes", {2, 3}), f.Ints("steps", {2, 2});
    f.Ints("pads", {0, 1, 0, 0, 0, 2, 0, 0});
    if (opset == 9) {
      SetInts(SetInts(SetInts(f.Node("Slice", {"x"}, "s"), "starts", {1}), "ends", {-1}), "axes", {3});
      SetInts(f.Node("Pad", {"s"}, "p"), "pads", {0, 1, 0, 0, 0, 2, 0, 0});
    } else {
      f.Node("Slice", {"x", "starts", "ends", "axes", "steps"}, "s");
      SetString(f.Node("Pad", {"s", "pads"}, "p"), "mode", "constant");
    }
    f.Node("GlobalAveragePool", {"p"}, "g");
    f.Node("Flatten", {"g"}, "y");
    const auto graph = ReadBytes(f.Bytes());
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(Summary(*graph), opset == 9 ? "Slice{3x8x6}, Pad{6x8x6}, ReduceMean{6x1x1}, Reshape{6}"
                                          : "Slice{3x4x4}, Pad{6x4x4}, ReduceMean{6x1x1}, Reshape{6}");
  }
}

// How PyTorch writes F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 2)): the pads, last axis first, are filled up with zeros,
// paired, turned round and put into ONNX's order.
TEST(ReadOnnx, OptionAOfPyTorch) {
  OnnxFile f;
  const int64_t far = std::numeric_limits<int64_t>::max();
  f.Ints("zero", {0}), f.Ints("end", {far}), f.Ints("one_back", {-1}), f.Ints("far_back", {-far});
  f.Ints("step", {2}), f.Ints("two", {2}), f.Ints("three", {3}), f.Ints("pairs", {-1, 2}), f.Ints("list", {-1});
  f.Ints("pad", {0, 0, 0, 0, 1, 2});
  f.Node("Slice", {"x", "zero", "end", "two", "step"}, "rows");
  f.Node("Slice", {"rows", "zero", "end", "three", "step"}, "s");
  TensorProto& fill =
      *Attribute(f.Node("ConstantOfShape", {"two"}, "zeros"), "value", AttributeProto::TENSOR).mutable_t();
  fill.set_data_type(TensorProto::INT64);
  fill.add_dims(1), fill.add_int64_data(0);
  SetInt(f.Node("Concat", {"pad", "zeros"}, "p8"), "axis", 0);
  f.Node("Reshape", {"p8", "pairs"}, "p42");
  f.Node("Slice", {"p42", "one_back", "far_back", "zero", "one_back"}, "turned");
  SetInts(f.Node("Transpose", {"turned"}, "p24"), "perm", {1, 0});
  f.Node("Reshape", {"p24", "list"}, "pads");
  SetInt(f.Node("Cast", {"pads"}, "pads64"), "to", TensorProto::INT64);
  f.Node("Pad", {"s", "pads64"}, "p");
  f.Node("Flatten", {"p"}, "y");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(Summary(*graph), "Slice{3x4x8}, Slice{3x4x4}, Pad{6x4x4}, Reshape{96}");
  const auto& pad = std::get<graph::Pad>(graph->nodes[2].op);
  EXPECT_EQ(pad.before, (absl::InlinedVector<int64_t, 3>{1, 0, 0}));
  EXPECT_EQ(pad.after, (absl::InlinedVector<int64_t, 3>{2, 0, 0}));
}

TEST(ReadOnnx, GemmIsTransposedAndScaled) {
  OnnxFile f;
  f.Node("Flatten", {"x"}, "v");
  TensorProto& w = f.Floats("w", {192, 2});
  std::vector<float> data(384);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i);
  w.set_raw_data(data.data(), data.size() * sizeof(float));
  f.Floats("b", {1, 2}, 3);
  SetFloat(SetFloat(f.Node("Gemm", {"v", "w", "b"}, "y"), "alpha", 0.5f), "beta", 2);
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto& gemm = std::get<graph::Gemm>(graph->nodes[1].op);
  EXPECT_EQ(gemm.weights->dims, (graph::Dims{2, 192}));
  EXPECT_EQ((*gemm.weights->data)[0], 0);
  EXPECT_EQ((*gemm.weights->data)[1], 1);       // row 1, column 0 of the file: 2, halved
  EXPECT_EQ((*gemm.weights->data)[192], 0.5f);  // row 0, column 1
  EXPECT_EQ(*gemm.bias->data, (std::vector<float>{6, 6}));
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
  EXPECT_EQ((*std::get<graph::Gemm>(graph->nodes[1].op).weights->data)[383], 2);
}

}  // namespace
}  // namespace resnetd::onnx
