// Greedy by size: the blocks are placed from the largest to the smallest, each into the tightest gap among those
// already placed that are alive with it, or behind them. Large blocks decide an arena's size, and placing them first
// leaves the small ones to fill the holes (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
// Inference", 2020). Among blocks of one size the order matters too, so a second order (by bytes times lifetime) is
// tried.
//
// If neither reaches the bound, the better order is repaired: a block that ends where the arena ends came too late to
// find a gap, so it moves forward to a random place, and up to three random pairs change places. If the arena grows,
// that is taken back. On residual networks a few dozen moves take what greedy leaves, up to half of the bound, to next
// to nothing; kernels' scratch memory, as large as maps, takes hundreds and the pairs.
#include "engine/memory/planner.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

namespace resnetd::memory {
namespace {

size_t RoundUp(size_t bytes, size_t alignment) {
  return (bytes + alignment - 1) & ~(alignment - 1);
}

bool AliveTogether(const Block& a, const Block& b) {
  return a.first <= b.last && b.first <= a.last;
}

// Returns the offset where a block of `bytes` fits best between `taken`, the spans (offset, end) it must not touch.
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

// The number of moves is at most 1500, and fewer where placing all blocks is dear, so that a file of thousands of nodes
// is planned in seconds.
size_t Repairs(size_t blocks) {
  constexpr size_t kMost = 1500, kMostPairs = 30'000'000;
  return std::min(kMost, kMostPairs / std::max<size_t>(blocks * blocks, 1));
}

// The order with a block that reaches the arena's end moved forward, though not before the first `fixed`.
std::vector<int> WithTopmostEarlier(absl::Span<const Block> blocks, const Layout& layout, std::vector<int> order,
                                    ptrdiff_t fixed, size_t alignment, std::minstd_rand& random) {
  const auto topmost = std::find_if(order.begin() + fixed, order.end(), [&](int i) {
    return layout.offsets[i] + RoundUp(blocks[i].bytes, alignment) == layout.bytes;
  });
  if (topmost == order.end()) return order;  // a fixed one does
  const auto places = static_cast<uint32_t>(topmost - order.begin() - fixed + 1);
  std::rotate(order.begin() + fixed + random() % places, topmost, topmost + 1);
  return order;
}

}  // namespace

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

Layout PlanLayout(absl::Span<const Block> blocks, size_t alignment) {
  std::vector<int> order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  // Fixed blocks stay in front; equal ones in the order given.
  const auto first_free =
      std::stable_partition(order.begin(), order.end(), [&](int i) { return blocks[i].fixed_offset.has_value(); });
  const ptrdiff_t fixed = first_free - order.begin();
  Layout best{.offsets = {}, .bytes = SIZE_MAX};
  const auto try_order = [&](std::vector<int> tried) {
    Layout layout = PlaceInOrder(blocks, tried, alignment);
    if (layout.bytes > best.bytes) return;
    best = std::move(layout);
    order = std::move(tried);
  };
  const auto sorted_by = [&](auto weight) {
    std::vector<int> sorted = order;
    std::stable_sort(sorted.begin() + fixed, sorted.end(),
                     [&](int a, int b) { return weight(blocks[a]) > weight(blocks[b]); });
    return sorted;
  };
  const std::vector<int> by_size = sorted_by([](const Block& b) { return b.bytes; });
  try_order(sorted_by([](const Block& b) { return b.bytes * static_cast<size_t>(b.last - b.first + 1); }));
  try_order(by_size);

  const size_t lower_bound = LowerBound(blocks, alignment);
  std::minstd_rand random(1);
  for (size_t i = 0; i < Repairs(blocks.size()) && best.bytes > lower_bound; ++i) {
    std::vector<int> tried = WithTopmostEarlier(blocks, best, order, fixed, alignment, random);
    const auto free = static_cast<uint32_t>(tried.size() - static_cast<size_t>(fixed));
    for (uint32_t swaps = random() % 4; free > 0 && swaps > 0; --swaps) {
      const uint32_t a = random() % free, b = random() % free;
      std::swap(tried[static_cast<size_t>(fixed) + a], tried[static_cast<size_t>(fixed) + b]);
    }
    try_order(std::move(tried));
  }
  best.lower_bound = lower_bound;
  return best;
}

}  // namespace resnetd::memory
