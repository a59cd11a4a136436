// Only messages that can hold many parts are entered; any other field is skipped whole:
//
//   ModelProto.graph(7) -> GraphProto.node(1) -> NodeProto.attribute(5) -> AttributeProto.g(6), graphs(11) ->
//   GraphProto
//                                                                       -> AttributeProto.t(5), tensors(10)
//                       -> GraphProto.initializer(5) -> TensorProto
#include "engine/onnx/wire_limits.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace resnetd::onnx {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

enum class Message { kModel, kGraph, kNode, kAttribute, kTensor };

struct Child {
  bool entered = false;
  Message message = Message::kModel;
};

Child ChildOf(Message parent, int field) {
  switch (parent) {
    case Message::kModel:
      if (field == 7) return {true, Message::kGraph};
      break;
    case Message::kGraph:
      if (field == 1) return {true, Message::kNode};
      if (field == 5) return {true, Message::kTensor};
      break;
    case Message::kNode:
      if (field == 5) return {true, Message::kAttribute};
      break;
    case Message::kAttribute:
      if (field == 5 || field == 10) return {true, Message::kTensor};
      if (field == 6 || field == 11) return {true, Message::kGraph};
      break;
    case Message::kTensor:
      break;
  }
  return {};
}

class Walker {
 public:
  explicit Walker(CodedInputStream& in) : in_(in) {}

  absl::Status Walk(Message message, int graph_depth) {
    if (graph_depth > kMaxGraphDepth) {
      return absl::InvalidArgumentError(absl::StrCat("graphs nested deeper than ", kMaxGraphDepth));
    }
    while (const uint32_t tag = in_.ReadTag()) {
      if (++fields_ > kMaxFields) {
        return absl::InvalidArgumentError(absl::StrCat("the file has more than ", kMaxFields, " fields"));
      }
      const Child child = ChildOf(message, WireFormatLite::GetTagFieldNumber(tag));
      const bool is_message = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
      if (!child.entered || !is_message) {
        if (!WireFormatLite::SkipField(&in_, tag)) return NotProtobuf();
        continue;
      }
      uint32_t length = 0;
      if (!in_.ReadVarint32(&length) || length > static_cast<uint32_t>(std::numeric_limits<int>::max()) ||
          in_.BytesUntilLimit() < static_cast<int>(length)) {
        return NotProtobuf();
      }
      const CodedInputStream::Limit limit = in_.PushLimit(static_cast<int>(length));
      const bool graph = child.message == Message::kGraph;
      if (absl::Status s = Walk(child.message, graph_depth + (graph ? 1 : 0)); !s.ok()) return s;
      in_.PopLimit(limit);
    }
    return in_.ConsumedEntireMessage() ? absl::OkStatus() : NotProtobuf();
  }

 private:
  static absl::Status NotProtobuf() {
    return absl::InvalidArgumentError("the file is not an ONNX model, or it is damaged or truncated");
  }

  CodedInputStream& in_;
  int fields_ = 0;
};

}  // namespace

absl::Status CheckWire(absl::Span<const std::byte> file) {
  if (file.empty()) return absl::InvalidArgumentError("the file is empty");
  if (file.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError(absl::StrCat("the file has ", file.size(), " bytes, expected less than 2 GiB"));
  }
  const int size = static_cast<int>(file.size());
  CodedInputStream in(reinterpret_cast<const uint8_t*>(file.data()), size);
  const CodedInputStream::Limit limit = in.PushLimit(size);
  absl::Status status = Walker(in).Walk(Message::kModel, 0);
  in.PopLimit(limit);
  return status;
}

}  // namespace resnetd::onnx
