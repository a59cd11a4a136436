// Tests how predictions follow what batches take.
#include "server/scheduling/cost_model.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace resnetd::scheduling {
namespace {

Duration Us(int us) {
  return std::chrono::microseconds(us);
}

// A model and a worker that runs batch after batch.
struct Worker {
  CostModel costs;
  Time now = Time(std::chrono::hours(1));

  void Run(int size, Duration took) {
    costs.Start(1, now);
    const Time start = now;
    now += std::max(took, Duration::zero());
    costs.Finish(size, took, start, now);
  }
  double Slowdown() const { return static_cast<double>(costs.cost(0).count()) / 1e6; }  // of a size measured at 1 ms
};

Worker Slow(double times) {
  Worker w{CostModel({{1, Us(1000)}})};
  while (w.Slowdown() < times) w.Run(0, Us(static_cast<int>(2000 * w.Slowdown())));
  return w;
}

TEST(CostModel, SmallestSizeThatHolds) {
  const CostModel costs({{2, Us(10)}, {4, Us(16)}, {8, Us(24)}});
  const std::vector<std::pair<size_t, int>> cases = {{1, 0}, {2, 0}, {3, 1}, {4, 1}, {5, 2}, {8, 2}, {9, 2}, {1000, 2}};
  for (const auto& [items, size] : cases) EXPECT_EQ(costs.SizeHolding(items), size) << items;
  EXPECT_EQ(costs.largest(), 8);
  EXPECT_DOUBLE_EQ(costs.best_per_image(), 3000);
}

TEST(CostModel, AnOutlierMovesAPredictionByAnEighthAtMost) {
  struct Case {
    int actual, predicted;
  };
  // A sample counts as at most twice and at least half of the prediction, and weighs an eighth; a stall not at all.
  for (const Case c :
       {Case{1600, 1600}, Case{2400, 1700}, Case{3200, 1800}, Case{3201, 1800}, Case{6400, 1800}, Case{6401, 1600},
        Case{1'000'000'000, 1600}, Case{800, 1500}, Case{799, 1500}, Case{0, 1500}, Case{-5, 1500}}) {
    Worker w{CostModel({{1, Us(1600)}})};
    w.Run(0, Us(c.actual));
    EXPECT_EQ(w.costs.cost(0), Us(c.predicted)) << c.actual;
    EXPECT_DOUBLE_EQ(w.costs.best_per_image(), c.predicted * 1000.0) << c.actual;
  }
}

TEST(CostModel, FollowsALastingChange) {
  Worker w{CostModel({{1, Us(100)}, {8, Us(400)}})};
  for (int i = 0; i < 200; ++i) w.Run(1, Us(40000));
  EXPECT_NEAR(w.costs.cost(1).count(), 40e6, 1e3);
  for (int i = 0; i < 400; ++i) w.Run(1, Us(400));
  EXPECT_NEAR(w.costs.cost(1).count(), 400e3, 10);
}

TEST(CostModel, AStallIsNoCost) {
  Worker w{CostModel({{1, Us(1000)}})};
  for (int i = 0; i < 1000; ++i) {
    w.Run(0, Us(5'000'000));
    w.Run(0, Us(1000));
  }
  EXPECT_EQ(w.costs.cost(0), Us(1000));
  w.Run(0, Us(50'000));
  w.Run(0, Us(50'000));  // the second in a row
  EXPECT_EQ(w.costs.cost(0), Us(1125));
}

TEST(CostModel, BatchesSideBySideMeetOneStall) {
  CostModel costs({{1, Us(1000)}});
  const Time start = Time(std::chrono::hours(1));
  const auto at = [&](int ms) { return start + std::chrono::milliseconds(ms); };
  for (int i = 0; i < 8; ++i) costs.Start(1, at(i));
  for (int i = 0; i < 8; ++i) costs.Finish(0, Us(500'000), at(i), at(500 + i));
  EXPECT_EQ(costs.cost(0), Us(1000));
  costs.Start(1, at(600));
  costs.Finish(0, Us(500'000), at(600), at(1100));
  EXPECT_EQ(costs.cost(0), Us(1125)) << "a stretch, not a stall";
}

TEST(CostModel, AFastBatchHalvesTheExcess) {
  Worker w = Slow(24);
  const double slow = w.Slowdown();
  w.Run(0, Us(1000));
  EXPECT_NEAR(w.Slowdown(), slow / 2, 1e-6);
  for (int i = 0; i < 4; ++i) w.Run(0, Us(1000));
  EXPECT_LT(w.Slowdown(), 1.7);
  for (int i = 0; i < 20; ++i) w.Run(0, Us(10));
  EXPECT_GT(w.Slowdown(), 0.2) << "below 1 an eighth of what it is at most";
}

TEST(CostModel, TheExcessFadesWhileNothingRuns) {
  Worker w = Slow(17);
  const double excess = w.Slowdown() - 1;
  for (const int seconds : {0, 1, 2, 3, 10}) {
    w.costs.Advance(w.now + std::chrono::seconds(seconds));
    EXPECT_NEAR(w.Slowdown(), 1 + excess / (1 << seconds), 1e-5) << seconds;
  }
  w.now += std::chrono::seconds(10);
  w.costs.Start(1, w.now);
  w.costs.Advance(w.now + std::chrono::seconds(100));
  EXPECT_NEAR(w.Slowdown(), 1 + excess / 1024, 1e-5) << "not while a batch runs";
}

// A load at a twentieth of a core may have measured twenty times too much.
TEST(CostModel, AMeasurementThatWasTooHighIsCorrectedForGood) {
  Worker w{CostModel({{1, Us(20'000)}})};
  for (int i = 0; i < 100; ++i) w.Run(0, Us(1000));
  EXPECT_NEAR(w.costs.cost(0).count(), 1e6, 2e4);
  w.costs.Advance(w.now + std::chrono::hours(1));
  EXPECT_NEAR(w.costs.cost(0).count(), 1e6, 2e4);
}

TEST(CostModel, AllSizesFollowTogether) {
  Worker w{CostModel({{1, Us(100)}, {8, Us(400)}})};
  w.Run(0, Us(164));  // of 100: the average becomes 1.08
  EXPECT_EQ(w.costs.cost(0), Us(108));
  EXPECT_EQ(w.costs.cost(1), Us(432));
  EXPECT_DOUBLE_EQ(w.costs.best_per_image(), 54000);
}

TEST(CostModel, NeverFallsBelowAPartOfTheMeasurement) {
  Worker w{CostModel({{1, Us(800)}})};
  for (int i = 0; i < 1000; ++i) w.Run(0, Us(-100));
  EXPECT_EQ(w.costs.cost(0), Us(25));
}

TEST(CostModel, RemembersHowManyWaited) {
  Worker w{CostModel({{1, Us(100)}, {8, Us(400)}})};
  EXPECT_EQ(w.costs.company(), 1);
  for (int i = 0; i < 40; ++i) {
    w.costs.Start(1000, w.now);
    w.costs.Finish(1, Us(400), w.now, w.now);
  }
  EXPECT_EQ(w.costs.company(), 16) << "twice the largest";
  w.costs.Advance(w.now + std::chrono::seconds(2));
  EXPECT_EQ(w.costs.company(), 5) << "a quarter of the 15 others";
}

}  // namespace
}  // namespace resnetd::scheduling
