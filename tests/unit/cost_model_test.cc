// How predictions follow what batches take.
#include "server/scheduling/cost_model.h"

#include "gtest/gtest.h"

namespace resnetd::scheduling {
namespace {

Duration Us(int us) {
  return std::chrono::microseconds(us);
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
  // A sample counts as at most twice and at least half of the prediction, and weighs an eighth.
  for (const Case c : {Case{1600, 1600}, Case{2400, 1700}, Case{3200, 1800}, Case{3201, 1800},
                       Case{1'000'000'000, 1800}, Case{800, 1500}, Case{799, 1500}, Case{0, 1500}, Case{-5, 1500}}) {
    CostModel costs({{1, Us(1600)}});
    costs.Correct(0, Us(c.actual));
    EXPECT_EQ(costs.cost(0), Us(c.predicted)) << c.actual;
    EXPECT_DOUBLE_EQ(costs.best_per_image(), c.predicted * 1000.0) << c.actual;
  }
}

TEST(CostModel, FollowsALastingChange) {
  CostModel costs({{1, Us(100)}, {8, Us(400)}});
  for (int i = 0; i < 200; ++i) costs.Correct(1, Us(40000));
  EXPECT_NEAR(costs.cost(1).count(), 40e6, 1e3);
  for (int i = 0; i < 400; ++i) costs.Correct(1, Us(400));
  EXPECT_NEAR(costs.cost(1).count(), 400e3, 10);
}

TEST(CostModel, AllSizesFollowTogether) {
  CostModel costs({{1, Us(100)}, {8, Us(400)}});
  costs.Correct(0, Us(164));  // of 100: the average becomes 1.08
  EXPECT_EQ(costs.cost(0), Us(108));
  EXPECT_EQ(costs.cost(1), Us(432));
  EXPECT_DOUBLE_EQ(costs.best_per_image(), 54000);
}

TEST(CostModel, NeverFallsBelowAnEighthOfTheMeasurement) {
  CostModel costs({{1, Us(800)}});
  for (int i = 0; i < 1000; ++i) costs.Correct(0, Us(-100));
  EXPECT_EQ(costs.cost(0), Us(100));
}

}  // namespace
}  // namespace resnetd::scheduling
