// Walks the graph, one function an operator. Feature maps are NHWC: there oneDNN has its fastest f32 kernels for every
// convolution of a ResNet, on AVX2 and AVX-512, so that no reorder stands between two of them. The exception is what
// reads the images (see kImageLayout); pooling and element-wise operators keep the layout they find.
#include "engine/onednn/lowering/lowering.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "engine/onednn/lowering/state.h"

namespace resnetd::onednn {

using dnnl::memory;
using graph::Node;
using graph::ValueId;

bool IsSlow(const dnnl::primitive_desc_base& primitive) {
  const std::string name = primitive.impl_info_str();
  return absl::StartsWith(name, "ref") || absl::StartsWith(name, "gemm") || absl::StrContains(name, ":gemm");
}

bool IsOneValueAChannel(const memory::dims& dims) {
  return dims.size() > 2 && dims.size() != 4 &&
         std::all_of(dims.begin() + 2, dims.end(), [](int64_t d) { return d == 1; });
}

memory::desc AsOperand(const memory::desc& desc, const memory::dims& dst) {
  return IsOneValueAChannel(dst) ? desc.reshape({desc.get_dims()[0], desc.get_dims()[1]}) : desc;
}

memory::desc RowMajorDesc(memory::dims dims) {
  using Tag = memory::format_tag;
  static constexpr Tag kRowMajor[] = {Tag::undef, Tag::a, Tag::ab, Tag::abc, Tag::abcd, Tag::abcde, Tag::abcdef};
  const Tag tag = kRowMajor[dims.size()];
  return F32(std::move(dims), tag);
}

Lowering::Lowering(const graph::Graph& graph, int batch, const Split& split, const Target& target,
                   WeightsCache& weights)
    : graph_(graph),
      target_(target),
      engine_(target.engine),
      weights_(weights),
      builder_(target.engine, batch, target.threads),
      batch_(batch),
      split_(split),
      tensors_(graph.values.size()),
      last_readers_(graph.values.size(), -1) {
  for (size_t i = 0; i < graph.values.size(); ++i) roots_.push_back(static_cast<ValueId>(i));
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const bool shares = std::holds_alternative<graph::Reshape>(node.op) ||
                        std::holds_alternative<graph::Transpose>(node.op) || FusedIntoPad(node);
    if (shares) roots_[static_cast<size_t>(node.output)] = Root(node.inputs[0]);
    for (ValueId input : node.inputs) last_readers_[static_cast<size_t>(Root(input))] = static_cast<int>(i);
  }
  for (const graph::Output& output : graph.outputs) {
    last_readers_[static_cast<size_t>(Root(output.value))] = static_cast<int>(graph.nodes.size());
  }
}

absl::StatusOr<Plan> Lowering::Run() {
  StepInfo info{.node = graph_.name, .op = "Graph", .shape = absl::StrCat("batch ", batch_), .implementation = ""};
  try {
    images_ = batch_;
    input_ = builder_.Input(F32(DimsOf(graph_.input), kImageLayout));
    split_.nodes > 0 ? BeginImages() : BeginBatch();
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (i == split_.nodes && i > 0) GatherFor(i);
      const Node& node = graph_.nodes[i];
      info = Info(node);
      const absl::Status lowered = std::visit([&](const auto& op) { return Lower(node, op); }, node.op);
      if (!lowered.ok()) return lowered;
    }
    if (split_.nodes == graph_.nodes.size()) GatherFor(graph_.nodes.size());
    std::vector<Tensor> outputs;
    for (const graph::Output& output : graph_.outputs) {
      info = {.node = output.name, .op = "Output", .shape = info.shape, .implementation = ""};
      outputs.push_back(RowMajor(info, output.value, DimsOf(output.value)));
    }
    return builder_.Finish(outputs);
  } catch (const dnnl::error& error) {
    return ToStatus(error.status, absl::StrCat("compiling ", info.op, " ", Quoted(info.node), " ", info.shape));
  }
}

