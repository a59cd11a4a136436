// Tables for each rule of the policy and each limit, on both sides. Times are in ms after an arbitrary start.
#include "server/scheduling/policy.h"

#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace resnetd::scheduling {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr ModelKey kA{1}, kB{2};
constexpr int kNever = -1;

constexpr Time At(int ms) {
  return ms == kNever ? Time::max() : Time(std::chrono::hours(1)) + milliseconds(ms);
}
constexpr Duration Ms(int ms) {
  return milliseconds(ms);
}
constexpr Time kStart = At(0);

// Per image 10, 8, 7 and 6 ms.
const std::vector<BatchCost> kCosts = {{1, Ms(10)}, {2, Ms(16)}, {4, Ms(28)}, {8, Ms(48)}};

struct Want {
  int deadline = kNever;
  int prepare = 0;
};

Item MakeItem(int id, Want want = {}, ModelKey model = kA, size_t bytes = 0) {
  return {ItemId(id), model, At(want.deadline), Ms(want.prepare), bytes};
}

std::vector<Item> Group(int first_id, int count, Want want = {}, ModelKey model = kA, size_t bytes = 0) {
  std::vector<Item> group;
  for (int i = 0; i < count; ++i) group.push_back(MakeItem(first_id + i, want, model, bytes));
  return group;
}

std::vector<int> Ids(const std::vector<ItemId>& items) {
  std::vector<int> ids;
  for (ItemId id : items) ids.push_back(static_cast<int>(id));
  return ids;
}

std::vector<int> NextIds(Policy& policy, Time now) {
  const auto dispatch = policy.Next(now);
  return dispatch ? Ids(dispatch->items) : std::vector<int>();
}

// ---- RefusalOfAll()

TEST(PolicyRefusalOfAll, SaysWhatAdmitWouldSayToTheSmallestRequest) {
  struct Case {
    const char* name;
    int waiting;  // behind a batch of 48 ms that has just begun
    int deadline;
    std::optional<Refusal> of_all;
  };
  Limits limits;
  limits.max_queue_time = Ms(60);
  for (const Case& c : std::vector<Case>{
           {"no deadline", 0, kNever, {}},
           {"a single image of B is done at 49, with the margin at 56.35", 0, 57, {}},
           {"too soon for B, too", 0, 56, Refusal::kDeadline},
           {"a wait of 48 + 2 * 6 is as long as it may be", 2, kNever, {}},
           {"a wait of 66", 3, kNever, Refusal::kQueueTime},
           {"the wait comes first", 3, 1, Refusal::kQueueTime},
       }) {
    Policy policy(limits);
    policy.AddModel(kA, kCosts);
    policy.AddModel(kB, {{{1, Ms(1)}}});
    policy.Admit(Group(0, 8), kStart);
    policy.Next(kStart);
    policy.Admit(Group(10, c.waiting), kStart);
    const auto verdict = policy.RefusalOfAll(At(c.deadline), kStart);
    EXPECT_EQ(verdict ? verdict->refusal : std::nullopt, c.of_all) << c.name;
    if (verdict) {
      EXPECT_EQ(verdict->predicted_wait, Ms(48 + 6 * c.waiting)) << c.name;
    }
    const auto admitted = policy.Admit({MakeItem(100, {c.deadline}, kB)}, kStart);
    EXPECT_EQ(admitted.refusal, c.of_all) << c.name;
  }
}

TEST(PolicyRefusalOfAll, IsNoneWithAFreeWorker) {
  Policy policy({});
  EXPECT_EQ(policy.RefusalOfAll(kStart, kStart), std::nullopt) << "no model, none that refuses";
  policy.AddModel(kA, kCosts);
  EXPECT_EQ(policy.RefusalOfAll(At(1), kStart), std::nullopt);
}

// ---- Next(), Expire(), Cancel()

