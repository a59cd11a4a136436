// A buffer lives from the first step that names it to the last; the images live from the start, the outputs to the end.
#include "engine/onednn/plan_builder.h"

#include <algorithm>
#include <utility>

#include "engine/memory/planner.h"

namespace resnetd::onednn {

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
  plan_.steps.push_back({.info = std::move(info),
                         .primitive = dnnl::primitive(primitive.get()),
                         .slice_pad = {},
                         .arguments = std::move(arguments)});
}

void PlanBuilder::Add(StepInfo info, const SlicePad& slice_pad, const Tensor& src, const Tensor& dst) {
  info.implementation = "slice_pad";
  plan_.steps.push_back({.info = std::move(info),
                         .primitive = {},
                         .slice_pad = slice_pad,
                         .arguments = {Use(DNNL_ARG_SRC, src), Use(DNNL_ARG_DST, dst)}});
}

Tensor PlanBuilder::As(const Tensor& tensor, const dnnl::memory::desc& desc, const StepInfo& info) {
  // Equal ones may still differ in the strides of axes of size 1, and some kernels look at those: take what was asked
  // for.
  if (tensor.desc == desc) return {.buffer = tensor.buffer, .desc = desc};
  const Tensor dst = Allocate(desc);
  const dnnl::reorder::primitive_desc reorder(engine_, tensor.desc, engine_, desc, UserScratchpad());
  StepInfo reorder_info = info;
  reorder_info.op = "Reorder";
  Add(std::move(reorder_info), reorder, {Use(DNNL_ARG_FROM, tensor), Use(DNNL_ARG_TO, dst)});
  return dst;
}

Plan PlanBuilder::Finish(const Tensor& logits, const Tensor& embedding) {
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
  blocks[logits.buffer].last = blocks[embedding.buffer].last = end;

  memory::Layout layout = memory::PlanLayout(blocks, kArenaAlignment);
  plan_.offsets = std::move(layout.offsets);
  plan_.arena_bytes = layout.bytes;
  plan_.logits_offset = plan_.offsets[logits.buffer];
  plan_.embedding_offset = plan_.offsets[embedding.buffer];
  return std::move(plan_);
}

dnnl::primitive_attr UserScratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

}  // namespace resnetd::onednn
