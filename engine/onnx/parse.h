#ifndef RESNETD_ENGINE_ONNX_PARSE_H_
#define RESNETD_ENGINE_ONNX_PARSE_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/onnx/schema.h"

namespace resnetd::onnx {

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
