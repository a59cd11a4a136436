// Greedy by size: the blocks are placed from the largest to the smallest, each into the tightest gap among those
// already placed that are alive with it, or behind them. Large blocks decide an arena's size, and placing them first
// leaves the small ones to fill the holes (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
// Inference", 2020). Among blocks of one size the order matters too, so a second order (by bytes times lifetime) is
// tried and the better layout wins.
#include "engine/memory/planner.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace resnetd::memory {
namespace {

size_t RoundUp(size_t bytes, size_t alignment) {
  return (bytes + alignment - 1) & ~(alignment - 1);
}

bool AliveTogether(const Block& a, const Block& b) {
  return a.first <= b.last && b.first <= a.last;
}

size_t LowerBound(absl::Span<const Block> blocks, size_t alignment) {
  std::vector<std::pair<int, int64_t>> changes;  // (step, bytes that come to life at it or ended before it)
  for (const Block& block : blocks) {
    const int64_t bytes = static_cast<int64_t>(RoundUp(block.bytes, alignment));
    changes.emplace_back(block.first, bytes);
    changes.emplace_back(block.last + 1, -bytes);
  }
  std::sort(changes.begin(), changes.end());
  int64_t alive = 0, most = 0;
  for (const auto& [step, bytes] : changes) {
    alive += bytes;
    most = std::max(most, alive);
  }
  return static_cast<size_t>(most);
}

// Where a block of `bytes` fits best between `taken`, the spans (offset, end) it must not touch.
size_t BestFit(std::vector<std::pair<size_t, size_t>>& taken, size_t bytes) {
  std::sort(taken.begin(), taken.end());
  size_t end = 0, best_offset = 0, best_gap = SIZE_MAX;
  for (const auto& [offset, next_end] : taken) {
    if (offset > end && offset - end >= bytes && offset - end < best_gap) {
      best_gap = offset - end;
      best_offset = end;
    }
    end = std::max(end, next_end);
  }
  return best_gap == SIZE_MAX ? end : best_offset;
}

Layout PlaceInOrder(absl::Span<const Block> blocks, absl::Span<const int> order, size_t alignment) {
  Layout layout;
  layout.offsets.resize(blocks.size());
  std::vector<int> placed;
  std::vector<std::pair<size_t, size_t>> taken;
  for (int i : order) {
    const size_t bytes = RoundUp(blocks[i].bytes, alignment);
    taken.clear();
    for (int other : placed) {
      if (!AliveTogether(blocks[i], blocks[other])) continue;
      taken.emplace_back(layout.offsets[other], layout.offsets[other] + RoundUp(blocks[other].bytes, alignment));
    }
    layout.offsets[i] = blocks[i].fixed_offset ? *blocks[i].fixed_offset : BestFit(taken, bytes);
    layout.bytes = std::max(layout.bytes, layout.offsets[i] + bytes);
    placed.push_back(i);
  }
  return layout;
}

}  // namespace

Layout PlanLayout(absl::Span<const Block> blocks, size_t alignment) {
  std::vector<int> order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  // Fixed blocks come first, then those with the most of `weight`; equal ones in the order given.
  const auto place = [&](auto weight) {
    std::vector<int> sorted = order;
    std::stable_sort(sorted.begin(), sorted.end(), [&](int a, int b) {
      const bool a_fixed = blocks[a].fixed_offset.has_value(), b_fixed = blocks[b].fixed_offset.has_value();
      return a_fixed != b_fixed ? a_fixed : weight(blocks[a]) > weight(blocks[b]);
    });
    return PlaceInOrder(blocks, sorted, alignment);
  };
  Layout by_size = place([](const Block& b) { return b.bytes; });
  Layout by_area = place([](const Block& b) { return b.bytes * static_cast<size_t>(b.last - b.first + 1); });
  Layout& best = by_area.bytes < by_size.bytes ? by_area : by_size;
  best.lower_bound = LowerBound(blocks, alignment);
  return std::move(best);
}

}  // namespace resnetd::memory
