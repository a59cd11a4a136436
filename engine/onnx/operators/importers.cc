// Every operator we read, and how axes are read. An operator that is missing here makes a load fail with its name.
#include "engine/onnx/operators/importers.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::onnx {

using graph::ActivationKind;
using graph::BinaryKind;
using graph::ReduceKind;

Importer FindImporter(absl::string_view op_type) {
  struct Entry {
    const char* op_type;
    Importer importer;
  };
  using N = NodeReader;
  using I = Import;
  static constexpr Entry kTable[] = {
      {"Abs", [](N& n, I& into) { return ImportActivation(n, into, {ActivationKind::kAbs}); }},
      {"Add", [](N& n, I& into) { return ImportBinary(n, into, BinaryKind::kAdd); }},
      {"ArgMax", ImportArgMax},
      {"AveragePool", ImportAveragePool},
      {"BatchNormalization", ImportBatchNormalization},
      {"Cast", ImportCast},
      {"CastLike", ImportCastLike},
      {"Ceil", [](N& n, I& into) { return ImportRounded(n, into, std::ceil); }},  // of constants
      {"Celu", ImportCelu},
      {"Clip", ImportClip},
      {"Concat", ImportConcat},
      {"Constant", ImportConstant},
      {"ConstantOfShape", ImportConstantOfShape},
      {"Conv", ImportConv},
      {"Div", [](N& n, I& into) { return ImportBinary(n, into, BinaryKind::kDiv); }},
      {"Dropout", ImportSame},
      {"Elu",
       [](N& n, I& into) {
         return ImportActivation(n, into, {ActivationKind::kElu, n.Float("alpha", 1)});
       }},
      {"Erf", [](N& n, I& into) { return ImportActivation(n, into, {ActivationKind::kErf}); }},
      {"Exp", [](N& n, I& into) { return ImportActivation(n, into, {ActivationKind::kExp}); }},
      {"Expand", ImportExpand},
      {"Flatten", ImportFlatten},
      {"Floor", [](N& n, I& into) { return ImportRounded(n, into, std::floor); }},  // of constants
      {"Gather", ImportGather},
      {"Gelu", ImportGelu},
      {"Gemm", ImportGemm},
      {"GlobalAveragePool", [](N& n, I& into) { return ImportGlobalPool(n, into, ReduceKind::kMean); }},
      {"GlobalMaxPool", [](N& n, I& into) { return ImportGlobalPool(n, into, ReduceKind::kMax); }},
      {"GroupNormalization", ImportGroupNormalization},
      {"HardSigmoid",
       [](N& n, I& into) {
         return ImportActivation(n, into,
                                 {ActivationKind::kHardSigmoid, n.Float("alpha", 0.2f), n.Float("beta", 0.5f)});
       }},
      {"HardSwish",
       [](N& n, I& into) {
         return ImportActivation(n, into, {ActivationKind::kHardSwish, 1.0f / 6, 0.5f});
       }},
      {"Identity", ImportSame},
      {"InstanceNormalization", ImportInstanceNormalization},
      {"LRN", ImportLrn},
      {"LayerNormalization", ImportLayerNormalization},
      {"LeakyRelu",
       [](N& n, I& into) {
         return ImportActivation(n, into, {ActivationKind::kLeakyRelu, n.Float("alpha", 0.01f)});
       }},
      {"Log", ImportLog},
      {"LogSoftmax", [](N& n, I& into) { return ImportSoftmax(n, into, true); }},
      {"LpNormalization", ImportLpNormalization},
      {"MatMul", ImportMatMul},
      {"Max", [](N& n, I& into) { return ImportVariadic(n, into, BinaryKind::kMax); }},
      {"MaxPool", ImportMaxPool},
      {"Mean", ImportMean},
      {"Min", [](N& n, I& into) { return ImportVariadic(n, into, BinaryKind::kMin); }},
      {"Mish", [](N& n, I& into) { return ImportActivation(n, into, {ActivationKind::kMish}); }},
      {"Mul", [](N& n, I& into) { return ImportBinary(n, into, BinaryKind::kMul); }},
      {"Neg",
       [](N& n, I& into) {
         return ImportActivation(n, into, {ActivationKind::kLinear, -1, 0});
       }},
      {"PRelu", ImportPRelu},
      {"Pad", ImportPad},
      {"Pow", ImportPow},
      {"Range", ImportRange},
      {"Reciprocal",
       [](N& n, I& into) {
         return ImportActivation(n, into, {ActivationKind::kPow, -1});
       }},
      {"ReduceL2", [](N& n, I& into) { return ImportReduce(n, into, ReduceKind::kL2); }},
      {"ReduceMax", [](N& n, I& into) { return ImportReduce(n, into, ReduceKind::kMax); }},
      {"ReduceMean", [](N& n, I& into) { return ImportReduce(n, into, ReduceKind::kMean); }},
      {"ReduceSum", [](N& n, I& into) { return ImportReduce(n, into, ReduceKind::kSum); }},
      {"ReduceSumSquare", ImportReduceSumSquare},
      {"Relu", [](N& n, I& into) { return ImportActivation(n, into, graph::Relu()); }},
      {"Reshape", ImportReshape},
      {"Resize", ImportResize},
      {"Selu", ImportSelu},
      {"Shape", ImportShape},
      {"Sigmoid", [](N& n, I& into) { return ImportActivation(n, into, {ActivationKind::kSigmoid}); }},
      {"Slice", ImportSlice},
      {"Softmax", [](N& n, I& into) { return ImportSoftmax(n, into, false); }},
      {"Softplus", [](N& n, I& into) { return ImportActivation(n, into, {ActivationKind::kSoftplus}); }},
      {"Split", ImportSplit},
      {"Sqrt", [](N& n, I& into) { return ImportActivation(n, into, {ActivationKind::kSqrt}); }},
      {"Squeeze", ImportSqueeze},
      {"Sub", [](N& n, I& into) { return ImportBinary(n, into, BinaryKind::kSub); }},
      {"Sum", [](N& n, I& into) { return ImportVariadic(n, into, BinaryKind::kAdd); }},
      {"Swish",
       [](N& n, I& into) {
         return ImportActivation(n, into, {ActivationKind::kSwish, n.Float("alpha", 1)});
       }},
      {"Tanh", [](N& n, I& into) { return ImportActivation(n, into, {ActivationKind::kTanh}); }},
      {"TopK", ImportTopK},
      {"Transpose", ImportTranspose},
      {"Unsqueeze", ImportUnsqueeze},
      {"Upsample", ImportResize},
  };
  for (const Entry& entry : kTable) {
    if (op_type == entry.op_type) return entry.importer;
  }
  return nullptr;
}

