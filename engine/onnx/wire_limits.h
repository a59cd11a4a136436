#ifndef RESNETD_ENGINE_ONNX_WIRE_LIMITS_H_
#define RESNETD_ENGINE_ONNX_WIRE_LIMITS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace resnetd::onnx {

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

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_WIRE_LIMITS_H_
