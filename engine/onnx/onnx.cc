// File -> protobuf, within the wire limits -> opset and operators known? -> initializers and the input get their
// operands -> the nodes one by one, each by its importer -> outputs -> what they are -> Validate().
#include "engine/onnx/onnx.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/graph/outputs.h"
#include "engine/onnx/operators/importers.h"
#include "engine/onnx/parse.h"

namespace resnetd::onnx {
namespace {

using graph::ValueId;

constexpr int kMostOutputs = 16;      // of one file
constexpr int64_t kMostChannels = 4;  // of an image; tells NHWC from NCHW
constexpr size_t kListedNodes = 50;   // of those that are not supported; the rest are counted

bool DefaultDomain(absl::string_view domain) {
  return domain.empty() || domain == "ai.onnx";
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

OperatorCheck Check(const GraphProto& graph, int opset) {
  OperatorCheck check{.opset = opset, .nodes = graph.node_size(), .unsupported = {}};
  for (const NodeProto& node : graph.node()) {
    if (DefaultDomain(node.domain()) && FindImporter(node.op_type()) != nullptr) continue;
    check.unsupported.push_back({NodeReader(node, opset).name(),
                                 absl::StrCat(node.domain(), node.domain().empty() ? "" : ".", node.op_type())});
  }
  return check;
}

absl::Status ToStatus(const OperatorCheck& check) {
  const size_t count = check.unsupported.size();
  if (count == 0) return absl::OkStatus();
  std::string list;
  for (size_t i = 0; i < std::min(count, kListedNodes); ++i) {
    const UnsupportedNode& node = check.unsupported[i];
    absl::StrAppend(&list, i > 0 ? ", " : "", Quoted(node.name), " (", Echo(node.op), ")");
  }
  if (count > kListedNodes) absl::StrAppend(&list, " and ", count - kListedNodes, " more");
  return absl::InvalidArgumentError(absl::StrCat("unsupported operators at opset ", check.opset, ": ", list));
}

// Images come as channels x height x width, or from TensorFlow with the channels last: then the graph begins with the
// transpose that makes them so, for the image itself is always CxHxW.
absl::Status ReadInput(const ValueInfoProto& info, Import& into) {
  const auto fault = [&](absl::string_view got) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input ", Quoted(info.name()),
        ": expected float32 images, batch x channels x height x width, all but the batch fixed; got ", got));
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
  const bool nhwc = dims[2] <= kMostChannels && dims[0] > kMostChannels;
  into.graph.input = into.graph.AddValue(nhwc ? absl::StrCat(info.name(), "/chw") : info.name());
  if (!nhwc) {
    into.graph.value(into.graph.input).dims = std::move(dims);
    RESNETD_RETURN_IF_ERROR(graph::InferShapes(into.graph));  // of no nodes yet: importers may multiply these dims
    return into.Define(info.name(), into.graph.input);
  }
  into.graph.value(into.graph.input).dims = {dims[2], dims[0], dims[1]};
  NodeProto input;
  input.add_output(info.name());
  return into.Add(NodeReader(input, kNewestOpset), graph::Transpose{{1, 2, 0}}, {into.graph.input});
}

absl::Status ReadInitializersAndInput(const Bytes& file, const ParsedModel& parsed, Import& into) {
  const GraphProto& proto = parsed.model.graph();
  absl::flat_hash_set<std::string> initialized;
  for (const absl::string_view initializer : parsed.initializers) {
    RESNETD_ASSIGN_OR_RETURN(const ParsedTensor from, ParseInitializer(initializer));
    RESNETD_ASSIGN_OR_RETURN(Operand operand, into.Read(from.tensor, file.Part(from.raw_data)));
    RESNETD_RETURN_IF_ERROR(into.Define(from.tensor.name(), std::move(operand)));
    initialized.insert(from.tensor.name());
  }
  if (proto.sparse_initializer_size() > 0) return absl::InvalidArgumentError("sparse initializers are not supported");
  int inputs = 0;
  for (const ValueInfoProto& info : proto.input()) {
    if (initialized.contains(info.name())) continue;  // older exporters list the weights here too
    if (++inputs > 1)
      return absl::InvalidArgumentError(absl::StrCat("expected one input, got also ", Quoted(info.name())));
    RESNETD_RETURN_IF_ERROR(ReadInput(info, into));
  }
  return inputs == 1 ? absl::OkStatus() : absl::InvalidArgumentError("expected one input, got none");
}

absl::Status ReadNode(const NodeProto& node, int opset, Import& into) {
  NodeReader n(node, opset);
  const absl::Status status = node.output_size() == 0 ? absl::InvalidArgumentError("expected an output, got none")
                                                      : n.Finish(FindImporter(node.op_type())(n, into));
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("node ", Quoted(n.name()), " (", Echo(node.op_type()), ", opset ", opset, "): ", status.message()));
}

