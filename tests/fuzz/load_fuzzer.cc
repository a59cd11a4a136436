// Any bytes as a model: read, rewritten, and where that is little work inspected, compiled and run. What must not
// happen: a crash, a fault that a sanitizer sees, a hang, memory out of proportion (the fuzzer's limits), an error that
// does not say what is wrong with the file, a graph that is read and is not valid, or a file beside the model that is
// read and lies out of the root.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "absl/strings/match.h"
#include "engine/engine.h"
#include "engine/graph/graph.h"
#include "engine/inspect/inspect.h"
#include "engine/onnx/onnx.h"
#include "engine/passes/fold_input.h"
#include "engine/passes/passes.h"
#include "tests/fuzz/hostile_folder.h"
#include "tests/fuzz/load_fuzzer.h"

namespace resnetd::fuzz {
namespace {

// The most elements of all tensors that flow, per image, and of weights: a run of less takes milliseconds.
constexpr int64_t kMostElements = 1 << 16, kMostWeights = 1 << 12;
constexpr size_t kMostNodes = 32;

void Require(bool condition, const char* what, const absl::Status& status = absl::OkStatus()) {
  if (condition) return;
  std::cerr << "not so: " << what << ": " << status << "\n";
  std::abort();
}

void RequireFault(const absl::Status& status) {
  Require(absl::IsInvalidArgument(status), "what is refused is the file's fault", status);
  Require(!status.message().empty() && status.message().size() < 100'000, "a message that can be read", status);
}

// Whether compiling and running it once is little work.
bool IsSmall(const graph::Graph& g) {
  int64_t elements = 0;
  for (const graph::Value& value : g.values) {
    int64_t size = 1;
    for (const int64_t d : value.dims) size *= d;
    elements += size;
    if (elements > kMostElements) return false;
  }
  return g.nodes.size() <= kMostNodes;
}

}  // namespace

Outcome LoadAnything(absl::Span<const std::byte> input) {
  const Bytes bytes(std::string(reinterpret_cast<const char*>(input.data()), input.size()));
  // Files may leave the size free.
  const InputSize size = {.usual_height = 8, .usual_width = 8, .usual_from = "the fuzzer"};
  absl::StatusOr<onnx::OnnxModel> read = onnx::ReadOnnx(bytes, "fuzzed", {.folder = HostileFolder(), .size = size});
  if (!read.ok()) {
    RequireFault(read.status());
    Require(absl::StartsWith(read.status().message(), "model 'fuzzed': "), "the model's name comes first",
            read.status());
    return Outcome::kRefused;
  }
  for (const Bytes& file : read->external_files) {
    Require(!IsOutOfRoot(file.view()), "no file is read that lies out of the root");
  }
  graph::Graph* const g = &read->graph;
  Require(graph::Validate(*g).ok(), "what was read is valid", graph::Validate(*g));
  Require(onnx::CheckOperators(bytes).ok(), "what was read can be checked", onnx::CheckOperators(bytes).status());
  // The name of some tensor; the same one for the same bytes.
  const std::string tensor = g->values[bytes.size() % g->values.size()].name;
  const bool small = IsSmall(*g) && bytes.size() < sizeof(float) * kMostWeights;
  if (const absl::Status folded = passes::FoldInput(read->takes_bytes, *g); !folded.ok()) {
    RequireFault(folded);
    return Outcome::kRefused;
  }
  Require(graph::Validate(*g).ok(), "what was folded is valid", graph::Validate(*g));
  if (const absl::Status rewritten = passes::RunPasses(*g); !rewritten.ok()) {
    RequireFault(rewritten);
    return Outcome::kRefused;
  }
  Require(graph::Validate(*g).ok(), "what was rewritten is valid", graph::Validate(*g));
  if (!small) return Outcome::kRead;
  const absl::Status inspected = Inspect({bytes, "fuzzed", HostileFolder()}, {.size = size}).status();
  const auto engine =
      Engine::Load({bytes, "fuzzed", HostileFolder()}, {.batch_sizes = {1}, .threads = 1}, {.size = size});
  Require(inspected.ok() || inspected == engine.status(), "what can be loaded can be inspected", inspected);
  if (!engine.ok()) {
    RequireFault(engine.status());
    return Outcome::kRead;
  }
  if (bytes.size() % 2 == 0) {
    const auto served = Engine::Load({bytes, "fuzzed", HostileFolder()}, {.batch_sizes = {1}, .threads = 1},
                                     {.outputs = {tensor}, .size = size});
    if (!served.ok()) RequireFault(served.status());
  }
  return Outcome::kRun;
}

}  // namespace resnetd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  resnetd::fuzz::LoadAnything({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
