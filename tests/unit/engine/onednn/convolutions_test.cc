// Convolutions of every kind of network, straight on the image and behind another one, in shapes that are multiples of
// nothing. None may be a general implementation.
#include "gtest/gtest.h"
#include "tests/support/plan_checker.h"

namespace resnetd::onednn {
namespace {

using reference::GraphBuilder;

struct Shape {
  const char* what;
  graph::Dims map;
  int64_t out;
  graph::Size2 kernel;
  graph::Size2 strides = {}, dilations = {};
  graph::Pads2 pads = {};
  int64_t groups = 1;
  bool bias = true;
  const char* slow_because = "";
};

std::vector<PlanCase> Cases(const Shape& s) {
  const Apply apply = [s](GraphBuilder& b, graph::ValueId src) {
    graph::Conv conv = b.Conv(s.out, b.dims(src)[0] / s.groups, s.kernel);
    conv.strides = s.strides;
    conv.dilations = s.dilations;
    conv.pads = s.pads;
    conv.groups = s.groups;
    if (!s.bias) conv.bias = nullptr;
    return b.Add(conv, {src});
  };
  return OnBothLayouts(s.what, s.map, apply, "Conv", s.slow_because);
}

constexpr graph::Pads2 kAround = {1, 1, 1, 1};

TEST(PlanConvolutions, Dense) {
  const std::vector<Shape> shapes = {
      {"1x1", {3, 5, 7}, 4, {1, 1}},
      {"one channel in, one out", {1, 5, 7}, 1, {3, 3}},
      {"the first layer of ResNet", {3, 33, 35}, 64, {7, 7}, {2, 2}, {}, {3, 3, 3, 3}},
      {"the first layer of ResNet-D", {3, 33, 35}, 32, {3, 3}, {2, 2}, {}, kAround},
      {"four channels", {4, 17, 19}, 64, {7, 7}, {2, 2}, {}, {3, 3, 3, 3}},
      {"grey, odd channels", {1, 28, 28}, 13, {3, 3}, {}, {}, kAround},
      {"unequal kernel, strides and padding", {5, 9, 14}, 7, {3, 2}, {2, 3}, {}, {2, 0, 1, 1}},
      {"padding as TensorFlow has it", {8, 12, 12}, 24, {3, 3}, {2, 2}, {}, {0, 0, 1, 1}},
      {"dilated", {8, 11, 12}, 8, {3, 3}, {}, {2, 3}},
      {"dilated, size kept", {32, 11, 12}, 32, {3, 3}, {}, {2, 2}, {2, 2, 2, 2}},
      {"no bias", {16, 6, 6}, 16, {3, 3}, {}, {}, {}, 1, false},
      {"the whole image", {16, 6, 5}, 20, {6, 5}},
      {"one pixel", {64, 1, 1}, 32, {1, 1}},
      {"one pixel, few channels", {10, 1, 1}, 3, {1, 1}},
      {"1x1 with stride", {64, 9, 9}, 32, {1, 1}, {2, 2}},
      {"many channels", {256, 4, 4}, 128, {3, 3}, {}, {}, kAround},
      {"5x5", {24, 9, 9}, 40, {5, 5}, {}, {}, {2, 2, 2, 2}},
      {"to one channel", {32, 5, 5}, 1, {1, 1}},
      {"padding wider than the kernel", {8, 4, 4}, 8, {1, 1}, {}, {}, {2, 2, 2, 2}},
  };
  for (const Shape& shape : shapes) CheckPlans(Cases(shape));
}

TEST(PlanConvolutions, Depthwise) {
  const std::vector<Shape> shapes = {
      {"16 channels", {16, 7, 7}, 16, {3, 3}, {}, {}, kAround, 16},
      {"stride 2", {32, 9, 8}, 32, {3, 3}, {2, 2}, {}, kAround, 32},
      {"no multiple of 16", {20, 7, 7}, 20, {3, 3}, {}, {}, kAround, 20},
      {"no multiple of 8", {13, 7, 6}, 13, {3, 3}, {2, 2}, {}, kAround, 13},
      {"5x5", {40, 9, 9}, 40, {5, 5}, {2, 2}, {}, {2, 2, 2, 2}, 40},
      {"7x7", {24, 9, 9}, 24, {7, 7}, {}, {}, {3, 3, 3, 3}, 24},
      {"blur of anti-aliased pooling", {64, 9, 9}, 64, {3, 3}, {2, 2}, {}, {}, 64, false},
      {"padding as TensorFlow has it", {48, 8, 8}, 48, {3, 3}, {2, 2}, {}, {0, 0, 1, 1}, 48},
      {"dilated", {32, 9, 9}, 32, {3, 3}, {}, {2, 2}, {2, 2, 2, 2}, 32},
      {"three channels", {3, 9, 9}, 3, {3, 3}, {}, {}, kAround, 3},
      {"two out of each", {16, 7, 7}, 32, {3, 3}, {}, {}, kAround, 16},
  };
  for (const Shape& shape : shapes) CheckPlans(Cases(shape));
}

TEST(PlanConvolutions, Groups) {
  const std::vector<Shape> shapes = {
      {"32 groups of 4: ResNeXt", {128, 7, 7}, 128, {3, 3}, {}, {}, kAround, 32},
      {"stride 2", {128, 7, 6}, 128, {3, 3}, {2, 2}, {}, kAround, 32},
      {"groups of 16: RegNet", {48, 7, 7}, 48, {3, 3}, {}, {}, kAround, 3},
      {"groups of 8", {64, 9, 9}, 64, {3, 3}, {2, 2}, {}, kAround, 8},
      {"groups of 24", {48, 7, 7}, 48, {3, 3}, {2, 2}, {}, kAround, 2},
      {"groups of 12", {36, 7, 7}, 36, {3, 3}, {}, {}, kAround, 3},
      {"groups of 4 and 6", {12, 7, 7}, 18, {3, 3}, {}, {}, {}, 3},
      {"groups of 5", {20, 6, 6}, 20, {3, 3}, {}, {}, kAround, 4},
      {"1x1", {64, 5, 5}, 32, {1, 1}, {}, {}, {}, 2},
      {"1x1, groups of 3", {6, 5, 5}, 10, {1, 1}, {}, {}, {}, 2},
  };
  for (const Shape& shape : shapes) CheckPlans(Cases(shape));
}

TEST(PlanConvolutions, OneAfterTheOther) {
  CheckPlans({{"two",
               {3, 10, 10},
               [](GraphBuilder& b) { return b.FinishFlat(AddConv(b, AddConv(b, b.image(), 10), 6)); },
               "Conv, Conv"},
              {"an inverted residual",
               {16, 8, 8},
               [](GraphBuilder& b) {
                 const auto wide = AddConv(b, b.image(), 96, 1);
                 graph::Conv depthwise = b.Conv(96, 1, {3, 3});
                 depthwise.pads = kAround;
                 depthwise.groups = 96;
                 return b.FinishFlat(AddConv(b, b.Add(depthwise, {wide}), 16, 1));
               },
               "Conv, Conv, Conv"}});
}

}  // namespace
}  // namespace resnetd::onednn
