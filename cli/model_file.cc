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

CLI::Option* AddModelRoot(CLI::App& app, std::string& root) {
  return app.add_option(
      "--model-root", root,
      "Folder below which the model's files must lie, whatever their links; default: the model's own, "
      "or the cache entry of a Hugging Face snapshot");
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

absl::StatusOr<ModelFile> OpenModel(const LocalModel& which) {
  ModelFile model;
  model.input_size = which.input_size;
  if (which.path.empty()) {
    model.source = EmbeddedSource();
  } else {
    absl::StatusOr<ModelSource> source = FindSource(which.path, which.root);
    if (!source.ok()) {
      const std::string foreign = ForeignFolder(which.path);
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
