// File -> wire limits -> protobuf -> opset and operators known? -> initializers and the input get their operands -> the
// nodes one by one, each by its importer -> outputs -> Validate().
#include "engine/onnx/onnx.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "engine/onnx/import.h"
#include "engine/onnx/schema.h"
#include "engine/onnx/wire_limits.h"
#include "engine/status_macros.h"

namespace resnetd::onnx {
namespace {

using graph::ValueId;

constexpr int kMostOutputs = 16;     // of one file
constexpr size_t kListedNodes = 50;  // of the unsupported ones; the rest are counted

bool DefaultDomain(absl::string_view domain) {
  return domain.empty() || domain == "ai.onnx";
}

absl::StatusOr<ModelProto> Parse(absl::Span<const std::byte> file) {
  RESNETD_RETURN_IF_ERROR(CheckWire(file));
  ModelProto model;
  if (!model.ParseFromArray(file.data(), static_cast<int>(file.size())) || !model.has_graph()) {
    return absl::InvalidArgumentError("the file is not an ONNX model, or it is damaged or truncated");
  }
  return model;
}

absl::StatusOr<int> ReadOpset(const ModelProto& model) {
  for (const auto& import : model.opset_import()) {
    if (!DefaultDomain(import.domain())) continue;
    if (import.version() >= kOldestOpset && import.version() <= kNewestOpset) return static_cast<int>(import.version());
    return absl::InvalidArgumentError(
        absl::StrCat("expected opset ", kOldestOpset, " to ", kNewestOpset, ", got ", import.version()));
  }
  return absl::InvalidArgumentError("the file names no opset of the default domain");
}

absl::Status CheckOperators(const GraphProto& graph, int opset) {
  std::string list;
  size_t count = 0;
  for (const NodeProto& node : graph.node()) {
    if (DefaultDomain(node.domain()) && FindImporter(node.op_type()) != nullptr) continue;
    if (++count > kListedNodes) continue;
    absl::StrAppend(&list, count > 1 ? ", " : "", "'", NodeReader(node, opset).name(), "' (", node.domain(),
                    node.domain().empty() ? "" : ".", node.op_type(), ")");
  }
  if (count == 0) return absl::OkStatus();
  if (count > kListedNodes) absl::StrAppend(&list, " and ", count - kListedNodes, " more");
  return absl::InvalidArgumentError(absl::StrCat("unsupported operators at opset ", opset, ": ", list));
}

absl::Status ReadInput(const ValueInfoProto& info, Import& into) {
  const auto fault = [&](absl::string_view got) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input '", info.name(),
        "': expected float32 images, batch x channels x height x width, all but the batch fixed; got ", got));
  };
  if (!info.type().has_tensor_type()) return fault("no tensor");
  const auto& type = info.type().tensor_type();
  if (type.elem_type() != TensorProto::FLOAT) return fault(absl::StrCat("element type ", type.elem_type()));
  if (type.shape().dim_size() != 4) return fault(absl::StrCat(type.shape().dim_size(), " axes"));
  graph::Dims dims;
  for (int i = 1; i < 4; ++i) {
    const auto& dim = type.shape().dim(i);
    if (!dim.has_dim_value() || dim.dim_value() < 1) return fault(absl::StrCat("axis ", i, " that is not fixed"));
    dims.push_back(dim.dim_value());
  }
  into.file_batch = type.shape().dim(0).dim_value();
  into.graph.input = into.graph.AddValue(info.name());
  into.graph.value(into.graph.input).dims = std::move(dims);
  return into.Define(info.name(), into.graph.input);
}

absl::Status ReadInitializersAndInput(GraphProto& proto, Import& into) {
  absl::flat_hash_set<std::string> initialized;
  for (TensorProto& tensor : *proto.mutable_initializer()) {
    RESNETD_ASSIGN_OR_RETURN(Operand operand, ReadTensor(tensor, into.external));
    RESNETD_RETURN_IF_ERROR(into.Define(tensor.name(), std::move(operand)));
    initialized.insert(tensor.name());
    tensor = TensorProto();  // frees its elements: two copies of all weights at once would be a waste
  }
  if (proto.sparse_initializer_size() > 0) return absl::InvalidArgumentError("sparse initializers are not supported");
  int inputs = 0;
  for (const ValueInfoProto& info : proto.input()) {
    if (initialized.contains(info.name())) continue;  // older exporters list the weights here too
    if (++inputs > 1)
      return absl::InvalidArgumentError(absl::StrCat("expected one input, got also '", info.name(), "'"));
    RESNETD_RETURN_IF_ERROR(ReadInput(info, into));
  }
  return inputs == 1 ? absl::OkStatus() : absl::InvalidArgumentError("expected one input, got none");
}

