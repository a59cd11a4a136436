#include "cli/model_file.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "models/config.h"
#include "models/foreign_file.h"
#include "models/loader.h"

namespace resnetd::cli {

std::string ModelFile::Title() const {
  return absl::StrCat(Echo(source.name), " version ", Echo(source.version), " (", EchoPath(source.origin), ")");
}

absl::StatusOr<ReadOptions> ReadingOf(const ModelFile& model, const std::string& preset) {
  RESNETD_ASSIGN_OR_RETURN(const v1::ModelConfig config, ReadModelConfig(model.source));
  ReadOptions reading;
  RESNETD_ASSIGN_OR_RETURN(reading.size, ChooseInputSize(config, model.input_size, preset));
  return reading;
}

CLI::Option* AddInputSize(CLI::App& app, std::string& input_size) {
  static constexpr char kOption[] = "--input-size";
  const auto check = [](const std::string& text) {
    const absl::Status status = ParseInputSize(text, kOption).status();
    return std::string(absl::StripPrefix(status.message(), absl::StrCat(kOption, ": ")));  // CLI11 puts it in front
  };
  return app.add_option(kOption, input_size, "HEIGHTxWIDTH of the images, where the file leaves them free: 224x224")
      ->check(check);
}

absl::StatusOr<ModelFile> OpenModel(const std::string& path, const std::string& input_size) {
  ModelFile model;
  model.input_size = input_size;
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
