// A server offered more than it can do must still do what it can: of each second of work most ends in an answer that
// comes in time, at any load and any deadline that leaves room for two full batches. A simulation with explicit times:
// random arrivals, batches that take what they are expected to within a few percent. And a server that was throttled
// for a while must be as good as before soon after.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/scheduling/policy.h"

namespace resnetd::scheduling {
namespace {

constexpr ModelKey kModel{1};
constexpr Time kStart = Time(std::chrono::hours(1));

Duration Ms(double ms) {
  return Duration(static_cast<Duration::rep>(ms * 1e6));
}

struct Tally {
  int offered = 0, refused = 0, in_time = 0, late = 0, expired = 0;
};

class Server {
 public:
  Server(const std::vector<BatchCost>& costs, int workers, unsigned seed)
      : policy_(LimitsOf(workers)), workers_(workers), random_(seed) {
    policy_.AddModel(kModel, costs);
    for (const BatchCost& c : costs) {
      costs_[c.batch] = c.cost;
      best_ = std::min(best_, c.cost / c.batch);
    }
  }

  // From now on batches take so many times what they should.
  void Throttle(double times) { throttle_ = times; }
  // Nothing arrives for so long, and what waits is done or has expired.
  void Rest(Duration duration) {
    const Time until = now_ + duration;
    RunUntil(Time::max());
    RunUntil(until);
  }
  Verdict Offer(Duration deadline) {
    const Item item{ItemId{next_id_++}, kModel, now_ + deadline};
    const Verdict verdict = policy_.Admit({&item, 1}, now_);
    if (!verdict.refusal) {
      deadlines_[item.id] = item.deadline;
      HandOver();
    }
    return verdict;
  }

  // Images offered per image of which the server is capable.
  Tally Run(double load, Duration deadline, int images) {
    const double mean = static_cast<double>(best_.count()) / workers_ / load;
    std::exponential_distribution<double> gap(1 / mean);
    for (tally_ = {}; tally_.offered < images; ++tally_.offered) {
      const Time arrival = now_ + Duration(static_cast<Duration::rep>(gap(random_)));
      RunUntil(arrival);
      tally_.refused += Offer(deadline).refusal.has_value();
    }
    RunUntil(Time::max());
    return tally_;
  }

 private:
  struct Running {
    Time since, end;
    Dispatch dispatch;
  };

  static Limits LimitsOf(int workers) {
    Limits limits;
    limits.workers = workers;
    return limits;
  }

  void RunUntil(Time time) {
    while (true) {
      const auto first = std::min_element(running_.begin(), running_.end(),
                                          [](const Running& a, const Running& b) { return a.end < b.end; });
      const Time ends = first == running_.end() ? Time::max() : first->end;
      const Time expires = policy_.NextWake().value_or(Time::max());
      if (std::min(ends, expires) >= time) break;
      now_ = std::min(ends, expires);
      if (expires <= ends) {
        tally_.expired += static_cast<int>(policy_.Expire(now_).size());
      } else {
        const Running done = *first;
        running_.erase(first);
        for (ItemId id : done.dispatch.items) ++(now_ <= deadlines_.at(id) ? tally_.in_time : tally_.late);
        policy_.Finished(done.dispatch.id, now_ - done.since, now_);
        HandOver();
      }
    }
    if (time != Time::max()) now_ = std::max(now_, time);
  }

  void HandOver() {
    std::uniform_real_distribution<double> noise(0.95, 1.05);
    while (running_.size() < static_cast<size_t>(workers_)) {
      const auto dispatch = policy_.Next(now_);
      if (!dispatch) return;
      const double took = static_cast<double>(costs_.at(dispatch->plan_batch).count()) * noise(random_) * throttle_;
      running_.push_back({now_, now_ + Duration(static_cast<Duration::rep>(took)), *dispatch});
    }
  }

