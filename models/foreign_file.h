#ifndef RESNETD_MODELS_FOREIGN_FILE_H_
#define RESNETD_MODELS_FOREIGN_FILE_H_

#include <string>

#include "absl/strings/string_view.h"

// Networks in formats that are not served, recognised so that an error can say what they are and the way out.
namespace resnetd {

// "a PyTorch checkpoint, which holds weights and no network: ...": what a file of this name and content is, by its
// first and last bytes. Empty for an ONNX file, and for what nobody knows.
std::string ForeignFormat(absl::string_view name, absl::string_view content);

// The same of a folder without a model.onnx, by the names of what lies in it and in its numbered folders. Empty where
// nothing is known by name, or the folder cannot be read.
std::string ForeignFolder(const std::string& folder);

// Whether Triton's configuration lies in a model's folder or in the one above, as in <name>/<version>/model.onnx.
bool HasTritonConfig(const std::string& folder);

}  // namespace resnetd

#endif  // RESNETD_MODELS_FOREIGN_FILE_H_
