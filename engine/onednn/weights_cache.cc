#include "engine/onednn/weights_cache.h"

namespace resnetd::onednn {

dnnl::memory WeightsCache::Get(const graph::WeightsRef& weights, const dnnl::memory::desc& source,
                               const dnnl::memory::desc& wanted) {
  std::vector<dnnl::memory>& layouts = packed_[weights];
  for (const dnnl::memory& packed : layouts) {
    if (packed.get_desc() == wanted) return packed;
  }
  // oneDNN reads the source only, but takes no pointer to const.
  dnnl::memory plain(source, engine_, const_cast<float*>(weights->data->data()));
  dnnl::memory packed(wanted, engine_);
  dnnl::reorder(plain, packed).execute(stream_, plain, packed);
  stream_.wait();
  bytes_ += wanted.get_size();
  layouts.push_back(packed);
  return packed;
}

}  // namespace resnetd::onednn
