#ifndef RESNETD_TESTS_GOLDEN_GOLDEN_FILES_H_
#define RESNETD_TESTS_GOLDEN_GOLDEN_FILES_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

// Reads the folders of the golden networks' tests, and says what they ask of every implementation.
namespace resnetd {

// A line of cases.txt.
struct GoldenCase {
  std::string name;
  int images = 0, classes = 0, features = 0;
};

inline void PrintTo(const GoldenCase& c, std::ostream* os) {
  *os << c.name;
}

inline std::vector<GoldenCase> ReadGoldenCases(const std::string& path) {
  std::vector<GoldenCase> cases;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    GoldenCase& c = cases.emplace_back();
    std::istringstream(line) >> c.name >> c.images >> c.classes >> c.features;
  }
  return cases;
}

inline std::string NameOfCase(const testing::TestParamInfo<GoldenCase>& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path << " is not there; the ctest fixture of this test makes it";
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<float> ReadFloats(const std::string& path, size_t count) {
  const std::string bytes = ReadFile(path);
  std::vector<float> values(count, NAN);
  EXPECT_EQ(bytes.size(), count * sizeof(float)) << path;
  if (bytes.size() == count * sizeof(float)) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Whether oneDNN computes this by a reference loop or by unfolding the image into a matrix, its slow ways out.
inline bool IsSlow(absl::string_view implementation) {
  return absl::StrContains(implementation, "ref") || absl::StartsWith(implementation, "gemm") ||
         absl::StrContains(implementation, ":gemm");
}

}  // namespace resnetd

#endif  // RESNETD_TESTS_GOLDEN_GOLDEN_FILES_H_
