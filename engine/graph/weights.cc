#include "engine/graph/weights.h"

#include <algorithm>
#include <array>

namespace resnetd::graph {

Floats::Floats(std::vector<float> values) {
  auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  const absl::string_view bytes(reinterpret_cast<const char*>(owner->data()), owner->size() * sizeof(float));
  bytes_ = Bytes(std::move(owner), bytes);
}

Floats Floats::View(Bytes bytes) {
  Floats floats;
  floats.bytes_ = std::move(bytes);
  return floats;
}

const float* Floats::aligned() const {
  const char* const data = bytes_.view().data();
  return reinterpret_cast<uintptr_t>(data) % alignof(float) == 0 ? reinterpret_cast<const float*>(data) : nullptr;
}

// Part by part, since a vector of the whole size would be filled with zeros first.
std::vector<float> Floats::Copy() const {
  std::vector<float> out;
  out.reserve(size());
  std::array<float, 4096> part;
  for (absl::string_view left = bytes_.view(); !left.empty();) {
    const size_t values = std::min(part.size(), left.size() / sizeof(float));
    std::memcpy(part.data(), left.data(), values * sizeof(float));
    out.insert(out.end(), part.begin(), part.begin() + static_cast<ptrdiff_t>(values));
    left.remove_prefix(values * sizeof(float));
  }
  return out;
}

bool operator==(const Floats& a, absl::Span<const float> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

WeightsRef MakeWeights(std::string name, Dims dims, Floats data) {
  return std::make_shared<const Weights>(Weights{std::move(name), std::move(dims), std::move(data)});
}

}  // namespace resnetd::graph