// Says of all nodes at once what is wrong with them, but not of those that read what one at fault would have yielded.
absl::Status ReadNodes(const GraphProto& proto, int opset, Import& into) {
  absl::flat_hash_set<absl::string_view> missing;
  std::string faults;
  size_t count = 0;
  for (const NodeProto& node : proto.node()) {
    const bool follows = std::any_of(node.input().begin(), node.input().end(),
                                     [&](const std::string& name) { return missing.contains(name); });
    if (!follows) {
      const absl::Status status = ReadNode(node, opset, into);
      if (status.ok()) continue;
      if (++count <= kListedNodes) absl::StrAppend(&faults, count > 1 ? "; " : "", status.message());
    }
    missing.insert(node.output().begin(), node.output().end());
    missing.erase("");  // stands for an input or output that is left out
  }
  if (count == 0) return absl::OkStatus();
  if (count > kListedNodes) absl::StrAppend(&faults, "; and ", count - kListedNodes, " more");
  return absl::InvalidArgumentError(faults);
}

absl::Status ReadOutputs(const GraphProto& proto, Import& into) {
  for (const ValueInfoProto& info : proto.output()) {
    NodeProto end;
    end.add_input(info.name());
    RESNETD_ASSIGN_OR_RETURN(const ValueId value, into.Activation(NodeReader(end, kNewestOpset), 0));
    into.graph.outputs.push_back({info.name(), value, graph::HeadActivation::kNone, info.name()});
  }
  return into.graph.outputs.empty() ? absl::InvalidArgumentError("expected an output, got none") : absl::OkStatus();
}

absl::StatusOr<OnnxModel> Read(const Bytes& file, absl::string_view name, const std::string& folder,
                               const OutputHints& hints) {
  RESNETD_ASSIGN_OR_RETURN(const ParsedModel parsed, ParseModel(file.span()));
  RESNETD_ASSIGN_OR_RETURN(const int opset, ReadOpset(parsed.model));
  const GraphProto& proto = parsed.model.graph();
  RESNETD_RETURN_IF_ERROR(ToStatus(Check(proto, opset)));
  if (proto.output_size() > kMostOutputs) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected at most ", kMostOutputs, " outputs, got ", proto.output_size()));
  }
  Import into((ExternalData(folder)));
  into.graph.name = std::string(name);
  into.CountUses(proto);
  RESNETD_RETURN_IF_ERROR(ReadInitializersAndInput(file, parsed, into));
  RESNETD_RETURN_IF_ERROR(ReadNodes(proto, opset, into));
  RESNETD_RETURN_IF_ERROR(ReadOutputs(proto, into));
  RESNETD_RETURN_IF_ERROR(graph::ChooseOutputs(hints, into.graph));
  RESNETD_RETURN_IF_ERROR(graph::Validate(into.graph));
  return OnnxModel{std::move(into.graph), into.external().files()};
}

}  // namespace

absl::StatusOr<OnnxModel> ReadOnnx(const Bytes& file, absl::string_view name, const std::string& folder,
                                   const OutputHints& hints) {
  absl::StatusOr<OnnxModel> model = Read(file, name, folder, hints);
  if (model.ok()) return model;
  return absl::InvalidArgumentError(absl::StrCat("model ", Quoted(name), ": ", model.status().message()));
}

absl::StatusOr<OperatorCheck> CheckOperators(const Bytes& file) {
  RESNETD_ASSIGN_OR_RETURN(const ParsedModel parsed, ParseModel(file.span()));
  RESNETD_ASSIGN_OR_RETURN(const int opset, ReadOpset(parsed.model));
  return Check(parsed.model.graph(), opset);
}

}  // namespace resnetd::onnx
