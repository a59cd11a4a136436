// A seed is a network of the node at hand, between the image "x" of 3x8x8 and a pool and a Gemm.
#include "tests/fuzz/seeds.h"

#include <functional>
#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "tests/unit/onnx_file.h"

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

// Ends the network: the feature map `map` of `channels` -> "y".
void Classify(OnnxFile& f, const char* map, int64_t channels) {
  f.Floats("fw", {10, channels}, 0.5f);
  f.Floats("fb", {10});
  f.Node("GlobalAveragePool", {map}, "pooled");
  f.Node("Flatten", {"pooled"}, "features");
  SetInt(f.Node("Gemm", {"features", "fw", "fb"}, "y"), "transB", 1);
}

struct Recipe {
  const char* name;
  int opset;
  std::function<void(OnnxFile&)> build;
};

// One node from the image to a map of as many channels.
Recipe Map(const char* name, const char* op, int opset, const std::function<void(OnnxFile&, NodeProto&)>& set = {},
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

std::vector<Recipe> Layers() {
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

std::vector<Recipe> Activations() {
  std::vector<Recipe> recipes;
  for (const char* op : {"Relu", "Sqrt", "Exp", "Erf", "HardSwish", "Sigmoid", "Tanh", "Identity", "Dropout"}) {
    recipes.push_back(Map(op, op, 17));
  }
  for (const char* op : {"LeakyRelu", "Elu", "HardSigmoid"}) {
    recipes.push_back(Map(op, op, 16, [](OnnxFile&, NodeProto& n) { SetFloat(n, "alpha", 0.1f); }));
  }
  recipes.push_back(Map("PRelu", "PRelu", 16, [](OnnxFile& f, NodeProto& n) { Input(f, n, "slope", {3, 1, 1}); }));
  recipes.push_back(Map("Gelu", "Gelu", 20, [](OnnxFile&, NodeProto& n) { SetString(n, "approximate", "tanh"); }));
  recipes.push_back(Map("Clip", "Clip", 13,
                        [](OnnxFile& f, NodeProto& n) { Input(f, n, "low", {}, 0), Input(f, n, "high", {}, 6); }));
  recipes.push_back(
      Map("clip-attributes", "Clip", 7, [](OnnxFile&, NodeProto& n) { SetFloat(SetFloat(n, "min", 0), "max", 6); }));
  recipes.push_back(Map("Pow", "Pow", 15, [](OnnxFile& f, NodeProto& n) { Input(f, n, "exponent", {}, 2); }));
  recipes.push_back({"swish", 13, [](OnnxFile& f) {
                       f.Node("Sigmoid", {"x"}, "s");
                       f.Node("Mul", {"x", "s"}, "z");
                       Classify(f, "z", 3);
                     }});
  recipes.push_back({"squeeze-excitation", 13, [](OnnxFile& f) {
                       f.Floats("w", {3, 3, 1, 1});
                       f.Node("GlobalAveragePool", {"x"}, "p");
                       f.Node("Conv", {"p", "w"}, "c");
                       f.Node("HardSigmoid", {"c"}, "s");
                       f.Node("Mul", {"x", "s"}, "z");
                       Classify(f, "z", 3);
                     }});
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    recipes.push_back(Map(op, op, 14, [](OnnxFile& f, NodeProto& n) { Input(f, n, "c", {1, 3, 1, 1}, 0.5f); }));
  }
  recipes.push_back({"constant-minus", 14, [](OnnxFile& f) {
                       f.Floats("one", {});
                       f.Node("Sub", {"one", "x"}, "z");
                       Classify(f, "z", 3);
                     }});
  return recipes;
}

std::vector<Recipe> Pools() {
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
      Map("ReduceL2", "ReduceL2", 13,
          [](OnnxFile&, NodeProto& n) {
            SetInts(n, "axes", {2, 3});
          }),
  };
}

