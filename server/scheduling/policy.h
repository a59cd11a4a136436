#ifndef RESNETD_SERVER_SCHEDULING_POLICY_H_
#define RESNETD_SERVER_SCHEDULING_POLICY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"

// Which item is computed when, and with whom. A pure class: time is an argument, cost is a table, there are no threads,
// no clock and no locks in it; scheduler.h puts those around it.
//
// Work-conserving: a worker that becomes free takes what is waiting; nothing waits for company. Batches grow exactly
// while all workers are busy.
namespace resnetd::scheduling {

using Time = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

enum class ItemId : uint64_t {};
enum class BatchId : uint64_t {};
enum class ModelKey : uint32_t {};

// One image that waits for its answer.
struct Item {
  ItemId id{};        // unique among the items the policy holds
  ModelKey model{};   // added with AddModel()
  Time deadline = Time::max();
  Duration prepare{};  // predicted cost of decoding it, spent by the worker before the batch runs
  size_t bytes = 0;    // memory it holds while it waits
};

// What a batch of each compiled size is expected to take. `measured` at load, corrected by every Finished().
struct BatchCost {
  int batch = 1;
  Duration cost{};
};

struct Limits {
  // Longest predicted wait before an item's batch starts. Longer queues answer nobody sooner.
  Duration max_queue_time = std::chrono::seconds(2);
  size_t max_queue_bytes = size_t{256} << 20;
  int workers = 1;
  // A larger batch must lower the predicted time per image by this fraction to be preferred over a smaller one.
  double batch_gain = 0.02;
};

enum class Refusal : uint8_t { kQueueTime, kQueueBytes, kDeadline, kUnknownModel };

struct Verdict {
  std::optional<Refusal> refusal;  // nullopt: admitted, all items of the group
  Duration predicted_wait{};       // until the first item's batch starts; for a refusal, when to try again
};

enum class Why : uint8_t {
  kAllWaiting,  // everything that waited for the model fits
  kLargest,     // the largest compiled batch
  kDeadline,    // a larger batch would have missed a deadline
  kNoGain,      // a larger batch would not have lowered the time per image
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

  // `costs`: ascending batch sizes, each > 0, at least one.
  void AddModel(ModelKey model, absl::Span<const BatchCost> costs);

  // Takes all items of one request or none. They share a model.
  Verdict Admit(absl::Span<const Item> group, Time now);
  // What a worker that is free now should run; nullopt if nothing waits. Never holds an expired item.
  std::optional<Dispatch> Next(Time now);
  // The batch is done and its worker free; `took` from Next() to here corrects the cost of its size.
  void Finished(BatchId batch, Duration took, Time now);
  // True if the item was still waiting: it is removed and never computed.
  bool Cancel(ItemId item);
  // Removes and returns the items whose deadline has passed, in order of arrival.
  std::vector<ItemId> Expire(Time now);
  // When Expire() will next have something to return.
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
