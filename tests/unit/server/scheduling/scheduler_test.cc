// The scheduler with real threads. Nothing here passes or fails by the clock: what must happen is waited for, and a
// test that waits in vain is ended by the runner.
#include "server/scheduling/scheduler.h"

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <random>
#include <thread>

#include "base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace resnetd::scheduling {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr ModelKey kModel{7}, kOther{8};

class TestJob : public Job {
 public:
  TestJob(int job, std::function<void(int, End)> ended) : id(job), ended_(std::move(ended)) {}
  void OnEnded(End why) override { ended_(id, why); }

  const int id;

 private:
  const std::function<void(int, End)> ended_;
};

int IdOf(const std::unique_ptr<Job>& job) {
  return static_cast<TestJob&>(*job).id;
}

// A scheduler whose batches stop at a gate. What happens is written down in order.
class Bench {
 public:
  explicit Bench(const Limits& limits, std::vector<BatchCost> costs = {{1, seconds(1)}, {8, seconds(1)}})
      : scheduler(std::make_unique<Scheduler>(
            limits,
            [this](int, const Dispatch& dispatch, std::vector<std::unique_ptr<Job>> jobs) { Run(dispatch, jobs); })) {
    scheduler->AddModel(kModel, costs);
  }

  Submission Make(int id, Time deadline = Time::max(), size_t bytes = 0) {
    auto job = std::make_unique<TestJob>(id, [this](int ended, End why) {
      MutexLock lock(&mu_);
      ended_.emplace_back(ended, why);
      changed_.SignalAll();
    });
    return {std::move(job), deadline, Duration::zero(), bytes};
  }

  Admission Submit(int id, Time deadline = Time::max(), size_t bytes = 0) {
    std::vector<Submission> group;
    group.push_back(Make(id, deadline, bytes));
    return scheduler->Submit(kModel, std::move(group));
  }

  // Submits with a deadline so near that it passes while the gate is closed; again, should it pass before admission.
  void SubmitUrgent(int id) {
    while (Submit(id, Now() + milliseconds(20)).verdict.refusal) {
    }
  }

  void AwaitStarted(int batches) {
    MutexLock lock(&mu_);
    while (started_ < batches) changed_.Wait(&mu_);
  }

  void AwaitEnded(size_t jobs) {
    MutexLock lock(&mu_);
    while (ended_.size() < jobs) changed_.Wait(&mu_);
  }

  void OpenGate() { gate_.count_down(); }

  std::vector<std::vector<int>> batches() {
    MutexLock lock(&mu_);
    return batches_;
  }

  std::vector<std::pair<int, End>> ended() {
    MutexLock lock(&mu_);
    return ended_;
  }

 private:
  void Run(const Dispatch& dispatch, const std::vector<std::unique_ptr<Job>>& jobs) {
    {
      MutexLock lock(&mu_);
      ++started_;
      changed_.SignalAll();
    }
    EXPECT_EQ(dispatch.items.size(), jobs.size());
    gate_.wait();
    std::vector<int> ids;
    for (const auto& job : jobs) ids.push_back(IdOf(job));
    MutexLock lock(&mu_);
    batches_.push_back(ids);
  }

  Mutex mu_;
  CondVar changed_;
  int started_ = 0;
  std::vector<std::vector<int>> batches_;
  std::vector<std::pair<int, End>> ended_;
  std::latch gate_{1};

 public:
  std::unique_ptr<Scheduler> scheduler;
};

Limits Workers(int workers) {
  Limits limits;
  limits.workers = workers;
  limits.max_queue_time = hours(1);
  return limits;
}

// Nothing waits and nothing runs.
bool IsIdle(const Scheduler& scheduler) {
  const Snapshot now = scheduler.snapshot();
  return now.waiting == 0 && now.busy_workers == 0;
}

void AwaitIdle(const Scheduler& scheduler) {
  while (!IsIdle(scheduler)) std::this_thread::yield();
}

