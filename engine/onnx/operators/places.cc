// PyTorch's dynamo exporter writes a change of strides (as_strided, behind the global pool of ConvNeXt) as a Gather
// from all elements of all images, whose places it computes from the batch size:
//
//   Reshape(x, [-1]) [ Range(0, batch, 1) * n + 0 ... n - 1 ]      with n elements an image: x in other dims
//   Reshape(x, [-1]) [ 0 ... batch * n - 1 ]                       the same where the file fixes the batch
//
// Places are kept as that: a stride from image to image, and what is added within an image. No other use of them, and
// none of a batch without its axis, is understood.
#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/fold.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {
namespace {

using graph::BinaryKind;
using graph::Dims;
using graph::ValueId;

absl::StatusOr<int64_t> Scalar(const NodeReader& n, const Import& into, int i) {
  RESNETD_ASSIGN_OR_RETURN(const Ints ints, into.Integers(n, i));
  if (ints.values.size() == 1) return ints.values[0];
  return Expected(absl::StrCat("input ", i), "one integer", ToString(ints.values));
}

// All places times, or plus, integers that are the same for each image.
absl::StatusOr<Places> Computed(const NodeReader& n, const Import& into, Places places, BinaryKind kind, int other) {
  RESNETD_ASSIGN_OR_RETURN(const Operand operand, into.Any(n, other));
  Ints whole;  // of what was read as floats
  if (const auto* floats = std::get_if<graph::WeightsRef>(&operand); floats != nullptr) {
    const graph::Floats& data = (*floats)->data;
    if (static_cast<int64_t>(data.size()) <= kMostPlaces) whole = {{data.begin(), data.end()}, (*floats)->dims};
  }
  const Ints* ints = std::holds_alternative<graph::WeightsRef>(operand) ? &whole : std::get_if<Ints>(&operand);
  const auto small = [](int64_t v) { return v >= 0 && v <= kLargestPlace; };
  if (ints == nullptr || ints->values.empty() || !std::all_of(ints->values.begin(), ints->values.end(), small)) {
    return Expected(absl::StrCat("input ", other), "integers from 0 on", "others");
  }
  if (kind == BinaryKind::kMul) {
    const int64_t by = ints->values[0];
    const bool one = ints->values.size() == 1 && ints->dims.size() <= places.dims.size();
    if (!one || by > kLargestPlace / std::max<int64_t>(places.stride, 1) || places.within.size() != 1 ||
        places.within[0] != 0) {
      return Expected("product", "image numbers times one integer", "another");
    }
    places.stride *= by;
    return places;
  }
  const size_t rank = places.dims.size();
  Dims added(ints->dims);
  if (added.size() > rank) return Expected("sum", absl::StrCat("at most ", rank, " axes"), graph::ToString(added));
  added.insert(added.begin(), rank - added.size(), 1);
  Places sum{places.stride, {}, places.dims};
  int64_t size = 1;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t a = places.dims[i], b = added[i];
    if (i == 0 ? b != 1 : (a != b && a != 1 && b != 1)) {
      return Expected("sum", graph::ToString(places.dims), graph::ToString(added));
    }
    sum.dims[i] = std::max(a, b);
    if (sum.dims[i] > kMostPlaces / size) return Expected("sum", absl::StrCat("at most ", kMostPlaces), "more");
    size *= sum.dims[i];
  }
  for (int64_t at = 0; at < size; ++at) {
    int64_t rest = at, in_a = 0, in_b = 0, stride_a = 1, stride_b = 1;
    for (size_t i = rank; i-- > 0;) {
      const int64_t index = rest % sum.dims[i];
      rest /= sum.dims[i];
      in_a += places.dims[i] == 1 ? 0 : index * stride_a;
      in_b += added[i] == 1 ? 0 : index * stride_b;
      stride_a *= places.dims[i], stride_b *= added[i];
    }
    const int64_t place = places.within[static_cast<size_t>(in_a)] + ints->values[static_cast<size_t>(in_b)];
    if (place > kLargestPlace) return Expected("sum", absl::StrCat("at most ", kLargestPlace), "more");
    sum.within.push_back(place);
  }
  return sum;
}

absl::StatusOr<Places> Unsqueezed(NodeReader& n, const Import& into, Places places) {
  RESNETD_ASSIGN_OR_RETURN(std::vector<int64_t> axes, InputOrAttribute(n, into, 1, "axes"));
  std::sort(axes.begin(), axes.end());
  for (const int64_t axis : axes) {
    if (axis < 1 || axis > static_cast<int64_t>(places.dims.size()) || places.dims.size() >= kMostAxes) {
      return Expected("axes", "axes behind the batch", ToString(axes));
    }
    places.dims.insert(places.dims.begin() + axis, 1);
  }
  return places;
}

