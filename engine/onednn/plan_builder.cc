// A buffer lives from the first step that names it to the last; the images live from the start, the outputs to the end.
#include "engine/onednn/plan_builder.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "engine/memory/planner.h"

namespace resnetd::onednn {
namespace {

int64_t Volume(const dnnl::memory::dims& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

// Of a layer: each weight once for every image and pixel of the result, {N, OC, ...}. 0 of all else.
int64_t MultiplyAdds(const dnnl::primitive_desc_base& primitive) {
  const auto kind = primitive.get_kind();
  if (kind != dnnl::primitive::kind::convolution && kind != dnnl::primitive::kind::inner_product) return 0;
  const dnnl::memory::dims dst = primitive.query_md(dnnl::query::dst_md).get_dims();
  return Volume(primitive.query_md(dnnl::query::weights_md).get_dims()) * (Volume(dst) / dst[1]);
}

bool SumsInPlace(const dnnl::primitive_desc_base& primitive) {
  const dnnl::post_ops post_ops = primitive.get_primitive_attr().get_post_ops();
  for (int i = 0; i < post_ops.len(); ++i) {
    if (post_ops.kind(i) == dnnl::primitive::kind::sum) return true;
  }
  return false;
}

}  // namespace

Tensor PlanBuilder::Input(const dnnl::memory::desc& desc) {
  const Tensor tensor = Allocate(desc);
  input_buffer_ = tensor.buffer;
  return tensor;
}

Tensor PlanBuilder::Allocate(const dnnl::memory::desc& desc) {
  buffer_bytes_.push_back(desc.get_size());
  return {.buffer = static_cast<int>(buffer_bytes_.size()) - 1, .desc = desc};
}

void PlanBuilder::Add(StepInfo info, const dnnl::primitive_desc_base& primitive, std::vector<Argument> arguments) {
  const dnnl::memory::desc scratchpad = primitive.scratchpad_desc();
  if (scratchpad.get_size() > 0) arguments.push_back(Use(DNNL_ARG_SCRATCHPAD, Allocate(scratchpad)));
  info.implementation = primitive.impl_info_str();
  info.multiply_adds = MultiplyAdds(primitive);
  info.in_place_sum = SumsInPlace(primitive);
  plan_.steps.push_back({.info = std::move(info),
                         .primitive = dnnl::primitive(primitive.get()),
                         .kernel = {},
                         .arguments = std::move(arguments),
                         .serves = {}});
}

void PlanBuilder::Add(StepInfo info, absl::string_view implementation, Kernel kernel,
                      const std::vector<Tensor>& tensors) {
  info.implementation = std::string(implementation);
  std::vector<Argument> arguments;
  for (const Tensor& tensor : tensors) arguments.push_back(Use(DNNL_ARG_SRC, tensor));
  arguments.back().id = DNNL_ARG_DST;
  plan_.steps.push_back({.info = std::move(info),
                         .primitive = {},
                         .kernel = std::move(kernel),
                         .arguments = std::move(arguments),
                         .serves = {}});
}

Tensor PlanBuilder::As(const Tensor& tensor, const dnnl::memory::desc& desc, const StepInfo& info) {
  // Equal ones may still differ in the strides of axes of size 1, and some kernels look at those: take what was asked
  // for.
  if (tensor.desc == desc) return {.buffer = tensor.buffer, .desc = desc};
  const Tensor dst = Allocate(desc);
  const dnnl::reorder::primitive_desc reorder(engine_, tensor.desc, engine_, desc, UserScratchpad());
  StepInfo reorder_info = info;
  reorder_info.op = "Reorder";
  reorder_info.attributes.clear();
  reorder_info.post_ops.clear();
  Add(std::move(reorder_info), reorder, {Use(DNNL_ARG_FROM, tensor), Use(DNNL_ARG_TO, dst)});
  return dst;
}

void PlanBuilder::MarkServed(const std::vector<Tensor>& outputs) {
  std::vector<OutputSet> readers(buffer_bytes_.size());  // outputs that depend on what a buffer holds
  for (size_t i = 0; i < outputs.size(); ++i) readers[outputs[i].buffer].set(i);
  for (auto step = plan_.steps.rbegin(); step != plan_.steps.rend(); ++step) {
    for (const Argument& argument : step->arguments) {
      if (argument.buffer >= 0 && argument.id == DNNL_ARG_DST) step->serves |= readers[argument.buffer];
    }
    for (const Argument& argument : step->arguments) {
      if (argument.buffer >= 0) readers[argument.buffer] |= step->serves;
    }
  }
}

Plan PlanBuilder::Finish(const std::vector<Tensor>& outputs) {
  MarkServed(outputs);
  const int end = static_cast<int>(plan_.steps.size());
  std::vector<memory::Block> blocks(buffer_bytes_.size());
  for (size_t i = 0; i < blocks.size(); ++i)
    blocks[i] = {.bytes = buffer_bytes_[i], .first = end, .last = 0, .fixed_offset = {}};
  for (int step = 0; step < end; ++step) {
    for (const Argument& argument : plan_.steps[step].arguments) {
      if (argument.buffer < 0) continue;
      memory::Block& block = blocks[argument.buffer];
      block.first = std::min(block.first, step);
      block.last = std::max(block.last, step);
    }
  }
  blocks[input_buffer_].first = 0;
  blocks[input_buffer_].fixed_offset = 0;
  for (const Tensor& output : outputs) blocks[output.buffer].last = end;

  memory::Layout layout = memory::PlanLayout(blocks, kArenaAlignment);
  plan_.offsets = std::move(layout.offsets);
  plan_.arena_bytes = layout.bytes;
  plan_.arena_lower_bound = layout.lower_bound;
  for (const Tensor& output : outputs) plan_.output_offsets.push_back(plan_.offsets[output.buffer]);
  return std::move(plan_);
}

dnnl::primitive_attr UserScratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

}  // namespace resnetd::onednn
