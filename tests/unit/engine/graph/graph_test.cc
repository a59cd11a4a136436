// Shape inference and Validate(), operator by operator: what fits, and the message for what does not.
#include "engine/graph/graph.h"

#include <functional>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace resnetd::graph {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

WeightsRef Zeros(Dims dims) {
  size_t size = 1;
  for (const int64_t d : dims) size *= static_cast<size_t>(d);
  return std::make_shared<const Weights>(Weights{"w", std::move(dims), std::vector<float>(size)});
}

Conv MakeConv(Dims weights, Size2 strides = {}, Pads2 pads = {}, Size2 dilations = {}, int64_t groups = 1) {
  Conv conv;
  conv.weights = Zeros(std::move(weights));
  conv.strides = strides;
  conv.pads = pads;
  conv.dilations = dilations;
  conv.groups = groups;
  return conv;
}

Conv WithBias(Conv conv, int64_t size) {
  conv.bias = Zeros({size});
  return conv;
}

MaxPool MakeMaxPool(int64_t kernel, int64_t stride, int64_t pad, bool ceil = false, int64_t dilation = 1) {
  return {{kernel, kernel}, {stride, stride}, {dilation, dilation}, {pad, pad, pad, pad}, ceil};
}

AveragePool MakeAveragePool(int64_t kernel, int64_t stride, int64_t pad, bool ceil = false) {
  return {{kernel, kernel}, {stride, stride}, {pad, pad, pad, pad}, ceil, false};
}

BatchNorm MakeBatchNorm(int64_t scale, int64_t variance) {
  return {Zeros({scale}), Zeros({scale}), Zeros({scale}), Zeros({variance}), 1e-5f};
}

// A graph of one node "node" that reads one value per `inputs`, the first of which is the image.
Graph OneNode(Op op, const std::vector<Dims>& inputs) {
  Graph graph;
  Node node{"node", std::move(op), {}, {}};
  for (size_t i = 0; i < inputs.size(); ++i) {
    node.inputs.push_back(graph.AddValue("in"));
    graph.value(node.inputs.back()).dims = inputs[i];
  }
  graph.input = node.inputs[0];
  node.output = graph.AddValue("out");
  graph.outputs = {{"out", node.output}};
  graph.nodes.push_back(std::move(node));
  return graph;
}