TEST(Scheduler, StartsEachWorkerInItsOwnThread) {
  std::array<std::thread::id, 3> started;
  std::array<bool, 3> same_thread = {};
  std::latch all(3);
  {
    Scheduler scheduler(
        Workers(3),
        [&](int worker, const Dispatch&, std::vector<std::unique_ptr<Job>>) {
          same_thread[worker] = started[worker] == std::this_thread::get_id();
          all.arrive_and_wait();  // every worker holds one batch at the same time
        },
        [&](int worker) { started[worker] = std::this_thread::get_id(); });
    scheduler.AddModel(kModel, {{1, seconds(1)}});
    for (int i = 0; i < 3; ++i) {
      std::vector<Submission> group(1);
      group[0].job = std::make_unique<TestJob>(i, [](int, End) { ADD_FAILURE(); });
      ASSERT_FALSE(scheduler.Submit(kModel, std::move(group)).verdict.refusal);
    }
    AwaitIdle(scheduler);
  }
  EXPECT_THAT(same_thread, ElementsAre(true, true, true));
}

TEST(Scheduler, BatchesGrowWhileWorkersAreBusy) {
  Bench bench(Workers(1));
  for (int i = 0; i < 10; ++i) ASSERT_FALSE(bench.Submit(i).verdict.refusal);
  bench.OpenGate();
  AwaitIdle(*bench.scheduler);
  EXPECT_THAT(bench.batches(), ElementsAre(ElementsAre(0), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8), ElementsAre(9)));
}

TEST(Scheduler, SharesAGroupAmongIdleWorkers) {
  Bench bench(Workers(2), {{1, seconds(1)}, {4, seconds(3)}, {8, seconds(5)}});
  std::vector<Submission> group;
  for (int i = 0; i < 8; ++i) group.push_back(bench.Make(i));
  EXPECT_THAT(bench.scheduler->Submit(kModel, std::move(group)).items, SizeIs(8));
  bench.AwaitStarted(2);  // both at once: the gate is closed
  bench.OpenGate();
  AwaitIdle(*bench.scheduler);
  EXPECT_THAT(bench.batches(), UnorderedElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(4, 5, 6, 7)));
}

TEST(Scheduler, EndsExpiredJobsWhileAllWorkersAreBusy) {
  Bench bench(Workers(1), {{1, microseconds(1)}, {8, microseconds(1)}});
  bench.Submit(0);
  bench.AwaitStarted(1);
  bench.Submit(1, Now() + hours(1));  // the timer sleeps until then, and must be woken for the next
  bench.SubmitUrgent(2);
  bench.Submit(3);
  bench.AwaitEnded(1);
  EXPECT_THAT(bench.ended(), ElementsAre(std::pair(2, End::kDeadlineExceeded)));
  bench.OpenGate();
  AwaitIdle(*bench.scheduler);
  EXPECT_THAT(bench.batches(), ElementsAre(ElementsAre(0), ElementsAre(1, 3)));
}

TEST(Scheduler, TheFarthestDeadlineIsNoObstacle) {
  Bench bench(Workers(1), {{1, microseconds(1)}, {8, microseconds(2)}});
  bench.Submit(0);
  bench.AwaitStarted(1);
  bench.Submit(1, Time::max() - Duration(1));  // to the timer: a time to sleep until, not "never"
  bench.SubmitUrgent(2);
  bench.AwaitEnded(1);
  EXPECT_THAT(bench.ended(), ElementsAre(std::pair(2, End::kDeadlineExceeded)));
  EXPECT_EQ(bench.Submit(3, Time::min()).verdict.refusal, Refusal::kDeadline);
  bench.OpenGate();
  AwaitIdle(*bench.scheduler);
  EXPECT_THAT(bench.batches(), ElementsAre(ElementsAre(0), ElementsAre(1)));
}

TEST(Scheduler, CancelsOnlyWhatWaits) {
  Bench bench(Workers(1));
  const ItemId running = bench.Submit(0).items.at(0);
  const ItemId waiting = bench.Submit(1).items.at(0);
  bench.Submit(2);
  bench.scheduler->Cancel(waiting);
  EXPECT_THAT(bench.ended(), ElementsAre(std::pair(1, End::kCancelled)));
  bench.scheduler->Cancel(waiting);
  bench.scheduler->Cancel(running);
  bench.scheduler->Cancel(ItemId{12345});
  bench.OpenGate();
  AwaitIdle(*bench.scheduler);
  EXPECT_THAT(bench.ended(), SizeIs(1));
  EXPECT_THAT(bench.batches(), ElementsAre(ElementsAre(0), ElementsAre(2)));
}

