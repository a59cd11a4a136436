#ifndef RESNETD_TESTS_UNIT_POLICY_TWIN_H_
#define RESNETD_TESTS_UNIT_POLICY_TWIN_H_

#include <map>
#include <optional>
#include <vector>

#include "server/scheduling/policy.h"

// The policy's slow twin: vectors in order of arrival, linear scans, and the admission formula solved by bisection of
// its definition. Deadlines and costs must be moderate: nothing here minds overflow.
namespace resnetd::scheduling {

struct TwinSize {
  int batch;
  double measured, predicted;  // ns
  Duration cost() const { return Duration(static_cast<Duration::rep>(predicted)); }
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
  Time end;
};

class PolicyTwin {
 public:
  explicit PolicyTwin(const Limits& limits) : limits_(limits) {}

  void AddModel(ModelKey model, const std::vector<BatchCost>& costs);
  Verdict Admit(const std::vector<Item>& group, Time now);
  // Without items if nothing waits that has not expired.
  Dispatch Next(BatchId id, Time now);
  void Finished(BatchId id, Duration took);
  bool Cancel(ItemId id);
  std::vector<ItemId> Expire(Time now);
  std::optional<Time> NextWake() const;
  size_t waiting_bytes() const;
  const std::vector<TwinItem>& waiting() const { return waiting_; }
  const std::vector<TwinRun>& runs() const { return runs_; }

 private:
  std::optional<Why> Objection(const std::vector<TwinSize>& sizes, size_t size, size_t than,
                               const std::vector<Item>& queue, Time now) const;
  std::vector<Duration> Busy(Time now) const;
  Duration Wait(Time now) const;
  Time Completion(const std::vector<Item>& group, Duration wait, Time now) const;

  const Limits limits_;
  std::map<ModelKey, std::vector<TwinSize>> sizes_;
  std::map<ModelKey, double> slowdowns_;
  std::vector<TwinItem> waiting_;
  std::vector<TwinRun> runs_;
};

}  // namespace resnetd::scheduling

#endif  // RESNETD_TESTS_UNIT_POLICY_TWIN_H_
