// The waiting items are one list in order of arrival. Each model has a queue of positions in it, and deadlines have an
// index:
//
//   arrivals    A1 B2 A3 A4 B5 ...       Next() serves the model of the first that has not expired
//   queue of A  A1    A3 A4              from which the batch rule takes the front
//   deadlines   (t, arrival) -> item     for Expire() and NextWake()
//
// An item enters and leaves all of them in O(log waiting). Next() looks at one batch of items, and at those that have
// expired and were not collected yet; Admit() at the workers and the models.
//
// Admission predicts a wait and a completion. For the wait, what waits is a fluid: worker i is busy for another r_i and
// a queue of work Q keeps all of them busy until
//
//   wait = the smallest t with  sum_i max(0, t - r_i) >= Q,     Q = sum over items of (best cost per image + prepare)
//
// which is (sum r_i + Q) / workers once the queue is longer than the running batches are apart, the first r_i when
// nothing waits, and 0 with a worker free. For the completion the queue is played through: batching.cc. Neither refuses
// what a free worker starts at once.
//
// r_i is the predicted end of the batch minus now. A batch that is late is expected to take as long again as it is late
// already, and at most as long as it was predicted to take in all: after a stall no more than that can be left of it.
#include "server/scheduling/policy.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <iterator>
#include <list>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/container/node_hash_map.h"
#include "base/time.h"
#include "server/scheduling/batching.h"
#include "server/scheduling/cost_model.h"

namespace resnetd::scheduling {
namespace {

// No image takes longer to decode, and sums of this over any queue do not overflow.
constexpr Duration kLongestPrepare = std::chrono::hours(1);
constexpr Duration kShortestRetry = std::chrono::milliseconds(1);

struct Waiting;
using Arrivals = std::list<Waiting>;

struct ModelQueue {
  explicit ModelQueue(absl::Span<const BatchCost> measured) : costs(measured) {}

  CostModel costs;
  std::list<Arrivals::iterator> queue;
  Duration prepare{};  // of all items in the queue
  // The last CountWaiting() found so many items that have not expired.
  size_t live = 0;
  Duration live_prepare{};
};

struct Waiting {
  Item item;
  uint64_t arrival;
  Time arrived;
  ModelQueue* model;
  std::list<Arrivals::iterator>::iterator in_queue;
};

struct Running {
  ModelQueue* model;
  int size;
  Duration prepare;
  Time start;
  Time end;  // predicted

  Duration Remaining(Time now) const { return end > now ? end - now : std::min(now - end, end - start); }
};

struct Outlook {
  bool starts_now;      // a worker is free and nothing waits
  Duration wait;        // until the group's first item starts
  Duration completion;  // until its last item is done
};

Verdict Refuse(Refusal why, Duration wait) {
  return {why, std::max(wait, kShortestRetry), Duration::zero()};
}

Duration Work(const ModelQueue& model) {
  return model.live_prepare + Duration(std::llround(model.costs.best_per_image() * static_cast<double>(model.live)));
}

Duration WithMargin(Duration d, double margin) {
  return d + Duration(std::llround(static_cast<double>(d.count()) * margin));
}

Item Sanitized(Item item) {
  item.prepare = std::clamp(item.prepare, Duration::zero(), kLongestPrepare);
  return item;
}

}  // namespace

struct Policy::State {
  explicit State(const Limits& l) : limits(l) { limits.workers = std::max(limits.workers, 1); }

  void CountWaiting(Time now);
  // Foretells a group of so many items of the model that take `prepare` to decode. Call CountWaiting() before.
  Outlook Predict(ModelQueue& model, size_t items, Duration prepare, Time now);
  std::optional<Refusal> RefusedBy(const Outlook& outlook, Time deadline, Time now) const;
  void Add(ModelQueue& model, const Item& item, Time now);
  void Remove(Arrivals::iterator it);
  size_t CountExpired(const ModelQueue& model, Time now) const;

