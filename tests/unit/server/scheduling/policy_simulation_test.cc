// Two million seeded random steps of the policy against a slow twin. After every step both must say the same; a ledger
// checks that each admitted item ends exactly once. Among the steps are stretches in which every batch takes many times
// as long, and rests in which nothing happens: whatever was learnt, a free worker takes what it can start at once.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "gtest/gtest.h"
#include "server/scheduling/policy.h"
#include "tests/support/policy_twin.h"

namespace resnetd::scheduling {
namespace {

int Below(std::mt19937& random, int n) {
  return static_cast<int>(random() % static_cast<unsigned>(n));
}
Duration Us(int us) {
  return std::chrono::microseconds(us);
}

// One server's life: limits, models and load drawn from the seed.
class Episode {
 public:
  explicit Episode(unsigned seed) : random_(seed), limits_(DrawLimits()), policy_(limits_), twin_(limits_) {
    models_ = 1 + Below(random_, 3);
    urgency_ = 1 + Below(random_, 40);
    pace_ = 1 + Below(random_, 3000);
    for (int m = 0; m < models_; ++m) {
      std::vector<BatchCost> costs;
      Duration cost{};
      for (int batch = 1 + Below(random_, 2); batch <= 16; batch *= 2 + Below(random_, 2)) {
        cost += Us(100 + Below(random_, 150) * batch);
        costs.push_back({batch, cost});
      }
      policy_.AddModel(ModelKey(m), costs);
      twin_.AddModel(ModelKey(m), costs);
    }
  }

  void Step() {
    now_ += Us(Below(random_, pace_));
    if (Below(random_, 400) == 0) now_ += Us(Below(random_, 3'000'000));
    if (Below(random_, 300) == 0) throttle_ = throttle_ > 1 ? 1 : 5 + Below(random_, 40);
    switch (Below(random_, 8)) {
      case 0:
      case 1:
      case 2:
        Admit();
        break;
      case 3:
      case 4:
        Next();
        break;
      case 5:
        Finish();
        break;
      case 6:
        Cancel();
        break;
      default:
        Expire();
        break;
    }
    Compare();
  }

  // Runs what is left; then the ledger must balance.
  void Drain() {
    while (!twin_.waiting().empty() || !twin_.runs().empty()) {
      Next();
      Finish();
      Expire();
      Compare();
      if (::testing::Test::HasFatalFailure()) return;
    }
    ASSERT_TRUE(waiting_.empty());
    ASSERT_EQ(admitted_, dispatched_ + cancelled_ + expired_);
  }

  size_t admitted_ = 0, dispatched_ = 0, cancelled_ = 0, expired_ = 0;
  std::map<Refusal, int> refusals_;
  std::map<Why, int> whys_;
  int started_at_once_ = 0;  // groups admitted although their deadline was predicted to be missed

 private:
  Limits DrawLimits() {
    Limits limits;
    limits.workers = 1 + Below(random_, 4);
    limits.max_queue_time = Us(Below(random_, 20000));
    limits.max_queue_bytes = 1000 + Below(random_, 20000);
    limits.batch_gain = Below(random_, 4) * 0.05;
    limits.backlog_loss = Below(random_, 4) * 0.05;
    limits.deadline_margin = Below(random_, 4) * 0.1;
    return limits;
  }

  void Admit() {
    const auto model = static_cast<ModelKey>(Below(random_, models_));
    std::vector<Item> group;
    const int count = Below(random_, 4) ? 1 : 1 + Below(random_, 20);
    const Time deadline = Below(random_, 5) ? now_ + Us(500 * Below(random_, urgency_)) : Time::max();
    for (int i = 0; i < count; ++i) {
      const Duration prepare = Us(Below(random_, 3) ? 0 : Below(random_, 400));
      const Duration later = Us(Below(random_, 4) ? 0 : Below(random_, 3000));
      group.push_back({ItemId{next_id_ + i}, model, deadline == Time::max() ? deadline : deadline + later, prepare,
                       static_cast<size_t>(Below(random_, 400))});
    }
    const bool starts_now = !twin_.Live(now_) && twin_.runs().size() < static_cast<size_t>(limits_.workers);
    const auto expected_of_all = twin_.RefusalOfAll(deadline, now_);
    const auto refusal_of_all = policy_.RefusalOfAll(deadline, now_);
    ASSERT_EQ(refusal_of_all.has_value(), expected_of_all.has_value());
    if (refusal_of_all) {
      ASSERT_EQ(refusal_of_all->refusal, expected_of_all->refusal);
      ASSERT_EQ(refusal_of_all->predicted_wait, expected_of_all->predicted_wait);
    }
    const Verdict expected = twin_.Admit(group, now_);
    const Verdict verdict = policy_.Admit(group, now_);
    ASSERT_EQ(verdict.predicted_completion, expected.predicted_completion);
    if (starts_now && deadline > now_ && verdict.refusal) {
      // All that waits has expired, and still holds its bytes.
      ASSERT_TRUE(*verdict.refusal == Refusal::kQueueBytes || *verdict.refusal == Refusal::kGroupBytes);
    }
    started_at_once_ += !verdict.refusal && deadline - now_ < verdict.predicted_completion;
    ASSERT_EQ(verdict.refusal, expected.refusal);
    ASSERT_EQ(verdict.predicted_wait, expected.predicted_wait);
    if (verdict.refusal == Refusal::kQueueBytes) {
      ASSERT_GT(twin_.waiting_bytes(), 0u) << "an empty queue is not full";
    }
    if (verdict.refusal) {
      ASSERT_GT(verdict.predicted_wait, Duration::zero());
      ++refusals_[*verdict.refusal];
      return;
    }
    for (const Item& item : group) waiting_.insert(item.id);
    next_id_ += count;
    admitted_ += count;
  }

