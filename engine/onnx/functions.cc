// A call is expanded depth first: what its function's nodes call is expanded at once. Calls are counted as nodes are,
// since functions without nodes of their own could call each other very often.
#include "engine/onnx/functions.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::onnx {
namespace {

using ::onnx::FunctionProto;
using Nodes = google::protobuf::RepeatedPtrField<NodeProto>;

// FunctionProto.attribute_proto, attributes with defaults, which the schema library may be too old to know.
constexpr int kDefaultsField = 11;

std::string KeyOf(absl::string_view domain, absl::string_view name) {
  return absl::StrCat(IsDefaultDomain(domain) ? "" : domain, "|", name);
}

std::vector<AttributeProto> DefaultsOf(const FunctionProto& function) {
  std::vector<AttributeProto> defaults;
  const google::protobuf::UnknownFieldSet& unknown = function.GetReflection()->GetUnknownFields(function);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const google::protobuf::UnknownField& field = unknown.field(i);
    if (field.number() != kDefaultsField || field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) {
      continue;
    }
    AttributeProto attribute;
    if (attribute.ParseFromString(field.length_delimited())) defaults.push_back(std::move(attribute));
  }
  return defaults;
}

const AttributeProto* FindAttribute(absl::string_view name, const NodeProto& call,
                                    const std::vector<AttributeProto>& defaults) {
  for (const AttributeProto& a : call.attribute()) {
    if (a.name() == name) return &a;
  }
  for (const AttributeProto& a : defaults) {
    if (a.name() == name) return &a;
  }
  return nullptr;
}

class Inliner {
 public:
  Inliner(const ModelProto& model, size_t most_bytes) : bytes_left_(most_bytes) {
    for (const FunctionProto& function : model.functions()) {
      const auto [at, is_new] = functions_.emplace(KeyOf(function.domain(), function.name()), &function);
      if (!is_new) at->second = nullptr;  // overloads, which nodes of this schema cannot tell apart
    }
  }

  // Appends the node, or what it calls, to nodes().
  absl::Status Expand(NodeProto node, int opset) {
    const auto called = functions_.find(KeyOf(node.domain(), node.op_type()));
    if (++count_ > kMaxNodes) return Fault(node, absl::StrCat("more than ", kMaxNodes, " nodes and calls"));
    if (called != functions_.end()) return Call(node, called->second, opset);
    *nodes_.Add() = std::move(node);
    opsets_.push_back(opset);
    return absl::OkStatus();
  }

  Nodes& nodes() { return nodes_; }
  std::vector<int>& opsets() { return opsets_; }

