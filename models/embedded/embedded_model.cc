#include "models/embedded/embedded_model.h"

#include <array>
#include <cstddef>

// Defined in embedded_model.S.
extern "C" {
extern const char resnetd_embedded_onnx[], resnetd_embedded_onnx_end[];
extern const char resnetd_embedded_labels[], resnetd_embedded_labels_end[];
extern const char resnetd_embedded_config[], resnetd_embedded_config_end[];
extern const char resnetd_embedded_golden[], resnetd_embedded_golden_end[];
}

namespace resnetd::models {
namespace {

absl::string_view Between(const char* begin, const char* end) {
  return {begin, static_cast<size_t>(end - begin)};
}

}  // namespace

absl::Span<const EmbeddedFile> EmbeddedFiles() {
  static const std::array<EmbeddedFile, 4> files = {{
      {"model.onnx", Between(resnetd_embedded_onnx, resnetd_embedded_onnx_end)},
      {"labels.txt", Between(resnetd_embedded_labels, resnetd_embedded_labels_end)},
      {"config.textproto", Between(resnetd_embedded_config, resnetd_embedded_config_end)},
      {"golden.textproto", Between(resnetd_embedded_golden, resnetd_embedded_golden_end)},
  }};
  return files;
}

}  // namespace resnetd::models
