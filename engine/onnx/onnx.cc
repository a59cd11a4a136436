// File -> protobuf, within the wire limits -> functions unfolded -> opset and operators known? -> initializers and the
// input, whose size may have to be found first, get their operands -> the nodes one by one, each by its importer ->
// outputs -> what they are -> Validate().
#include "engine/onnx/onnx.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/graph/output_tail.h"
#include "engine/graph/outputs.h"
#include "engine/onnx/element_types.h"
#include "engine/onnx/functions.h"
#include "engine/onnx/input.h"
#include "engine/onnx/input_size.h"
#include "engine/onnx/operators/importers.h"
#include "engine/onnx/parse.h"

namespace resnetd::onnx {
namespace {

using graph::ValueId;

constexpr int kMostOutputs = 16;     // of one file
constexpr size_t kListedNodes = 50;  // of those at fault, and operators that are not supported; the rest are counted

// Operators of networks in eight-bit integers, ONNX's own and ONNX Runtime's.
bool IsEightBit(const NodeProto& node) {
  const absl::string_view op = node.op_type();
  return absl::StartsWith(op, "QLinear") || absl::EndsWith(op, "QuantizeLinear") || op == "DequantizeLinear" ||
         op == "ConvInteger" || op == "MatMulInteger" || op == "QGemm" || op == "QAttention" ||
         op == "MatMulIntegerToFloat" || op == "DynamicQuantizeMatMul" || op == "DynamicQuantizeLSTM";
}

// "Foo (3 nodes), com.example.Bar (1 node)" of operators by node.
std::string Counted(const std::vector<UnsupportedNode>& nodes) {
  std::vector<std::pair<std::string, int>> counts;
  absl::flat_hash_map<std::string, size_t> places;
  for (const UnsupportedNode& node : nodes) {
    const auto [at, is_new] = places.emplace(node.op, counts.size());
    if (is_new) counts.emplace_back(node.op, 0);
    ++counts[at->second].second;
  }
  std::string list;
  for (size_t i = 0; i < std::min(counts.size(), kListedNodes); ++i) {
    const auto& [op, count] = counts[i];
    absl::StrAppend(&list, i > 0 ? ", " : "", Echo(op), " (", count, count == 1 ? " node)" : " nodes)");
  }
  if (counts.size() > kListedNodes) absl::StrAppend(&list, " and ", counts.size() - kListedNodes, " more operators");
  return list;
}

absl::StatusOr<OperatorCheck> Check(const GraphProto& graph, const std::vector<int>& opsets, int opset) {
  OperatorCheck check{.opset = opset, .nodes = graph.node_size(), .unsupported = {}};
  std::vector<UnsupportedNode> eight_bit;
  for (int i = 0; i < graph.node_size(); ++i) {
    const NodeProto& node = graph.node(i);
    const NodeReader reader(node, opsets[static_cast<size_t>(i)]);
    std::string op = absl::StrCat(node.domain(), node.domain().empty() ? "" : ".", node.op_type());
    if (IsEightBit(node)) {
      eight_bit.push_back({reader.name(), std::move(op)});
    } else if (!IsDefaultDomain(node.domain()) || FindImporter(node.op_type()) == nullptr) {
      check.unsupported.push_back({reader.name(), std::move(op)});
    }
  }
  if (eight_bit.empty()) return check;
  return absl::InvalidArgumentError(absl::StrCat(
      "an int8 network: serve the float one that it was made from (it computes in ", Counted(eight_bit), ")"));
}

absl::Status ToStatus(const OperatorCheck& check) {
  if (check.unsupported.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("operators that are not supported: ", Counted(check.unsupported),
                                                 "; the first is node ", Quoted(check.unsupported.front().name),
                                                 " at opset ", check.opset, "; an export without them is served"));
}

// Reads the initializers and returns the one input.
absl::StatusOr<const ValueInfoProto*> ReadInitializers(const Bytes& file, const ParsedModel& parsed, Import& into) {
  const GraphProto& proto = parsed.model.graph();
  absl::flat_hash_set<std::string> initialized;
  for (const absl::string_view initializer : parsed.initializers) {
    RESNETD_ASSIGN_OR_RETURN(const ParsedTensor from, ParseInitializer(initializer));
    RESNETD_ASSIGN_OR_RETURN(Operand operand, into.Read(from.tensor, file.Part(from.raw_data)));
    RESNETD_RETURN_IF_ERROR(into.Define(from.tensor.name(), std::move(operand)));
    initialized.insert(from.tensor.name());
  }
  if (proto.sparse_initializer_size() > 0) return absl::InvalidArgumentError("sparse initializers are not supported");
  const ValueInfoProto* input = nullptr;
  for (const ValueInfoProto& info : proto.input()) {
    if (initialized.contains(info.name())) continue;  // older exporters list the weights here too
    if (input != nullptr)
      return absl::InvalidArgumentError(absl::StrCat("expected one input, got also ", Quoted(info.name())));
    input = &info;
  }
  if (input == nullptr) return absl::InvalidArgumentError("expected one input, got none");
  return input;
}

absl::Status ImportNode(NodeReader& n, Import& into) {
  const NodeProto& node = n.node();
  if (node.output_size() == 0) return absl::InvalidArgumentError("expected an output, got none");
  if (into.FollowsRanking(n)) return into.DefineRanking(n, *into.RankedScores(node.input(0)));
  return n.Finish(IsOfPlaces(n, into) ? ImportOfPlaces(n, into) : FindImporter(node.op_type())(n, into));
}

absl::Status ReadNode(const NodeProto& node, int opset, Import& into) {
  NodeReader n(node, opset);
  const absl::Status status = ImportNode(n, into);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("node ", Quoted(n.name()), " (", Echo(node.op_type()), ", opset ", opset, "): ", status.message()));
}

// Reads the nodes that read constants alone, and marks them as done. What fails is left for later.
std::vector<bool> ReadConstantNodes(const GraphProto& proto, const std::vector<int>& opsets, Import& into) {
  std::vector<bool> done(opsets.size(), false);
  for (int i = 0; i < proto.node_size(); ++i) {
    const NodeProto& node = proto.node(i);
    const bool constant = std::all_of(node.input().begin(), node.input().end(), [&](const std::string& name) {
      return name.empty() || into.FindConstant(name) != nullptr;
    });
    if (!constant || node.output_size() != 1 || into.Knows(node.output(0))) continue;
    const auto at = static_cast<size_t>(i);
    done[at] = ReadNode(node, opsets[at], into).ok();
    if (!done[at]) into.Forget(node.output(0));
  }
  return done;
}

// Bytes flow only through nodes that move them, and a Cast makes floats of them: in floats the arithmetic of bytes,
// which wraps around, would be another.
class ByteTensors {
 public:
  void Add(const std::string& name) { names_.insert(name); }