 private:
  static absl::Status Fault(const NodeProto& node, absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("node ", Quoted(node.name()), " (", Echo(node.op_type()),
                                                   "): functions of the file unfold to ", what));
  }

  // Called before so many bytes are copied.
  absl::Status Spend(const NodeProto& call, size_t bytes) {
    if (bytes > bytes_left_) return Fault(call, "more memory than the file's size and 16 MiB");
    bytes_left_ -= bytes;
    return absl::OkStatus();
  }

  absl::Status Call(const NodeProto& call, const FunctionProto* function, int opset) {
    const std::string at = absl::StrCat("node ", Quoted(call.name()), ": function ", Quoted(call.op_type()), ": ");
    if (function == nullptr) return absl::InvalidArgumentError(absl::StrCat(at, "the file defines it twice"));
    if (std::find(active_.begin(), active_.end(), function) != active_.end()) {
      return absl::InvalidArgumentError(absl::StrCat(at, "it calls itself"));
    }
    if (active_.size() >= kMostFunctionDepth) {
      return absl::InvalidArgumentError(
          absl::StrCat(at, "functions call functions more than ", kMostFunctionDepth, " deep"));
    }
    if (call.input_size() > function->input_size() || call.output_size() > function->output_size()) {
      return absl::InvalidArgumentError(absl::StrCat(at, "expected at most ", function->input_size(), " inputs and ",
                                                     function->output_size(), " outputs, got ", call.input_size(),
                                                     " and ", call.output_size()));
    }
    const auto& imports = function->opset_import();
    // A function that only calls others names no opset for operators.
    if (std::any_of(imports.begin(), imports.end(),
                    [](const auto& import) { return IsDefaultDomain(import.domain()); })) {
      const auto own = ReadOpset(imports);
      if (!own.ok()) return absl::InvalidArgumentError(absl::StrCat(at, own.status().message()));
      opset = *own;
    }
    active_.push_back(function);
    RESNETD_RETURN_IF_ERROR(ExpandBody(call, *function, opset));
    active_.pop_back();
    return absl::OkStatus();
  }

  absl::Status ExpandBody(const NodeProto& call, const FunctionProto& function, int opset) {
    // Calls within each other may yield the same tensor, but never of the same function.
    const std::string prefix =
        absl::StrCat(call.output_size() > 0 ? call.output(0) : call.name(), "::", call.op_type(), "::");
    const std::vector<AttributeProto> defaults = DefaultsOf(function);
    absl::flat_hash_map<std::string, std::string> names;  // the function's -> the caller's
    for (int i = 0; i < function.input_size(); ++i) {
      names[function.input(i)] = i < call.input_size() ? call.input(i) : std::string();
    }
    std::vector<std::pair<std::string, std::string>> passed_on;  // inputs that are outputs too
    for (int i = 0; i < call.output_size(); ++i) {
      if (call.output(i).empty()) continue;
      const auto [at, is_new] = names.emplace(function.output(i), call.output(i));
      if (!is_new) passed_on.emplace_back(at->second, call.output(i));
    }
    const auto renamed = [&](const std::string& name) {
      const auto at = names.find(name);
      if (at != names.end()) return at->second;
      return name.empty() ? name : absl::StrCat(prefix, name);
    };
    for (const NodeProto& inner : function.node()) {
      RESNETD_RETURN_IF_ERROR(Spend(call, inner.SpaceUsedLong() + prefix.size() + call.name().size()));
      NodeProto node = inner;
      node.set_name(absl::StrCat(call.name().empty() ? prefix : absl::StrCat(call.name(), "::"),
                                 inner.name().empty() ? inner.op_type() : inner.name()));
      for (auto* list : {node.mutable_input(), node.mutable_output()}) {
        for (std::string& name : *list) {
          name = renamed(name);
          RESNETD_RETURN_IF_ERROR(Spend(call, name.size()));
        }
      }
      RESNETD_RETURN_IF_ERROR(FillAttributes(call, defaults, node));
      RESNETD_RETURN_IF_ERROR(Expand(std::move(node), opset));
    }
    for (const auto& [from, to] : passed_on) {
      NodeProto same;
      same.set_op_type("Identity");
      same.add_input(from);
      same.add_output(to);
      RESNETD_RETURN_IF_ERROR(Expand(std::move(same), opset));
    }
    return absl::OkStatus();
  }

  // An attribute that refers to one of the call's has its value, or is left out where the call has none.
  absl::Status FillAttributes(const NodeProto& call, const std::vector<AttributeProto>& defaults, NodeProto& node) {
    google::protobuf::RepeatedPtrField<AttributeProto> filled;
    for (AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.ref_attr_name().empty()) {
        *filled.Add() = std::move(attribute);
      } else if (const AttributeProto* value = FindAttribute(attribute.ref_attr_name(), call, defaults)) {
        RESNETD_RETURN_IF_ERROR(Spend(call, value->SpaceUsedLong()));
        *filled.Add() = *value;
        filled.rbegin()->set_name(attribute.name());
      }
    }
    node.mutable_attribute()->Swap(&filled);
    return absl::OkStatus();
  }

  absl::flat_hash_map<std::string, const FunctionProto*> functions_;
  std::vector<const FunctionProto*> active_;
  size_t bytes_left_;
  int count_ = 0;
  Nodes nodes_;
  std::vector<int> opsets_;
};

}  // namespace

bool IsDefaultDomain(absl::string_view domain) {
  return domain.empty() || domain == "ai.onnx";
}

absl::StatusOr<int> ReadOpset(const google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto>& imports) {
  for (const auto& import : imports) {
    if (!IsDefaultDomain(import.domain())) continue;
    if (import.version() >= kOldestOpset && import.version() <= kNewestOpset) return static_cast<int>(import.version());
    return absl::InvalidArgumentError(absl::StrCat("expected opset ", kOldestOpset, " to ", kNewestOpset, ", got ",
                                                   import.version(), "; onnx.version_converter changes it"));
  }
  return absl::InvalidArgumentError("the file names no opset of the default domain");
}

absl::StatusOr<std::vector<int>> InlineFunctions(size_t file_bytes, ModelProto& model) {
  RESNETD_ASSIGN_OR_RETURN(const int opset, ReadOpset(model.opset_import()));
  GraphProto& graph = *model.mutable_graph();
  if (model.functions().empty()) return std::vector<int>(static_cast<size_t>(graph.node_size()), opset);
  Inliner inliner(model, file_bytes + kMostFunctionBytes);
  for (NodeProto& node : *graph.mutable_node()) RESNETD_RETURN_IF_ERROR(inliner.Expand(std::move(node), opset));
  graph.mutable_node()->Swap(&inliner.nodes());
  return std::move(inliner.opsets());
}

}  // namespace resnetd::onnx
