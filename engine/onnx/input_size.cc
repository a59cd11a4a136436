#include "engine/onnx/input_size.h"

#include <algorithm>
#include <utility>

#include "engine/onnx/operators/importers.h"
#include "engine/onnx/opsets.h"

namespace resnetd::onnx {
namespace {

using graph::Dims;
using graph::ValueId;

// An image of one size is too small or too large for some node, or right for all.
enum class Fit { kTooSmall, kFits, kTooLarge };

Fit Compare(int64_t have, int64_t want) {
  return have < want ? Fit::kTooSmall : have > want ? Fit::kTooLarge : Fit::kFits;
}

// Says what a node asks of the activation that it reads, as far as that depends on the image's size.
class Demand {
 public:
  Demand(const NodeProto& node, Import& into) : node_(node), into_(into), reader_(node, kNewestOpset) {}

  bool is_linear() const { return columns_.has_value(); }
  // Defines the linear layer's output by its width alone.
  absl::Status DefineLinear() {
    const ValueId value = into_.graph.AddValue(node_.output(0));
    Dims dims = *src_;
    dims.back() = *columns_;
    into_.graph.value(value).dims = std::move(dims);
    return into_.Define(node_.output(0), value);
  }

  Fit Judge() {
    if (node_.output_size() == 0 || node_.input_size() < 2 || !into_.IsActivation(reader_, 0)) return Fit::kFits;
    const absl::StatusOr<ValueId> src = into_.Activation(reader_, 0);
    src_ = into_.dims(*src);
    if (node_.op_type() == "Gemm" || node_.op_type() == "MatMul") return OfLinear();
    if (node_.op_type() == "Reshape") return OfReshape();
    if (node_.op_type() == "Resize") return OfResize();
    return Fit::kFits;
  }

 private:
  Fit OfLinear() {
    const absl::StatusOr<graph::WeightsRef> weights = into_.Floats(reader_, 1);
    if (!weights.ok() || (*weights)->dims.size() != 2 || src_->empty()) return Fit::kFits;
    const bool transposed = node_.op_type() == "Gemm" && reader_.Int("transB", 0) != 0;
    const Dims& dims = (*weights)->dims;
    columns_ = dims[transposed ? 0 : 1];
    return Compare(src_->back(), dims[transposed ? 1 : 0]);
  }

  Fit OfReshape() const {
    const absl::StatusOr<Ints> shape = into_.Integers(reader_, 1);
    if (!shape.ok() || shape->values.size() < 2) return Fit::kFits;
    int64_t want = 1;
    for (size_t i = 1; i < shape->values.size(); ++i) {
      int64_t size = shape->values[i];
      if (size == 0 && i <= src_->size()) size = (*src_)[i - 1];
      if (size < 1 || want > (int64_t{1} << 31) / size) return Fit::kFits;  // not its product alone
      want *= size;
    }
    return Compare(Product(*src_), want);
  }

  Fit OfResize() const {
    if (!into_.HasInput(reader_, 3) || src_->size() != 3) return Fit::kFits;
    const absl::StatusOr<Ints> sizes = into_.Integers(reader_, 3);
    if (!sizes.ok() || sizes->values.size() < 2 || sizes->values.size() > 4) return Fit::kFits;
    // The batch, the channels and the map, in either order, or the map alone.
    for (size_t i = 0; i < sizes->values.size(); ++i) {
      const size_t axis = i + 4 - sizes->values.size();
      if (axis == 0) continue;
      const Fit fit = Compare((*src_)[axis - 1], sizes->values[i]);
      if (fit != Fit::kFits) return fit;
    }
    return Fit::kFits;
  }

  const NodeProto& node_;
  Import& into_;
  NodeReader reader_;
  std::optional<Dims> src_;
  std::optional<int64_t> columns_;  // of a linear layer
};

}  // namespace

std::optional<SolvedSize> SolveSize(const GraphProto& proto, const FileInput& input, const Import& constants,
                                    absl::FunctionRef<absl::Status(int i, Import& into)> import) {
  if (proto.node_size() > kMostSolvedNodes) return std::nullopt;
  const auto judge = [&](int64_t side) {
    FileInput sized = input;
    if (sized.height == 0) sized.height = side;
    if (sized.width == 0) sized.width = side;
    Import into = constants;
    if (!DefineInput(sized, into).ok()) return Fit::kTooSmall;
    for (int i = 0; i < proto.node_size(); ++i) {
      Demand demand(proto.node(i), into);
      if (const Fit fit = demand.Judge(); fit != Fit::kFits) return fit;
      const absl::Status status = demand.is_linear() ? demand.DefineLinear() : import(i, into);
      if (!status.ok()) return Fit::kTooSmall;  // a window that is larger than the map, above all
    }
    return Fit::kFits;
  };
  if (judge(kMostSolvedSide) != Fit::kTooLarge) return std::nullopt;
  // Each closes in on the first side for which `is_past` holds, which holds for `high`.
  const auto first = [&](int64_t low, const auto& is_past) {
    int64_t high = kMostSolvedSide;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      is_past(judge(middle)) ? high = middle : low = middle + 1;
    }
    return high;
  };
  const int64_t least = first(1, [](Fit fit) { return fit != Fit::kTooSmall; });
  if (judge(least) != Fit::kFits) return std::nullopt;
  const int64_t past = first(least, [](Fit fit) { return fit == Fit::kTooLarge; });
  return SolvedSize{least, past - 1};
}

int64_t ChooseSide(const SolvedSize& solved, int64_t usual) {
  const auto fits = [&](int64_t side) { return side >= solved.least && side <= solved.largest; };
  if (usual > 0 && fits(usual)) return usual;
  for (const int64_t side : {224, 32, 28, 299, 227, 64, 96, 112, 128, 160, 192, 256, 288, 320, 384, 448, 512}) {
    if (fits(side)) return side;
  }
  int64_t best = solved.least;
  const auto halves = [](int64_t side) { return side & -side; };
  for (int64_t side = solved.least; side <= solved.largest; ++side) {
    if (halves(side) > halves(best)) best = side;
  }
  return best;
}

}  // namespace resnetd::onnx
