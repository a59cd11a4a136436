#ifndef RESNETD_TESTS_SUPPORT_POLICY_TWIN_H_
#define RESNETD_TESTS_SUPPORT_POLICY_TWIN_H_

#include <map>
#include <optional>
#include <vector>

#include "server/scheduling/policy.h"

// The policy's slow twin: vectors in order of arrival, linear scans, the wait solved by bisection of its definition,
// and the completion found by playing the queue through batch by batch. Deadlines and costs must be moderate: nothing
// here minds overflow.
namespace resnetd::scheduling {

struct TwinSize {
  int batch;
  double measured;  // ns
};

struct TwinModel {
  std::vector<TwinSize> sizes;
  double slowdown = 1, company = 1;  // as the last event left them
  Time since;                        // the last event
  int running = 0;
  bool stalled = false;
  Time stall_end = Time::min();

  // A value that is `left` above 1 at `since`, faded until `now`.
  double Faded(double value, Time now) const;
  double Slowdown(Time now) const { return Faded(slowdown, now); }
  Duration Cost(size_t size, Time now) const;
};

struct TwinItem {
  Item item;
  Time arrived;
};

struct TwinRun {
  BatchId id;
  ModelKey model;
  size_t size;
  Duration prepare;
  Time start, end;
};

class PolicyTwin {
 public:
  explicit PolicyTwin(const Limits& limits) : limits_(limits) {}

  void AddModel(ModelKey model, const std::vector<BatchCost>& costs);
  Verdict Admit(const std::vector<Item>& group, Time now);
  std::optional<Verdict> RefusalOfAll(Time deadline, Time now) const;
  // Has no items if nothing waits that has not expired.
  Dispatch Next(BatchId id, Time now);
  void Finished(BatchId id, Duration took, Time now);
  bool Cancel(ItemId id);
  std::vector<ItemId> Expire(Time now);
  std::optional<Time> NextWake() const;
  size_t waiting_bytes() const;
  const std::vector<TwinItem>& waiting() const { return waiting_; }
  const std::vector<TwinRun>& runs() const { return runs_; }
  bool Live(Time now) const;  // an item waits that has not expired
  double Slowdown(ModelKey model, Time now) const { return models_.at(model).Slowdown(now); }

 private:
  struct Choice {
    size_t size, count;
    Why why;
  };
  // Decides how many of `queue`, all of one model, to run now.
  Choice Choose(const TwinModel& model, const std::vector<Item>& queue, size_t idle, Time now) const;
  std::optional<Why> Objection(const TwinModel& model, size_t size, size_t than, const std::vector<Item>& queue,
                               size_t idle, Time now) const;
  Duration Work(ModelKey model, Time now) const;  // of its items that wait
  // When work of that much will have been taken by workers that are busy for so long.
  static Duration Level(const std::vector<Duration>& busy, Duration work);
  std::vector<Duration> Busy(Time now) const;
  Duration Wait(Time now) const;
  Duration Completion(const std::vector<Item>& group, Time now) const;

  const Limits limits_;
  std::map<ModelKey, TwinModel> models_;
  std::vector<TwinItem> waiting_;
  std::vector<TwinRun> runs_;
};

}  // namespace resnetd::scheduling

#endif  // RESNETD_TESTS_SUPPORT_POLICY_TWIN_H_