// The places of all elements of a batch whose size is fixed in the file, which are a constant then; null: others.
graph::WeightsRef FixedPlaces(const NodeReader& n, const Import& into, int64_t size) {
  absl::StatusOr<graph::WeightsRef> places = into.Floats(n, 1);
  if (!places.ok() || into.file_batch <= 0 || (*places)->dims.empty() || (*places)->dims[0] != into.file_batch ||
      (*places)->data.size() % static_cast<size_t>(into.file_batch) != 0 ||
      static_cast<int64_t>((*places)->data.size()) / into.file_batch != size) {
    return nullptr;
  }
  for (size_t i = 0; i < (*places)->data.size(); ++i) {
    if ((*places)->data[i] != static_cast<float>(i)) return nullptr;
  }
  return *std::move(places);
}

}  // namespace

absl::Status ImportRange(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const int64_t start, Scalar(n, into, 0));
  RESNETD_ASSIGN_OR_RETURN(const int64_t limit, Scalar(n, into, 1));
  RESNETD_ASSIGN_OR_RETURN(const int64_t delta, Scalar(n, into, 2));
  if (start == 0 && limit == Ints::kBatch && delta == 1) return into.DefinePlaces(n, {1, {0}, {1}});
  const auto small = [](int64_t v) { return v != Ints::kBatch && v >= -kLargestPlace && v <= kLargestPlace; };
  if (!small(start) || !small(limit) || !small(delta) || delta == 0) {
    return Expected("start, limit and delta", "integers known at load, or 0, the batch and 1",
                    ToString({start, limit, delta}));
  }
  std::vector<int64_t> values;
  for (int64_t v = start; delta > 0 ? v < limit : v > limit; v += delta) {
    values.push_back(v);
    if (static_cast<int64_t>(values.size()) > kMostIntegers) {
      return Expected("result", absl::StrCat("at most ", kMostIntegers, " integers"), "more");
    }
  }
  return into.Alias(n, Ints::List(std::move(values)));
}

bool IsOfPlaces(const NodeReader& n, const Import& into) {
  for (const std::string& input : n.node().input()) {
    if (into.FindPlaces(input) != nullptr || into.FindFlat(input)) return true;
  }
  return false;
}

absl::Status ImportOfPlaces(NodeReader& n, Import& into) {
  const std::string& op = n.node().op_type();
  const auto input = [&](int i) { return i < n.node().input_size() ? n.node().input(i) : std::string(); };
  if (const auto flat = into.FindFlat(input(0)); flat && op == "Gather" && n.Int("axis", 0) == 0) {
    const Places* places = into.FindPlaces(input(1));
    const int64_t size = Product(into.dims(*flat));
    std::vector<int64_t> all(static_cast<size_t>(std::min(size, kMostPlaces)));
    std::iota(all.begin(), all.end(), 0);
    const graph::WeightsRef fixed = FixedPlaces(n, into, size);
    if (fixed != nullptr || (places != nullptr && places->stride == size && places->within == all)) {
      Dims dims = fixed != nullptr ? fixed->dims : places->dims;
      dims.erase(dims.begin());
      if (dims == into.dims(*flat)) return into.Alias(n, *flat);
      return into.Add(n, graph::Reshape{std::move(dims)}, {*flat});
    }
  }
  const bool sum = op == "Add", product = op == "Mul";
  for (const int i : {0, 1}) {
    const Places* places = into.FindPlaces(input(i));
    if (places == nullptr) continue;
    if (sum || product) {
      RESNETD_ASSIGN_OR_RETURN(Places computed,
                               Computed(n, into, *places, sum ? BinaryKind::kAdd : BinaryKind::kMul, 1 - i));
      return into.DefinePlaces(n, std::move(computed));
    }
    if (op == "Unsqueeze" && i == 0) {
      RESNETD_ASSIGN_OR_RETURN(Places unsqueezed, Unsqueezed(n, into, *places));
      return into.DefinePlaces(n, std::move(unsqueezed));
    }
    if ((op == "Cast" || op == "Identity") && i == 0) return n.Int("to", 0), into.DefinePlaces(n, *places);
  }
  return Expected("inputs", "each image's elements in their order", "others, or places in a whole batch");
}

}  // namespace resnetd::onnx
