// Other models' work goes first, as a fluid: it fills up the workers that are free first. Then the model's own queue is
// played through, with the batches that will be made of it. An item that arrives at a busy server with a short queue
// leaves with all of that queue in one batch, so the queue must not be counted as work ahead of it and in its batch.
//
// A long queue is not played through batch by batch. While more waits than the largest size holds, all batches are
// alike (of `t`), and those that hold nothing of the group are placed by rounds. The workers that are free within t of
// the first one take one batch each before any of them takes a second:
//
//   free   |--A-----
//          |---B----          A and B are within t of each other: a round adds t to both, and they stay so.
//          |----------------C C joins them once they have come within t of it.
#include "server/scheduling/outlook.h"

#include <algorithm>

#include "base/time.h"
#include "server/scheduling/batch_rule.h"

namespace resnetd::scheduling {
namespace {

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
