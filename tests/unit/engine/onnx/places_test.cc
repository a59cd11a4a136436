// Elements of a whole batch that are taken from one row of them (operators/places.cc), and near misses.
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/onnx_reading.h"
#include "tests/support/onnx_refusal.h"

namespace resnetd::onnx {
namespace {

struct Strided {
  int64_t start = 0, step = 1, elements = 3;
  std::vector<int64_t> channels = {0, 1, 2};
  std::vector<int64_t> dims = {1, 3, 1, 1};
};

// x of 3x8x8 -> its pool, by channel -> the same as PyTorch's dynamo exporter writes as_strided.
std::function<void(OnnxFile&)> Gathered(const Strided& s) {
  return [=](OnnxFile& f) {
    f.Ints("all", {-1}), f.Int("zero", s.start), f.Int("one", s.step), f.Int("each", s.elements);
    f.Ints("behind", {1, 2, 3}), f.Ints("pixel", {0}), f.Ints("channels", s.channels), f.Ints("dims", s.dims);
    f.Ints("first", {0});
    f.Node("GlobalAveragePool", {"x"}, "p");
    f.Node("Reshape", {"p", "all"}, "flat");
    f.Node("Shape", {"x"}, "shape"), f.Int("batch_axis", 0), f.Node("Gather", {"shape", "batch_axis"}, "batch");
    f.Node("Range", {"zero", "batch", "one"}, "r");
    f.Node("Mul", {"r", "each"}, "m");
    f.Node("Unsqueeze", {"m", "behind"}, "u");
    f.Node("Reshape", {"channels", "dims"}, "c");
    f.Node("Add", {"u", "c"}, "a");
    f.Node("Add", {"a", "pixel"}, "i");
    f.Node("Gather", {"flat", "i"}, "z");
  };
}

TEST(ReadOnnx, AsStrided) {
  CheckRead({
      {"as it was", Gathered({}), "ReduceMean axes 1,2{3x1x1}", {13}},
      {"with places along several axes in the file",
       [](OnnxFile& f) {
         Gathered({})(f);
         TensorProto& c = *f.graph().add_initializer();
         c.set_name("c4"), c.set_data_type(TensorProto::INT64);
         for (const int64_t d : {1, 3, 1, 1}) c.add_dims(d);
         for (const int64_t v : {0, 1, 2}) c.add_int64_data(v);
         for (NodeProto& node : *f.graph().mutable_node()) {
           if (node.output(0) == "a") node.set_input(1, "c4");
         }
       },
       "ReduceMean axes 1,2{3x1x1}",
       {13}},
      {"a range of integers",
       [](OnnxFile& f) {
         f.Int("from", 3), f.Int("to", 0), f.Int("by", -1), f.Node("Range", {"from", "to", "by"}, "axes");
         f.Ints("starts", {1, 2, 2}), f.Ints("ends", {9, 9, 9});
         f.Node("Slice", {"x", "starts", "ends", "axes"}, "z");
       },
       "Slice [2:3, 2:8, 1:8]{1x6x7}",
       {11}},
  });
}

TEST(ReadOnnx, AsStridedOfAFixedBatch) {
  for (const int64_t shift : {0, 1}) {
    OnnxFile f(17);
    OnnxFile::Describe(*f.graph().mutable_input(0), "x", {2, 3, 8, 8});
    TensorProto& places = *f.graph().add_initializer();
    places.set_name("places"), places.set_data_type(TensorProto::INT64);
    for (const int64_t d : {2, 1, 1, 3}) places.add_dims(d);
    for (int64_t i = 0; i < 6; ++i) places.add_int64_data((i + shift) % 6);
    f.Ints("all", {-1});
    f.Node("GlobalAveragePool", {"x"}, "p"), f.Node("Reshape", {"p", "all"}, "flat");
    f.Node("Gather", {"flat", "places"}, "z"), f.Node("Flatten", {"z"}, "y");
    const auto graph = ReadBytes(f.Bytes());
    EXPECT_EQ(graph.ok(), shift == 0) << graph.status();
    if (graph.ok()) {
      EXPECT_EQ(Summary(*graph), "ReduceMean axes 1,2{3x1x1}, Reshape{1x1x3}, Reshape{3}");
    }
  }
}

TEST(ReadOnnx, RefusesOtherPlaces) {
  const auto bad = [](const char* what, const Strided& s, const char* message) {
    return Case{what, [=](OnnxFile& f) { Gathered(s)(f), f.Node("Flatten", {"z"}, "y"); }, message};
  };
  constexpr const char* kOther = "inputs: expected each image's elements in their order, got others";
  Check({
      bad("every second image", {.elements = 6}, kOther),
      bad("another order", {.channels = {1, 0, 2}}, kOther),
      bad("fewer", {.channels = {0, 1}, .dims = {1, 2, 1, 1}}, kOther),
      bad("from the second image on", {.start = 1}, "start, limit and delta: expected integers known at load"),
      bad("steps of two", {.step = 2},
          "start, limit and delta: expected integers known at load, or 0, the batch and 1"),
      bad("before the first", {.channels = {-1, 0, 1}}, "input 1: expected integers from 0 on"),
      bad("other places for each image", {.channels = {0, 1, 2}, .dims = {3, 1, 1, 1}}, "sum: expected 1x1x1x1"),
      {"a row of all elements elsewhere",
       [](OnnxFile& f) {
         f.Ints("all", {-1}), f.Node("Reshape", {"x", "all"}, "flat"), f.Node("Relu", {"flat"}, "y");
       },
       kOther},
  });
}

}  // namespace
}  // namespace resnetd::onnx
