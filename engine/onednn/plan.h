#ifndef RESNETD_ENGINE_ONEDNN_PLAN_H_
#define RESNETD_ENGINE_ONEDNN_PLAN_H_

#include <cstddef>
#include <dnnl.hpp>
#include <functional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/engine.h"
#include "engine/kernels/revision.h"
#include "engine/kernels/team.h"

namespace resnetd::onednn {

// An operand of a primitive: a buffer of the arena, or learnt values that belong to the Engine.
struct Argument {
  int id = 0;               // DNNL_ARG_*
  dnnl::memory::desc desc;  // layout of the buffer's contents
  int buffer = -1;          // index into Plan::offsets; -1: `learnt`
  size_t pass_bytes = 0;    // how much further in the buffer it lies with each image; 0: each lane has its own
  dnnl::memory learnt;
};

// A computation of ours where oneDNN has no primitive or a slower one: from and to buffers, in the order of a
// step's arguments, as one of a team (see kernels::Team).
using Kernel = std::function<void(const kernels::Team& team, absl::Span<float* const> buffers)>;

struct Step {
  StepInfo info;
  dnnl::primitive primitive;  // null where `kernel` runs
  Kernel kernel;
  std::vector<Argument> arguments;
  OutputSet serves;  // outputs that depend on it
};

// Steps [begin, end) run once for the whole batch, or once for each image. Then images 0, L, 2 L ... are lane 0's, 1,
// L + 1, ... lane 1's. Lanes run at once, each by one thread, and keep what lies between their steps in parts of the
// arena that are `lane_bytes` apart.
struct Segment {
  size_t begin = 0, end = 0;
  int passes = 1;  // or the batch size
  int lanes = 1;
  size_t lane_bytes = 0;
};

// A buffer that a segment fills image by image, for the next segment to read whole.
struct Gathered {
  int buffer = -1;
  size_t image_bytes = 0;
};

// A model compiled for one batch size and thread count. Immutable, shared by all sessions.
struct Plan {
  int batch = 0;
  std::vector<Step> steps;
  std::vector<Segment> segments;  // all steps, in order
  std::vector<Gathered> gathered;
  std::vector<size_t> offsets;  // of each buffer in the arena, bytes
  size_t arena_bytes = 0, arena_lower_bound = 0;
  std::vector<size_t> output_offsets;  // by OutputId: dense float32 {batch, width}; intact until the next run
};

// All plans of a model and what its sessions need to know. Owns, through the steps' arguments, the packed weights.
struct Program {
  dnnl::engine engine;
  ModelInfo info;
  SlotView slot;            // of image 0, data null
  size_t slot_bytes = 0;    // image i lies at i * slot_bytes
  std::vector<Plan> plans;  // ascending by batch
  size_t arena_bytes = 0;   // the largest plan's
};

// 16 hex digits of all that decides how answers are computed: the library, our kernels, the instruction set, threads,
// and each step. The weights are not in it.
std::string Fingerprint(const Program& program, int kernels_revision = kernels::kRevision);

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_PLAN_H_