absl::StatusOr<std::vector<int64_t>> InputOrAttribute(NodeReader& n, const Import& into, int i,
                                                      absl::string_view name) {
  if (!into.HasInput(n, i)) return n.Ints(name, {});
  RESNETD_ASSIGN_OR_RETURN(Ints ints, into.Integers(n, i));
  return std::move(ints.values);
}

absl::StatusOr<int64_t> ImageAxis(int64_t axis, size_t rank) {
  const int64_t last = static_cast<int64_t>(rank);
  const int64_t counted = axis < 0 && axis >= -last - 1 ? axis + last + 1 : axis;
  if (counted >= 1 && counted <= last) return counted - 1;
  return Expected("axis", counted == 0 ? absl::StrCat("1..", last, ", not the batch") : absl::StrCat("1..", last),
                  ToString({axis}));
}

absl::StatusOr<std::vector<int64_t>> ImageAxes(absl::Span<const int64_t> axes, size_t rank) {
  std::vector<int64_t> out;
  for (int64_t axis : axes) {
    RESNETD_ASSIGN_OR_RETURN(const int64_t counted, ImageAxis(axis, rank));
    out.push_back(counted);
  }
  std::sort(out.begin(), out.end());
  if (std::adjacent_find(out.begin(), out.end()) == out.end()) return out;
  return Expected("axes", "each at most once", ToString(axes));
}

int64_t Product(absl::Span<const int64_t> dims) {
  int64_t product = 1;
  for (int64_t d : dims) product *= d;
  return product;
}

}  // namespace resnetd::onnx
