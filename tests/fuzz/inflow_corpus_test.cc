// Plays the seeds of the fuzzer of connections' budgets, what comes of them by small changes, and everything that was
// found, in the ordinary build.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/fuzz/found.h"
#include "tests/fuzz/inflow_checks.h"
#include "tests/fuzz/inflow_seeds.h"

namespace resnetd::fuzz {
namespace {

using server::Excess;

InflowOutcome Check(const std::string& bytes) {
  return CheckInflow({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

// Counts the events of all scripts of a test.
class Sum {
 public:
  void Add(const InflowOutcome& outcome) {
    for (const Excess excess : EnumValues<Excess>()) cuts_[excess] += outcome.cuts[excess];
    back_ += outcome.back;
    cuts_again_ += outcome.cuts_again;
    too_many_ += outcome.too_many_offenders ? 1 : 0;
  }
  // Each event that a check is about happened, or the checks have passed on nothing.
  void ExpectEverything() const {
    for (const Excess excess : EnumValues<Excess>()) EXPECT_GT(cuts_[excess], 0) << ExcessName(excess);
    EXPECT_GT(back_, 0);
    EXPECT_GT(cuts_again_, 0);
    EXPECT_GT(too_many_, 0);
  }

 private:
  EnumTable<Excess, int> cuts_{0, 0, 0};
  int back_ = 0, cuts_again_ = 0, too_many_ = 0;
};

TEST(InflowCorpus, EverySeedIsCutAsItShould) {
  Sum sum;
  for (const InflowSeed& one : InflowSeeds()) {
    SCOPED_TRACE(one.seed.name);
    const InflowOutcome outcome = Check(one.seed.bytes);
    for (const Excess excess : EnumValues<Excess>()) {
      EXPECT_EQ(outcome.cuts[excess], one.cuts[excess]) << ExcessName(excess);
    }
    sum.Add(outcome);
  }
  sum.ExpectEverything();
}

// The generator's own numbers, which are the same everywhere.
TEST(InflowCorpus, SeedsWithSmallChanges) {
  std::minstd_rand random(1);
  const std::vector<InflowSeed> seeds = InflowSeeds();
  Sum sum;
  for (int i = 0; i < 2'000; ++i) {
    std::string bytes = seeds[random() % seeds.size()].seed.bytes;
    for (auto changes = 1 + random() % 6; changes > 0; --changes) {
      const size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(1 + at / 3 * 3, 3);
          break;
        case 2:
          bytes.insert(std::min(1 + at / 3 * 3, bytes.size()),
                       {static_cast<char>(random()), static_cast<char>(random()), static_cast<char>(random())});
          break;
        default:
          bytes += seeds[random() % seeds.size()].seed.bytes.substr(1);
          break;
      }
    }
    sum.Add(Check(bytes));
  }
  sum.ExpectEverything();
}

// No seed's order of events. Few of these go far.
TEST(InflowCorpus, ScriptsOfChance) {
  std::minstd_rand random(2);
  for (int i = 0; i < 400; ++i) {
    std::string bytes(1 + 3 * (20 + random() % 180), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() >> 8);
    Check(bytes);
  }
}

TEST(InflowCorpus, NothingThatWasFoundHappensAgain) {
  CheckWhatWasFound([](const std::string& bytes) { Check(bytes); });
}

}  // namespace
}  // namespace resnetd::fuzz
