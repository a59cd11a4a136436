// One plan a batch size, all from one cache of packed weights.
#include "engine/onednn/compile.h"

#include <omp.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "engine/onednn/lowering/lowering.h"
#include "engine/onednn/plan.h"
#include "engine/onednn/session.h"
#include "engine/onednn/weights_cache.h"

namespace resnetd::onednn {
namespace {

class CompiledModel final : public Engine {
 public:
  explicit CompiledModel(Program program) : program_(std::make_shared<const Program>(std::move(program))) {}

  const ModelInfo& info() const override { return program_->info; }
  size_t arena_bytes() const override { return program_->arena_bytes; }
  std::vector<StepInfo> Describe(int batch) const override;
  absl::StatusOr<std::unique_ptr<Session>> NewSession(absl::Span<std::byte> arena) const override {
    return onednn::NewSession(program_, arena);
  }

 private:
  const std::shared_ptr<const Program> program_;
};

std::vector<StepInfo> CompiledModel::Describe(int batch) const {
  std::vector<StepInfo> infos;
  for (const Plan& plan : program_->plans) {
    if (plan.batch != batch) continue;
    for (const Step& step : plan.steps) infos.push_back(step.info);
  }
  return infos;
}

std::string IsaName(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx2_vnni_2:
      return "avx2_vnni_2";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_fp16:
      return "avx512_core_fp16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    case dnnl::cpu_isa::avx512_core_amx_fp16:
      return "avx512_core_amx_fp16";
    default:
      return absl::StrFormat("isa_0x%x", static_cast<unsigned>(isa));
  }
}

// OpenMP's environment may allow fewer threads than were asked for. A primitive laid out for two then computes half of
// its result, and says nothing.
absl::Status CheckThreads(int wanted) {
  int given = 0;
#pragma omp parallel
#pragma omp single
  given = omp_get_num_threads();
  if (given == wanted) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("threads: expected ", wanted, ", but OpenMP gives ", given,
                                                    " (OMP_THREAD_LIMIT or OMP_MAX_ACTIVE_LEVELS may say so)"));
}

// The layout of one image as kImageLayout has it: planes.
void SetSlot(Program& program) {
  const ModelInfo& info = program.info;
  constexpr ptrdiff_t kFloat = sizeof(float);
  program.slot = {.data = nullptr,
                  .height = info.height,
                  .width = info.width,
                  .channels = info.channels,
                  .row_bytes = info.width * kFloat,
                  .pixel_bytes = kFloat,
                  .channel_bytes = info.height * info.width * kFloat};
  program.slot_bytes = static_cast<size_t>(info.channels * program.slot.channel_bytes);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Engine>> Compile(graph::Graph graph, ModelInfo info, const Splitter& split) {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  // An instruction set is a bit mask that contains those it extends.
  const unsigned avx2 = static_cast<unsigned>(dnnl::cpu_isa::avx2);
  if ((static_cast<unsigned>(isa) & avx2) != avx2) {
    return absl::FailedPreconditionError(
        absl::StrCat("this machine's instruction set is ", IsaName(isa), "; at least avx2 is needed"));
  }
  const ThreadCount threads(info.threads);
  RESNETD_RETURN_IF_ERROR(CheckThreads(info.threads));
  Program program{.engine = dnnl::engine(dnnl::engine::kind::cpu, 0), .info = std::move(info), .slot = {}, .plans = {}};
  WeightsCache weights(program.engine);
  const Target target{.engine = program.engine, .threads = program.info.threads, .isa = isa};
  // The largest batch chooses the layouts of the weights: it is what a busy server runs.
  std::vector<int> batch_sizes = program.info.batch_sizes;
  std::reverse(batch_sizes.begin(), batch_sizes.end());
  for (const int batch : batch_sizes) {
    RESNETD_ASSIGN_OR_RETURN(Plan plan,
                             Lower(graph, batch, split(graph, batch, program.info.threads), target, weights));
    program.arena_bytes = std::max(program.arena_bytes, plan.arena_bytes);
    program.info.arena_lower_bound = std::max(program.info.arena_lower_bound, plan.arena_lower_bound);
    program.plans.push_back(std::move(plan));
  }
  std::reverse(program.plans.begin(), program.plans.end());
  program.info.packed_weight_bytes = weights.bytes();
  program.info.isa = IsaName(isa);
  program.info.precision = "f32";
  program.info.plan_fingerprint = Fingerprint(program);
  SetSlot(program);
  return std::make_shared<const CompiledModel>(std::move(program));
}

}  // namespace resnetd::onednn
