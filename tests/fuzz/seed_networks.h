#ifndef RESNETD_TESTS_FUZZ_SEED_NETWORKS_H_
#define RESNETD_TESTS_FUZZ_SEED_NETWORKS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "tests/support/onnx_file.h"

namespace resnetd::fuzz {

struct Network {
  const char* name;
  int opset;
  std::function<void(onnx::OnnxFile&)> build;  // from the image "x" of 3x8x8 to "y"
};

// Ends a network: the feature map `map` of `channels` -> "y".
void Classify(onnx::OnnxFile& f, const char* map, int64_t channels);

// Networks of several nodes that mean something together: a pass recognises them, or they give images or heads.
std::vector<Network> Patterns();
// Networks whose weights lie in files beside them, in HostileFolder().
std::vector<Network> External();

// Networks in other forms than PyTorch's exporters have: free sizes, other numbers, bytes, functions.
std::vector<Network> Forms();

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_SEED_NETWORKS_H_
