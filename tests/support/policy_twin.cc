#include "tests/support/policy_twin.h"

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

double TwinModel::Faded(double value, Time now) const {
  if (running > 0 || value <= 1) return value;
  return 1 + (value - 1) * std::exp2(-std::chrono::duration<double>(now - since).count());
}

Duration TwinModel::Cost(size_t size, Time now) const {
  return Duration(static_cast<Duration::rep>(sizes[size].measured * Slowdown(now)));
}

void PolicyTwin::AddModel(ModelKey model, const std::vector<BatchCost>& costs) {
  for (const BatchCost& c : costs) models_[model].sizes.push_back({c.batch, static_cast<double>(c.cost.count())});
}

Verdict PolicyTwin::Admit(const std::vector<Item>& group, Time now) {
  const Duration wait = Wait(now);
  const auto refuse = [&](Refusal why) {
    return Verdict{why, std::max<Duration>(wait, std::chrono::milliseconds(1)), {}};
  };
  size_t bytes = 0;
  Time deadline = Time::max();
  for (const Item& item : group) {
    bytes += item.bytes;
    deadline = std::min(deadline, item.deadline);
  }
  if (bytes > limits_.max_queue_bytes) return refuse(Refusal::kGroupBytes);
  if (bytes + waiting_bytes() > limits_.max_queue_bytes) return refuse(Refusal::kQueueBytes);
  if (wait > limits_.max_queue_time) return refuse(Refusal::kQueueTime);
  const Duration completion = Completion(group, now);
  const auto margin = std::llround(static_cast<double>(completion.count()) * limits_.deadline_margin);
  const bool starts_now = !Live(now) && runs_.size() < static_cast<size_t>(limits_.workers);
  if (starts_now ? deadline <= now : now + completion + Duration(margin) > deadline) return refuse(Refusal::kDeadline);
  for (const Item& item : group) waiting_.push_back({item, now});
  return {std::nullopt, wait, completion};
}

std::optional<Verdict> PolicyTwin::RefusalOfAll(Time deadline, Time now) const {
  std::optional<Verdict> last;
  for (const auto& [key, model] : models_) {
    PolicyTwin copy = *this;
    last = copy.Admit({{.model = key, .deadline = deadline}}, now);
    if (!last->refusal) return std::nullopt;
  }
  return last;
}

PolicyTwin::Choice PolicyTwin::Choose(const TwinModel& model, const std::vector<Item>& queue, size_t idle,
                                      Time now) const {
  size_t chosen = 0;
  std::vector<Why> refusals;  // of the sizes above the chosen one
  for (size_t s = 1; s < model.sizes.size() && Count(model.sizes, s - 1, queue) < queue.size(); ++s) {
    if (const auto why = Objection(model, s, chosen, queue, idle, now)) {
      refusals.push_back(*why);
    } else {
      chosen = s;
      refusals.clear();
    }
  }
  const size_t count = Count(model.sizes, chosen, queue);
  const Why why = refusals.empty() ? Why::kLargest : refusals[0];
  return {chosen, count, count < queue.size() ? why : Why::kAllWaiting};
}

Dispatch PolicyTwin::Next(BatchId id, Time now) {
  std::vector<Item> queue;
  for (const TwinItem& w : waiting_) {
    if (w.item.deadline > now && (queue.empty() || w.item.model == queue[0].model)) queue.push_back(w.item);
  }
  Dispatch dispatch{id, {}, 0, Why::kAllWaiting, {}};
  if (queue.empty()) return dispatch;
  dispatch.model = queue[0].model;
  TwinModel& model = models_[dispatch.model];
  const Choice choice = Choose(model, queue, limits_.workers - runs_.size(), now);
  dispatch.plan_batch = model.sizes[choice.size].batch;
  dispatch.why = choice.why;
  for (size_t i = 0; i < choice.count; ++i) {
    dispatch.items.push_back(queue[i].id);
    Cancel(queue[i].id);
  }
  const Duration prepare = Prepare(queue, choice.count);
  runs_.push_back({id, dispatch.model, choice.size, prepare, now, now + model.Cost(choice.size, now) + prepare});
  const double company = model.Faded(model.company, now);
  model.slowdown = model.Slowdown(now);
  const auto waited = std::min<size_t>(queue.size(), 2 * model.sizes.back().batch);
  model.company = company + (static_cast<double>(waited) - company) / 4;
  ++model.running;
  return dispatch;
}

void PolicyTwin::Finished(BatchId id, Duration took, Time now) {
  const auto run = std::find_if(runs_.begin(), runs_.end(), [id](const TwinRun& r) { return r.id == id; });
  TwinModel& model = models_[run->model];
  const double ratio = static_cast<double>((took - run->prepare).count()) / model.sizes[run->size].measured;
  const double old = model.slowdown;
  const bool long_one = ratio > 4 * old, same_stall = run->start < model.stall_end, after_another = model.stalled;
  if (!long_one) model.stalled = false;
  if (long_one && !same_stall) {
    model.stalled = true;
    model.stall_end = now;
  }
  if (!long_one || (!same_stall && after_another)) {
    const double sample = std::min(std::max(ratio, old / 2), old * 2);
    model.slowdown = old + (sample - old) / 8;
    if (ratio < old / 2) model.slowdown = std::min(model.slowdown, std::max(old / 2, 1.0));
    model.slowdown = std::max(model.slowdown, 1.0 / 32);
  }
  --model.running;
  model.since = now;
  runs_.erase(run);
}

