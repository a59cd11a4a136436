#include "tests/fuzz/seed_networks.h"

namespace resnetd::fuzz {

using onnx::OnnxFile;
using onnx::SetInt;
using onnx::SetInts;
using onnx::SetString;

std::vector<Network> Patterns() {
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
      {"normalised-by-an-expanded-length", 13,
       [](OnnxFile& f) {
         f.Floats("low", {}, 1e-12f);
         f.Node("GlobalMaxPool", {"x"}, "p");
         f.Node("Flatten", {"p"}, "v");
         SetInts(f.Node("ReduceL2", {"v"}, "n"), "axes", {-1});
         f.Node("Clip", {"n", "low"}, "c");
         f.Node("Shape", {"v"}, "s");
         f.Node("Expand", {"c", "s"}, "e");
         f.Node("Div", {"v", "e"}, "y");
       }},
      {"layer-norm-in-pieces", 13,
       [](OnnxFile& f) {
         f.Floats("two", {}, 2), f.Floats("epsilon", {}, 1e-6f), f.Floats("scale", {3}), f.Floats("shift", {3});
         f.Floats("w", {3, 3});
         SetInts(f.Node("Transpose", {"x"}, "t"), "perm", {0, 2, 3, 1});
         SetInts(f.Node("ReduceMean", {"t"}, "m"), "axes", {-1});
         f.Node("Sub", {"t", "m"}, "d");
         f.Node("Pow", {"d", "two"}, "q");
         SetInts(f.Node("ReduceMean", {"q"}, "u"), "axes", {-1});
         f.Node("Add", {"u", "epsilon"}, "e");
         f.Node("Sqrt", {"e"}, "r");
         f.Node("Div", {"d", "r"}, "n");
         f.Node("Mul", {"n", "scale"}, "k");
         f.Node("Add", {"k", "shift"}, "b");
         f.Node("MatMul", {"b", "w"}, "g");
         SetInts(f.Node("Transpose", {"g"}, "z"), "perm", {0, 3, 1, 2});
         Classify(f, "z", 3);
       }},
      {"response-norm-in-pieces", 13,
       [](OnnxFile& f) {
         f.Floats("epsilon", {}, 1e-6f), f.Floats("scale", {3, 1, 1}), f.Floats("shift", {3, 1, 1});
         SetInts(f.Node("ReduceL2", {"x"}, "l"), "axes", {2, 3});
         SetInts(f.Node("ReduceMean", {"l"}, "m"), "axes", {1});
         f.Node("Add", {"m", "epsilon"}, "e");
         f.Node("Div", {"l", "e"}, "n");
         f.Node("Mul", {"x", "n"}, "p");
         f.Node("Mul", {"p", "scale"}, "s");
         f.Node("Add", {"s", "shift"}, "b");
         f.Node("Add", {"x", "b"}, "z");
         Classify(f, "z", 3);
       }},
      {"largest-beside-scores", 13,
       [](OnnxFile& f) {
         Classify(f, "x", 3);
         SetInt(f.Node("ArgMax", {"y"}, "label"), "axis", 1);
         f.Describe(*f.graph().add_output(), "label", {0, 1});
         f.Ints("k", {5});
         f.Node("TopK", {"y", "k"}, "values").add_output("places");
         f.Describe(*f.graph().add_output(), "values", {0, 5});
       }},
      {"softmax-inside", 13,
       [](OnnxFile& f) {
         SetInt(f.Node("Softmax", {"x"}, "s"), "axis", 1);
         f.Node("Mul", {"s", "x"}, "z");
         Classify(f, "z", 3);
       }},
  };
}

}  // namespace resnetd::fuzz