TEST(InferShapes, Fits) {
  struct Case {
    const char* what;
    Op op;
    std::vector<Dims> inputs;
    Dims expected;
  };
  const std::vector<Case> cases = {
      {"the first layer of ResNet", MakeConv({64, 3, 7, 7}, {2, 2}, {3, 3, 3, 3}), {{3, 224, 224}}, {64, 112, 112}},
      {"1x1", MakeConv({8, 4, 1, 1}), {{4, 5, 7}}, {8, 5, 7}},
      {"1x1 with stride 2, odd size", MakeConv({8, 4, 1, 1}, {2, 2}), {{4, 5, 7}}, {8, 3, 4}},
      {"unequal everything", MakeConv({2, 1, 3, 1}, {2, 3}, {1, 0, 2, 4}), {{1, 6, 5}}, {2, 4, 3}},
      {"kernel as large as the image", MakeConv({2, 1, 4, 4}), {{1, 4, 4}}, {2, 1, 1}},
      {"dilated", MakeConv({2, 1, 3, 3}, {}, {}, {2, 2}), {{1, 5, 6}}, {2, 1, 2}},
      {"groups", MakeConv({6, 2, 3, 3}, {}, {1, 1, 1, 1}, {}, 3), {{6, 4, 4}}, {6, 4, 4}},
      {"a bias", WithBias(MakeConv({8, 4, 1, 1}), 8), {{4, 5, 5}}, {8, 5, 5}},
      {"batch norm of a map", MakeBatchNorm(4, 4), {{4, 5, 5}}, {4, 5, 5}},
      {"batch norm of a vector", MakeBatchNorm(4, 4), {{4}}, {4}},
      {"layer norm of the rows", LayerNorm{Zeros({5}), Zeros({5}), 1}, {{4, 5}}, {4, 5}},
      {"length of the columns", L2Norm{2}, {{4, 5, 6}}, {4, 5, 6}},
      {"response norm", ResponseNorm{Zeros({4}), Zeros({4})}, {{4, 5, 6}}, {4, 5, 6}},
      {"local response norm over more channels than there are", LocalResponseNorm{9}, {{4, 5, 6}}, {4, 5, 6}},
      {"relu", Relu(), {{4, 5}}, {4, 5}},
      {"add", Add(), {{4, 5, 6}, {4, 5, 6}}, {4, 5, 6}},
      {"max pool of ResNet", MakeMaxPool(3, 2, 1), {{64, 112, 112}}, {64, 56, 56}},
      {"floor", MakeMaxPool(2, 2, 0), {{1, 5, 5}}, {1, 2, 2}},
      {"ceil", MakeMaxPool(2, 2, 0, true), {{1, 5, 5}}, {1, 3, 3}},
      {"ceil, but the window would start in the padding", MakeMaxPool(2, 2, 1, true), {{1, 3, 3}}, {1, 2, 2}},
      {"ceil without a rest", MakeMaxPool(2, 2, 0, true), {{1, 4, 4}}, {1, 2, 2}},
      {"dilated max pool", MakeMaxPool(2, 1, 0, false, 3), {{1, 5, 5}}, {1, 2, 2}},
      {"average pool", MakeAveragePool(3, 2, 1), {{8, 7, 8}}, {8, 4, 4}},
      {"the largest window", MakeMaxPool(1024, 2000, 1023), {{1, 4, 4}}, {1, 1, 1}},
      {"average pool, ceil", MakeAveragePool(2, 2, 0, true), {{8, 7, 8}}, {8, 4, 4}},
      {"padding one less than the window", MakeAveragePool(3, 1, 2), {{8, 2, 2}}, {8, 4, 4}},
      {"global average pool", GlobalAveragePool(), {{64, 7, 5}}, {64, 1, 1}},
      {"flatten", Flatten(), {{64, 2, 3}}, {384}},
      {"flatten a vector", Flatten(), {{64}}, {64}},
      {"gemm", Gemm{Zeros({10, 64}), Zeros({10})}, {{64}}, {10}},
      {"gemm without bias", Gemm{Zeros({10, 64}), nullptr}, {{64}}, {10}},
      {"slice: every second pixel", Slice{{0, 0, 0}, {4, 5, 6}, {1, 2, 2}}, {{4, 5, 6}}, {4, 3, 3}},
      {"slice: the last element", Slice{{3, 4, 5}, {4, 5, 6}, {1, 1, 1}}, {{4, 5, 6}}, {1, 1, 1}},
      {"pad: channels", Pad{{2, 0, 0}, {3, 0, 0}, 0}, {{4, 5, 6}}, {9, 5, 6}},
      {"as many axes as may be", Reshape{{4, 1, 5, 1, 6}}, {{4, 5, 6}}, {4, 1, 5, 1, 6}},
      {"the largest axis", Pad{{0, 0, 0}, {(1 << 24) - 1, 0, 0}, 0}, {{1, 1, 1}}, {1 << 24, 1, 1}},
  };
  for (const Case& c : cases) {
    Graph graph = OneNode(c.op, c.inputs);
    const absl::Status status = InferShapes(graph);
    EXPECT_TRUE(status.ok()) << c.what << ": " << status;
    EXPECT_EQ(graph.value(graph.outputs[0].value).dims, c.expected)
        << c.what << ": " << ToString(graph.value(graph.outputs[0].value).dims);
  }
}