  void Next() {
    if (twin_.runs().size() == static_cast<size_t>(limits_.workers)) return;
    std::map<ItemId, Time> deadlines;
    for (const TwinItem& w : twin_.waiting()) deadlines[w.item.id] = w.item.deadline;
    const bool work = std::any_of(deadlines.begin(), deadlines.end(), [&](const auto& d) { return d.second > now_; });
    const auto dispatch = policy_.Next(now_);
    ASSERT_EQ(dispatch.has_value(), work);
    if (!dispatch) return;
    const Dispatch expected = twin_.Next(dispatch->id, now_);
    ASSERT_EQ(dispatch->items, expected.items);
    ASSERT_EQ(dispatch->model, expected.model);
    ASSERT_EQ(dispatch->plan_batch, expected.plan_batch);
    ASSERT_EQ(dispatch->why, expected.why);
    ++whys_[dispatch->why];
    for (ItemId id : dispatch->items) {
      ASSERT_GT(deadlines.at(id), now_);
      ASSERT_GT(id, last_dispatched_[dispatch->model]);  // ids ascend in order of arrival
      last_dispatched_[dispatch->model] = id;
      ASSERT_EQ(waiting_.erase(id), 1u);
      ++dispatched_;
    }
  }

  void Finish() {
    if (twin_.runs().empty()) return;
    const TwinRun run = twin_.runs()[Below(random_, static_cast<int>(twin_.runs().size()))];
    Duration took = Us(Below(random_, 6000)) * throttle_;
    if (Below(random_, 20) == 0) took *= 1000;
    twin_.Finished(run.id, took, now_);
    policy_.Finished(run.id, took, now_);
  }

  void Cancel() {
    // Waiting, running, ended and unknown items alike.
    const ItemId id{next_id_ - std::min<uint64_t>(next_id_, Below(random_, 60))};
    const bool waited = twin_.Cancel(id);
    ASSERT_EQ(policy_.Cancel(id), waited);
    ASSERT_EQ(waiting_.erase(id), waited ? 1u : 0u);
    cancelled_ += waited;
  }

  void Expire() {
    const std::vector<ItemId> expired = policy_.Expire(now_);
    ASSERT_EQ(expired, twin_.Expire(now_));
    for (ItemId id : expired) ASSERT_EQ(waiting_.erase(id), 1u);
    expired_ += expired.size();
  }

  void Compare() {
    ASSERT_EQ(policy_.waiting(), twin_.waiting().size());
    ASSERT_EQ(policy_.waiting(), waiting_.size());
    ASSERT_EQ(policy_.waiting_bytes(), twin_.waiting_bytes());
    ASSERT_EQ(policy_.NextWake(), twin_.NextWake());
    ASSERT_EQ(policy_.oldest_arrival().value_or(Time::min()),
              twin_.waiting().empty() ? Time::min() : twin_.waiting()[0].arrived);
  }

  std::mt19937 random_;
  const Limits limits_;
  Policy policy_;
  PolicyTwin twin_;
  int models_ = 0, urgency_ = 0, pace_ = 0, throttle_ = 1;
  Time now_ = Time(std::chrono::hours(1));
  uint64_t next_id_ = 1;
  std::set<ItemId> waiting_;
  std::map<ModelKey, ItemId> last_dispatched_;
};

TEST(PolicySimulation, AgreesWithItsTwin) {
  constexpr int kEpisodes = 200, kSteps = 10000;
  std::map<Refusal, int> refusals;
  std::map<Why, int> whys;
  size_t dispatched = 0, cancelled = 0, expired = 0;
  int started_at_once = 0;
  for (int seed = 0; seed < kEpisodes; ++seed) {
    Episode episode(seed);
    for (int step = 0; step < kSteps; ++step) {
      episode.Step();
      if (HasFatalFailure()) FAIL() << "seed " << seed << ", step " << step;
    }
    episode.Drain();
    if (HasFatalFailure()) FAIL() << "seed " << seed << ", draining";
    for (const auto& [why, n] : episode.refusals_) refusals[why] += n;
    for (const auto& [why, n] : episode.whys_) whys[why] += n;
    dispatched += episode.dispatched_;
    cancelled += episode.cancelled_;
    expired += episode.expired_;
    started_at_once += episode.started_at_once_;
  }
  // The walk is worth something only if it went everywhere.
  for (Refusal why : {Refusal::kQueueTime, Refusal::kQueueBytes, Refusal::kGroupBytes, Refusal::kDeadline}) {
    EXPECT_GT(refusals[why], 1000) << static_cast<int>(why);
  }
  for (Why why : {Why::kAllWaiting, Why::kLargest, Why::kDeadline, Why::kNoGain, Why::kShared}) {
    EXPECT_GT(whys[why], 1000) << static_cast<int>(why);
  }
  EXPECT_GT(started_at_once, 10000);
  EXPECT_GT(dispatched, 100000u);
  EXPECT_GT(cancelled, 10000u);
  EXPECT_GT(expired, 10000u);
}

}  // namespace
}  // namespace resnetd::scheduling