void Lowering::BeginImages() {
  builder_.BeginImages(split_.lanes);
  images_ = 1;
  if (split_.lanes > 1) alone_.emplace(1);
  const memory::desc image = F32(DimsOf(graph_.input), kImageLayout);
  TensorOf(graph_.input) = {.buffer = input_.buffer, .desc = image, .pass_bytes = image.get_size()};
}

void Lowering::BeginBatch() {
  builder_.BeginBatch();
  images_ = batch_;
  alone_.reset();
  TensorOf(graph_.input) = input_;
}

void Lowering::GatherFor(size_t first) {
  std::vector<bool> wanted(graph_.values.size(), false);
  for (size_t i = first; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    for (const ValueId id : node.inputs) wanted[static_cast<size_t>(id)] = true;
    if (!std::holds_alternative<graph::Pad>(node.op)) continue;
    // A slice that its padding does along has no buffer: what it reads is what is needed.
    const std::optional<int> producer = graph_.Producer(node.inputs[0]);
    if (!producer || !FusedIntoPad(graph_.nodes[*producer])) continue;
    wanted[static_cast<size_t>(graph_.nodes[*producer].inputs[0])] = true;
  }
  for (const graph::Output& output : graph_.outputs) wanted[static_cast<size_t>(output.value)] = true;
  wanted[static_cast<size_t>(graph_.input)] = false;  // is whole

  struct Part {
    ValueId id;
    memory::desc desc;
  };
  std::vector<Part> parts;
  for (size_t v = 0; v < wanted.size(); ++v) {
    if (wanted[v] && tensors_[v].buffer >= 0)
      parts.push_back({static_cast<ValueId>(v), Preferred(static_cast<ValueId>(v))});
  }
  for (const auto& [id, desc] : parts) {
    const int images = std::exchange(images_, batch_);
    const memory::desc whole = Preferred(id);
    images_ = images;
    TensorOf(id) = builder_.Gather(TensorOf(id), desc, whole,
                                   {.node = graph_.value(id).name,
                                    .op = "Gather",
                                    .shape = absl::StrCat(graph::ToString(graph_.value(id).dims), " batch ", images_),
                                    .implementation = ""});
  }
  BeginBatch();
}

Lowering::Dims Lowering::DimsOf(ValueId id) const {
  const graph::Dims& dims = graph_.value(id).dims;
  Dims all = {images_};
  all.insert(all.end(), dims.begin(), dims.end());
  return all;
}

memory::desc Lowering::Preferred(ValueId id) const {
  Dims dims = DimsOf(id);
  return dims.size() == 4 ? F32(std::move(dims), Tag::acdb) : RowMajorDesc(std::move(dims));
}

Tensor Lowering::AsPreferred(const Node& node, ValueId id) {
  return TensorOf(id) = builder_.As(TensorOf(id), Preferred(id), Info(node));
}

Tensor Lowering::Straight(const Node& node, ValueId id) {
  const Dims dims = DimsOf(id);
  const auto lies = [&](const memory::desc& desc) { return TensorOf(id).desc == desc; };
  bool straight = lies(RowMajorDesc(dims));
  for (const Tag tag : {Tag::acdb, Tag::aBcd8b, Tag::aBcd16b}) straight |= dims.size() == 4 && lies(F32(dims, tag));
  return straight ? TensorOf(id) : AsPreferred(node, id);
}

Tensor Lowering::RowMajor(const StepInfo& info, ValueId id, Dims dims) {
  const Dims src = DimsOf(id);
  // A map of one pixel is the same in both orders, and NHWC is what pooling yields.
  const bool one_pixel = src.size() == 4 && src[2] * src[3] == 1;
  const Tensor plain = builder_.As(TensorOf(id), one_pixel ? F32(src, Tag::acdb) : RowMajorDesc(src), info);
  return {.buffer = plain.buffer, .desc = RowMajorDesc(std::move(dims)), .pass_bytes = plain.pass_bytes};
}

