#ifndef RESNETD_ENGINE_ONNX_WIRE_LIMITS_H_
#define RESNETD_ENGINE_ONNX_WIRE_LIMITS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace resnetd::onnx {

// Fields of one file, at all depths, packed values aside: ResNet-152 has about 20,000.
inline constexpr int kMaxFields = 250'000;
// Messages within messages. A size in a shape, the deepest we read, is the seventh; graphs within graphs, which none of
// our operators holds, take three each.
inline constexpr int kMaxDepth = 20;

// Walks the serialized ModelProto without building anything and refuses what would be dear to parse: a parsed message
// can take ninety times its bytes (a million empty nodes are 2 MB in the file). INVALID_ARGUMENT also for bytes that
// are no protobuf message. Wire format: https://protobuf.dev/programming-guides/encoding/
absl::Status CheckWire(absl::Span<const std::byte> file);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_WIRE_LIMITS_H_
