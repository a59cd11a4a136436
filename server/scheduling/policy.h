#ifndef RESNETD_SERVER_SCHEDULING_POLICY_H_
#define RESNETD_SERVER_SCHEDULING_POLICY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "base/time.h"

// Decides which item is computed when, and with whom. A pure class: time is an argument, cost is a table, there are no
// threads, no clock and no locks in it; scheduler.h puts those around it. Not thread-safe; `now` never goes back. The
// rules and their reasons: docs/scheduling.md.
//
// Work-conserving: a worker that becomes free takes what is waiting; nothing waits for company. Batches grow exactly
// while all workers are busy.
namespace resnetd::scheduling {

enum class ItemId : uint64_t {};
enum class BatchId : uint64_t {};
enum class ModelKey : uint32_t {};

// One image that waits for its answer.
struct Item {
  ItemId id{};       // unique among the items the policy holds
  ModelKey model{};  // added with AddModel()
  Time deadline = Time::max();
  Duration prepare{};  // predicted cost of decoding it, spent by the worker before the batch runs
  size_t bytes = 0;    // memory it holds while it waits
};

// The time that a batch of each compiled size is expected to take. `measured` at load, corrected by every Finished().
struct BatchCost {
  int batch = 1;
  Duration cost{};
};

struct Limits {
  // Longest predicted wait before an item's batch starts. Longer queues answer nobody sooner.
  Duration max_queue_time = std::chrono::seconds(2);
  size_t max_queue_bytes = size_t{256} << 20;
  int workers = 1;  // at least 1
  // A larger batch must lower the predicted time per image by this fraction to be preferred over a smaller one.
  double batch_gain = 0.02;
  // With more waiting than the largest batch holds, it is preferred unless it raises that time by more than this
  // fraction: what batches save outside of the workers is not in the prediction. Wide enough for the predictions'
  // noise; the throughput it may cost is at most this fraction.
  double backlog_loss = 0.1;
  // A group is admitted if its deadline leaves room for the predicted completion and this fraction of it. At 0, half of
  // what is admitted under overload comes late, as a prediction is as often too short as too long; large values refuse
  // what would have been in time.
  double deadline_margin = 0.15;
};

enum class Refusal : uint8_t {
  kQueueTime,
  kQueueBytes,
  kDeadline,
  kGroupBytes,  // more than an empty queue may hold: refused now and ever
  kUnknownModel
};

struct Verdict {
  std::optional<Refusal> refusal;  // nullopt: admitted, all items of the group
  // Until the first item's batch starts. For a refusal: when to try again, > 0: the queue has drained by then. With
  // kGroupBytes there is nothing to wait for.
  Duration predicted_wait{};
  // The time until the group's last item is done. Of an admitted group only.
  Duration predicted_completion{};
};

enum class Why : uint8_t {
  kAllWaiting,  // everything that waited for the model fits
  kLargest,     // the largest compiled batch
  kDeadline,    // a larger batch would have missed a deadline; not with more waiting than the largest holds
  kNoGain,      // a larger batch would not have lowered the time per image
  kShared,      // the rest is left to other workers that are idle too
};

struct Dispatch {
  BatchId id{};
  ModelKey model{};
  int plan_batch = 0;  // the compiled size that holds the items
  Why why = Why::kAllWaiting;
  std::vector<ItemId> items;  // in order of arrival
};

class Policy {
 public:
  explicit Policy(const Limits& limits);
  ~Policy();
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  // `costs`: ascending batch sizes, each > 0, at least one; costs > 0. A key is added once.
  void AddModel(ModelKey model, absl::Span<const BatchCost> costs);

  // Takes all items of one request or none. They share a model. Refuses, in this order of checks: an unknown model;
  // bytes of its own beyond max_queue_bytes; bytes beyond it with what waits; a predicted wait of the first item beyond
  // max_queue_time; a predicted completion of the last item, with the margin, beyond the earliest deadline of the
  // group. With a free worker and nothing that waits no prediction refuses: the wait is zero, and only a deadline that
  // has passed is missed. Items that have expired do not wait.
  Verdict Admit(absl::Span<const Item> group, Time now);
  // Tells before a request is read whether it is read in vain: nullopt if a single image of some model, which costs
  // nothing to decode, would be admitted now; else why Admit() would refuse even that.
  std::optional<Verdict> RefusalOfAll(Time deadline, Time now);
  // Returns what a worker that is free now should run; nullopt only if nothing waits that has not expired. Expired
  // items are never in it: they stay for Expire(). Items that will be late, but are not yet, are run in their turn.
  std::optional<Dispatch> Next(Time now);
  // The batch, one that Next() returned, is done and its worker free; `took`, from Next() to here, less the prepare
  // costs of its items corrects the cost of its size.
  void Finished(BatchId batch, Duration took, Time now);
  // True if the item was still waiting: it is removed and never computed.
  bool Cancel(ItemId item);
  // Removes and returns the items whose deadline is at or before `now`, in order of arrival. Time::max() never is.
  std::vector<ItemId> Expire(Time now);
  // When Expire() will next have something to return; in the past if it already has.
  std::optional<Time> NextWake() const;

  size_t waiting() const;
  size_t waiting_bytes() const;
  std::optional<Time> oldest_arrival() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace resnetd::scheduling

#endif  // RESNETD_SERVER_SCHEDULING_POLICY_H_
