// Every message that can hold many others is entered (schema: onnx.proto); any other field is counted and skipped
// whole.
#include "engine/onnx/wire_limits.h"

#include <limits>

#include "absl/strings/str_cat.h"
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

// What the field holds if it is to be entered, else null.
const Child* ChildOf(Message parent, int field) {
  for (const Child& child : kChildren) {
    if (child.parent == parent && child.field == field) return &child;
  }
  return nullptr;
}

class Walker {
 public:
  explicit Walker(CodedInputStream& in) : in_(in) {}

  absl::Status Walk(Message message, int depth) {
    if (depth > kMaxDepth) {
      return absl::InvalidArgumentError(absl::StrCat("the file has messages nested deeper than ", kMaxDepth));
    }
    while (const uint32_t tag = in_.ReadTag()) {
      if (++fields_ > kMaxFields) {
        return absl::InvalidArgumentError(absl::StrCat("the file has more than ", kMaxFields, " fields"));
      }
      const Child* child = ChildOf(message, WireFormatLite::GetTagFieldNumber(tag));
      const bool is_message = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
      if (child == nullptr || !is_message) {
        if (!WireFormatLite::SkipField(&in_, tag)) return NotProtobuf();
        continue;
      }
      uint32_t length = 0;
      if (!in_.ReadVarint32(&length) || length > static_cast<uint32_t>(std::numeric_limits<int>::max()) ||
          in_.BytesUntilLimit() < static_cast<int>(length)) {
        return NotProtobuf();
      }
      const CodedInputStream::Limit limit = in_.PushLimit(static_cast<int>(length));
      if (absl::Status s = Walk(child->message, depth + 1); !s.ok()) return s;
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
  absl::Status status = Walker(in).Walk(Message::kModel, 1);
  in.PopLimit(limit);
  return status;
}

}  // namespace resnetd::onnx
