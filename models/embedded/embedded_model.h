#ifndef RESNETD_MODELS_EMBEDDED_EMBEDDED_MODEL_H_
#define RESNETD_MODELS_EMBEDDED_EMBEDDED_MODEL_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// models/fashion-resnet20/1, linked into the program: what it serves when it is told nothing else.
namespace resnetd::models {

inline constexpr char kEmbeddedName[] = "fashion-resnet20";
inline constexpr char kEmbeddedVersion[] = "1";

struct EmbeddedFile {
  absl::string_view name;     // "model.onnx"
  absl::string_view content;  // lives as long as the program
};

absl::Span<const EmbeddedFile> EmbeddedFiles();

}  // namespace resnetd::models

#endif  // RESNETD_MODELS_EMBEDDED_EMBEDDED_MODEL_H_
