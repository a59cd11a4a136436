#ifndef RESNETD_TESTS_SUPPORT_ONNX_READING_H_
#define RESNETD_TESTS_SUPPORT_ONNX_READING_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_file.h"

namespace resnetd::onnx {

// "Conv 3x3 pad 1{4x8x8}, Relu{4x8x8}": operators with their attributes, and the dims they yield; from node `first` on
// and without `behind` last ones.
inline std::string Summary(const graph::Graph& g, size_t first = 0, size_t behind = 0) {
  std::string s;
  for (size_t i = first; i + behind < g.nodes.size(); ++i) {
    const graph::Node& node = g.nodes[i];
    const std::string attributes = graph::AttributesOf(node.op);
    absl::StrAppend(&s, i > first ? ", " : "", graph::OpName(node.op), attributes.empty() ? "" : " ", attributes, "{",
                    graph::ToString(g.value(node.output).dims), "}");
  }
  return s;
}

// Opsets at which a case is read.
struct Opsets {
  int first = kOldestOpset, last = kNewestOpset;
};

// Nodes that make "z" of the image "x" of 3x8x8, and what they become.
struct ReadCase {
  const char* what;
  std::function<void(OnnxFile&)> build;
  std::string expected;
  Opsets opsets = {};
};

inline void CheckRead(const std::vector<ReadCase>& cases) {
  for (const ReadCase& c : cases) {
    for (int opset = c.opsets.first; opset <= c.opsets.last; ++opset) {
      OnnxFile file(opset);
      c.build(file);
      file.Node("Flatten", {"z"}, "y");
      const auto graph = ReadBytes(file.Bytes());
      ASSERT_TRUE(graph.ok()) << c.what << ", opset " << opset << ": " << graph.status();
      const bool flattened = graph->value(graph->nodes.back().output).name == "y";
      EXPECT_EQ(Summary(*graph, 0, flattened), c.expected) << c.what << ", opset " << opset;
    }
  }
}

// A case of one node that reads "x".
inline ReadCase One(const char* op, const std::function<void(OnnxFile&, NodeProto&)>& set, std::string expected,
                    Opsets opsets = {}) {
  return {op, [op, set](OnnxFile& f) { set(f, f.Node(op, {"x"}, "z")); }, std::move(expected), opsets};
}

}  // namespace resnetd::onnx

#endif  // RESNETD_TESTS_SUPPORT_ONNX_READING_H_