TEST(InferShapes, DoesNotFit) {
  struct Case {
    const char* what;
    Op op;
    std::vector<Dims> inputs;
    const char* message;
  };
  const int64_t far = int64_t{1} << 62;
  const std::vector<Case> cases = {
      {"conv of a vector", MakeConv({8, 4, 1, 1}), {{4}}, "(Conv): input: expected a feature map CxHxW, got 4"},
      {"weights of three axes", MakeConv({8, 4, 1}), {{4, 5, 5}}, "weights: expected OCxICxKHxKW, got 8x4x1"},
      {"channels", MakeConv({8, 3, 1, 1}), {{4, 5, 5}}, "weights: expected input channels 4 / 1 groups, got 8x3x1x1"},
      {"outputs not divided by groups", MakeConv({5, 2, 1, 1}, {}, {}, {}, 2), {{4, 5, 5}}, "4 / 2 groups"},
      {"no groups", MakeConv({8, 4, 1, 1}, {}, {}, {}, 0), {{4, 5, 5}}, "groups: expected 1..4, got 0"},
      {"more groups than channels", MakeConv({8, 4, 1, 1}, {}, {}, {}, 5), {{4, 5, 5}}, "groups: expected 1..4, got 5"},
      {"layer norm of a missing axis", LayerNorm{Zeros({5}), Zeros({5}), 2}, {{4, 5}}, "axis: expected 0..1, got 2"},
      {"layer norm's scale", LayerNorm{Zeros({4}), Zeros({5}), 1}, {{4, 5}}, "scale: expected 5 values, got 4"},
      {"layer norm's shift", LayerNorm{Zeros({5}), Zeros({4}), 1}, {{4, 5}}, "shift: expected 5 values, got 4"},
      {"length of a missing axis", L2Norm{-1}, {{4}}, "(L2Norm): axis: expected 0..0, got -1"},
      {"response norm of a vector", ResponseNorm{Zeros({4}), Zeros({4})}, {{4}}, "expected a feature map CxHxW, got 4"},
      {"response norm's scale", ResponseNorm{Zeros({3}), Zeros({4})}, {{4, 5, 6}}, "scale: expected 4 values, got 3"},
      {"no neighbours", LocalResponseNorm{0}, {{4}}, "size: expected 1..16777216, got 0"},
      {"bias", WithBias(MakeConv({8, 4, 1, 1}), 7), {{4, 5, 5}}, "bias: expected 8 values, got 7"},
      {"kernel too large",
       MakeConv({2, 1, 5, 4}),
       {{1, 4, 4}},
       "input along H: expected at least 5 pixels with padding"},
      {"dilated kernel too large",
       MakeConv({2, 1, 3, 3}, {}, {}, {1, 2}),
       {{1, 4, 4}},
       "input along W: expected at least 5 pixels with padding, got 4"},
      {"stride 0", MakeConv({2, 1, 3, 3}, {0, 1}), {{1, 4, 4}}, "stride along H: expected 1..16777216, got 0"},
      {"stride out of range", MakeConv({2, 1, 3, 3}, {far, 1}), {{1, 4, 4}}, "stride along H: expected 1..16777216"},
      {"dilation 0", MakeConv({2, 1, 3, 3}, {}, {}, {1, 0}), {{1, 4, 4}}, "dilation along W"},
      {"negative padding", MakeConv({2, 1, 3, 3}, {}, {0, 0, 0, -1}), {{1, 4, 4}}, "padding along W: expected 0.."},
      {"padding out of range", MakeConv({2, 1, 3, 3}, {}, {far, 0, far, 0}), {{1, 4, 4}}, "padding along H"},
      {"batch norm of another size", MakeBatchNorm(5, 5), {{4, 5, 5}}, "(BatchNorm): scale: expected 4 values, got 5"},
      {"batch norm's variance", MakeBatchNorm(4, 3), {{4, 5, 5}}, "variance: expected 4 values, got 3"},
      {"add", Add(), {{4, 5, 6}, {4, 5, 2}}, "(Add): second operand: expected 4x5x6, got 4x5x2"},
      {"add of another rank", Add(), {{4, 5, 6}, {5, 6}}, "(Add): second operand: expected 3 axes, got 5x6"},
      {"max pool of a vector", MakeMaxPool(2, 2, 0), {{4}}, "expected a feature map"},
      {"pool: kernel 0", MakeMaxPool(0, 2, 0), {{1, 4, 4}}, "kernel along H: expected 1..16777216, got 0"},
      {"pool of nothing but padding", MakeMaxPool(2, 2, 2), {{1, 4, 4}}, "padding along H: expected 0..1, got 2"},
      {"pool: a window too large",
       MakeMaxPool(1025, 2000, 1024),
       {{1, 4, 4}},
       "window: expected 1..1048576, got 1050625"},
      {"average of nothing but padding",
       MakeAveragePool(3, 1, 3),
       {{1, 4, 4}},
       "padding along H: expected 0..2, got 3"},
      {"global average pool of a vector", GlobalAveragePool(), {{4}}, "(ReduceMean): axis: expected 0..0, got 1"},
      {"gemm of a map", Gemm{Zeros({10, 64}), nullptr}, {{64, 1, 1}}, "weights: expected OCx1, got 10x64"},
      {"gemm of another size", Gemm{Zeros({10, 64}), nullptr}, {{63}}, "weights: expected OCx63, got 10x64"},
      {"gemm's bias", Gemm{Zeros({10, 64}), Zeros({9})}, {{64}}, "bias: expected 10 values, got 9"},
      {"slice of two axes", Slice{{0, 0}, {1, 1}, {1, 1}}, {{4, 5, 6}}, "axes: expected 3, got 2"},
      {"slice from the end", Slice{{4, 0, 0}, {4, 5, 6}, {1, 1, 1}}, {{4, 5, 6}}, "start: expected 0..3, got 4"},
      {"empty slice", Slice{{2, 0, 0}, {2, 5, 6}, {1, 1, 1}}, {{4, 5, 6}}, "end: expected 3..4, got 2"},
      {"slice past the end", Slice{{0, 0, 0}, {5, 5, 6}, {1, 1, 1}}, {{4, 5, 6}}, "end: expected 1..4, got 5"},
      {"backwards", Slice{{0, 0, 0}, {4, 5, 6}, {1, 1, -1}}, {{4, 5, 6}}, "step: expected 1..16777216, got -1"},
      {"pad by less than nothing", Pad{{0, 0, 0}, {-1, 0, 0}, 0}, {{4, 5, 6}}, "padding: expected 0..16777216, got -1"},
      {"pad of two axes", Pad{{0, 0}, {0, 0}, 0}, {{4, 5, 6}}, "axes: expected 3, got 2"},
      {"too many axes",
       Reshape{{4, 1, 5, 1, 6, 1}},
       {{4, 5, 6}},
       "output: expected at most 5 axes beside the batch, got 6"},
      {"an axis too large",
       Pad{{0, 0, 0}, {1 << 24, 0, 0}, 0},
       {{1, 1, 1}},
       "output: expected 1..16777216, got 16777217"},
      {"too many elements",
       Pad{{0, 0, 0}, {1 << 23, 1 << 23, 0}, 0},
       {{1, 1, 1}},
       "expected at most 2147483647 elements"},
  };
  for (const Case& c : cases) {
    Graph graph = OneNode(c.op, c.inputs);
    const absl::Status status = InferShapes(graph);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.what;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("node 'node' ("), HasSubstr(c.message))) << c.what;
  }
}

