#include "engine/graph/ops.h"

#include <array>

namespace resnetd::graph {
namespace {

// Each in the order of its enumerators or alternatives.
constexpr std::array kActivations = {"Relu",      "LeakyRelu", "Elu",  "Clip",    "Linear",  "Pow",
                                     "Sqrt",      "Exp",       "Erf",  "Tanh",    "Sigmoid", "HardSigmoid",
                                     "HardSwish", "Swish",     "Gelu", "GeluTanh"};
constexpr std::array kBinaries = {"Add", "Sub", "Mul", "Div"};
constexpr std::array kReductions = {"ReduceMean", "ReduceMax", "ReduceSum", "ReduceL2"};
constexpr std::array<const char*, std::variant_size_v<Op>> kOps = {
    "Conv",        "Gemm",   "BatchNorm", "GroupNorm", "Activation", "Binary", "PRelu", "MaxPool",
    "AveragePool", "Reduce", "Softmax",   "Reshape",   "Transpose",  "Concat", "Slice", "Pad"};

}  // namespace

absl::string_view OpName(const Op& op) {
  if (const auto* activation = std::get_if<Activation>(&op)) return kActivations[static_cast<size_t>(activation->kind)];
  if (const auto* binary = std::get_if<Binary>(&op)) return kBinaries[static_cast<size_t>(binary->kind)];
  if (const auto* reduce = std::get_if<Reduce>(&op)) return kReductions[static_cast<size_t>(reduce->kind)];
  return kOps[op.index()];
}

}  // namespace resnetd::graph
