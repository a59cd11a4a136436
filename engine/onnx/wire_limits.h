#ifndef RESNETD_ENGINE_ONNX_WIRE_LIMITS_H_
#define RESNETD_ENGINE_ONNX_WIRE_LIMITS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace resnetd::onnx {

// Fields of one file, at all depths, tensors' values aside: ResNet-152 has about 20,000.
inline constexpr int kMaxFields = 250'000;
// Graphs within attributes of nodes within graphs. None of the operators we read holds a graph.
inline constexpr int kMaxGraphDepth = 4;

// Walks the serialized ModelProto without building anything and refuses what would be dear to parse: a parsed message
// can take ninety times its bytes (a million empty nodes are 2 MB in the file). INVALID_ARGUMENT also for bytes that
// are no protobuf message. Wire format: https://protobuf.dev/programming-guides/encoding/
absl::Status CheckWire(absl::Span<const std::byte> file);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_WIRE_LIMITS_H_
