// A session binds every plan's arguments to its arena once; a run is then a bare loop over primitives. It goes through
// oneDNN's C interface, since the C++ one builds an array of arguments on the heap for each primitive it executes.
#include "engine/onednn/session.h"

#include <dnnl_debug.h>
#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "base/time.h"

namespace resnetd::onednn {
namespace {

// A step, in one pass of its segment, and where its arguments lie in one arena.
struct BoundStep {
  const Step* step = nullptr;
  size_t index = 0;                             // of the step in its plan
  std::vector<dnnl_exec_arg_t> arguments = {};  // of a primitive
  std::vector<float*> buffers = {};             // of our own kernel
};

bool IsWanted(const BoundStep& bound, const RunSpec& spec) {
  return (bound.step->serves & spec.wanted).any();
}

// Whether all threads compute the step, one part each.
bool IsDivided(const BoundStep& bound) {
  return bound.step->kernel && !bound.step->info.one_thread;
}

class PlanSession final : public Session {
 public:
  PlanSession(std::shared_ptr<const Program> program, absl::Span<std::byte> arena)
      : program_(std::move(program)), arena_(arena) {
    for (int i = 0; i < program_->info.threads; ++i) streams_.emplace_back(program_->engine);
    for (const Plan& plan : program_->plans) Bind(plan);
  }

  SlotView slot(int i) override;
  absl::StatusOr<RunTimings> Run(const RunSpec& spec) override;
  absl::Span<const float> output(OutputId id, int i) const override;

 private:
  void Bind(const Plan& plan);
  // `in_lane` is the same step in its lane's first pass, null if that is the one in hand.
  void BindArguments(const Plan& plan, const Segment& segment, int pass, const BoundStep* in_lane, BoundStep& bound);
  void ClearUnused(const Plan& plan, int count);
  absl::Status Execute(const Plan& plan, const RunSpec& spec, absl::Span<const BoundStep> steps);
  // The passes of a segment, each on its lane.
  absl::Status ExecuteLanes(const Segment& segment, const RunSpec& spec, absl::Span<const BoundStep> steps);
  // A pass of a segment.
  absl::Status ExecutePass(const Segment& segment, int lane, const RunSpec& spec, absl::Span<const BoundStep> steps);
  // Kernels of ours by all threads. To begin and end a team takes several times as long as a barrier within one.
  static void ExecuteTogether(const RunSpec& spec, absl::Span<const BoundStep> steps);
  static absl::Status Execute(const BoundStep& bound, dnnl_stream_t stream);

