#ifndef RESNETD_ENGINE_KERNELS_TEAM_H_
#define RESNETD_ENGINE_KERNELS_TEAM_H_

#include <cstdint>

// The threads of a kernel, and the parts into which they cut what they compute.
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

// Calls run(team, image, scratch) for the images of this thread: images of its own, as a team of one, where they come
// out even, else each of them with the whole team. `floats`: of scratch for each thread.
template <typename Run>
void ForEachImage(const Team& team, int64_t images, int64_t floats, float* scratch, const Run& run) {
  if (images % team.threads != 0) {
    for (int64_t image = 0; image < images; ++image) run(team, image, scratch);
    return;
  }
  const Range own = team.PartOf({0, images});
  for (int64_t image = own.begin; image < own.end; ++image) run(Team(), image, scratch + team.thread * floats);
}

}  // namespace resnetd::kernels

#endif  // RESNETD_ENGINE_KERNELS_TEAM_H_