TEST(InferShapes, ImageOutOfRange) {
  for (const Dims& dims : {Dims{0, 4, 4}, Dims{3, -1, 4}, Dims{3, 1 << 24, 1 << 24}}) {
    Graph graph = OneNode(Relu(), {dims});
    EXPECT_THAT(std::string(InferShapes(graph).message()), HasSubstr("input 'in': output: expected")) << ToString(dims);
  }
}

// image -> a -> b, c = add(a, b) -> flat
Graph Small() {
  Graph graph;
  graph.input = graph.AddValue("image");
  graph.value(graph.input).dims = {2, 3, 3};
  const ValueId a = graph.AddValue("a"), b = graph.AddValue("b"), c = graph.AddValue("c"),
                flat = graph.AddValue("flat");
  graph.nodes = {{"conv", MakeConv({4, 2, 1, 1}, {2, 2}), {graph.input}, a},
                 {"relu", Relu(), {a}, b},
                 {"add", Add(), {a, b}, c},
                 {"flatten", Flatten(), {c}, flat}};
  graph.outputs = {{"flat", flat}};
  EXPECT_TRUE(InferShapes(graph).ok());
  return graph;
}

TEST(Validate, Graphs) {
  struct Case {
    const char* what;
    std::function<void(Graph&)> spoil;
    const char* message;  // empty: valid
  };
  const auto id = [](int i) { return static_cast<ValueId>(i); };
  const std::vector<Case> cases = {
      {"as it is", [](Graph&) {}, ""},
      {"a value nobody uses", [](Graph& g) { g.AddValue("unused"); }, ""},
      {"the image as output",
       [](Graph& g) {
         g.outputs.push_back({"x", g.input});
       },
       ""},
      {"no image", [&](Graph& g) { g.input = id(9); }, "the graph's input does not exist"},
      {"not in order", [](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); },
       "node 'relu' (Relu): reads 'a' before any node yields it"},
      {"a cycle", [&](Graph& g) { g.nodes[1].inputs[0] = id(3); }, "reads 'c' before any node yields it"},
      {"of itself", [&](Graph& g) { g.nodes[1].inputs[0] = id(2); }, "reads 'b' before any node yields it"},
      {"dangling", [](Graph& g) { g.nodes.erase(g.nodes.begin()); }, "reads 'a' before any node yields it"},
      {"an input that does not exist", [&](Graph& g) { g.nodes[1].inputs[0] = id(5); }, "a value that does not exist"},
      {"a negative input", [&](Graph& g) { g.nodes[1].inputs[0] = id(-1); }, "reads a value that does not exist"},
      {"an output that does not exist", [&](Graph& g) { g.nodes[1].output = id(5); }, "yields a value that does not"},
      {"yielded twice", [&](Graph& g) { g.nodes[1].output = id(1); }, "node 'relu' (Relu): yields 'a' a second time"},
      {"yields the image", [&](Graph& g) { g.nodes[1].output = id(0); }, "yields 'image' a second time"},
      {"too few inputs", [](Graph& g) { g.nodes[2].inputs.pop_back(); }, "(Add): cannot have 1 inputs"},
      {"too many inputs", [&](Graph& g) { g.nodes[1].inputs.push_back(id(1)); }, "(Relu): cannot have 2 inputs"},
      {"a residual that is not there", [](Graph& g) { g.nodes[0].post_ops = {Add()}; }, "(Conv): cannot have 1 inputs"},
      {"a residual",
       [&](Graph& g) {
         g.nodes[2].op = Relu();
         g.nodes[2].post_ops = {Add(), Relu()};
       },
       ""},
      {"a residual of other dims",
       [&](Graph& g) {
         g.nodes[0].post_ops = {Add()};
         g.nodes[0].inputs.push_back(g.input);
       },
       "node 'conv' (Conv): second operand: expected 4x2x2, got 2x3x3"},
      {"an output nobody yields", [](Graph& g) { g.outputs[0].value = g.AddValue("x"); },
       "output 'flat' is yielded by no node"},
      {"an output that does not exist", [&](Graph& g) { g.outputs[0].value = id(99); }, "is yielded by no node"},
      {"no output", [](Graph& g) { g.outputs.clear(); }, "the graph has no output"},
      {"two of one name", [](Graph& g) { g.outputs.push_back(g.outputs[0]); }, "two outputs are called 'flat'"},
      {"other dims",
       [&](Graph& g) {
         g.value(id(2)).dims = {4, 2, 3};
       },
       "node 'relu' (Relu): expected an output of 4x2x2, got 4x2x3"},
      {"no dims", [&](Graph& g) { g.value(id(4)).dims = {}; }, "(Reshape): expected an output of 16, got "},
      {"weights that do not fit",
       [](Graph& g) {
         g.nodes[0].op = MakeConv({4, 3, 1, 1});
       },
       "weights: expected input"},
  };
  for (const Case& c : cases) {
    Graph graph = Small();
    c.spoil(graph);
    const absl::Status status = Validate(graph);
    EXPECT_EQ(status.ok(), *c.message == '\0') << c.what << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message)) << c.what;
  }
}

