#ifndef RESNETD_ENGINE_ENGINE_H_
#define RESNETD_ENGINE_ENGINE_H_

#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/time.h"
#include "engine/graph/output_kinds.h"
#include "engine/network.h"

// The engine: an ONNX file in, logits and embeddings out. It knows nothing of gRPC, protobuf services or metrics.
//
//   auto network = resnetd::ReadNetwork({.onnx = std::move(file), .name = "resnet50"});
//   auto engine = resnetd::Engine::Compile(*std::move(network), options);
//   std::vector<std::byte> arena = ...;                    // engine->arena_bytes(), aligned to kArenaAlignment
//   auto session = (*engine)->NewSession(arena);
//   resnetd::SlotView slot = (*session)->slot(0);          // write one image's tensor here
//   (*session)->Run({.count = 1});
//   (*session)->output((*engine)->info().logits, 0);
namespace resnetd {

inline constexpr size_t kArenaAlignment = 64;

// Index into ModelInfo::outputs.
enum class OutputId : int {};
inline constexpr OutputId kNoOutput{-1};

inline constexpr size_t kMostOutputs = 32;  // of one model
// Outputs by index.
using OutputSet = std::bitset<kMostOutputs>;

struct OutputInfo {
  // "logits": of the first head. "pool": the embedding (graph::ChooseOutputs() has the rules, and says what they are
  // called where the file means something else by these names). "stage1".."stage4": the output of the last residual
  // block at each of the last four spatial resolutions, averaged over its pixels. Others are called as in the file.
  std::string name;
  std::vector<int64_t> dims;  // of one image: {C} or {C, H, W}
  int width = 0;              // their product
  // A head's last node in the file: it is taken away and left to the output's user, so that the values are scores.
  HeadActivation activation = HeadActivation::kNone;
  std::string tensor = {};  // what holds its values in the ONNX file, perhaps as a map of one pixel; empty: nothing
  std::vector<std::string> aliases = {};  // what the file calls it, where `name` is ours
  OutputRole role = OutputRole::kLayer;
  std::string evidence = {};   // what decided the role, in words
  bool labelled = false;       // the labels that the hints speak of are this output's
  bool probabilities = false;  // its values are such as they are, or what the file made of some: no scores
  bool unit_length = false;    // a vector that the network itself divides by its length
};

// A slot takes one image's input, as float32, scaled and normalised as in training: element (y, x, c) is at
// data + y * row_bytes + x * pixel_bytes + c * channel_bytes. The strides say whether the plan wants NHWC or NCHW; a
// writer follows them and needs not know.
struct SlotView {
  std::byte* data = nullptr;
  int height = 0, width = 0, channels = 0;
  ptrdiff_t row_bytes = 0, pixel_bytes = 0, channel_bytes = 0;
};

inline constexpr int kLargestBatch = 256, kMostThreads = 256;  // that EngineOptions may name

struct EngineOptions {
  // Batch sizes to compile, ascending, each 1..kLargestBatch. A run of n images uses the smallest that holds n. More
  // sizes cost load time (one compilation and one run each), little memory: weights and arenas are shared.
  std::vector<int> batch_sizes = {1, 2, 4, 8};
  // Threads of one Run(), 1..kMostThreads. More than the machine's share of cores makes every run slower.
  int threads = 1;
  // Whether Compile() runs every batch size once. Who measures them before the first request needs no other run.
  bool warm_up = true;
};

struct ModelInfo {
  std::string name;
  int height = 0, width = 0, channels = 0;  // of the input
  InputValues input_values = {};            // what the file says of the numbers it takes
  std::vector<OutputInfo> outputs;
  OutputId logits = kNoOutput;     // where the model has a classifier or yields a value
  OutputId embedding = kNoOutput;  // every model has it
  int classes = 0;                 // width of `logits`; 0 where there is none
  int features = 0;                // width of `embedding`
  std::vector<int> batch_sizes;    // as compiled
  int threads = 1;
  int64_t parameters = 0;          // learnt values, after folding
  int64_t multiply_adds = 0;       // of convolutions and inner products, one image
  size_t packed_weight_bytes = 0;  // held once by the Engine
  // The largest sum of what the largest batch's plan holds at one step: no arena could be smaller.
  size_t arena_lower_bound = 0;
  std::string isa;               // the widest instruction set the library will use, e.g. "avx512_core_vnni"
  std::string precision;         // "f32"
  std::string plan_fingerprint;  // equal ones, of one file, compute bit-equal answers for equal batches
};

// The output of that name, or else that alias; kNoOutput if there is none.
OutputId FindOutput(const ModelInfo& info, absl::string_view name);

// One step of a compiled plan, for people and tests.
struct StepInfo {
  std::string node;             // its name in the ONNX file; of a fused step, the first one's
  std::string op;               // "Conv", "Reorder", ...
  std::string attributes = {};  // what the operator's name does not say: "3x3/2 pad 1 groups 32"
  std::string post_ops = {};    // fused into it, in order: "+Add+Relu"
  std::string shape;            // "64x56x56 -> 256x56x56 batch 8"
  std::string implementation;   // oneDNN's name for what runs, e.g. "brgconv_1x1:avx512_core"
  int64_t multiply_adds = 0;    // of convolutions and inner products, the whole batch
  // Runs on one of the plan's threads: divided, it would hold its weights twice, or cost more than it does.
  bool one_thread = false;
  bool in_place_sum = false;  // its Add adds to what its destination held, the residual, and takes no memory of its own
};

// Tells how long each step took, by its index in Engine::Describe(); zero for those left out. Of steps that several
// threads ran at once, each for images of its own, the time they took together divided by the threads.
using LayerProfile = std::vector<Duration>;

struct RunSpec {
  int count = 1;                         // images, in slots 0..count-1
  OutputSet wanted = OutputSet().set();  // steps that serve none of these are left out
  LayerProfile* profile = nullptr;       // is filled unless null; looking at the clock costs a little at every step
};

struct RunTimings {
  Duration compute{};
  int plan_batch = 0;  // the compiled batch size that served the run
};

class Session;

// A compiled model. Immutable, thread-safe, shared by all workers; owns the packed weights.
class Engine {
 public:
  // Compiles the network, packs its weights and frees them, and runs every batch size once: an engine never compiles
  // again. INVALID_ARGUMENT: an option is wrong, or a node cannot be lowered. FAILED_PRECONDITION: the machine's
  // instruction set is below AVX2, or OpenMP gives fewer threads than the options name. RESOURCE_EXHAUSTED: memory. No
  // error is worth a retry.
  static absl::StatusOr<std::shared_ptr<const Engine>> Compile(Network network, const EngineOptions& options);
  // ReadNetwork() and then Compile().
  static absl::StatusOr<std::shared_ptr<const Engine>> Load(ModelBytes model, const EngineOptions& options,
                                                            const ReadOptions& reading = {});
  virtual ~Engine() = default;

