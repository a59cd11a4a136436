#ifndef RESNETD_ENGINE_ONNX_FUNCTIONS_H_
#define RESNETD_ENGINE_ONNX_FUNCTIONS_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/onnx/opsets.h"
#include "engine/onnx/parse.h"

namespace resnetd::onnx {

inline constexpr int kMostFunctionDepth = 8;  // of functions that call functions
// Memory of all nodes that functions unfold to, beside as much as the file has.
inline constexpr size_t kMostFunctionBytes = size_t{16} << 20;

bool IsDefaultDomain(absl::string_view domain);

// The version of the default domain. INVALID_ARGUMENT: there is none, or none that is read here.
absl::StatusOr<int> ReadOpset(const google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto>& imports);

// Puts the nodes of a function in the place of each node that calls it, whose inputs, outputs and attributes take the
// places of the function's; inner nodes get the call's name in front ("block::conv"), inner tensors what the call
// yields and the function's name ("y::Block::c"). Only functions in the model itself are meant. Returns the opset of
// each node there is then: a function names its own. INVALID_ARGUMENT: a function calls itself, is defined twice, or
// unfolds to more nodes (kMaxNodes), depth or memory than allowed.
absl::StatusOr<std::vector<int>> InlineFunctions(size_t file_bytes, ModelProto& model);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_FUNCTIONS_H_
