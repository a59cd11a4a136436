// Tests what the outputs of a file are taken for: a table of the ends that networks have, each in a line.
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/graph/outputs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/network_ends.h"
#include "tests/support/onnx_file.h"

namespace resnetd::onnx {
namespace {

using ::testing::HasSubstr;

TEST(ChooseOutputs, OneScoreIsNoSoftmax) {
  const auto clipped = [](const char* op) {
    return [op](OnnxFile& f) {
      f.Floats("low", {}, 0.1f), f.Floats("high", {}, 0.9f);
      Gemm(f, "v", 4, "l", 1), f.Node(op, {"l"}, "q"), f.Node("Clip", {"q", "low", "high"}, "y");
    };
  };
  const auto logit = [](const char* end) {
    return [end](OnnxFile& f) {
      Gemm(f, "v", 4, *end == '\0' ? "y" : "s", 1);
      if (*end != '\0') f.Node(end, {"s"}, "y");
    };
  };
  Check({
      {"a logit", logit(""), "logits(y){1} value, pool{4} embedding"},
      {"behind a sigmoid", logit("Sigmoid"), "logits(y){1} classifier sigmoid, pool{4} embedding"},
      {"behind a softmax, which is always 1", logit("Softmax"), "logits(y){1} value, pool{4} embedding"},
      {"one label", logit(""), "logits(y){1} classifier, pool{4} embedding", {.labels = 1}},
      {"two labels", logit(""), "logits(y){1} classifier, pool{4} embedding", {.labels = 2}},
      {"labels that are not its own", logit(""), "logits(y){1} value, pool{4} embedding", {.labels = 10}},
      {"a config that speaks of it", logit(""), "logits(y){1} classifier, pool{4} embedding", {.classifies = true}},
      {"one pixel",
       [](OnnxFile& f) {
         f.Floats("k", {1, 4, 1, 1});
         f.Node("Conv", {"p", "k"}, "y");
       },
       "logits(y){1} value, pool{4} embedding"},
      {"no axis of its own",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "s", 1);
         f.Ints("to", {-1, 1, 1, 1});
         f.Node("Reshape", {"s", "to"}, "y");
       },
       "logits(y){1} value, pool{4} embedding"},
      {"behind a flattened map", [](OnnxFile& f) { f.Node("Flatten", {"m"}, "u"), Gemm(f, "u", 256, "y", 1); },
       "logits(y){1} value, pool{256} embedding"},
      {"a regression beside a classifier",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "age", 1), Gemm(f, "v", 4, "gender", 2), Named(f, {"age", "gender"});
       },
       "logits(gender){2} classifier, pool{4} embedding, age{1} value"},
      {"no axis at all",
       [](OnnxFile& f) {
         f.Ints("to", {-1}), Gemm(f, "v", 4, "s", 1), f.Node("Reshape", {"s", "to"}, "y");
       },
       "logits(y){1} value, pool{4} embedding"},
      {"a sigmoid without an axis",
       [](OnnxFile& f) {
         f.Ints("to", {-1}), Gemm(f, "v", 4, "s", 1), f.Node("Reshape", {"s", "to"}, "t"),
             f.Node("Sigmoid", {"t"}, "y");
       },
       "logits(y){1} classifier sigmoid, pool{4} embedding"},
      {"a regression without an axis beside a classifier",
       [](OnnxFile& f) {
         f.Ints("to", {-1}), Gemm(f, "v", 4, "s", 1), f.Node("Reshape", {"s", "to"}, "age");
         Gemm(f, "v", 4, "gender", 2), Named(f, {"gender", "age"});
       },
       "logits(gender){2} classifier, pool{4} embedding, age{1} value"},
      {"a sigmoid behind the pool of a class convolution", ClassConv(1, 3, true, "Sigmoid"),
       "logits(y){1} classifier sigmoid, pool{4} embedding"},
      {"the same without a bias", ClassConv(1, 1, false, "Sigmoid"),
       "logits(y){1} classifier sigmoid, pool{4} embedding"},
      {"a clipped sigmoid", clipped("Sigmoid"), "logits(y){1} classifier applied, pool{4} embedding"},
      {"a hard sigmoid", logit("HardSigmoid"), "logits(y){1} classifier applied, pool{4} embedding"},
      {"a clipped score, which is a value", clipped("Identity"), "logits(y){1} value, pool{4} embedding"},
      {"a scaled sigmoid, which is a value",
       [](OnnxFile& f) {
         f.Floats("hundred", {}, 100);
         Gemm(f, "v", 4, "l", 1), f.Node("Sigmoid", {"l"}, "s"), f.Node("Mul", {"s", "hundred"}, "y");
       },
       "logits(y){1} value, pool{4} embedding"},
  });
}

