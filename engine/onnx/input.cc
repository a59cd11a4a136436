// The first convolution is found by a walk from the input through operators that keep the image's axes, or move them:
// its weights' second axis, times the groups, is the channels, and what is its input's axis 1 by then is their axis.
#include "engine/onnx/input.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/element_types.h"
#include "engine/onnx/fold.h"

namespace resnetd::onnx {
namespace {

using graph::Dims;
using Perm = std::array<int, 4>;  // axis i is the input's axis perm[i]

constexpr int64_t kMostChannels = 4;  // of an image; tells NHWC from NCHW where no convolution does
constexpr int kMostSteps = 8;         // from a convolution's weights back to an initializer

struct FirstConvolution {
  Perm perm;
  std::optional<int64_t> channels;  // unknown where they are put together from several tensors
};

int64_t IntOf(const NodeProto& node, absl::string_view name, int64_t fallback) {
  for (const AttributeProto& a : node.attribute()) {
    if (a.name() == name && a.type() == AttributeProto::INT) return a.i();
  }
  return fallback;
}

std::vector<int64_t> IntsOf(const NodeProto& node, absl::string_view name) {
  for (const AttributeProto& a : node.attribute()) {
    if (a.name() == name && a.type() == AttributeProto::INTS) return {a.ints().begin(), a.ints().end()};
  }
  return {};
}

bool IsOneOf(absl::string_view op, absl::Span<const absl::string_view> ops) {
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

// Operators that keep the axes of an image, whatever they do to its numbers.
constexpr absl::string_view kKeepAxes[] = {"Abs",     "Add",      "BatchNormalization",
                                           "Cast",    "CastLike", "Ceil",
                                           "Clip",    "Concat",   "Div",
                                           "Dropout", "Exp",      "Floor",
                                           "Gather",  "Identity", "LeakyRelu",
                                           "Log",     "Max",      "Mean",
                                           "Min",     "Mul",      "Neg",
                                           "Pad",     "Pow",      "Reciprocal",
                                           "Relu",    "Resize",   "Sigmoid",
                                           "Slice",   "Split",    "Sqrt",
                                           "Sub",     "Sum",      "Tanh",
                                           "Upsample"};

class Walk {
 public:
  Walk(const GraphProto& proto, const Import& into) : proto_(proto), into_(into) {
    for (const NodeProto& node : proto.node()) {
      for (const std::string& output : node.output()) producer_.emplace(output, &node);
    }
  }

  std::optional<FirstConvolution> From(const std::string& input) {
    perms_[input] = {0, 1, 2, 3};
    for (const NodeProto& node : proto_.node()) {
      const auto reads = std::find_if(node.input().begin(), node.input().end(),
                                      [&](const std::string& name) { return perms_.contains(name); });
      if (reads == node.input().end()) continue;
      Perm perm = perms_.at(*reads);
      if (node.op_type() == "Conv" && reads == node.input().begin()) return Of(node, perm);
      if (node.op_type() == "Transpose") {
        const std::vector<int64_t> moves = IntsOf(node, "perm");
        if (moves.size() != 4) continue;
        for (size_t i = 0; i < 4; ++i) {
          if (moves[i] < 0 || moves[i] > 3) return std::nullopt;
          perm[i] = perms_.at(*reads)[static_cast<size_t>(moves[i])];
        }
      } else if (!IsOneOf(node.op_type(), kKeepAxes)) {
        continue;
      }
      const absl::flat_hash_set<absl::string_view> distinct(node.input().begin(), node.input().end());
      if (node.op_type() == "Concat" && static_cast<int>(distinct.size()) < node.input_size()) repeats_ = true;
      for (const std::string& output : node.output()) {
        if (!output.empty()) perms_.emplace(output, perm);
      }
    }
    return std::nullopt;
  }

 private:
  std::optional<FirstConvolution> Of(const NodeProto& conv, const Perm& perm) const {
    FirstConvolution first{perm, std::nullopt};
    const int64_t groups = IntOf(conv, "group", 1);
    const std::optional<Dims> weights =
        conv.input_size() > 1 ? DimsOfConstant(conv.input(1), kMostSteps) : std::nullopt;
    const bool known = !repeats_ && weights.has_value() && weights->size() == 4 && groups >= 1 && groups <= 1 << 20;
    if (known && (*weights)[1] <= int64_t{1} << 40) first.channels = (*weights)[1] * groups;
    return first;
  }

  // Dims of an initializer, perhaps behind nodes that change its type or order.
  std::optional<Dims> DimsOfConstant(const std::string& name, int steps) const {
    if (const Operand* operand = into_.FindConstant(name)) return DimsOf(*operand);
    const auto at = producer_.find(name);
    if (at == producer_.end() || steps == 0) return std::nullopt;
    const NodeProto& node = *at->second;
    if (node.op_type() == "Constant") {
      for (const AttributeProto& a : node.attribute()) {
        if (a.name() == "value") return Dims(a.t().dims().begin(), a.t().dims().end());
      }
    }
    if (node.input().empty()) return std::nullopt;
    if (IsOneOf(node.op_type(), {"Cast", "CastLike", "Identity"})) return DimsOfConstant(node.input(0), steps - 1);
    if (node.op_type() != "Transpose") return std::nullopt;
    const std::optional<Dims> from = DimsOfConstant(node.input(0), steps - 1);
    const std::vector<int64_t> perm = IntsOf(node, "perm");
    if (!from.has_value() || !CheckPermutation(perm, from->size()).ok()) return std::nullopt;
    Dims dims;
    for (const int64_t axis : perm) dims.push_back((*from)[static_cast<size_t>(axis)]);
    return dims;
  }

  const GraphProto& proto_;
  const Import& into_;
  absl::flat_hash_map<std::string, const NodeProto*> producer_;
  absl::flat_hash_map<std::string, Perm> perms_;
  bool repeats_ = false;  // a tensor is put together with itself
};

absl::Status Fault(absl::string_view name, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat(
      "input ", Quoted(name), ": expected images of float32, float16, bfloat16, double or uint8, batch x channels x ",
      "height x width or batch x height x width x channels; got ", got));
}

// The four sizes, 0 where they are free.
absl::StatusOr<std::array<int64_t, 4>> SizesOf(const ValueInfoProto& info) {
  std::array<int64_t, 4> sizes = {};
  const auto& type = info.type().tensor_type();
  if (!type.has_shape()) return sizes;
  if (type.shape().dim_size() != 4) return Fault(info.name(), absl::StrCat(type.shape().dim_size(), " axes"));
  for (int i = 0; i < 4; ++i) {
    const int64_t size = type.shape().dim(i).has_dim_value() ? type.shape().dim(i).dim_value() : 0;
    sizes[static_cast<size_t>(i)] = std::max<int64_t>(size, 0);
  }
  return sizes;
}

}  // namespace

absl::StatusOr<FileInput> DescribeInput(const ValueInfoProto& info, const GraphProto& proto, const Import& into) {
  FileInput input;
  input.name = info.name();
  if (!info.type().has_tensor_type()) return Fault(info.name(), "no tensor");
  input.element_type = info.type().tensor_type().elem_type();
  if (!IsFloating(input.element_type) && input.element_type != TensorProto::UINT8) {
    return Fault(info.name(), absl::StrCat("elements of ", TypeName(input.element_type)));
  }
  RESNETD_ASSIGN_OR_RETURN(const auto sizes, SizesOf(info));
  const std::optional<FirstConvolution> first = Walk(proto, into).From(info.name());
  if (first.has_value() && first->perm[1] != 1 && first->perm[1] != 3) {
    return absl::InvalidArgumentError(absl::StrCat("input ", Quoted(info.name()),
                                                   ": expected the channels of the first convolution at axis 1 or 3, "
                                                   "got axis ",
                                                   first->perm[1]));
  }
  input.nhwc = first.has_value()
                   ? first->perm[1] == 3
                   : sizes[3] > 0 && sizes[3] <= kMostChannels && (sizes[1] > kMostChannels || sizes[1] == 0);
  input.batch = sizes[0];
  input.channels = sizes[input.nhwc ? 3 : 1];
  input.height = sizes[input.nhwc ? 1 : 2];
  input.width = sizes[input.nhwc ? 2 : 3];
  if (input.channels == 0 && first.has_value()) input.channels = first->channels.value_or(0);
  if (input.channels > 0) return input;
  return absl::InvalidArgumentError(
      absl::StrCat("input ", Quoted(info.name()), ": expected a number of channels, which the file leaves free and no ",
                   "convolution that reads the image says; an export with fixed channels is served"));
}

absl::Status SetSize(const InputSize& size, FileInput& input) {
  const bool agrees =
      (input.height == 0 || input.height == size.height) && (input.width == 0 || input.width == size.width);
  if (!agrees) {
    const auto fixed = [](int64_t side) { return side > 0 ? absl::StrCat(side) : std::string("any"); };
    return absl::InvalidArgumentError(absl::StrCat(size.from, ": expected ", fixed(input.height), "x",
                                                   fixed(input.width), ", height x width as the file fixes its input ",
                                                   Quoted(input.name), ", got ", size.height, "x", size.width));
  }
  input.height = size.height;
  input.width = size.width;
  return absl::OkStatus();
}

absl::Status DefineInput(const FileInput& input, Import& into) {
  into.file_batch = input.batch;
  into.graph.input = into.graph.AddValue(input.nhwc ? absl::StrCat(input.name, "/chw") : input.name);
  into.graph.value(into.graph.input).dims = {input.channels, input.height, input.width};
  // There are no nodes yet; importers may multiply these dims.
  RESNETD_RETURN_IF_ERROR(graph::InferShapes(into.graph));
  if (!input.nhwc) return into.Define(input.name, into.graph.input);
  NodeProto node;
  node.add_output(input.name);
  return into.Add(NodeReader(node, 1), graph::Transpose{{1, 2, 0}}, {into.graph.input});
}

absl::Status NoSize(const FileInput& input) {
  const char* const free = input.height > 0 ? "width" : input.width > 0 ? "height" : "height and width";
  return absl::InvalidArgumentError(
      absl::StrCat("input ", Quoted(input.name), ": expected a size of the images, as the file leaves ", free,
                   " free: --input-size HEIGHTxWIDTH, or input_size in config.textproto, says it (224x224, say)"));
}

}  // namespace resnetd::onnx
