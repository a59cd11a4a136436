// resnetctl project: principal components of a model's embeddings of images, as a further layer of a copy of the model.
// The copy is a folder as the server takes it; what the model answered before, the copy answers too.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/cpu_budget.h"
#include "base/echo.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/inputs.h"
#include "cli/model_file.h"
#include "cli/print/json.h"
#include "cli/print/progress.h"
#include "cli/project/append_projection.h"
#include "cli/project/pca.h"
#include "models/loader.h"
#include "models/runner.h"
#include "models/source.h"
#include "nlohmann/json.hpp"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kModelFile[] = "model.onnx", kConfigFile[] = "config.textproto";
constexpr size_t kMostBytes = (size_t{1} << 31) - 1;  // of a file that is copied

struct Options {
  ImageArguments images;
  int components = 0;
  std::string model, root, out;
  std::string layer = "projection";
};

struct Outcome {
  Projection projection;
  size_t images = 0, failed = 0;
};

// The embeddings of image files, a batch at a time.
class Embedder {
 public:
  static absl::StatusOr<Embedder> Make(std::shared_ptr<const Model> model) {
    Embedder embedder(std::move(model));
    RESNETD_ASSIGN_OR_RETURN(embedder.runner_,
                             Runner::Make(*embedder.model_->engine, embedder.model_->recipe, *embedder.workplace_));
    return embedder;
  }

  int batch() const { return model_->engine->info().batch_sizes.back(); }
  // Decodes into slot `i`.
  absl::Status Load(const std::string& path, int i) {
    RESNETD_ASSIGN_OR_RETURN(const std::string file, ReadListedImage(path));
    return OutcomeOf(runner_->Decode(absl::string_view(file), i), file);
  }
  absl::Status AddTo(Pca& pca, int count) {
    const OutputId pool = model_->engine->info().embedding;
    RunSpec spec{.count = count, .wanted = {}};
    spec.wanted.set(static_cast<size_t>(pool));
    RESNETD_RETURN_IF_ERROR(runner_->Run(spec).status());
    for (int i = 0; i < count; ++i) pca.Add(runner_->output(pool, i));
    return absl::OkStatus();
  }

 private:
  explicit Embedder(std::shared_ptr<const Model> model)
      : model_(std::move(model)), workplace_(std::make_unique<Workplace>(model_->engine->arena_bytes())) {}

  std::shared_ptr<const Model> model_;
  std::unique_ptr<Workplace> workplace_;
  std::optional<Runner> runner_;
};

// A bad image is told and left out.
absl::StatusOr<Outcome> Learn(const Context& context, const std::shared_ptr<const Model>& model,
                              const std::vector<std::string>& files, int components) {
  RESNETD_ASSIGN_OR_RETURN(Embedder embedder, Embedder::Make(model));
  Pca pca(static_cast<size_t>(model->engine->info().features));
  Outcome outcome;
  {
    Progress progress(*context.err, context.err_is_terminal, static_cast<double>(files.size()), "images");
    int loaded = 0;
    for (size_t i = 0; i < files.size(); ++i) {
      if (const absl::Status status = embedder.Load(files[i], loaded); status.ok()) {
        ++loaded;
      } else {
        ++outcome.failed;
        *context.err << Explain(files[i], ErrorFrom(status)) << '\n';
      }
      if (loaded == 0 || (loaded < embedder.batch() && i + 1 < files.size())) continue;
      RESNETD_RETURN_IF_ERROR(embedder.AddTo(pca, std::exchange(loaded, 0)));
      progress.Update(static_cast<double>(i + 1));
    }
  }
  outcome.images = pca.count();
  RESNETD_ASSIGN_OR_RETURN(outcome.projection, pca.Project(static_cast<size_t>(components)));
  return outcome;
}

// Any first components are the components of a projection on fewer: the powers of two are offered.
std::string ConfigLines(const Options& options, size_t images) {
  std::vector<int> sizes;
  for (int size = 2; size < options.components; size *= 2) sizes.push_back(size);
  const std::string layer = absl::CEscape(options.layer);
  std::string lines =
      absl::StrFormat("# The first %d principal components of \"pool\" over %d images.\noutputs: \"%s\"\n",
                      options.components, images, layer);
  if (!sizes.empty()) {
    absl::StrAppend(&lines, "truncatable { layer: \"", layer, "\" sizes: [", absl::StrJoin(sizes, ", "), "] }\n");
  }
  return lines;
}

// A file beside the model that may be missing.
absl::Status CopyOptional(const ModelSource& source, const std::string& file, const fs::path& to) {
  const absl::StatusOr<std::string> bytes = source.read(file, kMostBytes);
  if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
  if (!bytes.ok()) return bytes.status();
  return WriteFile(to / file, {*bytes});
}

// A file that the model names as that of its weights: its path from the model's folder, and so from the copy's.
absl::Status CopyWeights(const ModelSource& source, const std::string& file, const fs::path& to) {
  const fs::path path = fs::path(file).lexically_normal();
  if (path.empty() || path.is_absolute() || *path.begin() == "..") {
    return absl::InvalidArgumentError(absl::StrCat(
        "external data ", Quoted(file), ": expected it in the model's folder or below, where it can be copied from"));
  }
  RESNETD_ASSIGN_OR_RETURN(const std::string bytes, source.read(file, kMostBytes));
  std::error_code error;
  fs::create_directories((to / path).parent_path(), error);  // what cannot be made cannot be written to either
  return WriteFile(to / path, {bytes});
}

