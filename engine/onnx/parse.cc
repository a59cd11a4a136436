#include "engine/onnx/parse.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/onnx/wire_limits.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace resnetd::onnx {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

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