TEST(ChooseOutputs, ActivationsThatTheFileApplies) {
  const auto behind = [](std::function<void(OnnxFile&)> end) {
    return [end](OnnxFile& f) { Gemm(f, "v", 4, "l", 10), end(f); };
  };
  Check({
      {"softmax", behind([](OnnxFile& f) { f.Node("Softmax", {"l"}, "y"); }),
       "logits(y){10} classifier softmax, pool{4} embedding"},
      {"its logarithm", behind([](OnnxFile& f) { f.Node("LogSoftmax", {"l"}, "y"); }),
       "logits(y){10} classifier softmax, pool{4} embedding"},
      {"sigmoid", behind([](OnnxFile& f) { f.Node("Sigmoid", {"l"}, "y"); }),
       "logits(y){10} classifier sigmoid, pool{4} embedding"},
      {"a temperature", behind([](OnnxFile& f) {
         f.Floats("t", {}, 2), f.Node("Div", {"l", "t"}, "d"), f.Node("Softmax", {"d"}, "y");
       }),
       "logits(y){10} classifier softmax, pool{4} embedding"},
      {"softmax of a softmax",
       behind([](OnnxFile& f) { f.Node("Softmax", {"l"}, "s"), f.Node("Softmax", {"s"}, "y"); }),
       "logits(y){10} classifier softmax, pool{4} embedding"},
      {"a softmax that is not the last node", behind([](OnnxFile& f) {
         f.Floats("low", {}, 0), f.Floats("high", {}, 1);
         f.Node("Softmax", {"l"}, "s"), f.Node("Clip", {"s", "low", "high"}, "y");
       }),
       "logits(y){10} classifier applied, pool{4} embedding"},
      {"a softmax that others read", behind([](OnnxFile& f) {
         f.Node("Softmax", {"l"}, "y"), f.Node("Exp", {"y"}, "e"), Named(f, {"y", "e"});
       }),
       "logits(y){10} classifier softmax, pool{4} embedding, e{10} classifier applied"},
      {"logits and their softmax", behind([](OnnxFile& f) {
         f.Node("Softmax", {"l"}, "y"), Named(f, {"l", "y"});
       }),
       "logits(l)(y){10} classifier softmax, pool{4} embedding"},
      {"logits and their sigmoid", behind([](OnnxFile& f) {
         f.Node("Sigmoid", {"l"}, "y"), Named(f, {"y", "l"});
       }),
       "logits(y)(l){10} classifier sigmoid, pool{4} embedding"},
      {"a pixel without Flatten",
       [](OnnxFile& f) {
         f.Floats("k", {10, 4, 1, 1}), f.Node("Conv", {"p", "k"}, "l");
         SetInt(f.Node("Softmax", {"l"}, "y"), "axis", 1);
       },
       "logits(y){10} classifier softmax, pool{4} embedding"},
      {"dropout and identity behind", behind([](OnnxFile& f) {
         f.Node("Dropout", {"l"}, "d"), f.Node("Identity", {"d"}, "i"), f.Node("Softmax", {"i"}, "y");
       }),
       "logits(y){10} classifier softmax, pool{4} embedding"},
      {"of no layer",
       [](OnnxFile& f) {
         f.Node("Add", {"v", "v"}, "s"), f.Node("Softmax", {"s"}, "y");
       },
       "pool(y){4} embedding"},
  });
}

