// Runs the fuzzer's seeds and its finds once more, in the ordinary build.
#include <string>

#include "gtest/gtest.h"
#include "tests/fuzz/found.h"
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

TEST(Corpus, NothingThatWasFoundHappensAgain) {
  CheckWhatWasFound([](const std::string& bytes) { Load(bytes); });
}

}  // namespace
}  // namespace resnetd::fuzz
