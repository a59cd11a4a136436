#include "tests/fuzz/found.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace resnetd::fuzz {

void CheckWhatWasFound(const std::function<void(const std::string& bytes)>& check) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(FUZZ_FOUND)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  ASSERT_FALSE(files.empty());
  for (const std::filesystem::path& path : files) {
    SCOPED_TRACE(path);
    std::ifstream file(path, std::ios::binary);
    ASSERT_TRUE(file);
    check({std::istreambuf_iterator<char>(file), {}});
  }
}

}  // namespace resnetd::fuzz