TEST(Graph, FindsNeighbours) {
  const Graph graph = Small();
  EXPECT_EQ(graph.Consumers(static_cast<ValueId>(1)), (std::vector<int>{1, 2}));
  EXPECT_EQ(graph.Consumers(graph.outputs[0].value), std::vector<int>{});
  EXPECT_EQ(graph.Producer(graph.input), std::nullopt);
  EXPECT_EQ(graph.Producer(graph.outputs[0].value), 3);
}

TEST(Graph, Prints) {
  EXPECT_EQ(ToString(Small()),
            "%image{2x3x3}\n"
            "%a{4x2x2} = Conv 1x1/2 (%image) \"conv\"\n"
            "%b{4x2x2} = Relu (%a) \"relu\"\n"
            "%c{4x2x2} = Add (%a, %b) \"add\"\n"
            "%flat{16} = Reshape (%c) \"flatten\"\n"
            "flat: %flat\n");
  Graph fused = Small();
  fused.nodes[1].post_ops = {Binary{BinaryKind::kMul, Zeros({1, 1, 1})}, Add(),
                             Activation{ActivationKind::kClip, 0, 6}};
  fused.nodes[1].inputs.push_back(fused.nodes[0].output);
  fused.outputs[0].activation = HeadActivation::kSoftmax;
  const std::string text = ToString(fused);
  EXPECT_THAT(text, HasSubstr("%b{4x2x2} = Relu (%a) + Mul constant 1x1x1 + Add %a + Clip 0..6 \"relu\"\n"));
  EXPECT_THAT(text, HasSubstr("\nflat: %flat before Softmax\n"));
  fused.outputs[0].activation = HeadActivation::kNone;
  fused.outputs[0].probabilities = true;
  EXPECT_THAT(ToString(fused), HasSubstr("\nflat: %flat of probabilities\n"));
}