  virtual const ModelInfo& info() const = 0;
  // The steps of the plan for `batch` in the order they run; empty if no plan has this batch size.
  virtual std::vector<StepInfo> Describe(int batch) const = 0;
  // Bytes a session needs: inputs, outputs, intermediates and scratchpad of the largest batch.
  virtual size_t arena_bytes() const = 0;
  // `arena` belongs to the caller, holds at least arena_bytes(), is aligned to kArenaAlignment and outlives the
  // session. Sessions of several engines may share an arena if they run one at a time; a slot written before another
  // session's Run() is then lost. INVALID_ARGUMENT if the arena is too small or not aligned.
  virtual absl::StatusOr<std::unique_ptr<Session>> NewSession(absl::Span<std::byte> arena) const = 0;
};

// One worker's view of an Engine. Used by one thread at a time; keeps its Engine alive.
//
// Write slots 0..n-1, Run({.count = n}), read the outputs. Where slot i lies does not depend on n, so a slot whose
// image turns out to be bad is simply written again by the next one.
class Session {
 public:
  virtual ~Session() = default;

  // Slot i of 0..largest batch size - 1. Its contents are undefined after every Run(): write it whole.
  virtual SlotView slot(int i) = 0;
  // Computes the images in slots 0..count-1 on the smallest plan that holds them. INVALID_ARGUMENT if count is outside
  // 1..largest batch size; INTERNAL names the step that failed, and the session stays usable.
  virtual absl::StatusOr<RunTimings> Run(const RunSpec& spec) = 0;
  // Image i's share, dense in the order of the dims; empty where the model has no such output or the last run was not
  // asked for it. Valid until the next Run() or until a slot is written.
  virtual absl::Span<const float> output(OutputId id, int i) const = 0;
};

}  // namespace resnetd

#endif  // RESNETD_ENGINE_ENGINE_H_
