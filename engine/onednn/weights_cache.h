#ifndef RESNETD_ENGINE_ONEDNN_WEIGHTS_CACHE_H_
#define RESNETD_ENGINE_ONEDNN_WEIGHTS_CACHE_H_

#include <cstddef>
#include <dnnl.hpp>
#include <memory>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "engine/graph/graph.h"
#include "engine/onednn/session.h"

namespace resnetd::onednn {

// Learnt values in the layouts the primitives want, each layout of each tensor once, so that plans of different batch
// sizes share them. Used by one thread while a model is compiled; the memory it hands out is read-only afterwards.
class WeightsCache {
 public:
  explicit WeightsCache(const dnnl::engine& engine) : engine_(engine), stream_(engine) {}

  // The values of `weights`, dense in the layout `source`, in the layout `wanted`. May throw dnnl::error.
  dnnl::memory Get(const graph::WeightsRef& weights, const dnnl::memory::desc& source,
                   const dnnl::memory::desc& wanted);
  // The values as `pack(values, packed)` lays them out, aligned to 64 bytes, in an array of 4 axes. Called once: its
  // dims tell one kernel's layout of the same weights from another's.
  dnnl::memory Pack(const graph::WeightsRef& weights, const dnnl::memory::dims& dims,
                    absl::FunctionRef<void(const float* values, float* packed)> pack);
  // Returns what `describe(layout, allow_empty)` makes of a layout of `weights`, a primitive descriptor. The layout is
  // the library's own choice where that costs no copy or one that is affordable, else one that is there already, as
  // long as the same implementation takes it. Another batch size often wants no more than another block of output
  // channels, a narrower one so that all threads have work: laid out for one thread it wants what the others have, and
  // `one_thread` says that it must run so.
  template <typename Describe>
  auto Choose(const graph::WeightsRef& weights, const dnnl::memory::desc& any, const Describe& describe,
              bool& one_thread) const {
    one_thread = false;
    auto chosen = describe(any, false);
    const std::vector<dnnl::memory::desc> layouts = LayoutsInsteadOf(chosen.weights_desc(), weights);
    const auto alike = [&chosen](const auto& other) {
      return other && absl::string_view(other.impl_info_str()) == chosen.impl_info_str();
    };
    for (const dnnl::memory::desc& layout : layouts) {
      if (auto other = describe(layout, true); alike(other)) return other;
    }
    if (layouts.empty()) return chosen;
    const ThreadCount one(1);
    auto other = describe(any, true);
    one_thread = alike(other) && absl::c_linear_search(layouts, other.weights_desc());
    return one_thread ? other : chosen;
  }
  // Whether `weights` are laid out like this already, or may be once more.
  bool CanAfford(const graph::WeightsRef& weights, const dnnl::memory::desc& wanted) const {
    return LayoutsInsteadOf(wanted, weights).empty();
  }
  // The bytes of everything handed out so far.
  size_t bytes() const { return bytes_; }

 private:
  // The values in place, or a copy of them that lasts until the next call.
  const float* Aligned(const graph::Floats& values);
  // The values in the layout `wanted`, by `fill(packed)` if nobody wanted it before.
  dnnl::memory Hold(const graph::WeightsRef& weights, const dnnl::memory::desc& wanted,
                    absl::FunctionRef<void(dnnl::memory& packed)> fill);
  // The layouts that `weights` are packed to already; none where `wanted` is among them, or may be a further copy.
  std::vector<dnnl::memory::desc> LayoutsInsteadOf(const dnnl::memory::desc& wanted,
                                                   const graph::WeightsRef& weights) const;

  dnnl::engine engine_;
  dnnl::stream stream_;
  absl::flat_hash_map<graph::WeightsRef, std::vector<dnnl::memory>> packed_;
  std::unique_ptr<float[]> aligned_;
  size_t aligned_size_ = 0;
  size_t bytes_ = 0;
  size_t copies_ = 0;  // of bytes_, what holds values a second time
};

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_WEIGHTS_CACHE_H_