// A list, and the same values at each place within a word.
TEST(Floats, AreTheSameAlignedAndNot) {
  std::vector<float> values;
  for (int i = 0; i < 10'000; ++i) values.push_back(static_cast<float>(i) * 0.37f - 9);
  const Floats list = values;
  EXPECT_EQ(list.Copy(), values);
  EXPECT_NE(list.aligned(), nullptr);
  EXPECT_EQ(Floats().size(), 0u);
  EXPECT_TRUE(Floats().Copy().empty());
  for (size_t shift = 0; shift < 2 * sizeof(float); ++shift) {
    const Bytes bytes(std::string(shift, 'x') + std::string(list.bytes().view()));
    const Floats view = Floats::View(bytes.Part(bytes.view().substr(shift)));
    ASSERT_EQ(view.size(), values.size());
    EXPECT_EQ(view.aligned() != nullptr, shift % sizeof(float) == 0) << shift;
    EXPECT_EQ(view.front(), values.front());
    EXPECT_EQ(view[9'999], values[9'999]);
    EXPECT_EQ(view, values) << shift;
    EXPECT_EQ(view.Copy(), values) << shift;
    EXPECT_EQ(std::vector<float>(view.begin(), view.end()), values) << shift;
  }
}

TEST(Graph, AttributesInWords) {
  const std::vector<std::pair<Op, const char*>> cases = {
      {MakeConv({8, 4, 1, 1}), "1x1"},
      {MakeConv({8, 4, 7, 7}, {2, 2}, {3, 3, 3, 3}), "7x7/2 pad 3"},
      {MakeConv({8, 4, 3, 1}, {2, 1}, {1, 0, 1, 0}), "3x1/2,1 pad 1,0"},
      {MakeConv({8, 4, 3, 3}, {}, {0, 0, 1, 1}, {2, 2}, 2), "3x3 pads 0,0,1,1 dilation 2 groups 2"},
      {MakeConv({8, 1, 3, 3}, {}, {1, 1, 1, 1}, {}, 8), "3x3 pad 1 depthwise"},
      {MakeMaxPool(3, 2, 1), "3x3/2 pad 1"},
      {MakeMaxPool(2, 2, 0, true), "2x2/2 ceil"},
      {MakeAveragePool(2, 2, 0), "2x2/2"},
      {AveragePool{{3, 3}, {2, 2}, {1, 1, 1, 1}, false, true}, "3x3/2 pad 1 counting pads"},
      {MakeBatchNorm(4, 4), ""},
      {GroupNorm{Zeros({4}), Zeros({4}), 2}, "groups 2"},
      {LayerNorm{Zeros({4}), Zeros({4}), 1}, "axis 1"},
      {L2Norm{1}, "axis 1"},
      {LocalResponseNorm{5}, "of 5"},
      {Relu(), ""},
      {Activation{ActivationKind::kLeakyRelu, 0.1f}, "0.1"},
      {Activation{ActivationKind::kLinear, 2, -1}, "2x-1"},
      {Add(), ""},
      {Binary{BinaryKind::kDiv, Zeros({4, 1, 1}), true}, "from constant 4x1x1"},
      {GlobalAveragePool(), "axes 1,2"},
      {Softmax{0}, "axis 0"},
      {Flatten(), ""},
      {Transpose{{1, 2, 0}}, "to 1,2,0"},
      {Concat{2}, "axis 2"},
      {Slice{{0, 0, 0}, {4, 8, 8}, {1, 2, 2}}, "[0:4, 0:8:2, 0:8:2]"},
      {Pad{{0, 1, 1}, {0, 2, 2}}, "0,1,1 before 0,2,2 after"},
      {Pad{{1}, {0}, -1}, "1 before 0 after of -1"},
      {Pad{{1}, {0}, 0, PadMode::kReflect}, "1 before 0 after reflect"},
  };
  for (const auto& [op, text] : cases) EXPECT_EQ(AttributesOf(op), text) << OpName(op);
}

}  // namespace
}  // namespace resnetd::graph
