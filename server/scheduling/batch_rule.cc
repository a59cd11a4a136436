// Walks up the compiled sizes from the smallest to the one that holds all that waits. A larger size replaces the best
// so far unless it
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
#include "server/scheduling/batch_rule.h"

#include <algorithm>
#include <optional>

#include "base/time.h"

namespace resnetd::scheduling {
namespace {

double Ns(Duration d) {
  return static_cast<double>(d.count());
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

}  // namespace resnetd::scheduling
