#ifndef RESNETD_ENGINE_ONEDNN_PLAN_H_
#define RESNETD_ENGINE_ONEDNN_PLAN_H_

#include <cstddef>
#include <dnnl.hpp>
#include <optional>
#include <vector>

#include "engine/engine.h"
#include "engine/onednn/slice_pad.h"

namespace resnetd::onednn {

// What a primitive reads or writes: a buffer of the arena, or learnt values that belong to the Engine.
struct Argument {
  int id = 0;               // DNNL_ARG_*
  dnnl::memory::desc desc;  // layout of the buffer's contents
  int buffer = -1;          // index into Plan::offsets; -1: `learnt`
  dnnl::memory learnt;
};

// One primitive, or our own kernel where oneDNN has none.
struct Step {
  StepInfo info;
  dnnl::primitive primitive;  // null where `slice_pad` runs: argument 0 is then its src, argument 1 its dst
  std::optional<SlicePad> slice_pad;
  std::vector<Argument> arguments;
};

// A model compiled for one batch size and thread count. Immutable, shared by all sessions.
struct Plan {
  int batch = 0;
  std::vector<Step> steps;
  std::vector<size_t> offsets;  // of each buffer in the arena, bytes
  size_t arena_bytes = 0;
  size_t logits_offset = 0, embedding_offset = 0;  // dense float32 {batch, width}; intact until the next run
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

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_PLAN_H_
