#ifndef RESNETD_ENGINE_KERNELS_TEAM_H_
#define RESNETD_ENGINE_KERNELS_TEAM_H_

#include <cstdint>

#include "engine/kernels/range.h"

namespace resnetd::kernels {

// One of the threads that compute something together: all of them call the same kernels in the same order, each as
// itself, and each call computes that thread's part. What a kernel wrote may be read after the next Barrier().
// Scratch memory is the team's, the same for all, or the thread's, as the kernel says.
struct Team {
  int thread = 0, threads = 1;

  // This thread's part of a whole.
  Range PartOf(const Range& whole) const { return kernels::PartOf(whole, thread, threads); }
  // Returns when all have called it. A team of several is the innermost OpenMP team of its threads.
  void Barrier() const;
};

}  // namespace resnetd::kernels

#endif  // RESNETD_ENGINE_KERNELS_TEAM_H_
