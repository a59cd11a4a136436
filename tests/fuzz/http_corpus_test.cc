// Runs the HTTP fuzzer's seeds, what comes of them by small changes, and everything that was found, in the ordinary
// build.
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/fuzz/found.h"
#include "tests/fuzz/http_checks.h"
#include "tests/fuzz/http_seeds.h"

namespace resnetd::fuzz {
namespace {

HttpOutcome Check(const std::string& bytes) {
  return CheckHttp({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

TEST(HttpCorpus, EverySeedGetsAsFarAsItShould) {
  for (const HttpSeed& one : HttpSeeds()) EXPECT_EQ(Check(one.seed.bytes), one.outcome) << one.seed.name;
}

TEST(HttpCorpus, EveryBeginningOfASeed) {
  for (const HttpSeed& one : HttpSeeds()) {
    for (size_t size = 0; size < one.seed.bytes.size(); ++size) Check(one.seed.bytes.substr(0, size));
  }
}

// The generator's own numbers, which are the same everywhere.
TEST(HttpCorpus, SeedsWithSmallChanges) {
  std::minstd_rand random(1);
  const std::vector<HttpSeed> seeds = HttpSeeds();
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = seeds[random() % seeds.size()].seed.bytes;
    for (auto changes = 1 + random() % 4; changes > 0; --changes) {
      const size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, 1 + random() % 3);
          break;
        case 2:
          bytes.insert(at, "\r\n");
          break;
        case 3:
          bytes += seeds[random() % seeds.size()].seed.bytes;
          break;
      }
      if (bytes.empty()) bytes = "G";
    }
    Check(bytes);
  }
}

TEST(HttpCorpus, NothingThatWasFoundHappensAgain) {
  CheckWhatWasFound([](const std::string& bytes) { Check(bytes); });
}

}  // namespace
}  // namespace resnetd::fuzz
