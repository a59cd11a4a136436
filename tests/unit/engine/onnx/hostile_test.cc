// Files made to do harm: each is refused, with the node or the tensor named. (What reading them takes:
// memory_test.cc. Files beside the model: external_data_test.cc. Bytes by chance: tests/fuzz.)
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_file.h"
#include "tests/support/onnx_refusal.h"

namespace resnetd::onnx {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kTwo31 = int64_t{1} << 31;

struct HostileCase {
  std::string what;
  std::function<void(OnnxFile&)> build;
  std::string who;      // "node 'node4'"
  std::string message;  // what of it
};

void CheckHostile(const std::vector<HostileCase>& cases) {
  for (const HostileCase& c : cases) {
    OnnxFile file;
    Network(file);
    c.build(file);
    const auto graph = ReadBytes(file.Bytes());
    EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument) << c.what;
    EXPECT_THAT(std::string(graph.status().message()), AllOf(HasSubstr(c.who), HasSubstr(c.message))) << c.what;
  }
}

// One more node, "node4", that reads the map "c" of 4x6x6.
HostileCase OneMore(const std::string& what, const char* op, const std::function<void(OnnxFile&, NodeProto&)>& set,
                    const char* message) {
  return {what, [op, set](OnnxFile& f) { set(f, f.Node(op, {"c"}, "z")); }, "node 'node4'", message};
}

// The convolution, "node0", of the image with weights "w" of 4x3x3x3.
HostileCase Spoilt(const std::string& what, const std::function<void(OnnxFile&, NodeProto&)>& set,
                   const char* message) {
  return {what, [set](OnnxFile& f) { set(f, *f.graph().mutable_node(0)); }, "node 'node0'", message};
}

TEST(ReadOnnxHostile, Windows) {
  std::vector<HostileCase> cases;
  for (const int64_t v : {int64_t{0}, int64_t{-1}, kTwo31, kLeast, kMost}) {
    const auto set = [v](const char* attribute, std::vector<int64_t> values) {
      return [=](OnnxFile&, NodeProto& n) {
        std::vector<int64_t> with = values;
        for (int64_t& x : with) x = x < 0 ? v : x;
        SetInts(n, attribute, with);
      };
    };
    const auto pool = [&](const char* attribute, std::vector<int64_t> values) {
      return [=](OnnxFile& f, NodeProto& n) {
        if (attribute != std::string("kernel_shape")) SetInts(n, "kernel_shape", {2, 2});
        set(attribute, values)(f, n);
      };
    };
    cases.push_back(Spoilt(absl::StrCat("convolution, stride ", v), set("strides", {1, -1}), "stride along W"));
    cases.push_back(Spoilt(absl::StrCat("convolution, dilation ", v), set("dilations", {-1, 1}), "dilation along H"));
    for (const char* op : {"MaxPool", "AveragePool"}) {
      cases.push_back(OneMore(absl::StrCat(op, ", kernel ", v), op, pool("kernel_shape", {-1, 2}), "kernel along H"));
      cases.push_back(OneMore(absl::StrCat(op, ", stride ", v), op, pool("strides", {1, -1}), "stride along W"));
    }
    if (v == 0) continue;  // a padding of nothing is fine
    cases.push_back(Spoilt(absl::StrCat("convolution, pad ", v), set("pads", {0, 0, -1, 0}), "padding along H"));
    cases.push_back(OneMore(absl::StrCat("pool, pad ", v), "MaxPool", pool("pads", {0, -1, 0, 0}), "padding along W"));
    cases.push_back(OneMore(
        absl::StrCat("pad ", v), "Pad",
        [v](OnnxFile& f, NodeProto& n) {
          f.Ints("pads", {0, 0, 0, v, 0, 0, 0, 0});
          n.add_input("pads");
        },
        "padding: expected 0..16777216"));
  }
  for (const int64_t v : {int64_t{0}, int64_t{-1}, int64_t{4}, kTwo31, kLeast, kMost}) {
    cases.push_back(Spoilt(
        absl::StrCat("groups ", v), [v](OnnxFile&, NodeProto& n) { SetInt(n, "group", v); }, "groups: expected 1..3"));
  }
  CheckHostile(cases);
}

