// Limits are checked on the wire, before anything is parsed: every message that can hold many others is entered
// (schema: onnx.proto); any other field is counted, its length is checked if that matters, and it is skipped whole.
#include "engine/onnx/parse.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace resnetd::onnx {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

enum class Message {
  kModel,
  kTraining,
  kFunction,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSparseTensor,
  kAnnotation,
  kValueInfo,
  kType,
  kTensorType,
  kShape,
  kElement,
  kMap,
  kEntry,
};

struct Child {
  Message parent;
  int field;
  Message message;
};

constexpr Child kChildren[] = {
    {Message::kModel, 7, Message::kGraph},
    {Message::kModel, 20, Message::kTraining},
    {Message::kModel, 25, Message::kFunction},
    {Message::kTraining, 1, Message::kGraph},
    {Message::kTraining, 2, Message::kGraph},
    {Message::kFunction, 7, Message::kNode},
    {Message::kFunction, 11, Message::kAttribute},
    {Message::kGraph, 1, Message::kNode},
    {Message::kGraph, 5, Message::kTensor},
    {Message::kGraph, 11, Message::kValueInfo},
    {Message::kGraph, 12, Message::kValueInfo},
    {Message::kGraph, 13, Message::kValueInfo},
    {Message::kGraph, 14, Message::kAnnotation},
    {Message::kGraph, 15, Message::kSparseTensor},
    {Message::kNode, 5, Message::kAttribute},
    {Message::kAttribute, 5, Message::kTensor},
    {Message::kAttribute, 6, Message::kGraph},
    {Message::kAttribute, 10, Message::kTensor},
    {Message::kAttribute, 11, Message::kGraph},
    {Message::kAttribute, 14, Message::kType},
    {Message::kAttribute, 15, Message::kType},
    {Message::kAttribute, 22, Message::kSparseTensor},
    {Message::kAttribute, 23, Message::kSparseTensor},
    {Message::kTensor, 13, Message::kEntry},
    {Message::kSparseTensor, 1, Message::kTensor},
    {Message::kSparseTensor, 2, Message::kTensor},
    {Message::kValueInfo, 2, Message::kType},
    {Message::kType, 1, Message::kTensorType},
    {Message::kType, 4, Message::kElement},
    {Message::kType, 5, Message::kMap},
    {Message::kType, 8, Message::kTensorType},
    {Message::kType, 9, Message::kElement},
    {Message::kTensorType, 2, Message::kShape},
    {Message::kElement, 1, Message::kType},
    {Message::kMap, 2, Message::kType},
};

struct Leaf {
  Message parent;
  int field;
};

constexpr Leaf kNodeName = {Message::kNode, 3};

// Strings that reach messages, and with them logs and terminals.
constexpr Leaf kNames[] = {
    {Message::kGraph, 2},     {Message::kNode, 1},       {Message::kNode, 2},      kNodeName,
    {Message::kNode, 4},      {Message::kNode, 7},       {Message::kAttribute, 1}, {Message::kAttribute, 4},
    {Message::kTensor, 8},    {Message::kEntry, 1},      {Message::kEntry, 2},     {Message::kValueInfo, 1},
    {Message::kFunction, 1},  {Message::kFunction, 4},   {Message::kFunction, 5},  {Message::kFunction, 6},
    {Message::kFunction, 10}, {Message::kAttribute, 21},
};

// Lists of variable-length integers; they come packed into one field, or as a field each.
constexpr Leaf kIntegers[] = {
    {Message::kAttribute, 8}, {Message::kTensor, 1},  {Message::kTensor, 5},
    {Message::kTensor, 7},    {Message::kTensor, 11},
};

// Returns the kind of message in the field if it is to be entered, else null.
const Child* ChildOf(Message parent, int field) {
  for (const Child& child : kChildren) {
    if (child.parent == parent && child.field == field) return &child;
  }
  return nullptr;
}

bool IsOneOf(absl::Span<const Leaf> leaves, Message parent, int field) {
  for (const Leaf& leaf : leaves) {
    if (leaf.parent == parent && leaf.field == field) return true;
  }
  return false;
}

class Walker {
 public:
  explicit Walker(CodedInputStream& in) : in_(in) {}

  absl::Status Walk(Message message, int depth) {
    if (depth > kMaxDepth) return Refusal(absl::StrCat("messages nested deeper than ", kMaxDepth));
    while (const uint32_t tag = in_.ReadTag()) {
      if (++fields_ > kMaxFields) return Refusal(absl::StrCat("more than ", kMaxFields, " fields"));
      const int field = WireFormatLite::GetTagFieldNumber(tag);
      const WireFormatLite::WireType type = WireFormatLite::GetTagWireType(tag);
      // ONNX has no groups, and an unknown one would hold fields that we don't count.
      if (type == WireFormatLite::WIRETYPE_START_GROUP) return NotProtobuf();
      if (type != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
        if (!WireFormatLite::SkipField(&in_, tag)) return NotProtobuf();
        continue;
      }
      uint32_t length = 0;
      if (!in_.ReadVarint32(&length) || length > static_cast<uint32_t>(std::numeric_limits<int>::max()) ||
          in_.BytesUntilLimit() < static_cast<int>(length)) {
        return NotProtobuf();
      }
      const Child* child = ChildOf(message, field);
      absl::Status status = child != nullptr ? Enter(child->message, static_cast<int>(length), depth)
                                             : Skip(message, field, static_cast<int>(length));
      if (!status.ok()) return status;
    }
    return in_.ConsumedEntireMessage() ? absl::OkStatus() : NotProtobuf();
  }

