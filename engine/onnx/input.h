#ifndef RESNETD_ENGINE_ONNX_INPUT_H_
#define RESNETD_ENGINE_ONNX_INPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/graph/input_kinds.h"
#include "engine/onnx/import.h"

namespace resnetd::onnx {

// Holds what a file says of its one input, and what its nodes say of that.
struct FileInput {
  std::string name;
  int element_type = 0;
  int64_t batch = 0;                            // 0: free
  int64_t channels = 0, height = 0, width = 0;  // 0: free
  bool nhwc = false;

  bool is_sized() const { return height > 0 && width > 0; }
};

// Reads the input's description. Sizes that are -1, 0, a name or missing are free, as is all of a missing shape.
// Channels that are free are those of the first convolution, which also says where they are among the axes; where no
// convolution reads the image as it is, fixed sizes say it: the last axis is channels if it has at most four and the
// second more. INVALID_ARGUMENT: neither a tensor of four axes of floats or bytes, or channels that nothing says.
// `into` has the initializers.
absl::StatusOr<FileInput> DescribeInput(const ValueInfoProto& info, const GraphProto& proto, const Import& into);

// Fills in what the file leaves free. INVALID_ARGUMENT: the file fixes another size.
absl::Status SetSize(const InputSize& size, FileInput& input);

// Defines the input, which has a size: the image, channels first, and for a file with the channels last the transpose
// that makes them so.
absl::Status DefineInput(const FileInput& input, Import& into);

// "'x': expected height and width of the image, which the file leaves free: --input-size ..." as an error.
absl::Status NoSize(const FileInput& input);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_INPUT_H_
