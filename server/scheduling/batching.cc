// ChooseBatch() walks up the compiled sizes from the smallest to the one that holds all that waits. A larger size
// replaces the best so far unless it
//
//   misses a deadline   of an item in it that would have been met alone. One that is late in any case constrains
//                       nothing, or a few lost items would keep the batches small and make the others late too. Nor
//                       does any with more waiting than the largest size holds: see below;
//   takes work away     from workers that are idle: beyond a fair share, ceil(waiting / idle), a size must cost the
//                       same as the best so far within the margin, since another worker would run the rest beside it;
//   does not pay        by the margin: (cost + prepare) / images, both at the larger batch's mean prepare, so that a
//                       mix of quick and slow images decides nothing. With more waiting than the largest size holds it
//                       may even cost a little more: see below.
//
// The smallest size is taken in any case: work is never held back.
//
// Under overload admission fills the queue up to the deadlines, so the item in front has no time to spare. A smaller
// batch to save it takes longer per image; what waits behind is late by that much, and the next in front needs a still
// smaller batch. Server and queue would stay there, computing answers that nobody waits for.
//
// With such a backlog a larger batch delays nobody in the mean either, as long as it costs the same: the mean time in a
// system that is never empty is the number in it over its throughput (Little's law). And no worker sees all that a
// batch saves: answers that leave together wake gRPC's threads and the clients once. So sizes that cost the same are no
// tie.
//
// Completion() lets other models' work go first, as a fluid: it fills up the workers that are free first. Then the
// model's own queue is played through, with the batches that will be made of it. An item that arrives at a busy server
// with a short queue leaves with all of that queue in one batch, so the queue must not be counted as work ahead of it
// and in its batch.
//
// A long queue is not played through batch by batch. While more waits than the largest size holds, all batches are
// alike (of `t`), and those that hold nothing of the group are placed by rounds. The workers that are free within t of
// the first one take one batch each before any of them takes a second:
//
//   free   |--A-----
//          |---B----          A and B are within t of each other: a round adds t to both, and they stay so.
//          |----------------C C joins them once they have come within t of it.
#include "server/scheduling/batching.h"

#include <algorithm>
#include <optional>

namespace resnetd::scheduling {
namespace {

double Ns(Duration d) {
  return static_cast<double>(d.count());
}

// Places `batches` that take `t` > 0 each. Keeps `free` in order.
void PlaceAlike(FreeIn& free, size_t batches, Duration t) {
  while (batches > 0) {
    const auto later = std::find_if(free.begin(), free.end(), [&](Duration f) { return f >= free[0] + t; });
    const auto taking = static_cast<size_t>(later - free.begin());
    size_t rounds = batches / taking;
    if (later != free.end()) rounds = std::min(rounds, static_cast<size_t>((*later - *(later - 1)) / t));
    if (rounds > 0) {
      for (size_t i = 0; i < taking; ++i) free[i] += t * static_cast<Duration::rep>(rounds);
      batches -= rounds * taking;
      continue;
    }
    const size_t some = std::min(batches, taking);
    for (size_t i = 0; i < some; ++i) free[i] += t;
    std::sort(free.begin(), free.end());
    batches -= some;
  }
}

// Returns the part of a model's queue that runs next, all items alike.
BatchChoice Choose(const CostModel& costs, const Limits& limits, size_t waiting, int idle, Duration prepare) {
  const absl::InlinedVector<Candidate, 64> front(std::min<size_t>(waiting, costs.largest()), {Time::max(), prepare});
  return ChooseBatch(costs, front, waiting, idle, limits, Time());
}

}  // namespace

BatchChoice ChooseBatch(const CostModel& costs, absl::Span<const Candidate> front, size_t waiting, int idle_workers,
                        const Limits& limits, Time now) {
  const double margin = 1 - limits.batch_gain;
  const bool backlog = waiting > static_cast<size_t>(costs.largest());
  const double pays = backlog ? 1 + limits.backlog_loss : margin;  // at most this times the best cost per image
  const size_t share = (waiting + idle_workers - 1) / idle_workers;
  const int share_size = costs.SizeHolding(share);
  BatchChoice best;
  Why why_not_larger = Why::kLargest;
  size_t seen = 0;
  Duration prepare{};
  Time earliest = Time::max();  // deadline among the candidates seen that can be met

  for (int size = 0; size < costs.sizes() && (size == 0 || seen < front.size()); ++size) {
    const size_t count = std::min<size_t>(costs.batch(size), front.size());
    for (; seen < count; ++seen) {
      const Candidate& c = front[seen];
      prepare += c.prepare;
      if (SaturatingAdd(now, costs.cost(0) + c.prepare) <= c.deadline) earliest = std::min(earliest, c.deadline);
    }
    const Duration takes = costs.cost(size) + prepare;
    std::optional<Why> refused;
    if (size > 0) {
      const double mean_prepare = Ns(prepare) / static_cast<double>(count);
      const double per_image = Ns(costs.cost(size)) / static_cast<double>(count) + mean_prepare;
      const double best_per_image = Ns(costs.cost(best.size)) / best.count + mean_prepare;
      if (!backlog && SaturatingAdd(now, takes) > earliest) {
        refused = Why::kDeadline;
      } else if (size > share_size && Ns(takes) * margin > Ns(costs.cost(best.size) + best.prepare)) {
        refused = Why::kShared;
      } else if (per_image > best_per_image * pays) {
        refused = Why::kNoGain;
      }
    }
    if (refused) {
      if (why_not_larger == Why::kLargest) why_not_larger = *refused;
      continue;
    }
    best = {static_cast<int>(count), size, Why::kAllWaiting, prepare};
    why_not_larger = Why::kLargest;
  }

  if (static_cast<size_t>(best.count) < waiting) best.why = why_not_larger;
  return best;
}

Duration FillLevel(const FreeIn& free, Duration work) {
  const int workers = static_cast<int>(free.size());
  for (int n = 1; n < workers; ++n) {
    const Duration room = (free[n] - free[n - 1]) * n;
    if (work <= room) return free[n - 1] + (work + Duration(n - 1)) / n;
    work -= room;
  }
  return free.back() + (work + Duration(workers - 1)) / workers;
}

Duration Completion(const CostModel& costs, const Limits& limits, Line line) {
  FreeIn& free = line.free;
  if (line.others > Duration::zero()) {
    const Duration level = FillLevel(free, line.others);
    for (Duration& f : free) f = std::max(f, level);
  }
  size_t waiting = line.ahead + line.group;
  const auto largest = static_cast<size_t>(costs.largest());
  if (line.idle == 0 && waiting > largest) {
    const BatchChoice full = Choose(costs, limits, waiting, 1, line.prepare);
    const auto count = static_cast<size_t>(full.count);
    const size_t batches = std::min((waiting - largest + count - 1) / count, line.ahead / count);
    PlaceAlike(free, batches, std::max(costs.cost(full.size) + full.prepare, Duration(1)));
    waiting -= batches * count;
  }
  Duration completion{};
  while (waiting > 0) {
    const size_t expected =
        free[0] > Duration::zero() ? std::max(waiting, static_cast<size_t>(costs.company())) : waiting;
    const BatchChoice next = Choose(costs, limits, expected, std::max(line.idle--, 1), line.prepare);
    waiting -= std::min<size_t>(next.count, waiting);
    const Duration end = free[0] + costs.cost(next.size) + next.prepare;
    free.erase(free.begin());
    free.insert(std::upper_bound(free.begin(), free.end(), end), end);
    if (waiting < line.group) completion = std::max(completion, end);
  }
  return completion;
}

}  // namespace resnetd::scheduling
