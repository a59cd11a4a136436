#ifndef RESNETD_ENGINE_MEMORY_PLANNER_H_
#define RESNETD_ENGINE_MEMORY_PLANNER_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/types/span.h"

// Lifetimes -> offsets. Pure integers: it knows nothing of tensors.
namespace resnetd::memory {

// A block of memory that must hold its contents from step `first` to step `last`, both inclusive.
struct Block {
  size_t bytes = 0;
  int first = 0, last = 0;
  std::optional<size_t> fixed_offset;  // where the block must lie, if its user cannot move it
};

struct Layout {
  std::vector<size_t> offsets;  // one a block, multiples of the alignment
  size_t bytes = 0;             // the arena's size
  size_t lower_bound = 0;       // LowerBound(): no layout is smaller
};

// The largest sum of the blocks alive at one step, each rounded up to `alignment`.
size_t LowerBound(absl::Span<const Block> blocks, size_t alignment);

// Places the blocks so that no two that are alive at the same step overlap. Deterministic. Sizes are rounded up to
// `alignment`, a power of two. Blocks with a fixed offset must not overlap each other in space and time.
Layout PlanLayout(absl::Span<const Block> blocks, size_t alignment);

}  // namespace resnetd::memory

#endif  // RESNETD_ENGINE_MEMORY_PLANNER_H_
