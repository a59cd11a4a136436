#ifndef RESNETD_ENGINE_ONNX_SCHEMA_H_
#define RESNETD_ENGINE_ONNX_SCHEMA_H_

// The ONNX messages, under the name our code uses for them: `::onnx` is theirs, `resnetd::onnx` ours.
#include <onnx/onnx_pb.h>

namespace resnetd::onnx {

using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::ValueInfoProto;

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_SCHEMA_H_
