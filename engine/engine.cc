#include "engine/engine.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/graph/graph.h"
#include "engine/graph/output_range.h"
#include "engine/network_content.h"
#include "engine/onednn/compile.h"

namespace resnetd {
namespace {

absl::Status CheckOptions(const EngineOptions& options) {
  if (options.threads < 1 || options.threads > kMostThreads) {
    return absl::InvalidArgumentError(absl::StrCat("threads must be 1 to ", kMostThreads, ", not ", options.threads));
  }
  if (options.batch_sizes.empty()) return absl::InvalidArgumentError("batch_sizes must name at least one size");
  int before = 0;
  for (const int batch : options.batch_sizes) {
    if (batch < 1 || batch > kLargestBatch) {
      return absl::InvalidArgumentError(
          absl::StrCat("each of batch_sizes must be 1 to ", kLargestBatch, ", not ", batch));
    }
    if (batch <= before) {
      return absl::InvalidArgumentError(absl::StrCat("batch_sizes must ascend: ", batch, " follows ", before));
    }
    before = batch;
  }
  return absl::OkStatus();
}

// Sums up what a folded graph has learnt and what it costs.
class Tally {
 public:
  explicit Tally(const graph::Graph& graph) : graph_(graph) {
    for (const graph::Node& node : graph.nodes) {
      if (const auto* conv = std::get_if<graph::Conv>(&node.op)) {
        const graph::Dims& dst = graph_.value(node.output).dims;
        multiply_adds_ += Learnt(conv->weights) * dst[1] * dst[2];
        Learnt(conv->bias);
      } else if (const auto* gemm = std::get_if<graph::Gemm>(&node.op)) {
        multiply_adds_ += Learnt(gemm->weights);
        Learnt(gemm->bias);
      } else if (const auto* norm = std::get_if<graph::BatchNorm>(&node.op)) {
        for (const auto& values : {norm->scale, norm->shift, norm->mean, norm->variance}) Learnt(values);
      }
    }
  }

  int64_t parameters() const { return parameters_; }
  int64_t multiply_adds() const { return multiply_adds_; }

 private:
  // The number of values; those shared by several nodes count once as parameters.
  int64_t Learnt(const graph::WeightsRef& weights) {
    if (weights == nullptr) return 0;
    const int64_t size = static_cast<int64_t>(weights->data.size());
    if (seen_.insert(weights.get()).second) parameters_ += size;
    return size;
  }

  const graph::Graph& graph_;
  absl::flat_hash_set<const graph::Weights*> seen_;
  int64_t parameters_ = 0, multiply_adds_ = 0;
};

ModelInfo InfoOf(const graph::Graph& graph, const EngineOptions& options) {
  const Tally tally(graph);
  const graph::Dims& image = graph.value(graph.input).dims;
  ModelInfo info;
  info.name = graph.name;
  info.channels = static_cast<int>(image[0]);
  info.height = static_cast<int>(image[1]);
  info.width = static_cast<int>(image[2]);
  info.input_values = graph.input_values;
  for (const graph::Output& output : graph.outputs) {
    const graph::Dims& dims = graph.value(output.value).dims;
    const auto id = static_cast<OutputId>(info.outputs.size());
    OutputInfo& of = info.outputs.emplace_back();
    of = {.name = output.name,
          .dims = {dims.begin(), dims.end()},
          .width = 1,
          .activation = output.activation,
          .tensor = output.tensor,
          .aliases = output.aliases,
          .role = output.role,
          .evidence = output.evidence,
          .labelled = output.labelled,
          .probabilities = output.probabilities,
          .unit_length = graph::HasUnitLength(graph, output.value)};
    for (const int64_t size : dims) of.width *= static_cast<int>(size);
    if (output.use == graph::OutputUse::kFirstHead) info.logits = id, info.classes = of.width;
    if (output.use == graph::OutputUse::kEmbedding) info.embedding = id, info.features = of.width;
  }
  info.batch_sizes = options.batch_sizes;
  info.threads = options.threads;
  info.parameters = tally.parameters();
  info.multiply_adds = tally.multiply_adds();
  return info;
}

// Runs every batch size once, so that pages, code and threads are there before the first request.
absl::Status WarmUp(const Engine& engine) {
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  // An arena's size is a multiple of its alignment, as aligned_alloc() demands.
  const std::unique_ptr<std::byte, Free> arena(
      static_cast<std::byte*>(std::aligned_alloc(kArenaAlignment, engine.arena_bytes())));
  if (arena == nullptr) throw std::bad_alloc();
  RESNETD_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, engine.NewSession({arena.get(), engine.arena_bytes()}));
  for (const int batch : engine.info().batch_sizes) RESNETD_RETURN_IF_ERROR(session->Run({.count = batch}).status());
  return absl::OkStatus();
}

}  // namespace

OutputId FindOutput(const ModelInfo& info, absl::string_view name) {
  const auto find = [&](auto&& matches) {
    const auto found = std::find_if(info.outputs.begin(), info.outputs.end(), matches);
    return found == info.outputs.end() ? kNoOutput : static_cast<OutputId>(found - info.outputs.begin());
  };
  const OutputId named = find([&](const OutputInfo& o) { return o.name == name; });
  if (named != kNoOutput) return named;
  return find(
      [&](const OutputInfo& o) { return std::find(o.aliases.begin(), o.aliases.end(), name) != o.aliases.end(); });
}

absl::StatusOr<std::shared_ptr<const Engine>> Engine::Compile(Network network, const EngineOptions& options) {
  graph::Graph graph = std::move(network.content_->graph);
  const std::string name = graph.name;
  try {
    RESNETD_RETURN_IF_ERROR(CheckOptions(options));
    ModelInfo info = InfoOf(graph, options);
    RESNETD_ASSIGN_OR_RETURN(std::shared_ptr<const Engine> engine,
                             onednn::Compile(std::move(graph), std::move(info), onednn::ChooseSplit));
    if (options.warm_up) RESNETD_RETURN_IF_ERROR(WarmUp(*engine));
    return engine;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat("not enough memory to compile model ", Quoted(name)));
  }
}

absl::StatusOr<std::shared_ptr<const Engine>> Engine::Load(ModelBytes model, const EngineOptions& options,
                                                           const ReadOptions& reading) {
  RESNETD_ASSIGN_OR_RETURN(Network network, ReadNetwork(std::move(model), reading));
  return Compile(std::move(network), options);
}

}  // namespace resnetd
