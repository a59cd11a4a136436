// Outputs that say which scores are the largest: they are left out, or the scores are served in their place.
#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/network_ends.h"
#include "tests/support/onnx_file.h"
#include "tests/support/onnx_refusal.h"

namespace resnetd::onnx {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

NodeProto& ArgMax(OnnxFile& f, const char* of, const char* to) {
  return SetInt(f.Node("ArgMax", {of}, to), "axis", 1);
}

NodeProto& TopK(OnnxFile& f, const char* of, const char* values, const char* indices) {
  f.Ints("k", {5});
  NodeProto& node = f.Node("TopK", {of, "k"}, values);
  node.add_output(indices);
  return node;
}

TEST(Rankings, AreLeftOutOrGiveWayToTheScores) {
  Check(std::vector<EndCase>{
      {"beside the scores",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "y", 10), ArgMax(f, "y", "label"), Named(f, {"y", "label"});
       },
       "logits(y){10} classifier, pool{4} embedding"},
      {"of the softmax beside the scores",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "y", 10), f.Node("Softmax", {"y"}, "q"), ArgMax(f, "q", "label"), Named(f, {"label", "y"});
       },
       "logits(y){10} classifier, pool{4} embedding"},
      {"of the scores beside the softmax",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "l", 10), f.Node("Softmax", {"l"}, "y"), ArgMax(f, "l", "label"), Named(f, {"y", "label"});
       },
       "logits(y){10} classifier softmax, pool{4} embedding"},
      {"alone", [](OnnxFile& f) { Gemm(f, "v", 4, "l", 10), ArgMax(f, "l", "y"); },
       "logits(l){10} classifier, pool{4} embedding"},
      {"alone, of a softmax, as floats without the axis",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "l", 10), f.Node("Softmax", {"l"}, "q"), ArgMax(f, "q", "a"), f.Ints("one", {1});
         f.Node("Squeeze", {"a", "one"}, "s"), SetInt(f.Node("Cast", {"s"}, "y"), "to", TensorProto::FLOAT);
       },
       "logits(q){10} classifier softmax, pool{4} embedding"},
      {"the five largest alone, both outputs",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "l", 10), TopK(f, "l", "values", "y"), Named(f, {"values", "y"});
       },
       "logits(l){10} classifier, pool{4} embedding"},
      {"beside the largest of the scores",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "l", 10), f.Node("Softmax", {"l"}, "q"), ArgMax(f, "q", "label");
         SetInts(f.Node("ReduceMax", {"q"}, "top"), "axes", {1}), Named(f, {"top", "label"});
       },
       "logits(q){10} classifier softmax, pool{4} embedding, top{1} value"},
      {"beside an embedding",
       [](OnnxFile& f) {
         Gemm(f, "v", 4, "l", 10), ArgMax(f, "l", "y"), Named(f, {"v", "y"});
       },
       "logits(l){10} classifier, pool{4} embedding, v{4} layer"},
      {"of a layer that might yield an embedding",
       [](OnnxFile& f) { f.Node("Flatten", {"m"}, "u"), Gemm(f, "u", 256, "l", 10), ArgMax(f, "l", "y"); },
       "logits(l){10} classifier, pool{256} embedding"},
  });
}

TEST(Rankings, AreNoted) {
  OnnxFile f(17);
  Backbone(f);
  Gemm(f, "v", 4, "y", 10), ArgMax(f, "y", "label");
  const auto notes = [&] {
    const auto model = ReadOnnx(Bytes(f.Bytes()), "tested");
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? model->notes : std::vector<std::string>();
  };
  EXPECT_THAT(notes(), IsEmpty());  // no output of the file
  Named(f, {"y", "label"});
  EXPECT_THAT(notes(), ElementsAre(AllOf(HasSubstr("output 'label' is left out"), HasSubstr("'y'"))));
  Named(f, {"label"});
  EXPECT_THAT(notes(), ElementsAre(HasSubstr("output 'label' says which values of 'y' are the largest: these")));
}

TEST(Rankings, AreRefusedElsewhere) {
  Check(std::vector<Case>{
      Spoilt(
          "among what is computed",
          [](OnnxFile& f) {
            ArgMax(f, "y", "a"), f.Node("Add", {"y", "a"}, "z");
          },
          "input 1 'a': expected a tensor that is computed here, got what an ArgMax or a TopK yields"),
      Spoilt(
          "along the batch", [](OnnxFile& f) { f.Node("ArgMax", {"y"}, "a"); }, "axis: expected 1..1, not the batch"),
      Spoilt(
          "the smallest", [](OnnxFile& f) { SetInt(TopK(f, "y", "a", "b"), "largest", 0); },
          "attribute 'largest': expected 1, as answers begin with the largest (or the scores as an output), got 0"),
      Spoilt(
          "two of a name", [](OnnxFile& f) { ArgMax(f, "y", "a"), ArgMax(f, "y", "a"); }, "'a' is defined twice"),
      Spoilt(
          "a name that is taken", [](OnnxFile& f) { ArgMax(f, "y", "v"); }, "'v' is defined twice"),
      Spoilt(
          "indices that are read",
          [](OnnxFile& f) {
            SetInts(f.Node("MaxPool", {"c"}, "z"), "kernel_shape", {2, 2}).add_output("indices");
            f.Node("Relu", {"indices"}, "r");
          },
          "output 1 'indices': expected an output that nothing reads, got one that is read"),
  });
}

}  // namespace
}  // namespace resnetd::onnx