  const std::shared_ptr<const Program> program_;
  const absl::Span<std::byte> arena_;
  std::vector<dnnl::stream> streams_;          // by lane
  std::vector<dnnl::memory> memories_;         // what the bound arguments refer to
  std::vector<std::vector<BoundStep>> bound_;  // by plan
  const Plan* last_ = nullptr;                 // that ran; holds the outputs
  OutputSet computed_;                         // by it
};

void PlanSession::Bind(const Plan& plan) {
  std::vector<BoundStep>& steps = bound_.emplace_back();
  for (const Segment& segment : plan.segments) {
    const size_t first = steps.size(), in_pass = segment.end - segment.begin;
    for (int pass = 0; pass < segment.passes; ++pass) {
      for (size_t i = 0; i < in_pass; ++i) {
        steps.push_back({.step = &plan.steps[segment.begin + i], .index = segment.begin + i});
        const bool first_of_lane = pass < segment.lanes;
        const BoundStep* in_lane = first_of_lane ? nullptr : &steps[first + pass % segment.lanes * in_pass + i];
        BindArguments(plan, segment, pass, in_lane, steps.back());
      }
    }
  }
}

void PlanSession::BindArguments(const Plan& plan, const Segment& segment, int pass, const BoundStep* in_lane,
                                BoundStep& bound) {
  for (const Argument& argument : bound.step->arguments) {
    if (argument.buffer < 0) {
      bound.arguments.push_back({.arg = argument.id, .memory = argument.learnt.get()});
      continue;
    }
    if (in_lane != nullptr && argument.pass_bytes == 0 && !bound.step->kernel) {
      bound.arguments.push_back(in_lane->arguments[bound.arguments.size()]);  // lies where it lay
      continue;
    }
    const size_t apart =
        argument.pass_bytes > 0 ? pass * argument.pass_bytes : pass % segment.lanes * segment.lane_bytes;
    std::byte* address = arena_.data() + plan.offsets[argument.buffer] + apart;
    if (bound.step->kernel) {
      bound.buffers.push_back(reinterpret_cast<float*>(address));
    } else {
      memories_.emplace_back(argument.desc, program_->engine, address);
      bound.arguments.push_back({.arg = argument.id, .memory = memories_.back().get()});
    }
  }
}

SlotView PlanSession::slot(int i) {
  SlotView view = program_->slot;
  view.data = arena_.data() + static_cast<size_t>(i) * program_->slot_bytes;
  return view;
}

absl::StatusOr<RunTimings> PlanSession::Run(const RunSpec& spec) {
  const std::vector<Plan>& plans = program_->plans;
  if (spec.count < 1 || spec.count > plans.back().batch) {
    return absl::InvalidArgumentError(
        absl::StrCat("a run takes 1 to ", plans.back().batch, " images, not ", spec.count));
  }
  const auto start = Now();
  const auto plan = std::find_if(plans.begin(), plans.end(), [&](const Plan& p) { return p.batch >= spec.count; });
  ClearUnused(*plan, spec.count);
  last_ = &*plan;
  computed_ = spec.wanted;
  if (spec.profile != nullptr) spec.profile->assign(plan->steps.size(), Duration());
  RESNETD_RETURN_IF_ERROR(Execute(*plan, spec, bound_[plan - plans.begin()]));
  return RunTimings{.compute = Now() - start, .plan_batch = plan->batch};
}

// Slots without an image hold what another model or run left: NaN, which is harmless, or denormals, which are slow.
void PlanSession::ClearUnused(const Plan& plan, int count) {
  const auto clear = [&](size_t offset, size_t image_bytes) {
    std::memset(arena_.data() + offset + count * image_bytes, 0, (plan.batch - count) * image_bytes);
  };
  clear(0, program_->slot_bytes);
  for (const Gathered& gathered : plan.gathered) {
    clear(plan.offsets[gathered.buffer], gathered.image_bytes);
  }
}

absl::Status PlanSession::Execute(const Plan& plan, const RunSpec& spec, absl::Span<const BoundStep> steps) {
  const ThreadCount threads(program_->info.threads);
  for (const Segment& segment : plan.segments) {
    const size_t in_pass = segment.end - segment.begin;
    const int passes = segment.passes == 1 ? 1 : spec.count;
    const absl::Span<const BoundStep> wanted = steps.first(in_pass * passes);
    RESNETD_RETURN_IF_ERROR(ExecuteLanes(segment, spec, wanted));
    steps.remove_prefix(in_pass * segment.passes);
  }
  return absl::OkStatus();
}

absl::Status PlanSession::ExecuteLanes(const Segment& segment, const RunSpec& spec, absl::Span<const BoundStep> steps) {
  const size_t in_pass = segment.end - segment.begin;
  const auto run_lane = [&](int lane) {
    for (size_t first = lane * in_pass; first < steps.size(); first += segment.lanes * in_pass) {
      absl::Status status = ExecutePass(segment, lane, spec, steps.subspan(first, in_pass));
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  };
  if (segment.lanes == 1) return run_lane(0);
  absl::Status first_error;
#pragma omp parallel num_threads(segment.lanes)
  {
    const ThreadCount alone(1);
    const absl::Status status = run_lane(omp_get_thread_num());
#pragma omp critical
    first_error.Update(status);
  }
  return first_error;
}

absl::Status PlanSession::ExecutePass(const Segment& segment, int lane, const RunSpec& spec,
                                      absl::Span<const BoundStep> steps) {
  const dnnl_stream_t stream = streams_[static_cast<size_t>(lane)].get();
  const bool team = omp_get_max_threads() > 1;
  while (!steps.empty()) {
    const BoundStep& bound = steps.front();
    const bool wanted = IsWanted(bound, spec);
    if (wanted && team && IsDivided(bound)) {
      const auto end = std::find_if_not(steps.begin(), steps.end(), IsDivided);
      ExecuteTogether(spec, absl::MakeConstSpan(steps.begin(), end));
      steps.remove_prefix(static_cast<size_t>(end - steps.begin()));
      continue;
    }
    steps.remove_prefix(1);
    if (!wanted) continue;
    if (spec.profile == nullptr) {
      RESNETD_RETURN_IF_ERROR(Execute(bound, stream));
      continue;
    }
    // A CPU stream executes in the calling thread: what is done is done when the call returns.
    const auto start = Now();
    RESNETD_RETURN_IF_ERROR(Execute(bound, stream));
    const Duration taken = (Now() - start) / segment.lanes;
#pragma omp critical
    (*spec.profile)[bound.index] += taken;
  }
  return ToStatus(dnnl_stream_wait(stream), "waiting for the last step");
}

void PlanSession::ExecuteTogether(const RunSpec& spec, absl::Span<const BoundStep> steps) {
#pragma omp parallel
  {
    const kernels::Team team{omp_get_thread_num(), omp_get_num_threads()};
    bool first = true;
    for (const BoundStep& bound : steps) {
      if (!IsWanted(bound, spec)) continue;
      if (!std::exchange(first, false)) team.Barrier();
      if (spec.profile == nullptr) {
        bound.step->kernel(team, bound.buffers);
        continue;
      }
      const auto start = Now();
      bound.step->kernel(team, bound.buffers);
      team.Barrier();
      if (team.thread == 0) (*spec.profile)[bound.index] += Now() - start;
    }
  }
}

absl::Status PlanSession::Execute(const BoundStep& bound, dnnl_stream_t stream) {
  if (bound.step->kernel) {
    bound.step->kernel({}, bound.buffers);
    return absl::OkStatus();
  }
  std::optional<ThreadCount> one;
  if (bound.step->info.one_thread) one.emplace(1);
  const dnnl_status_t code = dnnl_primitive_execute(bound.step->primitive.get(), stream,
                                                    static_cast<int>(bound.arguments.size()), bound.arguments.data());
  if (code == dnnl_success) return absl::OkStatus();
  const StepInfo& info = bound.step->info;
  const absl::Status status = ToStatus(code, absl::StrCat(info.op, " ", Quoted(info.node), " ", info.shape));
  return absl::InternalError(status.message());
}

absl::Span<const float> PlanSession::output(OutputId id, int i) const {
  const auto index = static_cast<size_t>(id);
  const std::vector<OutputInfo>& outputs = program_->info.outputs;
  if (last_ == nullptr || index >= outputs.size() || !computed_.test(index)) return {};
  const size_t width = static_cast<size_t>(outputs[index].width);
  return {reinterpret_cast<const float*>(arena_.data() + last_->output_offsets[index]) + i * width, width};
}

}  // namespace

absl::Status ToStatus(dnnl_status_t code, absl::string_view what) {
  if (code == dnnl_success) return absl::OkStatus();  // each run ends here, and allocates nothing
  const std::string message = absl::StrCat(what, ": oneDNN says ", dnnl_status2str(code));
  switch (code) {
    case dnnl_out_of_memory:
      return absl::ResourceExhaustedError(message);
    case dnnl_unimplemented:
    case dnnl_invalid_arguments:
      return absl::InvalidArgumentError(message);
    default:
      return absl::InternalError(message);
  }
}

ThreadCount::ThreadCount(int threads) : threads_before_(omp_get_max_threads()), dynamic_before_(omp_get_dynamic()) {
  omp_set_num_threads(threads);
  omp_set_dynamic(0);
}
ThreadCount::~ThreadCount() {
  omp_set_num_threads(threads_before_);
  omp_set_dynamic(dynamic_before_);
}

absl::StatusOr<std::unique_ptr<Session>> NewSession(std::shared_ptr<const Program> program,
                                                    absl::Span<std::byte> arena) {
  if (arena.size() < program->arena_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("model ", Quoted(program->info.name), " needs an arena of ",
                                                   program->arena_bytes, " bytes, not ", arena.size()));
  }
  if (reinterpret_cast<uintptr_t>(arena.data()) % kArenaAlignment != 0) {
    return absl::InvalidArgumentError(absl::StrCat("an arena must be aligned to ", kArenaAlignment,
                                                   " bytes: this one's address modulo it is ",
                                                   reinterpret_cast<uintptr_t>(arena.data()) % kArenaAlignment));
  }
  try {
    return std::make_unique<PlanSession>(std::move(program), arena);
  } catch (const dnnl::error& error) {
    return ToStatus(error.status, "binding a session");
  }
}

}  // namespace resnetd::onednn
