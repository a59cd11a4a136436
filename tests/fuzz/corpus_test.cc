// Runs the fuzzer's seeds and its finds once more, in the ordinary build.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/fuzz/load_fuzzer.h"
#include "tests/fuzz/seeds.h"

namespace resnetd::fuzz {
namespace {

Outcome Load(const std::string& bytes) {
  return LoadAnything({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

TEST(Corpus, EverySeedIsCompiledAndRun) {
  for (const Seed& seed : Seeds()) EXPECT_EQ(Load(seed.bytes), Outcome::kRun) << seed.name;
}

// A file here is what a fault was found with; its name says which.
TEST(Corpus, NothingThatWasFoundHappensAgain) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(FUZZ_FOUND)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  ASSERT_FALSE(files.empty());
  for (const std::filesystem::path& path : files) {
    SCOPED_TRACE(path);
    std::ifstream file(path, std::ios::binary);
    ASSERT_TRUE(file);
    Load({std::istreambuf_iterator<char>(file), {}});
  }
}

}  // namespace
}  // namespace resnetd::fuzz