std::vector<Recipe> Moves() {
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

// What several nodes are together: recognised by a pass, or a way of giving images or heads.
std::vector<Recipe> Patterns() {
  return {
      {"image-with-channels-last", 13,
       [](OnnxFile& f) {
         f.Describe(*f.graph().mutable_input(0), "x", {0, 8, 8, 3});
         f.Floats("w", {3, 3, 1, 1}), f.Floats("c", {3});
         SetInts(f.Node("Transpose", {"x"}, "a"), "perm", {0, 3, 1, 2});
         f.Node("Conv", {"a", "w"}, "b");
         SetInts(f.Node("Transpose", {"b"}, "d"), "perm", {0, 2, 3, 1});
         f.Node("Add", {"d", "c"}, "e");
         SetInts(f.Node("ReduceMean", {"e"}, "z"), "axes", {1, 2});
         f.Ints("shape", {-1, 3}), f.Floats("v", {3, 10});
         f.Node("Reshape", {"z", "shape"}, "r");
         f.Node("MatMul", {"r", "v"}, "y");
       }},
      {"two-heads", 13,
       [](OnnxFile& f) {
         Classify(f, "x", 3);
         f.Floats("fw2", {3, 2});
         f.Node("MatMul", {"features", "fw2"}, "scores");
         f.Node("Sigmoid", {"scores"}, "y2");
         f.Describe(*f.graph().add_output(), "y2", {0, 2});
       }},
      {"no-classifier", 13,
       [](OnnxFile& f) {
         f.Node("GlobalAveragePool", {"x"}, "p");
         f.Node("Flatten", {"p"}, "y");
       }},
      {"gelu-in-pieces", 13,
       [](OnnxFile& f) {
         f.Floats("root", {}, 1.41421356f), f.Floats("one", {}), f.Floats("half", {}, 0.5f);
         f.Node("Div", {"x", "root"}, "a");
         f.Node("Erf", {"a"}, "b");
         f.Node("Add", {"b", "one"}, "c");
         f.Node("Mul", {"x", "c"}, "d");
         f.Node("Mul", {"d", "half"}, "z");
         Classify(f, "z", 3);
       }},
      {"hard-swish-in-pieces", 13,
       [](OnnxFile& f) {
         f.Floats("three", {}, 3), f.Floats("zero", {}, 0), f.Floats("six", {}, 6);
         f.Node("Add", {"x", "three"}, "a");
         f.Node("Clip", {"a", "zero", "six"}, "b");
         f.Node("Mul", {"x", "b"}, "c");
         f.Node("Div", {"c", "six"}, "z");
         Classify(f, "z", 3);
       }},
      {"group-norm-in-pieces", 13,
       [](OnnxFile& f) {
         f.Ints("groups", {0, 3, -1}), f.Ints("back", {0, 3, 8, 8});
         f.Floats("s", {3}), f.Floats("t", {3}), f.Floats("scale", {3, 1, 1}), f.Floats("shift", {3, 1, 1});
         f.Node("Reshape", {"x", "groups"}, "a");
         f.Node("InstanceNormalization", {"a", "s", "t"}, "b");
         f.Node("Reshape", {"b", "back"}, "c");
         f.Node("Mul", {"c", "scale"}, "d");
         f.Node("Add", {"d", "shift"}, "z");
         Classify(f, "z", 3);
       }},
      {"anti-aliased", 13,
       [](OnnxFile& f) {
         f.Ints("pads", {0, 0, 1, 1, 0, 0, 1, 1}), f.Floats("blur", {3, 1, 3, 3}, 0.1f);
         SetString(f.Node("Pad", {"x", "pads"}, "a"), "mode", "reflect");
         SetInt(SetInts(f.Node("Conv", {"a", "blur"}, "z"), "strides", {2, 2}), "group", 3);
         Classify(f, "z", 3);
       }},
      {"shortcut-without-weights", 11,
       [](OnnxFile& f) {
         f.Ints("starts", {0, 0}), f.Ints("ends", {8, 8}), f.Ints("axes", {2, 3}), f.Ints("steps", {2, 2});
         f.Ints("pads", {0, 1, 0, 0, 0, 2, 0, 0}), f.Floats("w", {6, 3, 1, 1});
         f.Node("Slice", {"x", "starts", "ends", "axes", "steps"}, "a");
         f.Node("Pad", {"a", "pads"}, "b");
         SetInts(f.Node("Conv", {"x", "w"}, "c"), "strides", {2, 2});
         f.Node("Add", {"c", "b"}, "d");
         f.Node("Relu", {"d"}, "z");
         Classify(f, "z", 6);
       }},
      {"pre-activation", 13,
       [](OnnxFile& f) {
         for (const char* name : {"scale", "shift", "mean", "variance"}) f.Floats(name, {3});
         f.Floats("w", {3, 3, 3, 3}, 0.1f);
         f.Node("BatchNormalization", {"x", "scale", "shift", "mean", "variance"}, "a");
         f.Node("Relu", {"a"}, "b");
         SetInts(f.Node("Conv", {"b", "w"}, "c"), "pads", {1, 1, 1, 1});
         f.Node("Add", {"x", "c"}, "z");
         Classify(f, "z", 3);
       }},
      {"normalised", 13,
       [](OnnxFile& f) {
         f.Node("GlobalMaxPool", {"x"}, "p");
         f.Node("Flatten", {"p"}, "v");
         SetInts(f.Node("ReduceL2", {"v"}, "n"), "axes", {1});
         f.Node("Div", {"v", "n"}, "y");
       }},
      {"softmax-inside", 13,
       [](OnnxFile& f) {
         SetInt(f.Node("Softmax", {"x"}, "s"), "axis", 1);
         f.Node("Mul", {"s", "x"}, "z");
         Classify(f, "z", 3);
       }},
  };
}

}  // namespace

std::vector<Seed> Seeds() {
  std::vector<Seed> seeds;
  for (const std::vector<Recipe>& recipes : {Layers(), Activations(), Pools(), Moves(), Patterns()}) {
    for (const Recipe& recipe : recipes) {
      OnnxFile file(recipe.opset);
      recipe.build(file);
      seeds.push_back({recipe.name, file.Bytes()});
    }
  }
  return seeds;
}

}  // namespace resnetd::fuzz
