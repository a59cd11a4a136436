// Convolutions by our own kernels, where these are faster than the library's.
#include "engine/onednn/lowering/convolutions.h"

#include <utility>
#include <vector>

#include "engine/kernels/grouped_convolution.h"
#include "engine/kernels/winograd.h"
#include "engine/onednn/lowering/state.h"

namespace resnetd::onednn {
namespace {

using graph::Node;

// Winograd's algorithm transforms the weights once for all tiles, of 2x2 pixels. With fewer tiles in an image than
// this, or many weights and not many tiles, that costs what it saves. ResNet's last stage, 7x7 with 512 channels, is
// the library's.
constexpr int64_t kLeastTiles = 9, kManyTiles = 25;
constexpr int64_t kFewKernels = 256 * 256;

// An instruction set is a bit mask that contains those it extends.
bool HasAvx512(dnnl::cpu_isa isa) {
  constexpr auto kWanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (static_cast<unsigned>(isa) & kWanted) == kWanted;
}

bool IsForWinograd(const graph::Conv& conv, const graph::Dims& dst) {
  const graph::Dims& weights = conv.weights->dims;
  const int64_t tiles = (dst[1] + 1) / 2 * ((dst[2] + 1) / 2);
  const bool worth = tiles >= kManyTiles || (tiles >= kLeastTiles && weights[0] * weights[1] <= kFewKernels);
  return conv.groups == 1 && weights[2] == 3 && weights[3] == 3 && conv.strides.h == 1 && conv.strides.w == 1 &&
         conv.dilations.h == 1 && conv.dilations.w == 1 && weights[0] % kernels::kWinogradChannels == 0 &&
         weights[1] % kernels::kWinogradChannels == 0 && worth;
}

// Groups of 16 channels fill the library's vectors; but with stride 2 on wide maps whose pixels are a multiple of 1 kB
// apart its loads share few sets of the cache, and it takes 1.5 to 3 times as long.
bool IsSlowInGroupsOf16(const graph::Conv& conv, const graph::Dims& src) {
  return conv.strides.h == 2 && src[0] % 256 == 0 && src[2] >= 28;
}

bool IsForGroupedConvolution(const graph::Conv& conv, const graph::Dims& src) {
  const graph::Dims& weights = conv.weights->dims;
  const auto narrow = [](int64_t pad) { return pad == 0 || pad == 1; };
  const int64_t group = weights[1];  // channels in, as many as out
  const bool narrow_group = group == 2 || group == 4 || group == 8 || (group == 16 && IsSlowInGroupsOf16(conv, src));
  return narrow_group && weights[0] == conv.groups * group && weights[0] % kernels::kGroupedChannels == 0 &&
         weights[2] == 3 && weights[3] == 3 && conv.strides.h == conv.strides.w && conv.strides.h <= 2 &&
         conv.dilations.h == 1 && conv.dilations.w == 1 && narrow(conv.pads.top) && narrow(conv.pads.left) &&
         narrow(conv.pads.bottom) && narrow(conv.pads.right);
}

Epilogue EpilogueOf(const Node& node, const graph::Graph& graph) {
  constexpr Epilogue kOther = {.other = true};
  Epilogue epilogue;
  for (const graph::PostOp& post_op : node.post_ops) {
    if (epilogue.relu) return kOther;
    if (const auto* activation = std::get_if<graph::Activation>(&post_op)) {
      if (activation->kind != graph::ActivationKind::kRelu) return kOther;
      epilogue.relu = true;
      continue;
    }
    const auto& binary = std::get<graph::Binary>(post_op);
    if (epilogue.residual || binary.kind != graph::BinaryKind::kAdd || binary.constant != nullptr) return kOther;
    if (graph.value(node.inputs[1]).dims != graph.value(node.output).dims) return kOther;
    epilogue.residual = true;
  }
  return epilogue;
}

const float* ValuesOf(const dnnl::memory& learnt) {
  return learnt ? static_cast<const float*>(learnt.get_data_handle()) : nullptr;
}

}  // namespace

ConvolutionKernel ChooseKernel(const graph::Conv& conv, const graph::Dims& src, const graph::Dims& dst,
                               const Epilogue& epilogue, dnnl::cpu_isa isa) {
  if (!HasAvx512(isa) || epilogue.other) return ConvolutionKernel::kLibrary;
  if (IsForWinograd(conv, dst)) return ConvolutionKernel::kWinograd;
  if (!epilogue.residual && IsForGroupedConvolution(conv, src)) return ConvolutionKernel::kGrouped;
  return ConvolutionKernel::kLibrary;
}

StepInfo Lowering::Info(const Node& node, const graph::Conv& conv) const {
  const Dims dst = DimsOf(node.output);
  StepInfo info = Info(node);
  info.multiply_adds = static_cast<int64_t>(conv.weights->data.size()) * dst[0] * dst[2] * dst[3];
  return info;
}

Lowering::Packed Lowering::Pack(const graph::Conv& conv, const Dims& dims,
                                absl::FunctionRef<void(const float*, float*)> pack) {
  return {.weights = weights_.Pack(conv.weights, dims, pack),
          .bias = conv.bias ? PerChannel(conv.bias) : dnnl::memory()};
}

bool Lowering::LowerToKernel(const Node& node, const graph::Conv& conv) {
  const Epilogue epilogue = EpilogueOf(node, graph_);
  switch (
      ChooseKernel(conv, graph_.value(node.inputs[0]).dims, graph_.value(node.output).dims, epilogue, target_.isa)) {
    case ConvolutionKernel::kLibrary:
      break;
    case ConvolutionKernel::kWinograd:
      LowerWinograd(node, conv, epilogue.residual, epilogue.relu);
      return true;
    case ConvolutionKernel::kGrouped:
      LowerGroupedConvolution(node, conv, epilogue.relu);
      return true;
  }
  return false;
}

void Lowering::LowerWinograd(const Node& node, const graph::Conv& conv, bool residual, bool relu) {
  std::vector<Tensor> tensors = {AsPreferred(node, node.inputs[0])};
  if (residual) tensors.push_back(AsPreferred(node, node.inputs[1]));
  const Dims src = DimsOf(node.inputs[0]), dst = DimsOf(node.output);
  const kernels::Winograd shape{.images = images_,
                                .src_height = src[2],
                                .src_width = src[3],
                                .dst_height = dst[2],
                                .dst_width = dst[3],
                                .pad_top = conv.pads.top,
                                .pad_left = conv.pads.left,
                                .in_channels = src[1],
                                .out_channels = dst[1],
                                .relu = relu};
  const int64_t width = kernels::WinogradWidth(dst[1]);
  const Packed learnt = Pack(conv, {dst[1] / width, src[1], 9, width}, [&](const float* values, float* packed) {
    kernels::PackWinograd(src[1], dst[1], values, packed);
  });
  for (const Tensor& scratch : ScratchByThread(kernels::WinogradScratch(shape))) tensors.push_back(scratch);

  StepInfo info = Info(node, conv);
  info.in_place_sum = residual && DiesHere(node, 1);
  TensorOf(node.output) = info.in_place_sum ? tensors[1] : builder_.Allocate(Preferred(node.output));
  tensors.push_back(TensorOf(node.output));
  builder_.Add(
      std::move(info), "winograd:avx512_core",
      [shape, learnt, residual](const kernels::Team& team, absl::Span<float* const> buffers) {
        const size_t scratch = (residual ? 2 : 1) + static_cast<size_t>(team.thread);
        kernels::RunWinograd(team, shape,
                             {.packed = ValuesOf(learnt.weights),
                              .bias = ValuesOf(learnt.bias),
                              .residual = residual ? buffers[1] : nullptr,
                              .src = buffers[0],
                              .scratch = buffers[scratch],
                              .dst = buffers.back()});
      },
      tensors);
}

void Lowering::LowerGroupedConvolution(const Node& node, const graph::Conv& conv, bool relu) {
  const Tensor map = AsPreferred(node, node.inputs[0]);
  const Dims src = DimsOf(node.inputs[0]), dst = DimsOf(node.output);
  const int64_t group = conv.weights->dims[1];
  const kernels::GroupedConvolution shape{.images = images_,
                                          .src_height = src[2],
                                          .src_width = src[3],
                                          .dst_height = dst[2],
                                          .dst_width = dst[3],
                                          .pad_top = conv.pads.top,
                                          .pad_left = conv.pads.left,
                                          .stride = conv.strides.h,
                                          .channels = dst[1],
                                          .group_channels = group,
                                          .relu = relu};
  const Packed learnt =
      Pack(conv, {dst[1] / kernels::kGroupedChannels, 9, group, kernels::kGroupedChannels},
           [&](const float* values, float* packed) { kernels::PackGroupedConvolution(dst[1], group, values, packed); });
  TensorOf(node.output) = builder_.Allocate(Preferred(node.output));
  builder_.Add(Info(node, conv), "grouped:avx512_core",
               [shape, learnt](const kernels::Team& team, absl::Span<float* const> buffers) {
                 kernels::RunGroupedConvolution(team, shape, ValuesOf(learnt.weights), ValuesOf(learnt.bias),
                                                buffers[0], buffers[1]);
               },
               {map, TensorOf(node.output)});
}

}  // namespace resnetd::onednn
