#include "engine/graph/ops.h"

#include <array>

#include "base/enum_table.h"

namespace resnetd::graph {
namespace {

// Each in the order of its enumerators or alternatives.
constexpr EnumTable<ActivationKind, const char*> kActivations = {
    "Relu",    "LeakyRelu",   "Elu",       "Clip",  "Linear", "Pow",      "Sqrt", "Exp", "Erf",      "Tanh",
    "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Gelu",   "GeluTanh", "Abs",  "Log", "Softplus", "Mish"};
constexpr EnumTable<BinaryKind, const char*> kBinaries = {"Add", "Sub", "Mul", "Div", "Max", "Min"};
constexpr EnumTable<ReduceKind, const char*> kReductions = {"ReduceMean", "ReduceMax", "ReduceSum", "ReduceL2"};
constexpr std::array kOps = {
    "Conv",       "Gemm",   "BatchNorm", "GroupNorm", "LayerNorm",   "L2Norm", "ResponseNorm", "LocalResponseNorm",
    "Activation", "Binary", "PRelu",     "MaxPool",   "AveragePool", "Reduce", "Softmax",      "Reshape",
    "Transpose",  "Concat", "Slice",     "Pad"};
static_assert(kOps.size() == std::variant_size_v<Op>);

}  // namespace

absl::string_view OpName(const Op& op) {
  if (const auto* activation = std::get_if<Activation>(&op)) return kActivations[activation->kind];
  if (const auto* binary = std::get_if<Binary>(&op)) return kBinaries[binary->kind];
  if (const auto* reduce = std::get_if<Reduce>(&op)) return kReductions[reduce->kind];
  return kOps[op.index()];
}

}  // namespace resnetd::graph
