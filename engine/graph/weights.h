#ifndef RESNETD_ENGINE_GRAPH_WEIGHTS_H_
#define RESNETD_ENGINE_GRAPH_WEIGHTS_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "engine/graph/ops.h"

namespace resnetd::graph {

// Learnt values, float32: a list of their own, or a view into a file's bytes, where they need not be aligned.
// Immutable; copies share them.
class Floats {
 public:
  // Reads the values one by one. Random access, but for references to elements.
  class Iterator {
   public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = float;
    using difference_type = ptrdiff_t;
    using pointer = const float*;
    using reference = float;

    Iterator() = default;
    explicit Iterator(const char* at) : at_(at) {}

    float operator*() const { return Load(at_); }
    float operator[](ptrdiff_t i) const { return *(*this + i); }
    Iterator& operator+=(ptrdiff_t n) { return at_ += n * static_cast<ptrdiff_t>(sizeof(float)), *this; }
    Iterator& operator-=(ptrdiff_t n) { return *this += -n; }
    Iterator& operator++() { return *this += 1; }
    Iterator& operator--() { return *this -= 1; }
    Iterator operator++(int) { return std::exchange(*this, *this + 1); }
    Iterator operator--(int) { return std::exchange(*this, *this - 1); }
    friend Iterator operator+(Iterator i, ptrdiff_t n) { return i += n; }
    friend Iterator operator+(ptrdiff_t n, Iterator i) { return i += n; }
    friend Iterator operator-(Iterator i, ptrdiff_t n) { return i -= n; }
    friend ptrdiff_t operator-(Iterator a, Iterator b) {
      return (a.at_ - b.at_) / static_cast<ptrdiff_t>(sizeof(float));
    }
    friend auto operator<=>(const Iterator&, const Iterator&) = default;

   private:
    const char* at_ = nullptr;
  };
  using value_type = float;
  using const_iterator = Iterator;
  using iterator = Iterator;

  Floats() = default;
  Floats(std::vector<float> values);  // NOLINT(google-explicit-constructor): a list is such values
  // The bytes are those of whole values, in this machine's order.
  static Floats View(Bytes bytes);

  size_t size() const { return bytes_.size() / sizeof(float); }
  float operator[](size_t i) const { return Load(bytes_.view().data() + i * sizeof(float)); }
  float front() const { return (*this)[0]; }
  Iterator begin() const { return Iterator(bytes_.view().data()); }
  Iterator end() const { return begin() + static_cast<ptrdiff_t>(size()); }

  const Bytes& bytes() const { return bytes_; }
  // The values in place; null where they are not aligned.
  const float* aligned() const;
  std::vector<float> Copy() const;

  friend bool operator==(const Floats& a, absl::Span<const float> b);

 private:
  static float Load(const char* from) {
    float value = 0;
    std::memcpy(&value, from, sizeof value);
    return value;
  }

  Bytes bytes_;
};

// Learnt values of a node: dense, row-major, dims as in the ONNX file (Conv weights: {OC, IC/groups, KH, KW}; Gemm
// weights: {OC, IC}). Immutable and shared, so that copying a Graph copies no weights.
struct Weights {
  std::string name;
  Dims dims;
  Floats data;
};

WeightsRef MakeWeights(std::string name, Dims dims, Floats data);

}  // namespace resnetd::graph

#endif  // RESNETD_ENGINE_GRAPH_WEIGHTS_H_
