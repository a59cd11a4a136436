// Resize and Upsample, where they leave a map as it is: graphs for images of any size bring features to a size that,
// once the image's is known, they have already. With a scale of 1 every mode of the specification yields its input, but
// for tf_crop_and_resize, which reads a region of it.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {
namespace {

using graph::Dims;
using graph::ValueId;

constexpr int64_t kAsItIs = std::numeric_limits<int64_t>::min();  // the size of an axis that a node says nothing of

// Sizes or scales that a node gives its axes, by the axes of the tensor with its batch. Empty: none.
template <typename T>
absl::StatusOr<std::vector<T>> ByAxis(std::vector<T> given, absl::Span<const int64_t> axes, size_t rank, T fallback) {
  if (given.empty()) return given;
  if (given.size() != axes.size()) {
    return Expected("sizes or scales", absl::StrCat(axes.size(), " values"), absl::StrCat(given.size()));
  }
  std::vector<T> out(rank, fallback);
  for (size_t i = 0; i < axes.size(); ++i) out[static_cast<size_t>(axes[i])] = given[i];
  return out;
}

absl::StatusOr<std::vector<int64_t>> ReadAxes(NodeReader& n, size_t rank) {
  std::vector<int64_t> all(rank);
  std::iota(all.begin(), all.end(), 0);
  std::vector<int64_t> axes = n.Ints("axes", all);
  for (int64_t& axis : axes) {
    const int64_t size = static_cast<int64_t>(rank);
    if (axis < -size || axis >= size) return Expected("axis", absl::StrCat(-size, "..", size - 1), ToString({axis}));
    axis += axis < 0 ? size : 0;
  }
  return axes;
}

absl::StatusOr<std::vector<float>> ReadScales(NodeReader& n, const Import& into, int at) {
  if (n.node().op_type() == "Upsample" && n.opset() < 9) return n.Floats("scales");
  if (!into.HasInput(n, at)) return std::vector<float>();
  RESNETD_ASSIGN_OR_RETURN(const Operand operand, into.Any(n, at));
  if (const Ints* none = std::get_if<Ints>(&operand); none != nullptr && none->values.empty()) {
    return std::vector<float>();
  }
  RESNETD_ASSIGN_OR_RETURN(const graph::WeightsRef scales, into.Floats(n, at));
  return scales->data.Copy();
}

// Reads the attributes that have no effect with a scale of 1.
absl::Status ReadModes(NodeReader& n) {
  n.String("mode", "nearest");
  n.String("nearest_mode", "");
  n.String("keep_aspect_ratio_policy", "stretch");
  n.Float("cubic_coeff_a", 0);
  n.Float("extrapolation_value", 0);
  n.Int("exclude_outside", 0);
  n.Int("antialias", 0);
  const std::string mode = n.String("coordinate_transformation_mode", "half_pixel");
  if (mode != "tf_crop_and_resize") return absl::OkStatus();
  return Expected("attribute 'coordinate_transformation_mode'", "one that reads the whole map", mode);
}

}  // namespace

absl::Status ImportResize(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_RETURN_IF_ERROR(ReadModes(n));
  Dims dims = into.dims(src);
  dims.insert(dims.begin(), Ints::kBatch);
  RESNETD_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ReadAxes(n, dims.size()));
  const bool old = n.node().op_type() == "Upsample" || n.opset() < 11;  // without a region, and without sizes
  RESNETD_ASSIGN_OR_RETURN(std::vector<float> scales, ReadScales(n, into, old ? 1 : 2));
  RESNETD_ASSIGN_OR_RETURN(scales, ByAxis(std::move(scales), axes, dims.size(), 1.0f));
  std::vector<int64_t> sizes;
  if (!old && into.HasInput(n, 3)) {
    RESNETD_ASSIGN_OR_RETURN(Ints ints, into.Integers(n, 3));
    sizes = std::move(ints.values);
  }
  // A batch size fixed in the file stands for the batch.
  if (!sizes.empty() && sizes.size() == dims.size() && sizes[0] > 0 && sizes[0] == into.file_batch) sizes[0] = dims[0];
  RESNETD_ASSIGN_OR_RETURN(sizes, ByAxis(std::move(sizes), axes, dims.size(), kAsItIs));
  if (sizes.empty() == scales.empty())
    return Expected("sizes and scales", "one of them", sizes.empty() ? "none" : "both");
  bool same = std::all_of(scales.begin(), scales.end(), [](float scale) { return scale == 1; });
  for (size_t i = 0; i < sizes.size(); ++i) same &= sizes[i] == kAsItIs || sizes[i] == dims[i];
  if (same) return into.Alias(n, src);
  const std::string asked = sizes.empty() ? absl::StrCat("other scales than 1") : ToString(sizes);
  return Expected("result",
                  absl::StrCat("a map of the input's size, ", ToString(dims),
                               ", for resizing is the recipe's and happens before the network"),
                  asked);
}

}  // namespace resnetd::onnx