TEST(PolicyNext, SaysWhichModelSizeAndWhy) {
  Policy policy({});
  policy.AddModel(kA, kCosts);
  policy.Admit(Group(0, 11), kStart);
  const auto first = policy.Next(kStart);
  EXPECT_EQ(first->model, kA);
  EXPECT_EQ(first->plan_batch, 8);
  EXPECT_EQ(first->why, Why::kLargest);
  EXPECT_THAT(Ids(first->items), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  const auto second = policy.Next(kStart);
  EXPECT_NE(second->id, first->id);
  EXPECT_EQ(second->plan_batch, 2);
  EXPECT_EQ(second->why, Why::kNoGain);
  EXPECT_THAT(Ids(second->items), ElementsAre(8, 9));
  EXPECT_EQ(policy.waiting(), 1u);
}

TEST(PolicyNext, SharesOnlyWithWorkersThatAreIdle) {
  Limits limits;
  limits.workers = 2;
  Policy policy(limits);
  policy.AddModel(kA, kCosts);
  policy.AddModel(kB, kCosts);
  policy.Admit({MakeItem(100, {}, kB)}, kStart);
  policy.Admit(Group(0, 16), kStart);
  const auto other = policy.Next(kStart);
  EXPECT_EQ(NextIds(policy, kStart).size(), 8u);
  policy.Finished(other->id, Ms(10), At(10));
  EXPECT_EQ(NextIds(policy, At(10)).size(), 8u);
}

TEST(PolicyNext, ServesTheModelWhoseHeadArrivedFirst) {
  Policy policy({});
  policy.AddModel(kA, kCosts);
  policy.AddModel(kB, kCosts);
  policy.Admit({MakeItem(1, {}, kB)}, At(0));
  policy.Admit({MakeItem(2, {}, kA)}, At(1));
  policy.Admit({MakeItem(3, {}, kB)}, At(2));
  policy.Admit({MakeItem(4, {}, kA)}, At(3));
  policy.Admit({MakeItem(5, {}, kB)}, At(4));
  EXPECT_TRUE(policy.Cancel(ItemId{1}));
  EXPECT_EQ(policy.oldest_arrival(), At(1));
  EXPECT_THAT(NextIds(policy, At(5)), ElementsAre(2, 4));
  EXPECT_EQ(policy.oldest_arrival(), At(2));
  EXPECT_THAT(NextIds(policy, At(5)), ElementsAre(3, 5));
  EXPECT_FALSE(policy.Next(At(5)));
  EXPECT_EQ(policy.oldest_arrival(), std::nullopt);
}

TEST(PolicyExpire, LeavesExpiredItemsToExpire) {
  Policy policy({});
  policy.AddModel(kA, kCosts);
  policy.AddModel(kB, kCosts);
  // In order of arrival 1..5; B's only item and A's head expire, the later arrival first.
  const std::vector<Item> items = {MakeItem(1, {200}, kB), MakeItem(2, {150}), MakeItem(3, {201}), MakeItem(4, {200}),
                                   MakeItem(5)};
  for (const Item& item : items) ASSERT_FALSE(policy.Admit({&item, 1}, kStart).refusal);
  EXPECT_EQ(policy.NextWake(), At(150));
  EXPECT_THAT(policy.Expire(At(149)), IsEmpty());

  const auto dispatch = policy.Next(At(200));  // at its deadline an item has expired, 1 ms before it has not
  ASSERT_TRUE(dispatch);
  EXPECT_THAT(Ids(dispatch->items), ElementsAre(3, 5));
  EXPECT_EQ(dispatch->why, Why::kAllWaiting);
  EXPECT_FALSE(policy.Next(At(200)));
  EXPECT_EQ(policy.waiting(), 3u);
  EXPECT_EQ(policy.NextWake(), At(150));
  EXPECT_THAT(Ids(policy.Expire(At(200))), ElementsAre(1, 2, 4));
  EXPECT_THAT(policy.Expire(At(200)), IsEmpty());
  EXPECT_EQ(policy.waiting(), 0u);
  EXPECT_EQ(policy.NextWake(), std::nullopt);
}

TEST(PolicyExpire, NoDeadlineNeverExpires) {
  Policy policy({});
  policy.AddModel(kA, kCosts);
  policy.Admit({MakeItem(1)}, kStart);
  EXPECT_EQ(policy.NextWake(), std::nullopt);
  EXPECT_THAT(policy.Expire(Time::max()), IsEmpty());
  EXPECT_THAT(NextIds(policy, Time::max()), ElementsAre(1));
}

TEST(PolicyCancel, RemovesWhatWaitsAndNothingElse) {
  Policy policy({});
  policy.AddModel(kA, kCosts);
  policy.Admit(Group(1, 3, {500}), kStart);
  EXPECT_TRUE(policy.Cancel(ItemId{2}));
  EXPECT_FALSE(policy.Cancel(ItemId{2}));
  EXPECT_FALSE(policy.Cancel(ItemId{77}));
  EXPECT_THAT(NextIds(policy, kStart), ElementsAre(1, 3));
  EXPECT_FALSE(policy.Cancel(ItemId{1}));
  EXPECT_EQ(policy.NextWake(), std::nullopt);
}

// ---- Admit()

TEST(PolicyAdmit, BoundsBytes) {
  Limits limits;
  limits.max_queue_bytes = 100;
  Policy policy(limits);
  policy.AddModel(kA, kCosts);
  const auto refusal = [&](int id, size_t bytes) {
    return policy.Admit({MakeItem(id, {50}, kA, bytes)}, kStart).refusal;
  };
  EXPECT_EQ(refusal(1, 101), Refusal::kGroupBytes);
  EXPECT_EQ(refusal(1, 60), std::nullopt);
  EXPECT_EQ(refusal(2, 41), Refusal::kQueueBytes);
  EXPECT_EQ(refusal(2, 100), Refusal::kQueueBytes) << "an empty queue would hold it";
  EXPECT_EQ(refusal(2, 101), Refusal::kGroupBytes);
  EXPECT_EQ(refusal(2, std::numeric_limits<size_t>::max()), Refusal::kGroupBytes);
  EXPECT_EQ(refusal(2, 40), std::nullopt);
  EXPECT_EQ(policy.waiting_bytes(), 100u);
  EXPECT_EQ(refusal(3, 0), std::nullopt);

  policy.Cancel(ItemId{2});
  EXPECT_EQ(policy.waiting_bytes(), 60u);
  EXPECT_THAT(Ids(policy.Expire(At(50))), ElementsAre(1, 3));
  EXPECT_EQ(policy.waiting_bytes(), 0u);
  EXPECT_FALSE(policy.Admit(Group(4, 2, {}, kA, 50), At(50)).refusal);
  policy.Next(At(50));
  EXPECT_EQ(policy.waiting_bytes(), 0u);
}

TEST(PolicyAdmit, TakesAGroupWholeOrNotAtAll) {
  Limits limits;
  limits.max_queue_bytes = 100;
  Policy policy(limits);
  policy.AddModel(kA, kCosts);
  EXPECT_EQ(policy.Admit(Group(1, 3, {}, kA, 34), kStart).refusal, Refusal::kGroupBytes);
  std::vector<Item> wrapping = Group(1, 2, {}, kA, 51);
  wrapping[1].bytes = std::numeric_limits<size_t>::max() - 50;  // the sum wraps to 0
  EXPECT_EQ(policy.Admit(wrapping, kStart).refusal, Refusal::kGroupBytes);
  EXPECT_EQ(policy.waiting(), 0u);
  EXPECT_EQ(policy.waiting_bytes(), 0u);
  EXPECT_FALSE(policy.Admit(Group(1, 2, {}, kA, 34), kStart).refusal);
  EXPECT_EQ(policy.waiting(), 2u);
  EXPECT_EQ(policy.Admit(Group(3, 2, {}, kA, 34), kStart).refusal, Refusal::kQueueBytes);
}

TEST(PolicyAdmit, BoundsTheQueueInTime) {
  Limits limits;
  limits.max_queue_time = Ms(28);
  Policy policy(limits);
  policy.AddModel(kA, kCosts);
  policy.Admit({MakeItem(0)}, kStart);
  const auto running = policy.Next(kStart);  // until 10
  for (int i = 0; i < 4; ++i) {              // each waiting image adds the best cost per image, 6
    const Verdict verdict = policy.Admit({MakeItem(i + 1)}, kStart);
    EXPECT_EQ(verdict.refusal, std::nullopt) << i;
    EXPECT_EQ(verdict.predicted_wait, Ms(10 + 6 * i)) << i;
  }
  const Verdict refused = policy.Admit({MakeItem(9)}, kStart);
  EXPECT_EQ(refused.refusal, Refusal::kQueueTime);
  EXPECT_EQ(refused.predicted_wait, Ms(34));
  EXPECT_EQ(policy.Admit({MakeItem(9)}, At(5)).refusal, Refusal::kQueueTime);
  EXPECT_EQ(policy.Admit({MakeItem(9, {kNever, 5})}, At(6)).refusal, std::nullopt);
  // 5 images and 5 of decoding, and the batch, which is late, as long again as it was to take.
  EXPECT_EQ(policy.Admit({MakeItem(10)}, At(30)).predicted_wait, Ms(45));
  policy.Finished(running->id, Ms(10), At(30));
}

TEST(PolicyAdmit, WaitsForTheWorkerThatIsFreeFirst) {
  Limits limits;
  limits.workers = 3;
  limits.batch_gain = 0;
  Policy policy(limits);
  policy.AddModel(kA, {{1, Ms(6)}});
  policy.AddModel(kB, {{1, Ms(60)}});
  const auto wait = [&](int id) { return policy.Admit({MakeItem(id)}, kStart).predicted_wait; };
  const auto run = [&](ModelKey model) {
    EXPECT_EQ(policy.Admit({MakeItem(100, {}, model)}, kStart).predicted_wait, Ms(0));
    policy.Next(kStart);
  };
  run(kA);
  run(kB);
  run(kA);  // busy for 6, 60 and 6
  EXPECT_EQ(wait(0), Ms(6));
  EXPECT_EQ(wait(1), Ms(9));
  for (int i = 2; i < 18; ++i) wait(i);
  EXPECT_EQ(wait(18), Ms(60));  // 18 * 6 fill the first two up to the third
  EXPECT_EQ(wait(19), Ms(62));  // (6 + 60 + 6 + 19 * 6) / 3
  EXPECT_EQ(wait(20), Ms(64));
}

struct DeadlineCase {
  std::string name;
  int workers, running, waiting;  // batches of 1 in progress, images queued before
  int group, prepare;
  int completion;
};

// Batches are what Next() will make of the queue: of three images two and one, of seven four, two and one.
const DeadlineCase kDeadlineCases[] = {
    {"two workers, both busy", 2, 2, 0, 1, 0, 20},
    {"behind a batch", 1, 1, 0, 1, 0, 20},
    {"behind a batch, with decoding", 1, 1, 0, 1, 5, 25},
    {"with one that waits", 1, 1, 1, 1, 0, 10 + 16},
    {"with two that wait", 1, 1, 2, 1, 0, 10 + 16 + 10},
    {"with as many as make it a full batch", 1, 1, 7, 1, 0, 10 + 48},
    {"with more than a batch that wait", 1, 1, 20, 1, 0, 10 + 48 + 48 + 28 + 10},
    {"a group in a queue", 1, 1, 3, 2, 5, 10 + (28 + 4 * 2) + (10 + 2)},  // the mean image is decoded in 2
    {"more than a batch behind one that waits", 1, 1, 1, 9, 0, 10 + 48 + 16},
    {"in a queue, two workers", 2, 2, 8, 1, 0, 10 + 10},
    {"in a long queue, two workers", 2, 2, 40, 8, 0, 10 + 3 * 48},
};

TEST(PolicyAdmit, RefusesWhatWouldMissItsDeadline) {
  for (const DeadlineCase& c : kDeadlineCases) {
    SCOPED_TRACE(c.name);
    Limits limits;
    limits.workers = c.workers;
    limits.deadline_margin = 0;
    Policy policy(limits);
    policy.AddModel(kA, kCosts);
    for (int i = 0; i < c.running; ++i) {
      policy.Admit({MakeItem(1000)}, kStart);
      policy.Next(kStart);
    }
    if (c.waiting > 0) policy.Admit(Group(100, c.waiting), kStart);
    const Verdict refused = policy.Admit(Group(0, c.group, {c.completion - 1, c.prepare}), kStart);
    EXPECT_EQ(refused.refusal, Refusal::kDeadline);
    EXPECT_GT(refused.predicted_wait, Duration::zero());
    std::vector<Item> one_urgent = Group(0, c.group, {kNever, c.prepare});
    one_urgent.front().deadline = At(c.completion - 1);
    EXPECT_EQ(policy.Admit(one_urgent, kStart).refusal, Refusal::kDeadline);
    const Verdict admitted = policy.Admit(Group(0, c.group, {c.completion, c.prepare}), kStart);
    EXPECT_EQ(admitted.refusal, std::nullopt);
    EXPECT_EQ(admitted.predicted_completion, Ms(c.completion));
  }
}

TEST(PolicyAdmit, LeavesAMarginBeforeTheDeadline) {
  Limits limits;
  limits.deadline_margin = 0.25;
  Policy policy(limits);
  policy.AddModel(kA, kCosts);
  policy.Admit({MakeItem(0)}, kStart);
  policy.Next(kStart);
  EXPECT_EQ(policy.Admit({MakeItem(1, {24})}, kStart).refusal, Refusal::kDeadline);
  const Verdict admitted = policy.Admit({MakeItem(1, {25})}, kStart);
  EXPECT_EQ(admitted.refusal, std::nullopt);
  EXPECT_EQ(admitted.predicted_completion, Ms(20));
}

const DeadlineCase kIdleCases[] = {
    {"alone", 1, 0, 0, 1, 0, 10},
    {"alone with decoding", 1, 0, 0, 1, 5, 15},
    {"a batch", 1, 0, 0, 8, 0, 48},
    {"seven", 1, 0, 0, 7, 1, 28 + 16 + 10 + 7},
    {"two batches", 1, 0, 0, 9, 0, 58},
    {"shared by two workers", 2, 0, 0, 8, 0, 28},
    {"three batches for two workers", 2, 0, 0, 24, 0, 96},
    {"two workers, one busy", 2, 1, 0, 8, 0, 48},
};

// Whatever was predicted, even of a group of which a part must wait for its first batches: those end in any case, and
// what has expired by then is not computed.
TEST(PolicyAdmit, AFreeWorkerRefusesOnlyWhatHasExpired) {
  for (const DeadlineCase& c : kIdleCases) {
    SCOPED_TRACE(c.name);
    Limits limits;
    limits.workers = c.workers;
    Policy policy(limits);
    policy.AddModel(kA, kCosts);
    for (int i = 0; i < c.running; ++i) {
      policy.Admit({MakeItem(1000)}, kStart);
      policy.Next(kStart);
    }
    EXPECT_EQ(policy.Admit(Group(0, c.group, {0, c.prepare}), kStart).refusal, Refusal::kDeadline);
    std::vector<Item> urgent = Group(0, c.group, {kNever, c.prepare});
    urgent.back().deadline = kStart + Duration(1);
    const Verdict admitted = policy.Admit(urgent, kStart);
    EXPECT_EQ(admitted.refusal, std::nullopt);
    EXPECT_EQ(admitted.predicted_wait, Ms(0));
    EXPECT_EQ(admitted.predicted_completion, Ms(c.completion));
  }
}

TEST(PolicyAdmit, WhatHasExpiredDoesNotWaitAnyMore) {
  Policy policy({});
  policy.AddModel(kA, kCosts);
  policy.Admit({MakeItem(0)}, kStart);
  const auto running = policy.Next(kStart);
  policy.Admit(Group(1, 8, {100, 3}), kStart);
  policy.Finished(running->id, Ms(10), At(100));
  EXPECT_EQ(policy.waiting(), 8u);  // nobody has collected them yet
  const Verdict verdict = policy.Admit({MakeItem(20, {101})}, At(100));
  EXPECT_EQ(verdict.refusal, std::nullopt);
  EXPECT_EQ(verdict.predicted_wait, Ms(0));
  EXPECT_EQ(verdict.predicted_completion, Ms(10));
}

// A batch that is late takes as long again as it is late, and as it was predicted to take in all at most.
TEST(PolicyAdmit, ABatchThatIsLateStillRuns) {
  Policy policy({});
  policy.AddModel(kA, kCosts);
  policy.Admit({MakeItem(0)}, kStart);
  policy.Next(kStart);  // until 10
  for (const auto& [now, wait] : {std::pair(4, 6), {10, 0}, {13, 3}, {20, 10}, {21, 10}, {5000, 10}}) {
    EXPECT_EQ(policy.Admit({MakeItem(1)}, At(now)).predicted_wait, Ms(wait)) << now;
    policy.Cancel(ItemId{1});
  }
}

// If batches have held several items, those that come meanwhile are expected to join.
TEST(PolicyAdmit, ExpectsCompany) {
  Policy policy({});
  policy.AddModel(kA, kCosts);
  const auto completion_when_busy = [&](Time now) {
    const Duration completion = policy.Admit({MakeItem(50)}, now).predicted_completion;
    policy.Cancel(ItemId{50});
    return completion;
  };
  for (int i = 0; i < 20; ++i) {
    policy.Admit(Group(0, 8), At(48 * i));
    const auto dispatch = policy.Next(At(48 * i));
    if (i == 0) {
      EXPECT_EQ(completion_when_busy(kStart), Ms(48 + 16));  // as yet the mean is 2.75: of three, two go first
    }
    if (i == 19) {
      EXPECT_EQ(completion_when_busy(At(48 * i)), Ms(48 + 48));
    }
    policy.Finished(dispatch->id, Ms(48), At(48 * (i + 1)));
  }
  policy.Admit({MakeItem(0)}, At(10'000));
  policy.Next(At(10'000));
  EXPECT_EQ(completion_when_busy(At(10'000)), Ms(20)) << "long ago";
}

TEST(PolicyAdmit, AFreeWorkerAndAnEmptyQueueAdmitWhateverTheQueueTime) {
  Limits limits;
  limits.max_queue_time = Duration::zero();
  limits.workers = 2;
  Policy policy(limits);
  policy.AddModel(kA, kCosts);
  EXPECT_FALSE(policy.Admit({MakeItem(1)}, kStart).refusal);
  policy.Next(kStart);
  EXPECT_FALSE(policy.Admit(Group(2, 8), kStart).refusal);
  policy.Next(kStart);
  EXPECT_EQ(policy.Admit({MakeItem(20)}, kStart).refusal, Refusal::kQueueTime);
}

TEST(PolicyAdmit, OnlyItsOwnModelsItemsShareItsBatch) {
  Limits limits;
  limits.deadline_margin = 0;
  Policy policy(limits);
  policy.AddModel(kA, kCosts);
  policy.AddModel(kB, kCosts);
  policy.Admit({MakeItem(0, {}, kB)}, kStart);
  policy.Next(kStart);                        // until 10
  policy.Admit(Group(1, 7, {}, kB), kStart);  // 42 of work
  EXPECT_EQ(policy.Admit({MakeItem(9, {61})}, kStart).refusal, Refusal::kDeadline);
  EXPECT_EQ(policy.Admit({MakeItem(9, {62})}, kStart).refusal, std::nullopt);
}

TEST(PolicyAdmit, NoWorkersCountAsOne) {
  for (const int workers : {-1, 0, 1}) {
    Limits limits;
    limits.workers = workers;
    Policy policy(limits);
    policy.AddModel(kA, kCosts);
    EXPECT_EQ(policy.Admit({MakeItem(0)}, kStart).predicted_wait, Ms(0)) << workers;
    policy.Next(kStart);
    EXPECT_EQ(policy.Admit({MakeItem(1)}, kStart).predicted_wait, Ms(10)) << workers;
    EXPECT_EQ(NextIds(policy, At(10)).size(), 1u) << workers;
  }
}

TEST(PolicyAdmit, UnknownModelAndEmptyGroup) {
  Policy policy({});
  policy.AddModel(kA, kCosts);
  const Verdict unknown = policy.Admit({MakeItem(1, {}, kB)}, kStart);
  EXPECT_EQ(unknown.refusal, Refusal::kUnknownModel);
  EXPECT_GT(unknown.predicted_wait, Duration::zero());
  EXPECT_FALSE(policy.Admit({}, kStart).refusal);
  EXPECT_EQ(policy.waiting(), 0u);
}

TEST(PolicyAdmit, ExtremeTimesDoNotOverflow) {
  Policy policy({});
  policy.AddModel(kA, kCosts);
  Item past = MakeItem(9);
  past.deadline = Time::min();
  EXPECT_EQ(policy.Admit({&past, 1}, kStart).refusal, Refusal::kDeadline);
  std::vector<Item> group(3, MakeItem(1));
  for (int i = 0; i < 3; ++i) group[i].id = ItemId(i);
  group[0].deadline = Time::max() - Duration(1);
  group[1].prepare = Duration::max();
  group[2].prepare = Duration::min();
  EXPECT_FALSE(policy.Admit(group, kStart).refusal);
  EXPECT_THAT(NextIds(policy, Time::max() - Duration(2)), ElementsAre(0));
  EXPECT_THAT(NextIds(policy, Time::max() - Duration(2)), ElementsAre(1));
}

// ---- Finished()

TEST(PolicyFinished, CorrectsTheCostWithoutThePrepareTime) {
  Policy policy({});
  policy.AddModel(kA, {{1, Ms(16)}});
  Time now = kStart;
  const auto wait_behind_one = [&](int took, int prepare) {
    policy.Admit({MakeItem(1, {kNever, prepare})}, now);
    const auto dispatch = policy.Next(now);
    const Duration wait = policy.Admit({MakeItem(2)}, now).predicted_wait;
    policy.Cancel(ItemId{2});
    now += Ms(took);
    policy.Finished(dispatch->id, Ms(took), now);
    return wait;
  };
  EXPECT_EQ(wait_behind_one(24 + 7, 7), Ms(16 + 7));
  EXPECT_EQ(wait_behind_one(17, 0), Ms(17));  // 16 + (24 - 16) / 8
  EXPECT_EQ(wait_behind_one(17, 0), Ms(17));
}

TEST(PolicyScale, AHundredThousandWaitingItems) {
  constexpr int kItems = 100000;
  Limits limits;
  limits.max_queue_time = std::chrono::hours(10);
  Policy policy(limits);
  policy.AddModel(kA, kCosts);
  policy.AddModel(kB, kCosts);
  for (int i = 0; i < kItems; ++i) {
    ASSERT_FALSE(policy.Admit({MakeItem(i, {100'000'000 + i % 1000}, i % 2 ? kA : kB)}, kStart).refusal);
  }
  for (int i = 0; i < kItems; i += 10) ASSERT_TRUE(policy.Cancel(ItemId(i)));
  int seen = 0;
  while (const auto dispatch = policy.Next(kStart)) {
    seen += static_cast<int>(dispatch->items.size());
    policy.Finished(dispatch->id, Ms(48), kStart);
    if (seen > kItems / 2) break;
  }
  seen += static_cast<int>(policy.Expire(At(200'000'000)).size());
  EXPECT_EQ(seen, kItems - kItems / 10);
}

}  // namespace
}  // namespace resnetd::scheduling