  Policy policy_;
  const int workers_;
  std::mt19937 random_;
  std::map<int, Duration> costs_;
  Duration best_ = Duration::max();  // per image
  double throttle_ = 1;
  Time now_ = kStart;
  uint64_t next_id_ = 1;
  std::map<ItemId, Time> deadlines_;
  std::vector<Running> running_;
  Tally tally_;
};

struct OverloadCase {
  std::string name;
  std::vector<BatchCost> costs;
  double deadline;  // ms
};

const std::vector<BatchCost> kSteep = {{1, Ms(10)}, {2, Ms(16)}, {4, Ms(28)}, {8, Ms(48)}};
const std::vector<BatchCost> kFlat = {{1, Ms(10)}, {2, Ms(19)}, {4, Ms(37)}, {8, Ms(72)}};

const OverloadCase kCases[] = {
    {"batches pay, a deadline of two", kSteep, 100},        {"batches pay, a deadline of six", kSteep, 300},
    {"batches pay, a deadline of forty", kSteep, 2000},     {"batches hardly pay, a deadline of two", kFlat, 150},
    {"batches hardly pay, a deadline of four", kFlat, 300}, {"one size only", {{8, Ms(48)}}, 150},
};

TEST(PolicyOverload, DoesInTimeWhatItCan) {
  constexpr int kImages = 20000;
  for (const OverloadCase& c : kCases) {
    for (const int workers : {1, 2, 4}) {
      for (const double load : {1.2, 2.0, 5.0}) {
        const Tally t = Server(c.costs, workers, 7).Run(load, Ms(c.deadline), kImages);
        SCOPED_TRACE(testing::Message() << c.name << ", " << workers << " workers, load " << load << ": of "
                                        << t.offered << " " << t.refused << " refused, " << t.in_time << " in time, "
                                        << t.late << " late, " << t.expired << " expired");
        EXPECT_EQ(t.refused + t.in_time + t.late + t.expired, t.offered);
        EXPECT_GT(t.in_time, 0.85 * kImages / load);
        EXPECT_LT(t.late + t.expired, 0.2 * (t.in_time + t.late + t.expired));
      }
    }
  }
}

// The lone latency of every case is 10 ms, but for the one with one size only: 48 ms.
TEST(PolicyThrottled, IsItselfAgainSoonAfterwards) {
  for (const OverloadCase& c : kCases) {
    for (const int workers : {1, 2, 4}) {
      for (const double throttle : {5.0, 25.0, 100.0}) {
        for (const double load : {0.1, 1.0, 5.0}) {
          SCOPED_TRACE(testing::Message()
                       << c.name << ", " << workers << " workers, load " << load << ", throttled to 1/" << throttle);
          const Duration lone = c.costs[0].cost;
          Server server(c.costs, workers, 7);
          server.Run(load, Ms(c.deadline), 1000);
          server.Throttle(throttle);
          const Tally slow = server.Run(load, Ms(c.deadline), 4000);
          if (load >= 1) {
            EXPECT_GT(slow.refused + slow.late + slow.expired, 0);
          }
          server.Throttle(1);
          server.Rest(Duration::zero());
          // At once, whatever was learnt.
          EXPECT_FALSE(server.Offer(5 * lone).refusal);
          // Five seconds on, what was learnt is forgotten.
          server.Rest(std::chrono::seconds(5));
          const Verdict later = server.Offer(5 * lone);
          EXPECT_FALSE(later.refusal);
          EXPECT_LT(later.predicted_completion, 3 * lone);
          EXPECT_GT(later.predicted_completion, lone / 2);
        }
      }
    }
  }
}

// Not by rest but by work: the first batches after the stretch correct the estimate.
TEST(PolicyThrottled, TheSameLoadIsServedAgain) {
  for (const OverloadCase& c : kCases) {
    for (const int workers : {1, 2, 4}) {
      Server server(c.costs, workers, 7);
      server.Throttle(25);
      server.Run(0.5, Ms(c.deadline), 4000);
      server.Throttle(1);
      const Tally first = server.Run(0.5, Ms(c.deadline), 100), then = server.Run(0.5, Ms(c.deadline), 10000);
      SCOPED_TRACE(testing::Message() << c.name << ", " << workers << " workers: " << first.refused
                                      << " refused at first, " << then.refused << " then, " << then.late << " late");
      EXPECT_LT(first.refused, 50);
      EXPECT_LT(then.refused + then.late + then.expired, 0.02 * then.offered);
    }
  }
}

// The cost measured at load was twenty times too much.
TEST(PolicyThrottled, AStartThatWasThrottledIsForgiven) {
  for (const OverloadCase& c : kCases) {
    std::vector<BatchCost> measured = c.costs;
    for (BatchCost& cost : measured) cost.cost *= 20;
    for (const int workers : {1, 2, 4}) {
      Server server(measured, workers, 7);
      server.Throttle(1.0 / 20);
      EXPECT_FALSE(server.Offer(5 * c.costs[0].cost).refusal);
      server.Run(0.5 * 20, Ms(c.deadline), 500);
      const Tally then = server.Run(0.5 * 20, Ms(c.deadline), 10000);
      SCOPED_TRACE(testing::Message() << c.name << ", " << workers << " workers: " << then.refused << " refused");
      EXPECT_LT(then.refused + then.late + then.expired, 0.02 * then.offered);
    }
  }
}

TEST(PolicyOverload, RefusesNothingThatFits) {
  for (const OverloadCase& c : kCases) {
    for (const int workers : {1, 2, 4}) {
      const Tally t = Server(c.costs, workers, 7).Run(0.5, Ms(c.deadline), 20000);
      SCOPED_TRACE(testing::Message() << c.name << ", " << workers << " workers: " << t.refused << " refused, "
                                      << t.late << " late, " << t.expired << " expired");
      EXPECT_LT(t.refused + t.late + t.expired, 0.02 * t.offered);
    }
  }
}

}  // namespace
}  // namespace resnetd::scheduling