Tensor Lowering::Scratch(int64_t bytes) {
  return builder_.Allocate(F32({bytes / static_cast<int64_t>(sizeof(float))}, Tag::a));
}

std::vector<Tensor> Lowering::ScratchByThread(int64_t bytes) {
  std::vector<Tensor> tensors;
  for (int thread = 0; thread < builder_.threads(); ++thread) {
    tensors.push_back(builder_.AllocateFor(thread, F32({bytes / static_cast<int64_t>(sizeof(float))}, Tag::a)));
  }
  return tensors;
}

memory Lowering::Learnt(const graph::WeightsRef& values, Dims dims, const memory::desc& wanted) {
  return weights_.Get(values, RowMajorDesc(std::move(dims)), wanted);
}

memory Lowering::PerChannel(const graph::WeightsRef& values) {
  const Dims dims = {static_cast<int64_t>(values->data.size())};
  return Learnt(values, dims, RowMajorDesc(dims));
}

Argument Lowering::Operand(int id, const graph::WeightsRef& constant, const Dims& dst) {
  Dims dims = {1};
  dims.insert(dims.end(), constant->dims.begin(), constant->dims.end());
  if (IsOneValueAChannel(dst)) dims.resize(2);
  return Use(id, Learnt(constant, dims, dims.size() == 4 ? F32(dims, Tag::acdb) : RowMajorDesc(dims)));
}

Argument Lowering::Operand(int id, const Tensor& value, const Dims& dst) {
  Argument argument = Use(id, value);
  argument.desc = AsOperand(argument.desc, dst);
  return argument;
}

bool Lowering::DiesHere(const Node& node, size_t index) const {
  const ValueId root = Root(node.inputs[index]);
  const int here = static_cast<int>(&node - graph_.nodes.data());
  const auto shares = [&](ValueId input) { return Root(input) == root; };
  return last_readers_[static_cast<size_t>(root)] == here &&
         std::count_if(node.inputs.begin(), node.inputs.end(), shares) == 1;
}

bool Lowering::FusedIntoPad(const Node& slice) const {
  if (!std::holds_alternative<graph::Slice>(slice.op)) return false;
  const std::vector<int> readers = graph_.Consumers(slice.output);
  if (readers.size() != 1) return false;
  for (const graph::Output& output : graph_.outputs) {
    if (output.value == slice.output) return false;
  }
  const auto* pad = std::get_if<graph::Pad>(&graph_.nodes[readers[0]].op);
  return pad != nullptr && pad->mode == graph::PadMode::kConstant;
}

StepInfo Lowering::Info(const Node& node) const {
  const auto op = graph::OpName(node.op);
  StepInfo info{.node = node.name,
                .op = std::string(op.data(), op.size()),
                .attributes = graph::AttributesOf(node.op),
                .shape = absl::StrCat(graph::ToString(graph_.value(node.inputs[0]).dims), " -> ",
                                      graph::ToString(graph_.value(node.output).dims), " batch ", images_),
                .implementation = ""};
  for (const graph::PostOp& post_op : node.post_ops) {
    absl::StrAppend(&info.post_ops, "+", std::visit([](const auto& o) { return graph::OpName(o); }, post_op));
  }
  return info;
}

StepInfo Lowering::ElementwiseInfo(const Node& node, const Tensor& dst) const {
  constexpr size_t kWorthThreads = sizeof(float) << 14;  // bytes: what less takes is over before other threads begin
  StepInfo info = Info(node);
  info.one_thread = builder_.threads() > 1 && dst.desc.get_size() < kWorthThreads;
  return info;
}

absl::StatusOr<Plan> Lower(const graph::Graph& graph, int batch, const Split& split, const Target& target,
                           WeightsCache& weights) {
  return Lowering(graph, batch, split, target, weights).Run();
}

}  // namespace resnetd::onednn
