#ifndef RESNETD_ENGINE_ONEDNN_SPLIT_H_
#define RESNETD_ENGINE_ONEDNN_SPLIT_H_

#include <cstddef>
#include <functional>

#include "engine/graph/graph.h"

namespace resnetd::onednn {

// The first `nodes` nodes of a graph run image by image, `lanes` images at once, each by one thread; the others for the
// whole batch by all threads.
struct Split {
  size_t nodes = 0;
  int lanes = 1;
};

// Early layers have large maps and few weights, late ones small maps and many weights. A batch at once reads weights
// once but loses the maps from the cache between two layers; image by image it is the other way round. The split is
// where the bytes that leave the cache are fewest. In the first part each thread has images of its own, waits for none
// of the others and reads nothing they wrote. It depends on its arguments alone, not on the machine: another split may
// round differently.
Split ChooseSplit(const graph::Graph& graph, int batch, int threads);

using Splitter = std::function<Split(const graph::Graph& graph, int batch, int threads)>;

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_SPLIT_H_
