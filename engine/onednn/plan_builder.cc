// A buffer lives from the first step that names it to the last; the images live from the start, the outputs to the end,
// and what a segment reads or writes image by image through all of that segment. Lanes do not march in step: what one
// has between its steps may overlap nothing of another's, so each has a part of the arena to itself, all planned alike.
#include "engine/onednn/plan_builder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/memory/planner.h"
#include "engine/onednn/session.h"

namespace resnetd::onednn {
namespace {

bool SumsInPlace(const dnnl::primitive_desc_base& primitive) {
  const dnnl::post_ops post_ops = primitive.get_primitive_attr().get_post_ops();
  for (int i = 0; i < post_ops.len(); ++i) {
    if (post_ops.kind(i) == dnnl::primitive::kind::sum) return true;
  }
  return false;
}

}  // namespace

void PlanBuilder::BeginSegment(int passes, int lanes) {
  if (!plan_.segments.empty()) plan_.segments.back().end = plan_.steps.size();
  plan_.segments.push_back({.begin = plan_.steps.size(), .end = 0, .passes = passes, .lanes = lanes, .lane_bytes = 0});
}

Tensor PlanBuilder::Input(const dnnl::memory::desc& desc) {
  const Tensor tensor = Allocate(desc);
  input_buffer_ = tensor.buffer;
  return tensor;
}

Tensor PlanBuilder::Allocate(const dnnl::memory::desc& desc) {
  buffer_bytes_.push_back(desc.get_size());
  return {.buffer = static_cast<int>(buffer_bytes_.size()) - 1, .desc = desc};
}

Tensor PlanBuilder::AllocateFor(int thread, const dnnl::memory::desc& desc) {
  if (threads() == 1) return Allocate(desc);
  while (thread_buffers_.size() <= static_cast<size_t>(thread)) {
    thread_buffers_.push_back(static_cast<int>(buffer_bytes_.size()));
    buffer_bytes_.push_back(0);
  }
  const int buffer = thread_buffers_[thread];
  buffer_bytes_[buffer] = std::max(buffer_bytes_[buffer], desc.get_size());
  return {.buffer = buffer, .desc = desc};
}

void PlanBuilder::Add(StepInfo info, const dnnl::primitive_desc_base& primitive, std::vector<Argument> arguments) {
  const dnnl::memory::desc scratchpad = primitive.scratchpad_desc();
  if (scratchpad.get_size() > 0) arguments.push_back(Use(DNNL_ARG_SCRATCHPAD, Allocate(scratchpad)));
  info.implementation = primitive.impl_info_str();
  info.multiply_adds *= plan_.segments.back().passes;
  info.in_place_sum = SumsInPlace(primitive);
  // The library keeps primitives by description and number of threads, and would take one that was laid out for more.
  std::optional<ThreadCount> one;
  if (info.one_thread) one.emplace(1);
  plan_.steps.push_back({.info = std::move(info),
                         .primitive = dnnl::primitive(primitive.get()),
                         .kernel = {},
                         .arguments = std::move(arguments),
                         .serves = {}});
}

void PlanBuilder::Add(StepInfo info, absl::string_view implementation, Kernel kernel,
                      const std::vector<Tensor>& tensors) {
  info.implementation = std::string(implementation);
  info.multiply_adds *= plan_.segments.back().passes;
  std::vector<Argument> arguments;
  for (const Tensor& tensor : tensors) arguments.push_back(Use(DNNL_ARG_SRC, tensor));
  arguments.back().id = DNNL_ARG_DST;
  plan_.steps.push_back({.info = std::move(info),
                         .primitive = {},
                         .kernel = std::move(kernel),
                         .arguments = std::move(arguments),
                         .serves = {}});
}

void PlanBuilder::Reorder(const Tensor& from, const Tensor& to, StepInfo info) {
  const dnnl::reorder::primitive_desc reorder(engine_, from.desc, engine_, to.desc, UserScratchpad());
  Add(std::move(info), reorder, {Use(DNNL_ARG_FROM, from), Use(DNNL_ARG_TO, to)});
}

Tensor PlanBuilder::As(const Tensor& tensor, const dnnl::memory::desc& desc, const StepInfo& info) {
  // Equal ones may still differ in the strides of axes of size 1, and some kernels look at those: take what was asked
  // for.
  if (tensor.desc == desc) return {.buffer = tensor.buffer, .desc = desc, .pass_bytes = tensor.pass_bytes};
  const Tensor dst = Allocate(desc);
  StepInfo reorder_info = info;
  reorder_info.op = "Reorder";
  reorder_info.attributes.clear();
  reorder_info.post_ops.clear();
  Reorder(tensor, dst, std::move(reorder_info));
  return dst;
}

Tensor PlanBuilder::Gather(const Tensor& part, const dnnl::memory::desc& desc, const dnnl::memory::desc& whole,
                           StepInfo info) {
  const Tensor tensor = Allocate(whole);
  plan_.gathered.push_back({.buffer = tensor.buffer, .image_bytes = desc.get_size()});
  info.op = "Gather";
  Reorder(part, {.buffer = tensor.buffer, .desc = desc, .pass_bytes = desc.get_size()}, std::move(info));
  return tensor;
}

void PlanBuilder::JoinKernels() {
  for (const Segment& segment : plan_.segments) {
    const auto end = plan_.steps.begin() + static_cast<ptrdiff_t>(segment.end);
    for (auto first = plan_.steps.begin() + static_cast<ptrdiff_t>(segment.begin); first != end;) {
      const auto last = std::find_if(first, end, [](const Step& step) { return !step.kernel; });
      const bool divided = std::any_of(first, last, [](const Step& step) { return !step.info.one_thread; });
      std::for_each(first, last, [&](Step& step) { step.info.one_thread = !divided; });
      first = last == end ? end : last + 1;
    }
  }
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

std::vector<memory::Block> PlanBuilder::Lifetimes(const std::vector<Tensor>& outputs) const {
  const int end = static_cast<int>(plan_.steps.size());
  std::vector<memory::Block> blocks(buffer_bytes_.size());
  for (size_t i = 0; i < blocks.size(); ++i) {
    blocks[i] = {.bytes = buffer_bytes_[i], .first = end, .last = 0, .fixed_offset = {}};
  }
  for (const Segment& segment : plan_.segments) {
    for (size_t i = segment.begin; i < segment.end; ++i) {
      for (const Argument& argument : plan_.steps[i].arguments) {
        if (argument.buffer < 0) continue;
        const bool parts = argument.pass_bytes > 0;
        memory::Block& block = blocks[argument.buffer];
        block.first = std::min(block.first, static_cast<int>(parts ? segment.begin : i));
        block.last = std::max(block.last, static_cast<int>(parts ? segment.end - 1 : i));
      }
    }
  }
  blocks[input_buffer_].first = 0;
  blocks[input_buffer_].fixed_offset = 0;
  for (const Tensor& output : outputs) blocks[output.buffer].last = end;
  return blocks;
}

void PlanBuilder::PlanArena(const std::vector<memory::Block>& blocks) {
  Segment& segment = plan_.segments.front();  // the only one that may have lanes
  std::vector<bool> is_a_lanes(blocks.size(), false);
  for (size_t i = segment.begin; segment.lanes > 1 && i < segment.end; ++i) {
    for (const Argument& argument : plan_.steps[i].arguments) {
      if (argument.buffer >= 0 && argument.pass_bytes == 0) is_a_lanes[argument.buffer] = true;
    }
  }
  std::vector<memory::Block> of_lane, of_all;
  for (size_t i = 0; i < blocks.size(); ++i) (is_a_lanes[i] ? of_lane : of_all).push_back(blocks[i]);
  const memory::Layout lane = memory::PlanLayout(of_lane, kArenaAlignment);
  segment.lane_bytes = lane.bytes;
  memory::Block lanes = {.bytes = lane.bytes * segment.lanes,
                         .first = static_cast<int>(segment.begin),
                         .last = static_cast<int>(segment.end) - 1,
                         .fixed_offset = {}};
  if (!of_lane.empty()) of_all.push_back(lanes);
  const memory::Layout all = memory::PlanLayout(of_all, kArenaAlignment);
  for (size_t i = 0, in_lane = 0, in_all = 0; i < blocks.size(); ++i) {
    plan_.offsets.push_back(is_a_lanes[i] ? all.offsets.back() + lane.offsets[in_lane++] : all.offsets[in_all++]);
  }
  plan_.arena_bytes = all.bytes;
  if (!of_lane.empty()) of_all.back().bytes = lane.lower_bound * segment.lanes;
  plan_.arena_lower_bound = memory::LowerBound(of_all, kArenaAlignment);
}

Plan PlanBuilder::Finish(const std::vector<Tensor>& outputs) {
  MarkServed(outputs);
  plan_.segments.back().end = plan_.steps.size();
  JoinKernels();
  PlanArena(Lifetimes(outputs));
  for (const Tensor& output : outputs) plan_.output_offsets.push_back(plan_.offsets[output.buffer]);
  return std::move(plan_);
}

dnnl::primitive_attr UserScratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

}  // namespace resnetd::onednn
