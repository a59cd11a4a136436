#ifndef RESNETD_ENGINE_ONNX_PARSE_H_
#define RESNETD_ENGINE_ONNX_PARSE_H_

// The ONNX messages, and how a file becomes one of them. `::onnx` is theirs, `resnetd::onnx` ours.
#include <onnx/onnx_pb.h>

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace resnetd::onnx {

using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::ValueInfoProto;

// Fields of one file, at all depths, packed values aside: ResNet-152 has about 20,000.
inline constexpr int kMaxFields = 250'000;
// Nodes, at all depths: ResNet-152 has about 500 and exporters surround each layer with some. What is done for each
// node is allowed to look at all others.
inline constexpr int kMaxNodes = 20'000;
// Bytes of a name, of a string attribute or of what says where external data lies: they come back in messages, for
// which reason they may hold no control characters either.
inline constexpr int kMaxName = 4096;
// Bytes of all packed integers outside raw data (a byte each at least, eight when parsed): dims, shapes, axes, pads.
inline constexpr int kMaxIntegerBytes = 1 << 20;
// Messages within messages. A size in a shape, the deepest we read, is the seventh; graphs within graphs, which none of
// our operators holds, take three each.
inline constexpr int kMaxDepth = 20;

// Walks the serialized ModelProto without building anything and refuses what would be dear to parse: a parsed message
// can take ninety times its bytes (a million empty nodes are 2 MB in the file). INVALID_ARGUMENT names the node that
// goes too far, and also comes for bytes that are no protobuf message. Wire format:
// https://protobuf.dev/programming-guides/encoding/
absl::Status CheckWire(absl::Span<const std::byte> file);

// A model without its initializers, and those as they stand in the file: nearly all of the file is their elements,
// which protobuf would copy once more.
struct ParsedModel {
  ModelProto model;
  std::vector<absl::string_view> initializers;  // a serialized TensorProto each
};

struct ParsedTensor {
  TensorProto tensor;          // without raw_data
  absl::string_view raw_data;  // in the file
};

// The model in `file`, which must outlive the result, within the limits of CheckWire(). INVALID_ARGUMENT for bytes that
// protobuf would refuse, but for tags and lengths in more bytes than they may have, and what is wrong within an
// initializer.
absl::StatusOr<ParsedModel> ParseModel(absl::Span<const std::byte> file);
// One of its initializers. INVALID_ARGUMENT as above.
absl::StatusOr<ParsedTensor> ParseInitializer(absl::string_view initializer);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_PARSE_H_