absl::Status ReadNodes(const GraphProto& proto, int opset, Import& into) {
  for (const NodeProto& node : proto.node()) {
    NodeReader n(node, opset);
    absl::Status status = absl::OkStatus();
    if (node.output_size() == 0) {
      status = absl::InvalidArgumentError("expected an output, got none");
    } else {
      status = n.Finish(FindImporter(node.op_type())(n, into));
    }
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("node '", n.name(), "' (", node.op_type(), ", opset ", opset, "): ", status.message()));
    }
  }
  return absl::OkStatus();
}

// What an output of the file is called among ours, and the value it holds, as a vector where it is a map of one pixel.
absl::StatusOr<ValueId> ReadOutput(const std::string& name, Import& into) {
  NodeProto end;
  end.add_input(name);
  end.add_output(name + "/vector");
  const NodeReader n(end, kNewestOpset);
  RESNETD_ASSIGN_OR_RETURN(const ValueId value, into.Activation(n, 0));
  const graph::Dims& dims = into.dims(value);
  if (dims.size() == 3 && dims[1] == 1 && dims[2] == 1) return into.AddInner(n, graph::Flatten(), value);
  return value;
}

// The node that classifies: a Gemm that yields the value.
std::optional<int> Classifier(const graph::Graph& g, ValueId value) {
  const auto last = g.Producer(value);
  return last && std::holds_alternative<graph::Gemm>(g.nodes[*last].op) ? last : std::nullopt;
}

// The first output that a Gemm yields holds the logits, and what it reads is the embedding; where no Gemm does, the
// first output is the embedding.
absl::Status ReadOutputs(const GraphProto& proto, Import& into) {
  graph::Graph& g = into.graph;
  for (const ValueInfoProto& info : proto.output()) {
    RESNETD_ASSIGN_OR_RETURN(const ValueId value, ReadOutput(info.name(), into));
    g.outputs.push_back({info.name(), value, into.head(info.name())});
  }
  if (g.outputs.empty()) return absl::InvalidArgumentError("expected an output, got none");
  const auto head = std::find_if(g.outputs.begin(), g.outputs.end(),
                                 [&](const graph::Output& o) { return Classifier(g, o.value).has_value(); });
  graph::Output& first = head == g.outputs.end() ? g.outputs.front() : *head;
  if (g.value(first.value).dims.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("output '", first.name, "': expected a vector an image, got ",
                                                   graph::ToString(g.value(first.value).dims)));
  }
  std::iter_swap(&g.outputs.front(), &first);
  if (head == g.outputs.end()) {
    g.outputs.front().name = std::string(graph::kPool);
    return absl::OkStatus();
  }
  const ValueId features = g.nodes[*Classifier(g, g.outputs.front().value)].inputs[0];
  g.outputs.front().name = std::string(graph::kLogits);
  g.outputs.insert(g.outputs.begin() + 1, {std::string(graph::kPool), features});
  return absl::OkStatus();
}

absl::StatusOr<graph::Graph> Read(absl::Span<const std::byte> file, absl::string_view name, const Folder& folder) {
  RESNETD_ASSIGN_OR_RETURN(ModelProto model, Parse(file));
  RESNETD_ASSIGN_OR_RETURN(const int opset, ReadOpset(model));
  GraphProto& proto = *model.mutable_graph();
  RESNETD_RETURN_IF_ERROR(CheckOperators(proto, opset));
  if (proto.output_size() > kMostOutputs) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected at most ", kMostOutputs, " outputs, got ", proto.output_size()));
  }
  Import into(ExternalData(folder.path, folder.on_file));
  into.graph.name = std::string(name);
  into.CountUses(proto);
  RESNETD_RETURN_IF_ERROR(ReadInitializersAndInput(proto, into));
  RESNETD_RETURN_IF_ERROR(ReadNodes(proto, opset, into));
  RESNETD_RETURN_IF_ERROR(ReadOutputs(proto, into));
  RESNETD_RETURN_IF_ERROR(graph::Validate(into.graph));
  return std::move(into.graph);
}

}  // namespace

absl::StatusOr<graph::Graph> ReadOnnx(absl::Span<const std::byte> file, absl::string_view name, const Folder& folder) {
  absl::StatusOr<graph::Graph> graph = Read(file, name, folder);
  if (graph.ok()) return graph;
  return absl::InvalidArgumentError(absl::StrCat("model '", name, "': ", graph.status().message()));
}

}  // namespace resnetd::onnx