  Limits limits;
  absl::node_hash_map<ModelKey, ModelQueue> models;  // its values stay where they are
  Arrivals arrivals;
  absl::flat_hash_map<ItemId, Arrivals::iterator> by_id;
  absl::btree_map<std::pair<Time, uint64_t>, Arrivals::iterator> deadlines;  // only those that can pass
  absl::flat_hash_map<BatchId, Running> running;
  size_t waiting_bytes = 0;
  uint64_t next_arrival = 0;
  uint64_t next_batch = 1;
};

void Policy::State::CountWaiting(Time now) {
  for (auto& [key, model] : models) {
    model.live = model.queue.size();
    model.live_prepare = model.prepare;
  }
  for (auto it = deadlines.begin(); it != deadlines.end() && it->first.first <= now; ++it) {
    --it->second->model->live;
    it->second->model->live_prepare -= it->second->item.prepare;
  }
}

Outlook Policy::State::Predict(ModelQueue& model, size_t items, Duration prepare, Time now) {
  Line line;
  for (const auto& [id, batch] : running) line.free.push_back(batch.Remaining(now));
  const auto workers = static_cast<size_t>(limits.workers);
  if (line.free.size() < workers) line.free.resize(workers, Duration::zero());
  std::sort(line.free.begin(), line.free.end());

  model.costs.Advance(now);
  size_t live = 0;
  Duration own{};
  for (auto& [key, other] : models) {
    if (other.live == 0) continue;
    other.costs.Advance(now);
    const Duration work = Work(other);
    (&other == &model ? own : line.others) += work;
    live += other.live;
  }
  line.ahead = model.live;
  line.group = items;
  line.prepare = (model.live_prepare + prepare) / static_cast<Duration::rep>(line.ahead + line.group);
  if (live == 0 && running.size() < workers) line.idle = static_cast<int>(workers - running.size());

  Outlook outlook;
  outlook.starts_now = line.idle > 0;
  outlook.wait = FillLevel(line.free, own + line.others);
  outlook.completion = Completion(model.costs, limits, std::move(line));
  return outlook;
}

std::optional<Refusal> Policy::State::RefusedBy(const Outlook& outlook, Time deadline, Time now) const {
  if (outlook.wait > limits.max_queue_time) return Refusal::kQueueTime;
  const Duration needs = outlook.starts_now ? Duration(1) : WithMargin(outlook.completion, limits.deadline_margin);
  if (SaturatingAdd(now, needs) > deadline) return Refusal::kDeadline;
  return std::nullopt;
}

void Policy::State::Add(ModelQueue& model, const Item& item, Time now) {
  const uint64_t arrival = next_arrival++;
  const auto it = arrivals.insert(arrivals.end(), Waiting{Sanitized(item), arrival, now, &model, {}});
  it->in_queue = model.queue.insert(model.queue.end(), it);
  model.prepare += it->item.prepare;
  waiting_bytes += item.bytes;
  const bool inserted = by_id.emplace(item.id, it).second;
  assert(inserted);
  static_cast<void>(inserted);
  if (item.deadline != Time::max()) deadlines.emplace(std::pair(item.deadline, arrival), it);
}

void Policy::State::Remove(Arrivals::iterator it) {
  it->model->queue.erase(it->in_queue);
  it->model->prepare -= it->item.prepare;
  waiting_bytes -= it->item.bytes;
  by_id.erase(it->item.id);
  deadlines.erase(std::pair(it->item.deadline, it->arrival));
  arrivals.erase(it);
}

size_t Policy::State::CountExpired(const ModelQueue& model, Time now) const {
  size_t count = 0;
  for (auto it = deadlines.begin(); it != deadlines.end() && it->first.first <= now; ++it) {
    count += it->second->model == &model;
  }
  return count;
}

Policy::Policy(const Limits& limits) : state_(std::make_unique<State>(limits)) {}
Policy::~Policy() = default;

void Policy::AddModel(ModelKey model, absl::Span<const BatchCost> costs) {
  const bool inserted = state_->models.try_emplace(model, costs).second;
  assert(inserted);
  static_cast<void>(inserted);
}

Verdict Policy::Admit(absl::Span<const Item> group, Time now) {
  if (group.empty()) return {};
  State& s = *state_;
  const auto model = s.models.find(group.front().model);
  if (model == s.models.end()) return Refuse(Refusal::kUnknownModel, kShortestRetry);

  Duration prepare{};
  for (const Item& item : group) prepare += Sanitized(item).prepare;
  s.CountWaiting(now);
  const Outlook outlook = s.Predict(model->second, group.size(), prepare, now);
  size_t room = s.limits.max_queue_bytes;  // of an empty queue: a sum of sizes could wrap
  Time deadline = Time::max();
  for (const Item& item : group) {
    if (item.bytes > room) return Refuse(Refusal::kGroupBytes, outlook.wait);
    room -= item.bytes;
    deadline = std::min(deadline, item.deadline);
  }
  if (s.waiting_bytes > room) return Refuse(Refusal::kQueueBytes, outlook.wait);
  if (const auto refusal = s.RefusedBy(outlook, deadline, now)) return Refuse(*refusal, outlook.wait);

  for (const Item& item : group) s.Add(model->second, item, now);
  return {std::nullopt, outlook.wait, outlook.completion};
}

std::optional<Verdict> Policy::RefusalOfAll(Time deadline, Time now) {
  State& s = *state_;
  s.CountWaiting(now);
  std::optional<Verdict> verdict;
  for (auto& [key, model] : s.models) {
    const Outlook outlook = s.Predict(model, 1, Duration::zero(), now);
    const auto refusal = s.RefusedBy(outlook, deadline, now);
    if (!refusal) return std::nullopt;
    verdict = Refuse(*refusal, outlook.wait);
  }
  return verdict;
}

std::optional<Dispatch> Policy::Next(Time now) {
  State& s = *state_;
  const auto expired = [now](const Waiting& w) { return w.item.deadline <= now && w.item.deadline != Time::max(); };
  const auto head = std::find_if_not(s.arrivals.begin(), s.arrivals.end(), expired);
  if (head == s.arrivals.end()) return std::nullopt;
  ModelQueue& model = *head->model;

  const size_t waiting = model.queue.size() - s.CountExpired(model, now);
  absl::InlinedVector<Arrivals::iterator, 64> front;
  absl::InlinedVector<Candidate, 64> candidates;
  const size_t most = std::min<size_t>(waiting, model.costs.largest());
  for (auto it = head->in_queue; front.size() < most; ++it) {
    if (expired(**it)) continue;
    front.push_back(*it);
    candidates.push_back({(*it)->item.deadline, (*it)->item.prepare});
  }

  const int idle = std::max(1, s.limits.workers - static_cast<int>(s.running.size()));
  model.costs.Advance(now);
  const BatchChoice choice = ChooseBatch(model.costs, candidates, waiting, idle, s.limits, now);
  Dispatch dispatch{BatchId{s.next_batch++}, head->item.model, model.costs.batch(choice.size), choice.why, {}};
  model.costs.Start(waiting, now);
  dispatch.items.reserve(choice.count);
  for (int i = 0; i < choice.count; ++i) {
    dispatch.items.push_back(front[i]->item.id);
    s.Remove(front[i]);
  }
  const Time end = SaturatingAdd(now, model.costs.cost(choice.size) + choice.prepare);
  s.running.emplace(dispatch.id, Running{&model, choice.size, choice.prepare, now, end});
  return dispatch;
}

void Policy::Finished(BatchId batch, Duration took, Time now) {
  const auto it = state_->running.find(batch);
  assert(it != state_->running.end());
  const Running& run = it->second;
  run.model->costs.Finish(run.size, took - run.prepare, run.start, now);
  state_->running.erase(it);
}

bool Policy::Cancel(ItemId item) {
  const auto it = state_->by_id.find(item);
  if (it == state_->by_id.end()) return false;
  state_->Remove(it->second);
  return true;
}

std::vector<ItemId> Policy::Expire(Time now) {
  State& s = *state_;
  std::vector<std::pair<uint64_t, ItemId>> ended;
  while (!s.deadlines.empty() && s.deadlines.begin()->first.first <= now) {
    const Arrivals::iterator it = s.deadlines.begin()->second;
    ended.emplace_back(it->arrival, it->item.id);
    s.Remove(it);
  }
  std::sort(ended.begin(), ended.end());
  std::vector<ItemId> items;
  items.reserve(ended.size());
  for (const auto& [arrival, id] : ended) items.push_back(id);
  return items;
}

std::optional<Time> Policy::NextWake() const {
  if (state_->deadlines.empty()) return std::nullopt;
  return state_->deadlines.begin()->first.first;
}

size_t Policy::waiting() const {
  return state_->arrivals.size();
}
size_t Policy::waiting_bytes() const {
  return state_->waiting_bytes;
}

std::optional<Time> Policy::oldest_arrival() const {
  if (state_->arrivals.empty()) return std::nullopt;
  return state_->arrivals.front().arrived;
}

}  // namespace resnetd::scheduling
