#ifndef RESNETD_ENGINE_ONEDNN_PLAN_BUILDER_H_
#define RESNETD_ENGINE_ONEDNN_PLAN_BUILDER_H_

#include <dnnl.hpp>
#include <vector>

#include "absl/strings/string_view.h"
#include "engine/memory/planner.h"
#include "engine/onednn/plan.h"

namespace resnetd::onednn {

// A buffer of the arena seen in one layout. Several tensors may share a buffer.
struct Tensor {
  int buffer = -1;
  dnnl::memory::desc desc;
  size_t pass_bytes = 0;  // see Argument
};

// Collects the steps of one plan and gives each buffer its place in the arena. Methods may throw dnnl::error.
class PlanBuilder {
 public:
  PlanBuilder(const dnnl::engine& engine, int batch, int threads) : engine_(engine), most_threads_(threads) {
    plan_.batch = batch;
  }

  // Begins a segment: steps added from here on run once for the whole batch.
  void BeginBatch() { BeginSegment(1, 1); }
  // Begins a segment: steps added from here on run for each image, in so many lanes.
  void BeginImages(int lanes) { BeginSegment(plan_.batch, lanes); }
  // That compute a step of the segment in hand.
  int threads() const { return plan_.segments.empty() || plan_.segments.back().lanes == 1 ? most_threads_ : 1; }
  // The images, at offset 0: where a slot lies must not depend on the plan.
  Tensor Input(const dnnl::memory::desc& desc);
  Tensor Allocate(const dnnl::memory::desc& desc);
  // Memory for a kernel of ours that only this thread of the team uses. Where there are several it is the thread's at
  // each step that asks for some, and never another's in between: to write what another core wrote last is slow.
  Tensor AllocateFor(int thread, const dnnl::memory::desc& desc);

  // `info` lacks what the primitive itself tells. The scratchpad is added here.
  void Add(StepInfo info, const dnnl::primitive_desc_base& primitive, std::vector<Argument> arguments);
  // Our own kernel called `implementation`; the last of the tensors is what it writes. Where `info` has it on one
  // thread, it may still be divided, if it stands among kernels that are.
  void Add(StepInfo info, absl::string_view implementation, Kernel kernel, const std::vector<Tensor>& tensors);
  // `tensor` in this layout: itself, or a reordered copy.
  Tensor As(const Tensor& tensor, const dnnl::memory::desc& desc, const StepInfo& info);

  // Copies `part`, of one image, to its place in a tensor of the whole batch, which the next segment may read. `desc`
  // is the part's layout there, dense, and `whole` the tensor's.
  Tensor Gather(const Tensor& part, const dnnl::memory::desc& desc, const dnnl::memory::desc& whole, StepInfo info);

  // Plans the arena and hands the plan over; the outputs outlive the last step.
  Plan Finish(const std::vector<Tensor>& outputs);

 private:
  void BeginSegment(int passes, int lanes);
  void Reorder(const Tensor& from, const Tensor& to, StepInfo info);
  // Kernels of ours run one after the other without ending their team: if one of them is worth a team, all are.
  void JoinKernels();
  // Returns each buffer's lifetime, from the first step that names it to the last.
  std::vector<memory::Block> Lifetimes(const std::vector<Tensor>& outputs) const;
  // Gives each block its place; blocks that a segment's lanes have for themselves lie apart from all others.
  void PlanArena(const std::vector<memory::Block>& blocks);
  // Marks the outputs that depend on each step.
  void MarkServed(const std::vector<Tensor>& outputs);

  dnnl::engine engine_;
  const int most_threads_;
  Plan plan_;
  std::vector<size_t> buffer_bytes_;
  int input_buffer_ = -1;
  std::vector<int> thread_buffers_;  // by thread, of steps that a team computes
};

// Attributes every primitive has: its scratchpad is an argument, in the arena. With the library's own a primitive could
// run only in the thread that created it.
dnnl::primitive_attr UserScratchpad();

inline Argument Use(int id, const Tensor& tensor) {
  return {.id = id, .desc = tensor.desc, .buffer = tensor.buffer, .pass_bytes = tensor.pass_bytes, .learnt = {}};
}
inline Argument Use(int id, const dnnl::memory& learnt) {
  return {.id = id, .desc = learnt.get_desc(), .buffer = -1, .pass_bytes = 0, .learnt = learnt};
}

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_PLAN_BUILDER_H_