TEST(Scheduler, HandsRefusedJobsBack) {
  Bench bench(Workers(1));
  std::vector<Submission> group;
  for (int i = 0; i < 3; ++i) group.push_back(bench.Make(i));
  const Admission admission = bench.scheduler->Submit(kOther, std::move(group));
  EXPECT_EQ(admission.verdict.refusal, Refusal::kUnknownModel);
  EXPECT_THAT(admission.items, IsEmpty());
  ASSERT_THAT(admission.refused, SizeIs(3));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(IdOf(admission.refused[i].job), i);
  EXPECT_THAT(bench.ended(), IsEmpty());
  EXPECT_TRUE(IsIdle(*bench.scheduler));
}

TEST(Scheduler, SnapshotOfABusyAndOfAnIdleOne) {
  Bench bench(Workers(2), {{1, seconds(1)}});
  for (int i = 0; i < 2; ++i) bench.Submit(i, Time::max(), 1);
  for (int i = 2; i < 5; ++i) bench.Submit(i, Time::max(), 100);
  const Snapshot busy = bench.scheduler->snapshot();
  EXPECT_EQ(busy.waiting, 3u);
  EXPECT_EQ(busy.waiting_bytes, 300u);
  EXPECT_EQ(busy.busy_workers, 2);
  EXPECT_GE(busy.oldest_age, Duration::zero());
  EXPECT_FALSE(IsIdle(*bench.scheduler));
  std::thread opener([&] { bench.OpenGate(); });
  AwaitIdle(*bench.scheduler);
  opener.join();
  const Snapshot idle = bench.scheduler->snapshot();
  EXPECT_EQ(idle.waiting, 0u);
  EXPECT_EQ(idle.waiting_bytes, 0u);
  EXPECT_EQ(idle.busy_workers, 0);
  EXPECT_EQ(idle.oldest_age, Duration::zero());
}

TEST(Scheduler, DestructorEndsWhatWaitsAndFinishesWhatRuns) {
  Bench bench(Workers(1));
  bench.Submit(0);
  bench.AwaitStarted(1);
  for (int i = 1; i <= 3; ++i) bench.Submit(i);
  std::thread opener([&] {
    bench.AwaitEnded(3);  // before the running batch, which cannot end yet
    bench.OpenGate();
  });
  bench.scheduler.reset();
  opener.join();
  EXPECT_THAT(bench.batches(), ElementsAre(ElementsAre(0)));
  EXPECT_THAT(bench.ended(),
              ElementsAre(std::pair(1, End::kShutdown), std::pair(2, End::kShutdown), std::pair(3, End::kShutdown)));
}

// Calls back into the scheduler when it ends and when it is destroyed: a lock held there would be a deadlock.
class CallingJob : public Job {
 public:
  struct Shared {
    Scheduler* scheduler = nullptr;
    Mutex mu;
    CondVar changed;
    std::vector<End> ends;
  };

  explicit CallingJob(Shared* shared) : shared_(shared) {}
  ~CallingJob() override { shared_->scheduler->snapshot(); }

  // One that is shut down submits another, three times.
  void OnEnded(End why) override {
    shared_->scheduler->snapshot();
    size_t ends;
    {
      MutexLock lock(&shared_->mu);
      shared_->ends.push_back(why);
      shared_->changed.SignalAll();
      ends = shared_->ends.size();
    }
    if (why == End::kShutdown && ends < 5) {
      EXPECT_THAT(Submit(shared_, Time::max()).items, SizeIs(1));
    }
  }

  static Admission Submit(Shared* shared, Time deadline) {
    std::vector<Submission> group(1);
    group[0].job = std::make_unique<CallingJob>(shared);
    group[0].deadline = deadline;
    return shared->scheduler->Submit(kModel, std::move(group));
  }

 private:
  Shared* const shared_;
};

TEST(Scheduler, JobsEndWithNoLockHeld) {
  CallingJob::Shared shared;
  const auto await_ends = [&shared](size_t n) {
    MutexLock lock(&shared.mu);
    while (shared.ends.size() < n) shared.changed.Wait(&shared.mu);
  };
  auto scheduler = std::make_unique<Scheduler>(
      Workers(1), [&](int, const Dispatch&, std::vector<std::unique_ptr<Job>>) { await_ends(5); });
  shared.scheduler = scheduler.get();
  scheduler->AddModel(kModel, {{1, microseconds(1)}});
  CallingJob::Submit(&shared, Time::max());  // runs until all others have ended
  scheduler->Cancel(CallingJob::Submit(&shared, Time::max()).items.at(0));
  while (CallingJob::Submit(&shared, Now() + milliseconds(20)).verdict.refusal) {
  }
  await_ends(2);
  CallingJob::Submit(&shared, Time::max());
  scheduler.reset();
  EXPECT_THAT(shared.ends,
              ElementsAre(End::kCancelled, End::kDeadlineExceeded, End::kShutdown, End::kShutdown, End::kShutdown));
}