TEST(ReadOnnxHostile, Axes) {
  std::vector<HostileCase> cases;
  for (const int64_t v : {int64_t{5}, int64_t{-6}, kTwo31, kLeast, kMost}) {
    const auto attribute = [v](const char* name) { return [=](OnnxFile&, NodeProto& n) { SetInt(n, name, v); }; };
    const auto input = [v](const char* name) {
      return [=](OnnxFile& f, NodeProto& n) {
        f.Ints(name, {v});
        n.add_input(name);
      };
    };
    cases.push_back(OneMore(
        absl::StrCat("Concat ", v), "Concat",
        [=](OnnxFile& f, NodeProto& n) { n.add_input("c"), attribute("axis")(f, n); }, "axis"));
    cases.push_back(OneMore(absl::StrCat("Flatten ", v), "Flatten", attribute("axis"), "axis"));
    cases.push_back(OneMore(absl::StrCat("Softmax ", v), "Softmax", attribute("axis"), "(Softmax"));
    cases.push_back(OneMore(absl::StrCat("Split ", v), "Split", attribute("axis"), "axis"));
    cases.push_back(OneMore(absl::StrCat("Squeeze ", v), "Squeeze", input("axes"), "ax"));
    cases.push_back(OneMore(absl::StrCat("Unsqueeze ", v), "Unsqueeze", input("axes"), "ax"));
    cases.push_back(OneMore(absl::StrCat("ReduceSum ", v), "ReduceSum", input("axes"), "ax"));
    cases.push_back(OneMore(
        absl::StrCat("ReduceMean ", v), "ReduceMean",
        [v](OnnxFile&, NodeProto& n) {
          SetInts(n, "axes", {2, v});
        },
        "ax"));
    cases.push_back(OneMore(
        absl::StrCat("Slice ", v), "Slice",
        [v](OnnxFile& f, NodeProto& n) {
          f.Ints("starts", {0}), f.Ints("ends", {1}), f.Ints("axes", {v});
          n.add_input("starts"), n.add_input("ends"), n.add_input("axes");
        },
        "axis"));
    cases.push_back(OneMore(
        absl::StrCat("Transpose ", v), "Transpose",
        [v](OnnxFile&, NodeProto& n) {
          SetInts(n, "perm", {0, 1, 2, v});
        },
        "perm"));
  }
  cases.push_back(OneMore(
      "an axis twice", "Transpose",
      [](OnnxFile&, NodeProto& n) {
        SetInts(n, "perm", {0, 1, 1, 3});
      },
      "perm"));
  CheckHostile(cases);
}

