#ifndef RESNETD_TESTS_SUPPORT_NETWORK_ENDS_H_
#define RESNETD_TESTS_SUPPORT_NETWORK_ENDS_H_

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/enum_table.h"
#include "engine/graph/graph.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_file.h"

// Ends of networks, each in a line, behind one small backbone.
namespace resnetd::onnx {

// "logits(y){10} classifier softmax, pool{4} embedding": names with those of the file, sizes, roles, what was taken
// away.
inline std::string Outputs(const graph::Graph& graph) {
  static constexpr EnumTable<OutputRole, const char*> kRoles = {"layer", "embedding", "classifier", "value",
                                                                "undecided"};
  static constexpr EnumTable<HeadActivation, const char*> kActivations = {"", " softmax", " sigmoid"};
  std::string s;
  for (const graph::Output& o : graph.outputs) {
    absl::StrAppend(&s, s.empty() ? "" : ", ", o.name);
    for (const std::string& alias : o.aliases) absl::StrAppend(&s, "(", alias, ")");
    absl::StrAppend(&s, "{", graph::ToString(graph.value(o.value).dims), "} ", kRoles[o.role],
                    kActivations[o.activation], o.role == OutputRole::kClassifier && o.probabilities ? " applied" : "");
  }
  return s;
}

// x of 3x8x8 -> map "m" of 4x8x8 -> "p" of 4x1x1 -> vector "v" of 4.
inline void Backbone(OnnxFile& f) {
  f.Floats("w", {4, 3, 3, 3});
  SetInts(f.Node("Conv", {"x", "w"}, "c"), "pads", {1, 1, 1, 1});
  f.Node("Relu", {"c"}, "m");
  f.Node("GlobalAveragePool", {"m"}, "p");
  f.Node("Flatten", {"p"}, "v");
}

inline void Gemm(OnnxFile& f, const std::string& src, int64_t in, const std::string& dst, int64_t out) {
  f.Floats(dst + ".weight", {out, in});
  f.Floats(dst + ".bias", {out});
  NodeProto& node = f.Node("Gemm", {}, dst);
  for (const std::string& input : {src, dst + ".weight", dst + ".bias"}) node.add_input(input);
  SetInt(node, "transB", 1);
}

// Different in each channel.
inline void Slopes(OnnxFile& f, const std::string& name, int64_t channels) {
  std::vector<float> values;
  for (int64_t i = 0; i < channels; ++i) values.push_back(0.5f + 0.25f * static_cast<float>(i));
  f.Floats(name, {channels}).set_raw_data(values.data(), values.size() * sizeof(float));
}

inline void BatchNorm(OnnxFile& f, const char* src, const char* dst, int64_t channels) {
  for (const char* name : {"scale", "shift", "mean", "variance"}) f.Floats(name, {channels});
  f.Node("BatchNormalization", {src, "scale", "shift", "mean", "variance"}, dst);
}

inline void Named(OnnxFile& f, std::initializer_list<const char*> outputs) {
  f.graph().clear_output();
  for (const char* name : outputs) OnnxFile::Describe(*f.graph().add_output(), name, {0, 10});
}

// A network's end, and what its outputs are then taken for.
struct EndCase {
  const char* what;
  std::function<void(OnnxFile&)> build;
  const char* outputs;
  OutputHints hints = {};
};

inline void Check(const std::vector<EndCase>& cases) {
  for (const EndCase& c : cases) {
    OnnxFile f(17);
    Backbone(f);
    c.build(f);
    const auto graph = ReadBytes(f.Bytes(), c.hints);
    ASSERT_TRUE(graph.ok()) << c.what << ": " << graph.status();
    EXPECT_EQ(Outputs(*graph), c.outputs) << c.what;
    for (const graph::Output& o : graph->outputs) {
      EXPECT_EQ(o.evidence.empty(), o.role == OutputRole::kLayer) << c.what << ", " << o.name;
    }
  }
}

// m -> a convolution of size x size to `classes` maps -> averaged -> the operator `behind`, unless empty -> a vector.
inline std::function<void(OnnxFile&)> ClassConv(int64_t classes, int64_t size, bool bias, const char* behind = "",
                                                const char* output = "y") {
  return [=](OnnxFile& f) {
    f.Floats("k", {classes, 4, size, size}), f.Floats("b", {classes});
    NodeProto& conv = f.Node("Conv", {"m", "k"}, "s");
    SetInts(conv, "pads", std::vector<int64_t>(4, size / 2));
    if (bias) conv.add_input("b");
    f.Node("GlobalAveragePool", {"s"}, "g");
    if (*behind != '\0') f.Node(behind, {"g"}, "h");
    f.Node("Flatten", {*behind == '\0' ? "g" : "h"}, output), Named(f, {output});
  };
}

}  // namespace resnetd::onnx

#endif  // RESNETD_TESTS_SUPPORT_NETWORK_ENDS_H_