// ---- many threads

struct Ledger {
  explicit Ledger(size_t jobs) : outcomes(jobs) {}
  std::vector<std::atomic<int>> outcomes;  // how often each job was computed or ended
  std::atomic<int> computed = 0, expired = 0, cancelled = 0, shut_down = 0, refused = 0;
};

void SubmitMany(Scheduler& scheduler, Ledger& ledger, int first, int jobs, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<ItemId> admitted;
  const auto ended = [&ledger](int id, End why) {
    ++ledger.outcomes[id];
    ++(why == End::kCancelled ? ledger.cancelled : why == End::kShutdown ? ledger.shut_down : ledger.expired);
  };
  for (int id = first; id < first + jobs;) {
    const int count = std::min<int>(1 + random() % 6, first + jobs - id);
    const Time deadline = random() % 2 ? Now() + microseconds(random() % 2000) : Time::max();
    std::vector<Submission> group;
    for (int i = 0; i < count; ++i) group.push_back({std::make_unique<TestJob>(id + i, ended), deadline, {}, 1});
    const Admission admission = scheduler.Submit(random() % 4 ? kModel : kOther, std::move(group));
    for (const Submission& refused : admission.refused) {
      ++ledger.outcomes[IdOf(refused.job)];
      ++ledger.refused;
    }
    admitted.insert(admitted.end(), admission.items.begin(), admission.items.end());
    if (!admitted.empty() && random() % 3 == 0) {
      const size_t recent = std::min<size_t>(admitted.size(), 8);
      scheduler.Cancel(admitted[admitted.size() - 1 - random() % recent]);
    }
    if (random() % 64 == 0) scheduler.snapshot();
    id += count;
  }
}

class SchedulerStress : public ::testing::TestWithParam<bool> {};

TEST_P(SchedulerStress, EveryJobEndsExactlyOnce) {
  const bool drain = GetParam();
  constexpr int kThreads = 4, kJobsEach = 15000;
  Ledger ledger(kThreads * kJobsEach);
  Limits limits = Workers(3);
  limits.max_queue_bytes = 20000;
  {
    Scheduler scheduler(limits, [&](int, const Dispatch& dispatch, std::vector<std::unique_ptr<Job>> jobs) {
      EXPECT_EQ(dispatch.items.size(), jobs.size());
      EXPECT_LE(jobs.size(), static_cast<size_t>(dispatch.plan_batch));
      for (const auto& job : jobs) {
        ++ledger.outcomes[IdOf(job)];
        ++ledger.computed;
      }
    });
    scheduler.AddModel(kModel, {{1, microseconds(10)}, {4, microseconds(30)}, {8, microseconds(50)}});
    scheduler.AddModel(kOther, {{2, microseconds(10)}});
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] { SubmitMany(scheduler, ledger, t * kJobsEach, kJobsEach, t); });
    }
    for (std::thread& t : threads) t.join();
    if (drain) {
      const auto ended = [&] { return ledger.computed + ledger.expired + ledger.cancelled + ledger.refused; };
      while (ended() < kThreads * kJobsEach) std::this_thread::yield();
      AwaitIdle(scheduler);
      const Snapshot idle = scheduler.snapshot();
      EXPECT_EQ(idle.waiting, 0u);
      EXPECT_EQ(idle.waiting_bytes, 0u);
      EXPECT_EQ(idle.busy_workers, 0);
      EXPECT_EQ(ended(), kThreads * kJobsEach);
      EXPECT_EQ(ledger.shut_down, 0);
    }
  }
  for (size_t id = 0; id < ledger.outcomes.size(); ++id) ASSERT_EQ(ledger.outcomes[id], 1) << "job " << id;
  EXPECT_GT(ledger.computed, 0);
}

INSTANTIATE_TEST_SUITE_P(DrainedOrNot, SchedulerStress, ::testing::Bool());

}  // namespace
}  // namespace resnetd::scheduling
