#ifndef RESNETD_TESTS_REFERENCE_RANDOM_GRAPH_H_
#define RESNETD_TESTS_REFERENCE_RANDOM_GRAPH_H_

#include <cstdint>

#include "engine/graph/graph.h"

namespace resnetd::reference {

struct RandomGraphOptions {
  bool fused = false;  // residuals and functions are post-ops of their convolutions, as the passes leave them
  int outputs = 0;     // at most so many maps are outputs too, beside "logits" and "pool"
};

// A network of 2 to 14 random operators on random earlier values, of every kind that residual families have, up to 40
// channels, then a pool and a classifier. The same seed gives the same network.
graph::Graph RandomGraph(uint32_t seed, const RandomGraphOptions& options = {});

}  // namespace resnetd::reference

#endif  // RESNETD_TESTS_REFERENCE_RANDOM_GRAPH_H_
