#ifndef RESNETD_ENGINE_ONEDNN_WEIGHTS_CACHE_H_
#define RESNETD_ENGINE_ONEDNN_WEIGHTS_CACHE_H_

#include <cstddef>
#include <dnnl.hpp>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/graph/graph.h"

namespace resnetd::onednn {

// Learnt values in the layouts the primitives want, each layout of each tensor once, so that plans of different batch
// sizes share them. Used by one thread while a model is compiled; the memory it hands out is read-only afterwards.
class WeightsCache {
 public:
  explicit WeightsCache(const dnnl::engine& engine) : engine_(engine), stream_(engine) {}

  // The values of `weights`, dense in the layout `source`, in the layout `wanted`. May throw dnnl::error.
  dnnl::memory Get(const graph::WeightsRef& weights, const dnnl::memory::desc& source,
                   const dnnl::memory::desc& wanted);
  // Of everything handed out so far.
  size_t bytes() const { return bytes_; }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
  absl::flat_hash_map<graph::WeightsRef, std::vector<dnnl::memory>> packed_;
  size_t bytes_ = 0;
};

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_WEIGHTS_CACHE_H_
