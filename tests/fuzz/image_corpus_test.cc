// Runs the image fuzzers' seeds and their finds once more, in the ordinary build.
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "tests/fuzz/found.h"
#include "tests/fuzz/image_checks.h"
#include "tests/fuzz/resize_seeds.h"
#include "tests/support/image_golden.h"
#include "tests/support/image_hostile.h"

namespace resnetd::fuzz {
namespace {

using image::Format;

// Tries the file with each of them, whatever it is. True if one of the formats accepts it.
bool Check(const std::string& bytes) {
  const auto span = image::AsBytes(bytes);
  CheckSniff(span);
  CheckResize(span);
  bool accepted = false;
  for (const Format format : {Format::kJpeg, Format::kPng, Format::kWebp}) {
    accepted |= CheckFile(span, format) == Outcome::kAccepted;
  }
  return accepted;
}

TEST(ImageCorpus, EverySeed) {
  for (std::istringstream& line : image::ReadGoldenTable("decode.txt")) {
    std::string name;
    line >> name;
    EXPECT_TRUE(Check(image::ReadGoldenFile(name))) << name;
  }
  for (const image::HostileFile& file : image::AllHostileFiles()) Check(file.bytes);
}

TEST(ImageCorpus, EverySeedOfResizeIsARecipe) {
  for (const ResizeSeed& seed : ResizeSeeds()) {
    EXPECT_EQ(CheckResize(image::AsBytes(seed.bytes)), Outcome::kAccepted) << seed.name;
  }
}

// Bytes that no fuzzer chose: each way through a recipe is taken by some of them.
TEST(ImageCorpus, AnyRecipe) {
  std::minstd_rand rng(1);
  int accepted = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng());
    accepted += CheckResize(image::AsBytes(bytes)) == Outcome::kAccepted ? 1 : 0;
  }
  EXPECT_GT(accepted, 350);
}

TEST(ImageCorpus, NothingThatWasFoundHappensAgain) {
  CheckWhatWasFound([](const std::string& bytes) { Check(bytes); });
}

}  // namespace
}  // namespace resnetd::fuzz