 private:
  absl::Status Enter(Message message, int length, int depth) {
    const bool is_node = message == Message::kNode;
    const bool is_outermost_node = is_node && !in_node_;
    if (is_outermost_node) {
      in_node_ = true;
      node_name_.clear();
    }
    if (is_node) ++nodes_;
    const CodedInputStream::Limit limit = in_.PushLimit(length);
    RESNETD_RETURN_IF_ERROR(Walk(message, depth + 1));
    in_.PopLimit(limit);
    if (nodes_ > kMaxNodes) return Refusal(absl::StrCat("more than ", kMaxNodes, " nodes"));
    if (is_outermost_node) in_node_ = false;
    return absl::OkStatus();
  }

  absl::Status Skip(Message parent, int field, int length) {
    if (IsOneOf(kIntegers, parent, field) && (integers_ += length) > kMaxIntegerBytes) {
      return Refusal(absl::StrCat("more than ", kMaxIntegerBytes, " bytes of integers outside raw data"));
    }
    if (IsOneOf(kNames, parent, field)) {
      if (length > kMaxName) {
        return Refusal(absl::StrCat("a name or value of ", length, " bytes, expected at most ", kMaxName));
      }
      std::string name;
      if (!in_.ReadString(&name, length)) return NotProtobuf();
      if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); })) {
        return Refusal("a name or value with control characters");
      }
      const bool is_node_name = parent == kNodeName.parent && field == kNodeName.field;
      if (is_node_name && node_name_.empty()) node_name_ = std::move(name);
      return absl::OkStatus();
    }
    return in_.Skip(length) ? absl::OkStatus() : NotProtobuf();
  }

  // Says where: at a node by its name, if it came before the fault, or by how many came before it.
  absl::Status Refusal(absl::string_view what) const {
    const std::string where = !in_node_            ? std::string()
                              : node_name_.empty() ? absl::StrCat(" at node number ", nodes_)
                                                   : absl::StrCat(" at node ", Quoted(node_name_));
    return absl::InvalidArgumentError(absl::StrCat("the file has ", what, where));
  }

  static absl::Status NotProtobuf() {
    return absl::InvalidArgumentError("the file is not an ONNX model, or it is damaged or truncated");
  }

  CodedInputStream& in_;
  int fields_ = 0, nodes_ = 0;
  int64_t integers_ = 0;   // bytes of packed ones
  bool in_node_ = false;   // somewhere within a node that is in no other
  std::string node_name_;  // that node's
};

absl::Status Damaged() {
  return absl::InvalidArgumentError("the file is not an ONNX model, or it is damaged or truncated");
}

// Takes the length-delimited fields of this number out of a serialized message: their contents go to `taken`, all other
// fields, which are then a message too, to `rest`. False if it is no message.
bool Take(absl::string_view message, int field, std::vector<absl::string_view>& taken, std::string& rest) {
  const uint32_t wanted = WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()), static_cast<int>(message.size()));
  for (int begin = 0; const uint32_t tag = in.ReadTag(); begin = in.CurrentPosition()) {
    if (tag != wanted) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      absl::StrAppend(&rest,
                      message.substr(static_cast<size_t>(begin), static_cast<size_t>(in.CurrentPosition() - begin)));
      continue;
    }
    uint32_t length = 0;
    if (!in.ReadVarint32(&length)) return false;
    taken.push_back(message.substr(static_cast<size_t>(in.CurrentPosition()), length));
    if (taken.back().size() != length || !in.Skip(static_cast<int>(length))) return false;
  }
  return in.ConsumedEntireMessage();
}

}  // namespace

absl::Status CheckWire(absl::Span<const std::byte> file) {
  if (file.empty()) return absl::InvalidArgumentError("the file is empty");
  if (file.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError(absl::StrCat("the file has ", file.size(), " bytes, expected less than 2 GiB"));
  }
  const int size = static_cast<int>(file.size());
  CodedInputStream in(reinterpret_cast<const uint8_t*>(file.data()), size);
  const CodedInputStream::Limit limit = in.PushLimit(size);
  absl::Status status = Walker(in).Walk(Message::kModel, 1);
  in.PopLimit(limit);
  return status;
}

absl::StatusOr<ParsedModel> ParseModel(absl::Span<const std::byte> file) {
  RESNETD_RETURN_IF_ERROR(CheckWire(file));
  ParsedModel parsed;
  std::vector<absl::string_view> graphs;
  std::string model, graph;
  if (!Take({reinterpret_cast<const char*>(file.data()), file.size()}, ModelProto::kGraphFieldNumber, graphs, model)) {
    return Damaged();
  }
  // If a message comes more than once, protobuf merges the parts, which is to read them one after the other.
  for (const absl::string_view part : graphs) {
    if (!Take(part, GraphProto::kInitializerFieldNumber, parsed.initializers, graph)) return Damaged();
  }
  if (graphs.empty() || !parsed.model.ParseFromString(model)) return Damaged();
  if (!parsed.model.mutable_graph()->ParseFromString(graph)) return Damaged();
  return parsed;
}

absl::StatusOr<ParsedTensor> ParseInitializer(absl::string_view initializer) {
  ParsedTensor parsed;
  std::vector<absl::string_view> raw_data;
  std::string rest;
  if (!Take(initializer, TensorProto::kRawDataFieldNumber, raw_data, rest) || !parsed.tensor.ParseFromString(rest)) {
    return Damaged();
  }
  if (!raw_data.empty()) parsed.raw_data = raw_data.back();  // the last one counts, as ever in protobuf
  return parsed;
}

}  // namespace resnetd::onnx