  absl::Status Pass(const NodeProto& node) {
    const auto bytes = std::find_if(node.input().begin(), node.input().end(),
                                    [&](const std::string& name) { return names_.contains(name); });
    if (bytes == node.input().end()) return absl::OkStatus();
    static constexpr absl::string_view kEnd[] = {"Cast", "CastLike", "Shape"};
    static constexpr absl::string_view kMove[] = {"Concat", "Flatten", "Gather",  "Identity",  "Reshape",   "Resize",
                                                  "Slice",  "Split",   "Squeeze", "Transpose", "Unsqueeze", "Upsample"};
    const auto is = [&](absl::string_view op) { return node.op_type() == op; };
    if (std::any_of(std::begin(kEnd), std::end(kEnd), is)) return absl::OkStatus();
    if (std::none_of(std::begin(kMove), std::end(kMove), is)) {
      return absl::InvalidArgumentError(absl::StrCat("node ", Quoted(NodeReader(node, kNewestOpset).name()), " (",
                                                     Echo(node.op_type()), "): input ", Quoted(*bytes),
                                                     ": expected floats, got uint8; expected a Cast in front"));
    }
    names_.insert(node.output().begin(), node.output().end());
    return absl::OkStatus();
  }

 private:
  absl::flat_hash_set<std::string> names_;
};

// Says of all nodes at once what is wrong with them, but not of those that read what one at fault would have yielded.
absl::Status ReadNodes(const GraphProto& proto, const std::vector<int>& opsets, const std::vector<bool>& done,
                       ByteTensors bytes, Import& into) {
  absl::flat_hash_set<absl::string_view> missing;
  std::string faults;
  size_t count = 0;
  for (int i = 0; i < proto.node_size(); ++i) {
    if (done[static_cast<size_t>(i)]) continue;
    const NodeProto& node = proto.node(i);
    const bool follows = std::any_of(node.input().begin(), node.input().end(),
                                     [&](const std::string& name) { return missing.contains(name); });
    if (!follows) {
      absl::Status status = bytes.Pass(node);
      if (status.ok()) status = ReadNode(node, opsets[static_cast<size_t>(i)], into);
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

int64_t Elements(const graph::Graph& graph, ValueId id) {
  const graph::Dims& dims = graph.value(id).dims;
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

// A ranking's scores are served in its place, unless another output has as many values of the same last layer.
void ServeScores(const std::string& name, ValueId scores, Import& into, std::vector<std::string>& notes) {
  graph::Graph& graph = into.graph;
  const graph::Producers producers(graph);
  const graph::Tail tail = TailOf(graph, producers, scores);
  for (graph::Output& output : graph.outputs) {
    const std::optional<size_t> layer = TailOf(graph, producers, output.value).layer;
    const bool same = layer && layer == tail.layer && Elements(graph, output.value) == Elements(graph, scores);
    if (output.value != scores && !same) continue;
    notes.push_back(absl::StrCat("output ", Quoted(name), " is left out: it says which values of ", Quoted(output.name),
                                 " are the largest, as an answer does"));
    if (output.value == scores) output.ranked = true;
    return;
  }
  const std::string& tensor = graph.value(scores).name;
  notes.push_back(absl::StrCat("output ", Quoted(name), " says which values of ", Quoted(tensor),
                               " are the largest: these are served in its place"));
  graph.outputs.push_back({.name = tensor, .value = scores, .tensor = tensor, .ranked = true});
}

absl::Status ReadOutputs(const GraphProto& proto, Import& into, std::vector<std::string>& notes) {
  for (const ValueInfoProto& info : proto.output()) {
    if (into.RankedScores(info.name())) continue;
    NodeProto end;
    end.add_input(info.name());
    RESNETD_ASSIGN_OR_RETURN(const ValueId value, into.Activation(NodeReader(end, kNewestOpset), 0));
    into.graph.outputs.push_back({info.name(), value, graph::HeadActivation::kNone, info.name()});
  }
  for (const ValueInfoProto& info : proto.output()) {
    if (const auto scores = into.RankedScores(info.name())) ServeScores(info.name(), *scores, into, notes);
  }
  return into.graph.outputs.empty() ? absl::InvalidArgumentError("expected an output, got none") : absl::OkStatus();
}

// Takes what the operator says, or else what the file's own layers fix, or else what is usual.
absl::Status ChooseSize(const GraphProto& proto, const std::vector<int>& opsets, const InputSize& size,
                        const Import& constants, const std::vector<bool>& done, FileInput& input,
                        std::vector<std::string>& notes) {
  if (size.is_given()) return SetSize(size, input);
  if (input.is_sized()) return absl::OkStatus();
  const auto import = [&](int i, Import& into) {
    const auto at = static_cast<size_t>(i);
    return done[at] ? absl::OkStatus() : ReadNode(proto.node(i), opsets[at], into);
  };
  const std::optional<SolvedSize> solved = SolveSize(proto, input, constants, import);
  if (!solved.has_value() && size.usual_height == 0) return NoSize(input);
  if (!solved.has_value()) {
    if (input.height == 0) input.height = size.usual_height;
    if (input.width == 0) input.width = size.usual_width;
    notes.push_back(absl::StrCat("the file leaves the size of its images free: ", input.height, "x", input.width,
                                 " as ", size.usual_from, " has it (--input-size or input_size chooses another)"));
    return absl::OkStatus();
  }
  const bool square = size.usual_height == size.usual_width;
  const int64_t side = ChooseSide(*solved, square ? size.usual_height : 0);
  if (input.height == 0) input.height = side;
  if (input.width == 0) input.width = side;
  notes.push_back(absl::StrCat(
      "the file leaves the size of its images free, and its layers fit ", input.height, "x", input.width,
      solved->least == solved->largest ? std::string()
                                       : absl::StrCat(" (sides of ", solved->least, " to ", solved->largest, ")")));
  return absl::OkStatus();
}

void NoteTypes(const Import& into, const FileInput& input, std::vector<std::string>& notes) {
  const auto holds = [&](int type) {
    const std::vector<int>& types = into.float_types();
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  for (const int type : {TensorProto::FLOAT16, TensorProto::BFLOAT16}) {
    if (!holds(type)) continue;
    notes.push_back(
        absl::StrCat("the file's ", TypeName(type),
                     " numbers are widened to float32, which is exact, and the network computes in float32"));
  }
  if (holds(TensorProto::DOUBLE) || input.element_type == TensorProto::DOUBLE) {
    notes.push_back("the file's DOUBLE numbers are rounded to float32, and the network computes in float32");
  }
}

// Errors of a network at a size that the file leaves free name the size.
absl::Status AtSize(const absl::Status& status, const FileInput& input, bool was_free) {
  if (status.ok() || !was_free) return status;
  return absl::InvalidArgumentError(absl::StrCat("with images of ", input.height, "x", input.width, " (--input-size): ",
                                                 status.message(), "; another --input-size may fit"));
}

absl::StatusOr<OnnxModel> Read(const Bytes& file, absl::string_view name, const ReadSettings& settings) {
  RESNETD_ASSIGN_OR_RETURN(ParsedModel parsed, ParseModel(file.span()));
  RESNETD_ASSIGN_OR_RETURN(const std::vector<int> opsets, InlineFunctions(file.size(), parsed.model));
  RESNETD_ASSIGN_OR_RETURN(const int opset, ReadOpset(parsed.model.opset_import()));
  const GraphProto& proto = parsed.model.graph();
  RESNETD_ASSIGN_OR_RETURN(const OperatorCheck check, Check(proto, opsets, opset));
  RESNETD_RETURN_IF_ERROR(ToStatus(check));
  if (proto.output_size() > kMostOutputs) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected at most ", kMostOutputs, " outputs, got ", proto.output_size()));
  }
  Import into((ExternalData(settings.folder)));
  into.graph.name = std::string(name);
  into.CountUses(proto);
  RESNETD_ASSIGN_OR_RETURN(const ValueInfoProto* info, ReadInitializers(file, parsed, into));
  RESNETD_ASSIGN_OR_RETURN(FileInput input, DescribeInput(*info, proto, into));
  OnnxModel model;
  const bool was_free = !input.is_sized();
  std::vector<bool> done(opsets.size(), false);
  if (was_free && !settings.size.is_given()) done = ReadConstantNodes(proto, opsets, into);
  RESNETD_RETURN_IF_ERROR(ChooseSize(proto, opsets, settings.size, into, done, input, model.notes));
  RESNETD_RETURN_IF_ERROR(DefineInput(input, into));
  model.takes_bytes = input.element_type == TensorProto::UINT8;
  ByteTensors bytes;
  if (model.takes_bytes) bytes.Add(input.name);
  RESNETD_RETURN_IF_ERROR(AtSize(ReadNodes(proto, opsets, done, std::move(bytes), into), input, was_free));
  RESNETD_RETURN_IF_ERROR(ReadOutputs(proto, into, model.notes));
  NoteTypes(into, input, model.notes);
  RESNETD_RETURN_IF_ERROR(graph::ChooseOutputs(settings.hints, into.graph));
  RESNETD_RETURN_IF_ERROR(graph::Validate(into.graph));
  model.graph = std::move(into.graph);
  model.external_files = into.external().files();
  return model;
}

}  // namespace

absl::StatusOr<OnnxModel> ReadOnnx(const Bytes& file, absl::string_view name, const ReadSettings& settings) {
  absl::StatusOr<OnnxModel> model = Read(file, name, settings);
  if (model.ok()) return model;
  return absl::InvalidArgumentError(absl::StrCat("model ", Quoted(name), ": ", model.status().message()));
}

absl::StatusOr<OperatorCheck> CheckOperators(const Bytes& file) {
  RESNETD_ASSIGN_OR_RETURN(ParsedModel parsed, ParseModel(file.span()));
  RESNETD_ASSIGN_OR_RETURN(const std::vector<int> opsets, InlineFunctions(file.size(), parsed.model));
  RESNETD_ASSIGN_OR_RETURN(const int opset, ReadOpset(parsed.model.opset_import()));
  return Check(parsed.model.graph(), opsets, opset);
}

}  // namespace resnetd::onnx
