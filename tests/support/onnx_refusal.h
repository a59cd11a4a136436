#ifndef RESNETD_TESTS_SUPPORT_ONNX_REFUSAL_H_
#define RESNETD_TESTS_SUPPORT_ONNX_REFUSAL_H_

#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_file.h"

namespace resnetd::onnx {

// x -> Conv -> GlobalAveragePool -> Flatten -> Gemm -> y, of nodes 0 to 3.
inline void Network(OnnxFile& f) {
  f.Floats("w", {4, 3, 3, 3});
  f.Floats("fw", {10, 4});
  f.Node("Conv", {"x", "w"}, "c");
  f.Node("GlobalAveragePool", {"c"}, "p");
  f.Node("Flatten", {"p"}, "v");
  SetInt(f.Node("Gemm", {"v", "fw"}, "y"), "transB", 1);
}

// A file that must be refused, and a part of the message.
struct Case {
  const char* what;
  std::function<void(OnnxFile&)> build;
  const char* message;
};

inline void Check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    OnnxFile file;
    c.build(file);
    const auto graph = ReadBytes(file.Bytes());
    EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument) << c.what;
    EXPECT_THAT(std::string(graph.status().message()),
                testing::AllOf(testing::StartsWith("model 'tested': "), testing::HasSubstr(c.message)))
        << c.what;
  }
}

// A case that spoils Network().
inline Case Spoilt(const char* what, const std::function<void(OnnxFile&)>& spoil, const char* message) {
  return {what, [spoil](OnnxFile& f) { Network(f), spoil(f); }, message};
}

}  // namespace resnetd::onnx

#endif  // RESNETD_TESTS_SUPPORT_ONNX_REFUSAL_H_