TEST(ChooseOutputs, ClassifiersAndEmbeddings) {
  const auto flat = [](const char* name) {
    return [name](OnnxFile& f) { f.Node("Flatten", {"m"}, "u"), Gemm(f, "u", 256, name, 8), Named(f, {name}); };
  };
  const auto pooled = [](const char* name) {
    return [name](OnnxFile& f) { Gemm(f, "v", 4, name, 8), Named(f, {name}); };
  };
  const auto fc = [](std::function<void(OnnxFile&)> end) {
    return [end](OnnxFile& f) { f.Node("Flatten", {"m"}, "u"), Gemm(f, "u", 256, "e", 8), end(f); };
  };
  Check({
      {"a Gemm behind a global pool", pooled("y"), "logits(y){8} classifier, pool{4} embedding"},
      {"a Gemm behind a flattened map", flat("y"), "pool(y){8} undecided"},
      {"the same with labels", flat("y"), "logits(y){8} classifier, pool{256} embedding", {.labels = 8}},
      {"the same with other labels", flat("y"), "pool(y){8} undecided", {.labels = 9}},
      {"the same with a config", flat("y"), "logits(y){8} classifier, pool{256} embedding", {.classifies = true}},
      {"the same named as a head", flat("y"), "logits(y){8} classifier, pool{256} embedding", {.classifiers = {"y"}}},
      {"the same named as the embedding", flat("y"), "pool(y){8} embedding", {.embedding = "y"}},
      {"named embedding", pooled("embedding"), "pool(embedding){8} embedding"},
      {"named features", flat("image_features"), "pool(image_features){8} embedding"},
      {"named fc1", flat("fc1"), "pool(fc1){8} embedding"},
      {"named logits", flat("my_logits"), "logits(my_logits){8} classifier, pool{256} embedding"},
      {"named a classifier in a feature extractor", pooled("features/classifier"),
       "logits(features/classifier){8} classifier, pool{4} embedding"},
      {"a name with emb inside", pooled("remember"), "logits(remember){8} classifier, pool{4} embedding"},
      {"labels before the name",
       pooled("embedding"),
       "logits(embedding){8} classifier, pool{4} embedding",
       {.labels = 8}},
      {"the config before labels", pooled("logits"), "pool(logits){8} embedding", {.embedding = "logits", .labels = 8}},
      {"another tensor as the embedding",
       pooled("y"),
       "logits(y){8} classifier, pool(p){4} embedding",
       {.embedding = "p"}},
      {"a BatchNorm behind", fc([](OnnxFile& f) { BatchNorm(f, "e", "y", 8); }), "pool(y){8} embedding"},
      {"BatchNorm and PReLU", fc([](OnnxFile& f) {
         BatchNorm(f, "e", "b", 8), Slopes(f, "k", 8), f.Node("PRelu", {"b", "k"}, "y");
       }),
       "pool(y){8} embedding"},
      {"scaled by channel", fc([](OnnxFile& f) {
         Slopes(f, "k", 8), f.Node("Mul", {"e", "k"}, "y");
       }),
       "pool(y){8} embedding"},
      {"divided by its length", fc([](OnnxFile& f) {
         SetInts(f.Node("ReduceL2", {"e"}, "n"), "axes", {1});
         f.Node("Div", {"e", "n"}, "y");
       }),
       "pool(y){8} embedding"},
      {"a length by squares", fc([](OnnxFile& f) {
         f.Floats("eps", {}, 1e-12f), f.Ints("axes", {1});
         f.Node("Mul", {"e", "e"}, "q"), f.Node("ReduceSum", {"q", "axes"}, "t"), f.Node("Add", {"t", "eps"}, "u2");
         f.Node("Sqrt", {"u2"}, "n"), f.Node("Div", {"e", "n"}, "y");
       }),
       "pool(y){8} embedding"},
      {"a softmax behind a BatchNorm",
       fc([](OnnxFile& f) { BatchNorm(f, "e", "b", 8), f.Node("Softmax", {"b"}, "y"); }),
       "logits(y){8} classifier softmax, pool{256} embedding"},
      {"a ReLU behind", [](OnnxFile& f) { Gemm(f, "v", 4, "e", 8), f.Node("Relu", {"e"}, "y"); },
       "pool(y){8} embedding"},
      {"no bias",
       [](OnnxFile& f) {
         f.Floats("k", {4, 8}), f.Node("MatMul", {"v", "k"}, "y");
       },
       "logits(y){8} classifier, pool{4} embedding"},
      {"MatMul and Add",
       [](OnnxFile& f) {
         f.Floats("k", {4, 8}), f.Floats("b", {8}), f.Node("MatMul", {"v", "k"}, "t"), f.Node("Add", {"t", "b"}, "y");
       },
       "logits(y){8} classifier, pool{4} embedding"},
      {"a class convolution before the pool",
       [](OnnxFile& f) {
         f.Floats("k", {8, 4, 1, 1}), f.Floats("b", {8}), f.Node("Conv", {"m", "k", "b"}, "s");
         f.Node("Relu", {"s"}, "r"), f.Node("GlobalAveragePool", {"r"}, "g"), f.Node("Flatten", {"g"}, "y");
       },
       "logits(y){8} classifier, pool{4} embedding"},
      {"the same behind a softmax",
       [](OnnxFile& f) {
         f.Floats("k", {8, 4, 1, 1}), f.Floats("b", {8}), f.Node("Conv", {"m", "k", "b"}, "s");
         f.Node("GlobalAveragePool", {"s"}, "g"), f.Node("Flatten", {"g"}, "h"), f.Node("Softmax", {"h"}, "y");
       },
       "logits(y){8} classifier softmax, pool{4} embedding"},
      {"a backbone whose last convolution is normalised",
       [](OnnxFile& f) {
         f.Floats("k", {8, 4, 1, 1}), f.Node("Conv", {"m", "k"}, "s"), BatchNorm(f, "s", "n", 8);
         f.Node("Relu", {"n"}, "r"), f.Node("GlobalAveragePool", {"r"}, "g"), f.Node("Flatten", {"g"}, "y");
       },
       "pool(y){8} embedding"},
      {"a backbone that ends in its pool", [](OnnxFile& f) { Named(f, {"v"}); }, "pool(v){4} embedding"},
      {"in a map of one pixel", [](OnnxFile& f) { Named(f, {"p"}); }, "pool(p){4} embedding"},
      {"in a map", [](OnnxFile& f) { Named(f, {"m"}); }, "pool{4} embedding, m{4x8x8} layer"},
      {"in several maps",
       [](OnnxFile& f) {
         f.Floats("k", {6, 4, 1, 1});
         SetInts(f.Node("Conv", {"m", "k"}, "d"), "strides", {2, 2}), Named(f, {"m", "d"});
       },
       "pool{6} embedding, m{4x8x8} layer, d{6x4x4} layer"},
      {"features and the scores they make",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "a", 8), f.Node("Relu", {"a"}, "r"), Gemm(f, "r", 8, "b", 10), Named(f, {"a", "b"});
       },
       "logits(b){10} classifier, pool(a){8} embedding"},
      {"heads on further outputs",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "kind", 8), Gemm(f, "v", 4, "colour", 3), Named(f, {"v", "kind", "colour"});
       },
       "logits(kind){8} classifier, pool{4} embedding, v{4} layer, colour{3} classifier"},
      {"labels that fit the second",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "kind", 8), Gemm(f, "v", 4, "colour", 3), Named(f, {"kind", "colour"});
       },
       "logits(colour){3} classifier, pool{4} embedding, kind{8} classifier",
       {.labels = 3}},
  });
}

TEST(ChooseOutputs, RefusesAnEmbeddingThatIsNone) {
  struct Case {
    const char* embedding;
    const char* message;
  };
  for (const Case& c : {Case{"nothing", "embedding: expected one of the model's tensors, got 'nothing'"},
                        Case{"m", "embedding: expected a vector, got 'm' of 4x8x8"}}) {
    OnnxFile f(17);
    Backbone(f);
    Gemm(f, "v", 4, "y", 10);
    const absl::Status status = ReadBytes(f.Bytes(), {.embedding = c.embedding}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace resnetd::onnx
