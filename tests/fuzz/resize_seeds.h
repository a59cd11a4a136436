#ifndef RESNETD_TESTS_FUZZ_RESIZE_SEEDS_H_
#define RESNETD_TESTS_FUZZ_RESIZE_SEEDS_H_

#include <string>
#include <vector>

namespace resnetd::fuzz {

// Bytes that CheckResize() (image_checks.h) reads as a valid recipe, a size and pixels. The name says which.
struct ResizeSeed {
  std::string name, bytes;
};

// Every kind of resize with every interpolation; up, down, to exactly half, slivers and single pixels; in colours and
// grey, interleaved and in planes.
std::vector<ResizeSeed> ResizeSeeds();

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_RESIZE_SEEDS_H_