TEST(ReadOnnxHostile, WeightsThatDoNotFit) {
  const auto with = [](const std::vector<int64_t>& dims) {
    return [dims](OnnxFile& f, NodeProto& n) { f.Floats("v", dims), n.set_input(1, "v"); };
  };
  const auto tensor = [](const char* what, const std::vector<int64_t>& dims, const char* message) {
    return HostileCase{what,
                       [dims](OnnxFile& f) {
                         TensorProto& w = *f.graph().mutable_initializer(0);
                         w.clear_dims();
                         for (const int64_t d : dims) w.add_dims(d);
                       },
                       "tensor 'w'", message};
  };
  const auto norm = [](int64_t channels) {
    return [channels](OnnxFile& f, NodeProto& n) {
      f.Floats("right", {4}), f.Floats("wrong", {channels});
      for (const char* name : {"right", "right", "wrong", "right"}) n.add_input(name);
    };
  };
  CheckHostile({
      Spoilt("more input channels", with({4, 4, 3, 3}), "input channels 3"),
      Spoilt("fewer input channels", with({4, 2, 3, 3}), "input channels 3"),
      Spoilt("three axes", with({4, 3, 9}), "weights: expected"),
      Spoilt("a scalar", with({}), "weights: expected"),
      Spoilt("a kernel larger than the image", with({4, 3, 9, 9}), "at least 9 pixels"),
      Spoilt(
          "a bias of another size", [](OnnxFile& f, NodeProto& n) { f.Floats("b", {5}), n.add_input("b"); },
          "bias: expected 4"),
      Spoilt(
          "weights that are not there", [](OnnxFile&, NodeProto& n) { n.set_input(1, "v"); },
          "input 1 'v' is yielded by no earlier node"),
      tensor("a kernel of 0", {4, 3, 0, 9}, "is empty"),
      tensor("nine axes", {4, 3, 3, 3, 1, 1, 1, 1, 1}, "expected at most 8 axes, got 9"),
      tensor("negative dims", {4, 3, -3, -3}, "expected dims of at least 0, got -3"),
      tensor("the least dims", {kLeast, 3, 3, 3}, "expected dims of at least 0"),
      tensor("dims that overflow", {kMost, 2, 2, 2}, "multiply to more than 2^31 elements"),
      tensor("dims that overflow to what is there", {kTwo31, kTwo31, 4, 108}, "multiply to more than 2^31 elements"),
      tensor("too many elements", {4, 3, 3, 4}, "expected 576 bytes for its dims, got 432"),
      tensor("too few elements", {4, 3, 3, 2}, "expected 288 bytes for its dims, got 432"),
      OneMore("a mean of another size", "BatchNormalization", norm(5), "mean: expected 4 values"),
      {"a last layer of another size",
       [](OnnxFile& f) {
         f.Floats("wide", {10, 5}), f.graph().mutable_node(3)->set_input(1, "wide");
       },
       "node 'node3'", "weights: expected OCx4, got 10x5"},
  });
}

TEST(ReadOnnxHostile, GraphsWithinGraphs) {
  std::vector<HostileCase> cases;
  for (const char* op : {"If", "Loop", "Scan"}) {
    for (const int depth : {1, 6, 7, 100}) {
      const auto build = [=](OnnxFile& f) {
        NodeProto* node = &f.Node(op, {"c"}, "z");
        for (int i = 0; i < depth; ++i) {
          GraphProto& body = *Attribute(*node, "body", AttributeProto::GRAPH).mutable_g();
          body.set_name("body");
          node = body.add_node();
          node->set_op_type(op);
        }
      };
      // The graph is 2 deep, a body 3 more than the graph that its node is in: 20 are allowed.
      cases.push_back({absl::StrCat(op, " ", depth, " deep"), build, "'node4'",
                       depth < 6 ? "operators that are not supported" : "nested deeper than 20"});
    }
  }
  CheckHostile(cases);
}

TEST(ReadOnnxHostile, AttributesThatComeTwice) {
  CheckHostile({Spoilt(
      "groups", [](OnnxFile&, NodeProto& n) { SetInt(SetInt(n, "group", 1), "group", 3); },
      "attribute 'group' comes twice")});
}

// A file of a few MiB as it arrives when a copy is cut off.
TEST(ReadOnnxHostile, TruncatedAtEvery64KiB) {
  OnnxFile file;
  Network(file);
  file.Floats("large", {1 << 20});
  const std::string bytes = file.Bytes();
  ASSERT_TRUE(ReadBytes(bytes).ok()) << ReadBytes(bytes).status();
  ASSERT_GT(bytes.size(), size_t{4} << 20);
  for (size_t size = 0; size < bytes.size(); size += 1 << 16) {
    EXPECT_EQ(ReadBytes(bytes.substr(0, size)).status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(ReadOnnxHostile, RandomBytes) {
  std::mt19937 rng(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(1 + rng() % 2000, '\0');
    for (char& c : bytes) c = static_cast<char>(rng());
    if (round % 2 == 0) bytes.insert(0, "\x08\x08\x3a\xc8\x0f");  // as if a graph of 1992 bytes followed
    EXPECT_EQ(ReadBytes(bytes).status().code(), absl::StatusCode::kInvalidArgument) << round;
  }
}

}  // namespace
}  // namespace resnetd::onnx
