// Files -> graph -> passes, and the hash of the files beside them.
#include "engine/network.h"

#include <algorithm>
#include <future>
#include <new>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "engine/engine.h"
#include "engine/graph/outputs.h"
#include "engine/network_content.h"
#include "engine/onnx/onnx.h"
#include "engine/passes/fold_input.h"
#include "engine/passes/weights.h"

namespace resnetd {
namespace {

constexpr size_t kStages = 4;  // that the passes add to a model's outputs

// Hashes files beside the caller's thread: of a hundred megabytes that takes as long as reading the network.
class FileHash {
 public:
  // Keeps the file until it is hashed.
  void Add(Bytes file) {
    last_ = std::async(std::launch::async, [hash = hash_, file = std::move(file), before = std::move(last_)]() mutable {
      before = {};  // waits for it, and lets go of its file
      hash->Add(file.span());
    });
  }
  // The hash of all files; to be asked for once.
  std::shared_future<std::string> Hex() {
    return std::async(std::launch::async,
                      [hash = hash_, before = std::move(last_)]() mutable {
                        before = {};
                        return hash->Hex();
                      })
        .share();
  }

 private:
  const std::shared_ptr<Sha256> hash_ = std::make_shared<Sha256>();
  std::future<void> last_;
};

// Makes the tensors that the options name outputs too.
absl::Status AddOutputs(const std::vector<std::string>& names, graph::Graph& graph) {
  for (const std::string& name : names) {
    // A tensor whose softmax was taken away is served by its alias too, and then not as the file has it.
    const graph::Output* served = graph.FindOutput(name);
    if (served != nullptr && (served->name == name || !served->tensor.empty())) continue;
    const auto produced = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                       [&](const graph::Node& node) { return graph.value(node.output).name == name; });
    if (produced == graph.nodes.end()) {
      return absl::InvalidArgumentError(absl::StrCat("outputs: the model has no tensor ", Quoted(name)));
    }
    if (graph.outputs.size() + kStages >= kMostOutputs) {
      return absl::InvalidArgumentError(absl::StrCat("outputs: expected at most ", kMostOutputs - kStages));
    }
    graph::AddOutput(name, produced->output, graph);
  }
  return absl::OkStatus();
}

absl::Status Rewrite(const std::vector<std::string>& outputs, passes::Observer observe, graph::Graph& graph) {
  RESNETD_RETURN_IF_ERROR(AddOutputs(outputs, graph));
  observe("import", graph);
  RESNETD_RETURN_IF_ERROR(passes::RemoveDead(graph));
  const absl::Status of_file = passes::CheckWeights(graph);
  RESNETD_RETURN_IF_ERROR(passes::RunPasses(graph, observe));
  // A tensor that is folded into a layer would be blamed on the layer's own weights.
  if (const absl::Status folded = passes::CheckWeights(graph); !folded.ok()) {
    const absl::Status& fault = of_file.ok() ? folded : of_file;
    return absl::InvalidArgumentError(absl::StrCat("model ", Quoted(graph.name), ": ", fault.message()));
  }
  return absl::OkStatus();
}

}  // namespace

Network::Network(std::unique_ptr<Content> content) : content_(std::move(content)) {}
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;
Network::~Network() = default;

std::shared_future<std::string> Network::sha256() const {
  return content_->sha256;
}

const std::vector<std::string>& Network::notes() const {
  return content_->notes;
}

absl::StatusOr<Network> ReadNetwork(ModelBytes model, const ReadOptions& options) {
  return ReadNetwork(std::move(model), options, [](absl::string_view, const graph::Graph&) {});
}

absl::StatusOr<Network> ReadNetwork(ModelBytes model, const ReadOptions& options, passes::Observer observe) try {
  FileHash hash;
  hash.Add(model.onnx);
  RESNETD_ASSIGN_OR_RETURN(
      onnx::OnnxModel read,
      onnx::ReadOnnx(model.onnx, model.name, {.folder = model.folder, .hints = options.hints, .size = options.size}));
  for (const Bytes& file : read.external_files) hash.Add(file);
  std::shared_future<std::string> sha256 = hash.Hex();
  RESNETD_RETURN_IF_ERROR(passes::FoldInput(read.takes_bytes, read.graph));
  RESNETD_RETURN_IF_ERROR(Rewrite(options.outputs, observe, read.graph));
  read.external_files.push_back(std::move(model.onnx));
  // A file that only the hash keeps is to be free before as many bytes of packed weights take memory.
  if (passes::LeaveFiles(read.external_files, read.graph)) sha256.wait();
  return Network(std::make_unique<Network::Content>(
      Network::Content{std::move(read.graph), std::move(sha256), std::move(read.notes)}));
} catch (const std::bad_alloc&) {
  return absl::ResourceExhaustedError(absl::StrCat("not enough memory to read model ", Quoted(model.name)));
}

}  // namespace resnetd
