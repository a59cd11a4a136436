#include "cli/model_file.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "models/foreign_file.h"
#include "models/loader.h"

namespace resnetd::cli {

std::string ModelFile::Title() const {
  return absl::StrCat(Echo(source.name), " version ", Echo(source.version), " (", EchoPath(source.origin), ")");
}

absl::StatusOr<ModelFile> OpenModel(const std::string& path) {
  ModelFile model;
  if (path.empty()) {
    model.source = EmbeddedSource();
  } else {
    absl::StatusOr<ModelSource> source = FindSource(path);
    if (!source.ok()) {
      const std::string foreign = ForeignFolder(path);
      return foreign.empty() ? source.status()
                             : absl::NotFoundError(absl::StrCat(source.status().message(), ": ", foreign));
    }
    model.source = *std::move(source);
  }
  absl::StatusOr<std::string> onnx = ReadOnnxFile(model.source);
  if (onnx.ok()) {
    model.onnx = *std::move(onnx);
    return model;
  }
  const absl::Status& status = onnx.status();
  if (absl::StrContains(status.message(), EchoPath(model.source.origin))) return status;
  return absl::Status(status.code(), absl::StrCat(QuotedPath(model.source.origin), ": ", status.message()));
}

}  // namespace resnetd::cli