absl::Status WriteModel(const Options& options, const ModelSource& source, const Model& model, const Outcome& outcome) {
  const ModelInfo& info = model.engine->info();
  const std::string& tensor = info.outputs[static_cast<size_t>(info.embedding)].tensor;
  RESNETD_ASSIGN_OR_RETURN(const std::string onnx, ReadOnnxFile(source));
  RESNETD_ASSIGN_OR_RETURN(const ProjectedModel projected,
                           AppendProjection(onnx, tensor, options.layer, outcome.projection));
  absl::StatusOr<std::string> config = source.read(kConfigFile, kMostBytes);
  if (!config.ok() && !absl::IsNotFound(config.status())) return config.status();
  std::string text = config.ok() ? *std::move(config) : "";
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += ConfigLines(options, outcome.images);

  const fs::path out = options.out;
  std::error_code error;
  fs::create_directories(out, error);
  if (error)
    return absl::UnavailableError(absl::StrCat("cannot make ", QuotedPath(options.out), ": ", error.message()));
  RESNETD_ASSIGN_OR_RETURN(const v1::ModelConfig parsed, ReadModelConfig(source));
  const std::vector<std::string> beside = FilesBeside(parsed);
  for (const std::string& file : beside) RESNETD_RETURN_IF_ERROR(CopyOptional(source, file, out));
  for (const std::string& file : projected.external_files) RESNETD_RETURN_IF_ERROR(CopyWeights(source, file, out));
  RESNETD_RETURN_IF_ERROR(WriteFile(out / kConfigFile, {text}));
  RESNETD_RETURN_IF_ERROR(WriteFile(out / kModelFile, {projected.onnx}));
  // A model that no server would serve is no result.
  return LoadModel(FileSource((out / kModelFile).string()), {}).status();
}

void Print(const Context& context, const Options& options, const Model& model, const Outcome& outcome) {
  const int features = model.engine->info().features;
  if (context.json) {
    const nlohmann::ordered_json json = {{"images", outcome.images},
                                         {"failed", outcome.failed},
                                         {"features", features},
                                         {"components", options.components},
                                         {"explained_variance", outcome.projection.explained},
                                         {"layer", options.layer},
                                         {"model", options.out}};
    *context.out << Dump(json) << '\n';
    return;
  }
  *context.out << absl::StrFormat(
      "%d of %d dimensions hold %.2f %% of the variance over %d images\nlayer \"%s\" of %s\n", options.components,
      features, 100 * outcome.projection.explained, outcome.images, Echo(options.layer), EchoPath(options.out));
}

absl::StatusOr<Outcome> Run(const Context& context, const Options& options, const std::vector<std::string>& files) {
  RESNETD_ASSIGN_OR_RETURN(const ModelSource source, FindSource(options.model, options.root));
  LoadOptions load;
  load.threads = ReadCpuBudget();
  RESNETD_ASSIGN_OR_RETURN(const LoadedModel loaded, LoadModel(source, load));
  RESNETD_ASSIGN_OR_RETURN(Outcome outcome, Learn(context, loaded.model, files, options.components));
  if (const absl::Status written = WriteModel(options, source, *loaded.model, outcome); !written.ok()) {
    std::error_code ignored;
    fs::remove_all(options.out, ignored);
    return written;
  }
  Print(context, options, *loaded.model, outcome);
  return outcome;
}

int Project(const Context& context, const Options& options) {
  const absl::StatusOr<std::vector<std::string>> files = ImagesOf(options.images);
  if (!files.ok()) {
    *context.err << Explain(ErrorFrom(files.status())) << '\n';
    return kUsage;
  }
  std::error_code error;
  if (fs::exists(options.out, error)) {
    *context.err << "--out: expected a folder that does not exist yet, got " << QuotedPath(options.out) << '\n';
    return kUsage;
  }
  const absl::StatusOr<Outcome> outcome = Run(context, options, *files);
  if (!outcome.ok()) {
    *context.err << Explain(ErrorFrom(outcome.status())) << '\n';
    return kFailed;
  }
  return outcome->failed == 0 ? kOk : kFailed;
}

}  // namespace

Command AddProject(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  AddImageArguments(app, options->images, "JPEG, PNG or WebP files, or folders of them, to learn from");
  app.add_option("--pca", options->components, "Principal components: values of a projected vector")
      ->required()
      ->check(CLI::PositiveNumber);
  app.add_option("--model", options->model, "The model: its ONNX file or folder")->required();
  AddModelRoot(app, options->root);
  app.add_option("--out", options->out, "Folder to make, for the model with the projection")->required();
  app.add_option("--layer", options->layer, "What the projection is called")->capture_default_str();
  return [options](const Context& context) { return Project(context, *options); };
}

}  // namespace resnetd::cli
