#include "tests/unit/policy_twin.h"

#include <algorithm>
#include <cmath>

namespace resnetd::scheduling {
namespace {

size_t Count(const std::vector<TwinSize>& sizes, size_t size, const std::vector<Item>& queue) {
  return std::min<size_t>(sizes[size].batch, queue.size());
}

Duration Prepare(const std::vector<Item>& queue, size_t count) {
  Duration sum{};
  for (size_t i = 0; i < count; ++i) sum += queue[i].prepare;
  return sum;
}

}  // namespace

void PolicyTwin::AddModel(ModelKey model, const std::vector<BatchCost>& costs) {
  for (const BatchCost& c : costs) {
    const double ns = static_cast<double>(c.cost.count());
    sizes_[model].push_back({c.batch, ns, ns});
    slowdowns_[model] = 1;
  }
}

Verdict PolicyTwin::Admit(const std::vector<Item>& group, Time now) {
  const Duration wait = Wait(now);
  const auto refuse = [&](Refusal why) { return Verdict{why, std::max<Duration>(wait, std::chrono::milliseconds(1))}; };
  size_t bytes = waiting_bytes();
  Time deadline = Time::max();
  for (const Item& item : group) {
    bytes += item.bytes;
    deadline = std::min(deadline, item.deadline);
  }
  if (bytes > limits_.max_queue_bytes) return refuse(Refusal::kQueueBytes);
  if (wait > limits_.max_queue_time) return refuse(Refusal::kQueueTime);
  if (Completion(group, wait, now) > deadline) return refuse(Refusal::kDeadline);
  for (const Item& item : group) waiting_.push_back({item, now});
  return {std::nullopt, wait};
}

Dispatch PolicyTwin::Next(BatchId id, Time now) {
  std::vector<Item> queue;
  for (const TwinItem& w : waiting_) {
    if (w.item.deadline > now && (queue.empty() || w.item.model == queue[0].model)) queue.push_back(w.item);
  }
  Dispatch dispatch{id, {}, 0, Why::kAllWaiting, {}};
  if (queue.empty()) return dispatch;
  dispatch.model = queue[0].model;
  const std::vector<TwinSize>& sizes = sizes_[dispatch.model];
  size_t chosen = 0;
  std::vector<Why> refusals;  // of the sizes above the chosen one
  for (size_t s = 1; s < sizes.size() && Count(sizes, s - 1, queue) < queue.size(); ++s) {
    if (const auto why = Objection(sizes, s, chosen, queue, now)) {
      refusals.push_back(*why);
    } else {
      chosen = s;
      refusals.clear();
    }
  }
  const size_t count = Count(sizes, chosen, queue);
  dispatch.plan_batch = sizes[chosen].batch;
  if (count < queue.size()) dispatch.why = refusals.empty() ? Why::kLargest : refusals[0];
  for (size_t i = 0; i < count; ++i) {
    dispatch.items.push_back(queue[i].id);
    Cancel(queue[i].id);
  }
  const Duration prepare = Prepare(queue, count);
  runs_.push_back({id, dispatch.model, chosen, prepare, now + sizes[chosen].cost() + prepare});
  return dispatch;
}

void PolicyTwin::Finished(BatchId id, Duration took) {
  const auto run = std::find_if(runs_.begin(), runs_.end(), [id](const TwinRun& r) { return r.id == id; });
  std::vector<TwinSize>& sizes = sizes_[run->model];
  double& slowdown = slowdowns_[run->model];
  double sample = static_cast<double>((took - run->prepare).count()) / sizes[run->size].measured;
  sample = std::min(std::max(sample, slowdown / 2), slowdown * 2);
  slowdown = std::max(slowdown + (sample - slowdown) / 8, 1.0 / 8);
  for (TwinSize& s : sizes) s.predicted = s.measured * slowdown;
  runs_.erase(run);
}

bool PolicyTwin::Cancel(ItemId id) {
  return std::erase_if(waiting_, [id](const TwinItem& w) { return w.item.id == id; }) == 1;
}

std::vector<ItemId> PolicyTwin::Expire(Time now) {
  std::vector<ItemId> ended;
  for (const TwinItem& w : waiting_) {
    if (w.item.deadline <= now) ended.push_back(w.item.id);
  }
  for (ItemId id : ended) Cancel(id);
  return ended;
}

std::optional<Time> PolicyTwin::NextWake() const {
  Time wake = Time::max();
  for (const TwinItem& w : waiting_) wake = std::min(wake, w.item.deadline);
  return wake == Time::max() ? std::nullopt : std::optional(wake);
}

size_t PolicyTwin::waiting_bytes() const {
  size_t bytes = 0;
  for (const TwinItem& w : waiting_) bytes += w.item.bytes;
  return bytes;
}

// Why `size` is not better than the smaller size `than`.
std::optional<Why> PolicyTwin::Objection(const std::vector<TwinSize>& sizes, size_t size, size_t than,
                                         const std::vector<Item>& queue, Time now) const {
  const size_t count = Count(sizes, size, queue), than_count = Count(sizes, than, queue);
  const Duration total = sizes[size].cost() + Prepare(queue, count);
  for (size_t i = 0; i < count; ++i) {
    const bool can_be_met = now + sizes[0].cost() + queue[i].prepare <= queue[i].deadline;
    const bool backlog = queue.size() > static_cast<size_t>(sizes.back().batch);
    if (can_be_met && now + total > queue[i].deadline && !backlog) return Why::kDeadline;
  }
  const double margin = 1 - limits_.batch_gain;
  const size_t idle = limits_.workers - runs_.size();
  const bool smaller_holds_share = sizes[size - 1].batch * idle >= queue.size();
  const Duration than_total = sizes[than].cost() + Prepare(queue, than_count);
  if (smaller_holds_share && static_cast<double>(total.count()) * margin > static_cast<double>(than_total.count())) {
    return Why::kShared;
  }
  const auto n = static_cast<double>(count), m = static_cast<double>(than_count);
  const double prepare = static_cast<double>(Prepare(queue, count).count()) / n;
  const double per_image = static_cast<double>(sizes[size].cost().count()) / n + prepare;
  const double than_per_image = static_cast<double>(sizes[than].cost().count()) / m + prepare;
  const bool more_than_the_largest = queue.size() > static_cast<size_t>(sizes.back().batch);
  if (per_image > than_per_image * (more_than_the_largest ? 1 + limits_.backlog_loss : margin)) return Why::kNoGain;
  return std::nullopt;
}

std::vector<Duration> PolicyTwin::Busy(Time now) const {
  std::vector<Duration> busy(limits_.workers);
  for (size_t i = 0; i < runs_.size(); ++i) busy[i] = std::max(Duration::zero(), runs_[i].end - now);
  return busy;
}

Duration PolicyTwin::Wait(Time now) const {
  Duration work{};
  for (const auto& [key, sizes] : sizes_) {
    double best = sizes[0].measured / sizes[0].batch;
    for (const TwinSize& s : sizes) best = std::min(best, s.measured / s.batch);
    best *= slowdowns_.at(key);
    int64_t count = 0;
    for (const TwinItem& w : waiting_) {
      if (w.item.model != key) continue;
      work += w.item.prepare;
      ++count;
    }
    work += Duration(std::llround(best * static_cast<double>(count)));
  }
  const std::vector<Duration> busy = Busy(now);
  Duration low = *std::min_element(busy.begin(), busy.end());
  Duration high = *std::max_element(busy.begin(), busy.end()) + work;
  while (low < high) {
    const Duration middle = low + (high - low) / 2;
    Duration done{};
    for (Duration b : busy) done += std::max(Duration::zero(), middle - b);
    if (done >= work) {
      high = middle;
    } else {
      low = middle + Duration(1);
    }
  }
  return low;
}

Time PolicyTwin::Completion(const std::vector<Item>& group, Duration wait, Time now) const {
  const std::vector<TwinSize>& sizes = sizes_.at(group[0].model);
  const auto holding = [&](size_t items) {
    for (const TwinSize& s : sizes) {
      if (static_cast<size_t>(s.batch) >= items) return s;
    }
    return sizes.back();
  };
  size_t share = group.size();
  const size_t idle = limits_.workers - runs_.size();
  if (waiting_.empty() && idle > 0) share = group.size() / idle + (group.size() % idle != 0);
  size_t queued = 0;
  for (const TwinItem& w : waiting_) queued += w.item.model == group[0].model;
  std::vector<Duration> busy = Busy(now);
  for (Duration& b : busy) b = std::max(b, wait);
  Duration last{};
  for (size_t left = group.size(), done = 0; left > 0;) {
    const size_t count = std::min<size_t>(left, holding(share).batch);
    std::sort(busy.begin(), busy.end());
    Duration cost = holding(count).cost();
    if (queued > 0 && left == count) cost = std::max(cost, holding(queued + group.size()).cost());
    busy[0] += cost;
    for (size_t i = 0; i < count; ++i) busy[0] += group[done + i].prepare;
    last = std::max(last, busy[0]);
    left -= count;
    done += count;
  }
  return now + last;
}

}  // namespace resnetd::scheduling
