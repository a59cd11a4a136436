// The size of an image that a file leaves free.
#include "engine/onnx/input_size.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_refusal.h"

namespace resnetd::onnx {
namespace {

using testing::HasSubstr;

absl::StatusOr<OnnxModel> ReadAt(OnnxFile& file, const InputSize& size = {}) {
  return ReadOnnx(file.Bytes(), "tested", {.size = size});
}

void Free(OnnxFile& file, const std::vector<int64_t>& dims) {
  OnnxFile::Describe(*file.graph().mutable_input(0), "x", dims);
}

// x -> Conv with stride 2 -> Flatten -> Gemm that takes 4 x side / 2 x side / 2.
void Fixed(OnnxFile& file, int64_t features) {
  file.Floats("w", {4, 3, 3, 3});
  file.Floats("fw", {features, 10});
  SetInts(SetInts(file.Node("Conv", {"x", "w"}, "c"), "pads", {1, 1, 1, 1}), "strides", {2, 2});
  file.Node("Flatten", {"c"}, "v");
  file.Node("Gemm", {"v", "fw"}, "y");
}

TEST(InputSize, IsWhatTheFilesLayersFix) {
  OnnxFile file;
  Fixed(file, 4 * 16 * 16);
  Free(file, {0, 0, 0, 0});
  const auto model = ReadAt(file);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph.value(model->graph.input).dims, (graph::Dims{3, 32, 32}));
  EXPECT_THAT(model->notes, testing::ElementsAre(HasSubstr("its layers fit 32x32 (sides of 31 to 32)")));
}

TEST(InputSize, OfOneSide) {
  OnnxFile file;
  Fixed(file, 4 * 16 * 8);
  Free(file, {0, 3, 0, 16});
  const auto model = ReadAt(file);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph.value(model->graph.input).dims, (graph::Dims{3, 32, 16}));
}

TEST(InputSize, NoSquareFits) {
  OnnxFile file;
  Fixed(file, 4 * 16 * 8);
  Free(file, {0, 3, 0, 0});
  EXPECT_THAT(std::string(ReadAt(file).status().message()), HasSubstr("leaves height and width free: --input-size"));
  EXPECT_TRUE(ReadAt(file, {.height = 32, .width = 16, .from = "--input-size"}).ok());
  EXPECT_THAT(std::string(ReadAt(file, {.height = 32, .width = 32, .from = "--input-size"}).status().message()),
              HasSubstr("with images of 32x32 (--input-size): node 'node2' (Gemm, opset 17)"));
}

TEST(InputSize, TheUsualOneComesLast) {
  OnnxFile file;
  Network(file);
  Free(file, {0, 0, 0, 0});
  const InputSize usual = {.usual_height = 28, .usual_width = 28, .usual_from = "preset mnist"};
  const auto model = ReadAt(file, usual);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph.value(model->graph.input).dims, (graph::Dims{3, 28, 28}));
  OnnxFile fixed;
  Fixed(fixed, 4 * 14 * 14);
  Free(fixed, {0, 0, 0, 0});
  EXPECT_EQ(ReadAt(fixed, usual)->graph.value(graph::ValueId(0)).dims, (graph::Dims{3, 28, 28}));
}

TEST(InputSize, AConstantThatFailsIsToldOnce) {
  OnnxFile file;
  Network(file);
  Free(file, {0, 3, 0, 0});
  SetInt(file.Node("Constant", {}, "k"), "value_int", 1);
  SetInt(*file.graph().mutable_node(4), "odd", 1);
  EXPECT_THAT(std::string(ReadAt(file, {.usual_height = 8, .usual_width = 8}).status().message()),
              HasSubstr("node 'node4' (Constant, opset 17): attribute 'odd' is not supported"));
}

TEST(ChooseSide, TakesCommonOnesFirst) {
  EXPECT_EQ(ChooseSide({193, 224}, 0), 224);
  EXPECT_EQ(ChooseSide({193, 224}, 200), 200);
  EXPECT_EQ(ChooseSide({225, 256}, 224), 227);
  EXPECT_EQ(ChooseSide({28, 31}, 0), 28);
  EXPECT_EQ(ChooseSide({65, 79}, 0), 72);
  EXPECT_EQ(ChooseSide({1, 1}, 0), 1);
}

TEST(Input, ChannelsAreTheFirstConvolutions) {
  OnnxFile grey;
  grey.Floats("w", {4, 1, 3, 3}), grey.Floats("mean", {1});
  grey.Node("Sub", {"x", "mean"}, "s");
  grey.Node("Conv", {"s", "w"}, "c");
  grey.Node("GlobalAveragePool", {"c"}, "y");
  Free(grey, {0, 0, 8, 8});
  const auto model = ReadAt(grey);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph.value(model->graph.input).dims, (graph::Dims{1, 8, 8}));

  OnnxFile last;
  last.Floats("w", {4, 3, 3, 3});
  SetInts(last.Node("Transpose", {"x"}, "t"), "perm", {0, 3, 1, 2});
  last.Node("Conv", {"t", "w"}, "c");
  last.Node("GlobalAveragePool", {"c"}, "y");
  Free(last, {0, 0, 0, 0});
  EXPECT_EQ(ReadAt(last, {.height = 9, .width = 8, .from = "-"})->graph.value(graph::ValueId(0)).dims,
            (graph::Dims{3, 9, 8}));

  OnnxFile behind;
  behind.Floats("w", {4, 3, 3, 3});
  behind.Node("Neg", {"x"}, "n"), behind.Node("Sqrt", {"n"}, "r");
  SetInts(behind.Node("Transpose", {"r"}, "t"), "perm", {0, 3, 1, 2});
  behind.Node("Conv", {"t", "w"}, "c");
  behind.Node("GlobalAveragePool", {"c"}, "y");
  Free(behind, {0, 0, 0, 0});
  EXPECT_EQ(ReadAt(behind, {.height = 9, .width = 8, .from = "-"})->graph.value(graph::ValueId(0)).dims,
            (graph::Dims{3, 9, 8}));

  OnnxFile none;
  none.Node("Flatten", {"x"}, "y");
  Free(none, {0, 0, 8, 8});
  EXPECT_THAT(std::string(ReadAt(none).status().message()),
              HasSubstr("expected a number of channels, which the file leaves free and no convolution"));
}

}  // namespace
}  // namespace resnetd::onnx