bool PolicyTwin::Live(Time now) const {
  return std::any_of(waiting_.begin(), waiting_.end(), [now](const TwinItem& w) { return w.item.deadline > now; });
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
std::optional<Why> PolicyTwin::Objection(const TwinModel& model, size_t size, size_t than,
                                         const std::vector<Item>& queue, size_t idle, Time now) const {
  const std::vector<TwinSize>& sizes = model.sizes;
  const size_t count = Count(sizes, size, queue), than_count = Count(sizes, than, queue);
  const Duration cost = model.Cost(size, now), than_cost = model.Cost(than, now);
  const Duration total = cost + Prepare(queue, count);
  const bool backlog = queue.size() > static_cast<size_t>(sizes.back().batch);
  for (size_t i = 0; i < count; ++i) {
    if (queue[i].deadline == Time::max()) continue;
    const bool can_be_met = now + model.Cost(0, now) + queue[i].prepare <= queue[i].deadline;
    if (can_be_met && now + total > queue[i].deadline && !backlog) return Why::kDeadline;
  }
  const double margin = 1 - limits_.batch_gain;
  const bool smaller_holds_share = sizes[size - 1].batch * idle >= queue.size();
  const Duration than_total = than_cost + Prepare(queue, than_count);
  if (smaller_holds_share && static_cast<double>(total.count()) * margin > static_cast<double>(than_total.count())) {
    return Why::kShared;
  }
  const auto n = static_cast<double>(count), m = static_cast<double>(than_count);
  const double prepare = static_cast<double>(Prepare(queue, count).count()) / n;
  const double per_image = static_cast<double>(cost.count()) / n + prepare;
  const double than_per_image = static_cast<double>(than_cost.count()) / m + prepare;
  if (per_image > than_per_image * (backlog ? 1 + limits_.backlog_loss : margin)) return Why::kNoGain;
  return std::nullopt;
}

std::vector<Duration> PolicyTwin::Busy(Time now) const {
  std::vector<Duration> busy(limits_.workers);
  for (size_t i = 0; i < runs_.size(); ++i) {
    const Duration late = now - runs_[i].end;
    busy[i] = late < Duration::zero() ? -late : std::min(late, runs_[i].end - runs_[i].start);
  }
  return busy;
}

Duration PolicyTwin::Work(ModelKey key, Time now) const {
  const TwinModel& model = models_.at(key);
  double best = model.sizes[0].measured / model.sizes[0].batch;
  for (const TwinSize& s : model.sizes) best = std::min(best, s.measured / s.batch);
  best *= model.Slowdown(now);
  Duration work{};
  int64_t count = 0;
  for (const TwinItem& w : waiting_) {
    if (w.item.model != key || w.item.deadline <= now) continue;
    work += w.item.prepare;
    ++count;
  }
  return work + Duration(std::llround(best * static_cast<double>(count)));
}

Duration PolicyTwin::Level(const std::vector<Duration>& busy, Duration work) {
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

Duration PolicyTwin::Wait(Time now) const {
  Duration work{};
  for (const auto& [key, model] : models_) work += Work(key, now);
  return Level(Busy(now), work);
}

Duration PolicyTwin::Completion(const std::vector<Item>& group, Time now) const {
  const ModelKey key = group[0].model;
  const TwinModel& model = models_.at(key);
  Duration prepare{}, others{};
  size_t ahead = 0;
  for (const TwinItem& w : waiting_) {
    if (w.item.model != key || w.item.deadline <= now) continue;
    prepare += w.item.prepare;
    ++ahead;
  }
  for (const Item& item : group) prepare += item.prepare;
  const size_t all = ahead + group.size();
  prepare /= static_cast<Duration::rep>(all);
  for (const auto& [other, unused] : models_) {
    if (other != key) others += Work(other, now);
  }
  std::vector<Duration> busy = Busy(now);
  if (others > Duration::zero()) {
    const Duration level = Level(busy, others);
    for (Duration& b : busy) b = std::max(b, level);
  }
  size_t idle = Live(now) ? 0 : limits_.workers - runs_.size();
  const auto company = static_cast<size_t>(std::lround(model.Faded(model.company, now)));
  const auto largest = static_cast<size_t>(model.sizes.back().batch);
  Duration last{};
  for (size_t done = 0; done < all;) {
    Duration& first = *std::min_element(busy.begin(), busy.end());
    size_t waiting = all - done;
    if (first > Duration::zero()) waiting = std::max(waiting, company);
    const std::vector<Item> queue(std::min(waiting, largest + 1), Item{{}, key, Time::max(), prepare, 0});
    // Beyond the largest size, one worker does not care how many more items there are.
    const Choice choice =
        Choose(model, idle > 0 ? std::vector<Item>(waiting, queue[0]) : queue, std::max<size_t>(idle, 1), now);
    if (idle > 0) --idle;
    done += std::min(choice.count, all - done);
    first += model.Cost(choice.size, now) + Prepare(queue, choice.count);
    if (done > ahead) last = std::max(last, first);
  }
  return last;
}

}  // namespace resnetd::scheduling
