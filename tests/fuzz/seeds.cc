// A seed is a network of the node at hand, between the image "x" of 3x8x8 and a pool and a Gemm.
#include "tests/fuzz/seeds.h"

#include <functional>
#include <vector>

#include "tests/fuzz/seed_networks.h"
#include "tests/support/onnx_file.h"

namespace resnetd::fuzz {
namespace {

using onnx::Attribute;
using onnx::AttributeProto;
using onnx::NodeProto;
using onnx::OnnxFile;
using onnx::SetFloat;
using onnx::SetInt;
using onnx::SetInts;
using onnx::SetString;
using onnx::TensorProto;

// One node from the image to a map of as many channels.
Network Map(const char* name, const char* op, int opset, const std::function<void(OnnxFile&, NodeProto&)>& set = {},
            int64_t channels = 3) {
  return {name, opset, [=](OnnxFile& f) {
            NodeProto& node = f.Node(op, {"x"}, "z");
            if (set) set(f, node);
            Classify(f, "z", channels);
          }};
}

void Input(OnnxFile& f, NodeProto& node, const char* name, const std::vector<int64_t>& dims, float value = 1) {
  f.Floats(name, dims, value);
  node.add_input(name);
}

void IntInput(OnnxFile& f, NodeProto& node, const char* name, const std::vector<int64_t>& values) {
  f.Ints(name, values);
  node.add_input(name);
}

std::vector<Network> Layers() {
  return {
      Map(
          "conv", "Conv", 17,
          [](OnnxFile& f, NodeProto& n) {
            Input(f, n, "w", {4, 3, 3, 3}, 0.1f), Input(f, n, "b", {4});
            SetInts(SetInts(n, "strides", {2, 1}), "pads", {1, 0, 2, 1});
          },
          4),
      Map("conv-depthwise-dilated", "Conv", 11,
          [](OnnxFile& f, NodeProto& n) {
            Input(f, n, "w", {3, 1, 3, 3});
            SetInts(SetInt(n, "group", 3), "dilations", {2, 2});
          }),
      Map("conv-same", "Conv", 7,
          [](OnnxFile& f, NodeProto& n) {
            Input(f, n, "w", {3, 3, 2, 2});
            SetString(SetInts(n, "kernel_shape", {2, 2}), "auto_pad", "SAME_LOWER");
          }),
      Map("batch-norm", "BatchNormalization", 9,
          [](OnnxFile& f, NodeProto& n) {
            for (const char* name : {"scale", "shift", "mean", "variance"}) Input(f, n, name, {3});
            SetFloat(n, "epsilon", 1e-3f);
          }),
      Map("layer-norm", "LayerNormalization", 17,
          [](OnnxFile& f, NodeProto& n) {
            Input(f, n, "scale", {8, 8}), Input(f, n, "shift", {8, 8});
            SetFloat(SetInt(n, "axis", 2), "epsilon", 1e-3f).add_output("mean");
          }),
      Map("LRN", "LRN", 13, [](OnnxFile&, NodeProto& n) { SetFloat(SetInt(n, "size", 2), "bias", 2); }),
      Map("group-norm", "GroupNormalization", 21,
          [](OnnxFile& f, NodeProto& n) {
            Input(f, n, "scale", {3}), Input(f, n, "shift", {3});
            SetInt(n, "num_groups", 3);
          }),
      Map("instance-norm", "InstanceNormalization", 17,
          [](OnnxFile& f, NodeProto& n) { Input(f, n, "scale", {3}), Input(f, n, "shift", {3}); }),
      {"residual-block", 17,
       [](OnnxFile& f) {
         f.Floats("w1", {3, 3, 3, 3}, 0.1f), f.Floats("w2", {3, 3, 3, 3}, 0.1f);
         for (const char* name : {"scale", "shift", "mean", "variance"}) f.Floats(name, {3});
         SetInts(f.Node("Conv", {"x", "w1"}, "a"), "pads", {1, 1, 1, 1});
         f.Node("BatchNormalization", {"a", "scale", "shift", "mean", "variance"}, "b");
         f.Node("Relu", {"b"}, "c");
         SetInts(f.Node("Conv", {"c", "w2"}, "d"), "pads", {1, 1, 1, 1});
         f.Node("Add", {"d", "x"}, "e");
         f.Node("Relu", {"e"}, "z");
         Classify(f, "z", 3);
       }},
      // Channels enough for the kernels of our own.
      {"residual-block-of-16-channels", 17,
       [](OnnxFile& f) {
         f.Floats("stem", {16, 3, 1, 1}, 0.1f), f.Floats("w", {16, 16, 3, 3}, 0.1f);
         f.Node("Conv", {"x", "stem"}, "s");
         SetInts(f.Node("Conv", {"s", "w"}, "a"), "pads", {1, 1, 1, 1});
         f.Node("Relu", {"a"}, "b");
         SetInts(f.Node("Conv", {"b", "w"}, "c"), "pads", {1, 1, 1, 1});
         f.Node("Add", {"c", "s"}, "d");
         f.Node("Relu", {"d"}, "z");
         Classify(f, "z", 16);
       }},
      {"conv-narrow-groups", 17,
       [](OnnxFile& f) {
         f.Floats("stem", {16, 3, 1, 1}, 0.1f), f.Floats("w", {16, 4, 3, 3}, 0.1f);
         f.Node("Conv", {"x", "stem"}, "s");
         SetInt(SetInts(SetInts(f.Node("Conv", {"s", "w"}, "z"), "strides", {2, 2}), "pads", {1, 1, 0, 1}), "group", 4);
         Classify(f, "z", 16);
       }},
      {"matmul-bias-softmax", 13,
       [](OnnxFile& f) {
         f.Node("GlobalAveragePool", {"x"}, "p");
         f.Node("Flatten", {"p"}, "v");
         f.Floats("w", {3, 10}), f.Floats("b", {10});
         f.Node("MatMul", {"v", "w"}, "m");
         f.Node("Add", {"m", "b"}, "l");
         SetInt(f.Node("Softmax", {"l"}, "y"), "axis", -1);
       }},
      {"gemm-alpha-beta", 13,
       [](OnnxFile& f) {
         f.Node("GlobalAveragePool", {"x"}, "p");
         SetInt(f.Node("Flatten", {"p"}, "v"), "axis", 1);
         f.Floats("w", {3, 10}), f.Floats("b", {1, 10});
         SetFloat(SetFloat(f.Node("Gemm", {"v", "w", "b"}, "y"), "alpha", 2), "beta", 0.5f);
       }},
  };
}

std::vector<Network> Activations() {
  std::vector<Network> networks;
  for (const char* op : {"Relu", "Sqrt", "Exp", "Erf", "HardSwish", "Sigmoid", "Tanh", "Identity", "Dropout", "Abs",
                         "Log", "Neg", "Reciprocal", "Softplus", "LogSoftmax", "LpNormalization"}) {
    networks.push_back(Map(op, op, 17));
  }
  networks.push_back(Map("Mish", "Mish", 18));
  for (const char* op : {"Selu", "Celu"}) {
    networks.push_back(Map(op, op, 16, [](OnnxFile&, NodeProto& n) { SetFloat(n, "alpha", 0.5f); }));
  }
  for (const char* op : {"Sum", "Max", "Min", "Mean"}) {
    networks.push_back({op, 13, [op](OnnxFile& f) {
                          f.Node("GlobalAveragePool", {"x"}, "p");
                          f.Floats("c", {1, 3, 1, 1}, 0.5f);
                          f.Node(op, {"p", "x", "c"}, "z");
                          Classify(f, "z", 3);
                        }});
  }
  for (const char* op : {"LeakyRelu", "Elu", "HardSigmoid"}) {
    networks.push_back(Map(op, op, 16, [](OnnxFile&, NodeProto& n) { SetFloat(n, "alpha", 0.1f); }));
  }
  networks.push_back(Map("PRelu", "PRelu", 16, [](OnnxFile& f, NodeProto& n) { Input(f, n, "slope", {3, 1, 1}); }));
  networks.push_back(Map("Gelu", "Gelu", 20, [](OnnxFile&, NodeProto& n) { SetString(n, "approximate", "tanh"); }));
  networks.push_back(Map("Clip", "Clip", 13,
                         [](OnnxFile& f, NodeProto& n) { Input(f, n, "low", {}, 0), Input(f, n, "high", {}, 6); }));
  networks.push_back(
      Map("clip-attributes", "Clip", 7, [](OnnxFile&, NodeProto& n) { SetFloat(SetFloat(n, "min", 0), "max", 6); }));
  networks.push_back(Map("Pow", "Pow", 15, [](OnnxFile& f, NodeProto& n) { Input(f, n, "exponent", {}, 2); }));
  networks.push_back({"swish", 13, [](OnnxFile& f) {
                        f.Node("Sigmoid", {"x"}, "s");
                        f.Node("Mul", {"x", "s"}, "z");
                        Classify(f, "z", 3);
                      }});
  networks.push_back({"squeeze-excitation", 13, [](OnnxFile& f) {
                        f.Floats("w", {3, 3, 1, 1});
                        f.Node("GlobalAveragePool", {"x"}, "p");
                        f.Node("Conv", {"p", "w"}, "c");
                        f.Node("HardSigmoid", {"c"}, "s");
                        f.Node("Mul", {"x", "s"}, "z");
                        Classify(f, "z", 3);
                      }});
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    networks.push_back(Map(op, op, 14, [](OnnxFile& f, NodeProto& n) { Input(f, n, "c", {1, 3, 1, 1}, 0.5f); }));
  }
  networks.push_back({"constant-minus", 14, [](OnnxFile& f) {
                        f.Floats("one", {});
                        f.Node("Sub", {"one", "x"}, "z");
                        Classify(f, "z", 3);
                      }});
  return networks;
}

std::vector<Network> Pools() {
  const auto window = [](OnnxFile&, NodeProto& n) {
    SetInts(SetInts(SetInts(n, "kernel_shape", {3, 2}), "strides", {2, 2}), "pads", {1, 0, 1, 1});
  };
  return {
      Map("MaxPool", "MaxPool", 12,
          [=](OnnxFile& f, NodeProto& n) {
            window(f, n), SetInt(SetInts(n, "dilations", {1, 2}), "ceil_mode", 1);
          }),
      Map("AveragePool", "AveragePool", 19,
          [=](OnnxFile& f, NodeProto& n) { window(f, n), SetInt(SetInt(n, "ceil_mode", 1), "count_include_pad", 1); }),
      Map("GlobalMaxPool", "GlobalMaxPool", 17),
      Map("ReduceMean", "ReduceMean", 13,
          [](OnnxFile&, NodeProto& n) {
            SetInts(n, "axes", {2, 3});
          }),
      Map("reduce-mean-axes", "ReduceMean", 18,
          [](OnnxFile& f, NodeProto& n) {
            IntInput(f, n, "axes", {-1, -2});
          }),
      Map("ReduceSum", "ReduceSum", 13,
          [](OnnxFile& f, NodeProto& n) {
            IntInput(f, n, "axes", {2, 3});
          }),
      Map("ReduceSumSquare", "ReduceSumSquare", 13,
          [](OnnxFile&, NodeProto& n) {
            SetInts(n, "axes", {2, 3});
          }),
      Map("ReduceL2", "ReduceL2", 13,
          [](OnnxFile&, NodeProto& n) {
            SetInts(n, "axes", {2, 3});
          }),
  };
}

std::vector<Network> Moves() {
  return {
      {"transposed", 13,
       [](OnnxFile& f) {
         f.Floats("w", {3, 3, 1, 1});
         SetInts(f.Node("Transpose", {"x"}, "a"), "perm", {0, 2, 3, 1});
         f.Node("Relu", {"a"}, "b");
         SetInts(f.Node("Transpose", {"b"}, "c"), "perm", {0, 3, 1, 2});
         f.Node("Conv", {"c", "w"}, "z");
         Classify(f, "z", 3);
       }},
      {"Concat", 13,
       [](OnnxFile& f) {
         f.Node("Relu", {"x"}, "r");
         SetInt(f.Node("Concat", {"x", "r"}, "z"), "axis", 1);
         Classify(f, "z", 6);
       }},
      {"Split", 13,
       [](OnnxFile& f) {
         f.Ints("sizes", {1, 2});
         NodeProto& split = f.Node("Split", {"x", "sizes"}, "a");
         split.add_output("b");
         SetInt(split, "axis", 1);
         SetInt(f.Node("Concat", {"b", "a"}, "z"), "axis", 1);
         Classify(f, "z", 3);
       }},
      Map("Slice", "Slice", 13,
          [](OnnxFile& f, NodeProto& n) {
            IntInput(f, n, "starts", {0, -8}), IntInput(f, n, "ends", {8, 100}), IntInput(f, n, "axes", {2, 3});
            IntInput(f, n, "steps", {2, 2});
          }),
      Map(
          "Pad", "Pad", 13,
          [](OnnxFile& f, NodeProto& n) {
            IntInput(f, n, "pads", {0, 0, 1, 1, 0, 2, 1, 1});
            Input(f, n, "value", {}, 0);
          },
          5),
      {"Expand", 13,
       [](OnnxFile& f) {
         f.Node("GlobalAveragePool", {"x"}, "p");
         f.Node("Shape", {"x"}, "s");
         f.Node("Expand", {"p", "s"}, "z");
         Classify(f, "z", 3);
       }},
      {"ConstantOfShape", 13,
       [](OnnxFile& f) {
         f.Ints("shape", {3, 1, 1});
         TensorProto& half =
             *Attribute(f.Node("ConstantOfShape", {"shape"}, "c"), "value", AttributeProto::TENSOR).mutable_t();
         half.set_data_type(TensorProto::FLOAT);
         half.add_dims(1), half.add_float_data(0.5f);
         f.Node("Mul", {"x", "c"}, "z");
         Classify(f, "z", 3);
       }},
      {"squeeze-unsqueeze", 13,
       [](OnnxFile& f) {
         f.Ints("axes", {2, 3});
         f.Node("GlobalAveragePool", {"x"}, "p");
         f.Node("Squeeze", {"p", "axes"}, "s");
         f.Node("Unsqueeze", {"s", "axes"}, "z");
         Classify(f, "z", 3);
       }},
      {"Reshape", 14,
       [](OnnxFile& f) {
         f.Ints("shape", {-1, 192});
         f.Floats("w", {192, 10});
         f.Node("Reshape", {"x", "shape"}, "v");
         f.Node("MatMul", {"v", "w"}, "y");
       }},
      {"shape-arithmetic", 13,
       [](OnnxFile& f) {
         f.Int("zero", 0), f.Ints("axis", {0}), f.Ints("rest", {-1}), f.Floats("w", {192, 10});
         f.Node("Shape", {"x"}, "shape");
         f.Node("Gather", {"shape", "zero"}, "batch");
         f.Node("Unsqueeze", {"batch", "axis"}, "batch1");
         SetInt(f.Node("Concat", {"batch1", "rest"}, "to"), "axis", 0);
         SetInt(f.Node("Cast", {"to"}, "to64"), "to", TensorProto::INT64);
         f.Node("Reshape", {"x", "to64"}, "v");
         f.Node("MatMul", {"v", "w"}, "y");
       }},
      {"pads-of-pytorch", 11,
       [](OnnxFile& f) {
         // Pads [left, right] of the last axes first, turned round: ConstantOfShape, Concat, Reshape, Slice, Transpose.
         TensorProto& zeros =
             *Attribute(f.Node("ConstantOfShape", {"count"}, "zeros"), "value", AttributeProto::TENSOR).mutable_t();
         zeros.set_data_type(TensorProto::INT64);
         zeros.add_dims(1), zeros.add_int64_data(0);
         f.Ints("count", {4}), f.Ints("given", {1, 1, 1, 1}), f.Ints("pairs", {-1, 2}), f.Ints("flat", {-1});
         f.Ints("start", {-1}), f.Ints("end", {INT64_MIN}), f.Ints("axis", {0}), f.Ints("step", {-1});
         SetInt(f.Node("Concat", {"given", "zeros"}, "all"), "axis", 0);
         f.Node("Reshape", {"all", "pairs"}, "matrix");
         f.Node("Slice", {"matrix", "start", "end", "axis", "step"}, "reversed");
         SetInts(f.Node("Transpose", {"reversed"}, "columns"), "perm", {1, 0});
         f.Node("Reshape", {"columns", "flat"}, "pads");
         f.Node("Pad", {"x", "pads"}, "z");
         Classify(f, "z", 3);
       }},
      {"constants", 13,
       [](OnnxFile& f) {
         SetInts(f.Node("Constant", {}, "axes"), "value_ints", {2, 3});
         f.Node("GlobalAveragePool", {"x"}, "p");
         f.Node("Squeeze", {"p", "axes"}, "v");
         TensorProto& w = *Attribute(f.Node("Constant", {}, "w"), "value", AttributeProto::TENSOR).mutable_t();
         w.set_data_type(TensorProto::FLOAT);
         w.add_dims(3), w.add_dims(2);
         for (int i = 0; i < 6; ++i) w.add_float_data(static_cast<float>(i));
         f.Node("MatMul", {"v", "w"}, "y");
       }},
  };
}

}  // namespace

void Classify(OnnxFile& f, const char* map, int64_t channels) {
  f.Floats("fw", {10, channels}, 0.5f);
  f.Floats("fb", {10});
  f.Node("GlobalAveragePool", {map}, "pooled");
  f.Node("Flatten", {"pooled"}, "features");
  SetInt(f.Node("Gemm", {"features", "fw", "fb"}, "y"), "transB", 1);
}

std::vector<Seed> Seeds() {
  std::vector<Seed> seeds;
  for (const std::vector<Network>& networks :
       {Layers(), Activations(), Pools(), Moves(), Patterns(), Forms(), External()}) {
    for (const Network& network : networks) {
      OnnxFile file(network.opset);
      network.build(file);
      seeds.push_back({network.name, file.Bytes()});
    }
  }
  return seeds;
}

}  // namespace resnetd::fuzz
