#ifndef RESNETD_ENGINE_KERNELS_RANGE_H_
#define RESNETD_ENGINE_KERNELS_RANGE_H_

#include <cstdint>

namespace resnetd::kernels {

// Consecutive rows, tiles, pixels ...: [begin, end).
struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

// Part `part` of `parts`, whose sizes differ by one at most. It is empty where there are fewer things than parts.
inline Range PartOf(const Range& whole, int64_t part, int64_t parts) {
  return {whole.begin + whole.size() * part / parts, whole.begin + whole.size() * (part + 1) / parts};
}

// The fewest parts that have `size` things each at most.
inline int64_t PartsOfAtMost(int64_t size, const Range& whole) {
  return (whole.size() + size - 1) / size;
}

}  // namespace resnetd::kernels

#endif  // RESNETD_ENGINE_KERNELS_RANGE_H_
