#include "engine/onednn/weights_cache.h"

#include <algorithm>
#include <cstring>

namespace resnetd::onednn {
namespace {

// The share of the weights held once that copies may add. Blocks of channels are padded, too; together a tenth is
// promised.
constexpr double kMostCopies = 0.09;

}  // namespace

dnnl::memory WeightsCache::Get(const graph::WeightsRef& weights, const dnnl::memory::desc& source,
                               const dnnl::memory::desc& wanted) {
  return Hold(weights, wanted, [&](dnnl::memory& packed) {
    // oneDNN reads the source only, but takes no pointer to const.
    dnnl::memory plain(source, engine_, const_cast<float*>(Aligned(weights->data)));
    dnnl::reorder(plain, packed).execute(stream_, plain, packed);
    stream_.wait();
  });
}

dnnl::memory WeightsCache::Pack(const graph::WeightsRef& weights, const dnnl::memory::dims& dims,
                                absl::FunctionRef<void(const float*, float*)> pack) {
  const dnnl::memory::desc wanted(dims, dnnl::memory::data_type::f32, dnnl::memory::format_tag::abcd);
  return Hold(weights, wanted, [&](dnnl::memory& packed) {
    pack(Aligned(weights->data), static_cast<float*>(packed.get_data_handle()));
  });
}

const float* WeightsCache::Aligned(const graph::Floats& values) {
  if (const float* in_place = values.aligned()) return in_place;
  const absl::string_view bytes = values.bytes().view();
  if (aligned_size_ < values.size()) {
    aligned_.reset();  // before the new ones take memory
    aligned_ = std::make_unique_for_overwrite<float[]>(values.size());
    aligned_size_ = values.size();
  }
  std::memcpy(aligned_.get(), bytes.data(), bytes.size());
  return aligned_.get();
}

dnnl::memory WeightsCache::Hold(const graph::WeightsRef& weights, const dnnl::memory::desc& wanted,
                                absl::FunctionRef<void(dnnl::memory&)> fill) {
  std::vector<dnnl::memory>& layouts = packed_[weights];
  for (const dnnl::memory& packed : layouts) {
    if (packed.get_desc() == wanted) return packed;
  }
  dnnl::memory packed(wanted, engine_);
  fill(packed);
  bytes_ += wanted.get_size();
  if (!layouts.empty()) copies_ += wanted.get_size();
  layouts.push_back(packed);
  return packed;
}

std::vector<dnnl::memory::desc> WeightsCache::LayoutsInsteadOf(const dnnl::memory::desc& wanted,
                                                               const graph::WeightsRef& weights) const {
  std::vector<dnnl::memory::desc> layouts;
  if (const auto held = packed_.find(weights); held != packed_.end()) {
    for (const dnnl::memory& packed : held->second) layouts.push_back(packed.get_desc());
  }
  const auto copies = static_cast<double>(copies_ + wanted.get_size());
  const bool affordable = copies <= kMostCopies * static_cast<double>(bytes_ - copies_);
  if (affordable || std::find(layouts.begin(), layouts.end(), wanted) != layouts.end()) layouts.clear();
  return layouts;
}

}  // namespace resnetd::onednn
