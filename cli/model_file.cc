#include "cli/model_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
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
    RESNETD_ASSIGN_OR_RETURN(model.source, FindSource(path));
  }
  RESNETD_ASSIGN_OR_RETURN(model.onnx, ReadOnnxFile(model.source));
  return model;
}

}  // namespace resnetd::cli
