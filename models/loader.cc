// Turns files into a Model, in the order in which mistakes are cheapest to find.
#include "models/loader.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <future>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "engine/image/image.h"
#include "models/config.h"
#include "models/embedding_space.h"
#include "models/foreign_file.h"
#include "models/golden_check.h"
#include "models/labels.h"
#include "models/outputs.h"
#include "models/runner.h"

namespace resnetd {
namespace {

constexpr size_t kMaxOnnxBytes = (size_t{1} << 31) - 1;  // protobuf's own limit
constexpr size_t kMaxConfigBytes = size_t{1} << 20;
constexpr size_t kMaxLabelsBytes = size_t{16} << 20;
constexpr size_t kMaxGoldenBytes = size_t{64} << 20;
constexpr char kConfigFile[] = "config.textproto";
constexpr char kLabelsFile[] = "labels.txt";
constexpr char kHubFile[] = "config.json";  // Hugging Face's, with id2label
constexpr char kGoldenFile[] = "golden.textproto";

// One batch size is measured for so long: long enough for a run that nothing disturbs. What takes longer than
// kMostCostTime runs once: memory that is touched for the first time makes it a few parts in a hundred too long, and
// the start of a large network as short as it can be.
constexpr int kCostRuns = 3;
constexpr std::chrono::milliseconds kLeastCostTime{20}, kMostCostTime{30};

// A file that may be missing, unless the config names it.
absl::StatusOr<std::optional<std::string>> ReadOptional(const ModelSource& source, const std::string& named,
                                                        const char* default_name, size_t max_bytes) {
  absl::StatusOr<std::string> text = source.read(named.empty() ? default_name : named, max_bytes);
  if (text.ok()) return std::optional<std::string>(*std::move(text));
  if (named.empty() && absl::IsNotFound(text.status())) return std::optional<std::string>();
  return text.status();
}

// Returns the outputs that most requests want. Further outputs cost little more, and the scheduler learns that by
// itself.
OutputSet CommonOutputs(const ModelInfo& info) {
  OutputSet common;
  for (const OutputId id : {info.logits, info.embedding}) {
    if (id != kNoOutput) common.set(static_cast<size_t>(id));
  }
  return common;
}

// On a busy machine no run of milliseconds gets through undisturbed. A clock that stands while others run tells what it
// costs all the same, and so how sizes compare; by how much all take longer the scheduler learns by itself.
Duration ThreadCpuTime() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// A network may see -2 to 2, or what comes of pixels where the file says that it takes those.
struct Noise {
  double least = -2, range = 4;
};

Noise NoiseOf(const InputValues& values, int channel) {
  if (!values.are_pixels) return {};
  const auto c = static_cast<size_t>(channel);
  if (c >= values.factors.size()) return {0, 255};
  return {values.shifts[c], 255 * values.factors[c]};
}

// Such values, the same at every load and different in each slot.
void FillSlots(int count, const InputValues& values, const Runner& runner) {
  uint32_t state = 1;
  for (int i = 0; i < count; ++i) {
    const image::TensorView dst = runner.slot(i);
    for (int y = 0; y < dst.height; ++y) {
      for (int x = 0; x < dst.width; ++x) {
        for (int c = 0; c < dst.channels; ++c) {
          state = state * 1664525u + 1013904223u;  // Numerical Recipes' generator
          const Noise noise = NoiseOf(values, c);
          dst.data[y * dst.row + x * dst.pixel + c * dst.channel] =
              static_cast<float>(noise.least + noise.range * 0x1p-24 * (state >> 8));
        }
      }
    }
  }
}

absl::Status CheckFinite(const ModelInfo& info, const OutputSet& wanted, int count, const Runner& runner) {
  for (size_t id = 0; id < info.outputs.size(); ++id) {
    if (!wanted[id]) continue;
    for (int i = 0; i < count; ++i) {
      for (const float value : runner.output(static_cast<OutputId>(id), i)) {
        if (std::isfinite(value)) continue;
        return absl::FailedPreconditionError(
            absl::StrCat("output ", Quoted(info.outputs[id].name), ": expected finite values for an input of ",
                         info.input_values.are_pixels ? "pixels" : "-2 to 2", ", got ", value, " in a batch of ", count,
                         ": the file's weights are not finite or too large"));
      }
    }
  }
  return absl::OkStatus();
}

// Those that MeasureCosts() does not ask for: one run more, of models that have such.
absl::Status CheckFurtherOutputs(const ModelInfo& info, Runner& runner) {
  OutputSet all;
  for (size_t id = 0; id < info.outputs.size(); ++id) all.set(id);
  if ((all & ~CommonOutputs(info)).none()) return absl::OkStatus();
  FillSlots(1, info.input_values, runner);
  RESNETD_RETURN_IF_ERROR(runner.Run({.count = 1, .wanted = all}).status());
  return CheckFinite(info, all, 1, runner);
}

using Labels = std::vector<std::string>;

class Loading {
 public:
  Loading(const ModelSource& source, const LoadOptions& options) : source_(source), options_(options) {}

  absl::StatusOr<LoadedModel> Run();

 private:
  absl::Status ReadConfig();
  absl::Status ReadLabels();
  absl::Status CompileEngine();
  absl::Status ReadRecipe();
  absl::Status ReadHeads();
  absl::Status CheckOwner(const Head& head) const;
  absl::Status SetLabels(const std::optional<Labels>& labels, absl::string_view file, Head& head) const;
  void FindHubLabels();
  void SetHubLabels(Head& head);
  absl::Status TryOut();  // golden answers and costs

  const ModelSource& source_;
  const LoadOptions& options_;
  v1::ModelConfig config_;
  std::optional<Labels> first_labels_;         // the first head's
  std::string first_labels_file_;              // where they are from
  std::optional<Labels> hub_labels_;           // a config.json's, if there are no others
  const char* hub_file_ = "";                  // where they are from
  std::vector<std::optional<Labels>> labels_;  // those of the config's heads
  LabelCounts label_counts_;
  Model model_;
  std::vector<MeasuredBatch> costs_;
  std::vector<std::string> notes_, outputs_;
};

absl::StatusOr<LoadedModel> Loading::Run() {
  model_.name = source_.name;
  model_.version = source_.version;
  RESNETD_RETURN_IF_ERROR(ReadConfig());
  RESNETD_RETURN_IF_ERROR(ReadLabels());
  RESNETD_RETURN_IF_ERROR(CompileEngine());
  RESNETD_RETURN_IF_ERROR(ReadRecipe());
  RESNETD_RETURN_IF_ERROR(ReadHeads());
  RESNETD_ASSIGN_OR_RETURN(model_.layers, ChooseLayers(config_, model_.engine->info(), model_.sha256, model_.recipe));
  RESNETD_RETURN_IF_ERROR(TryOut());
  return LoadedModel{.model = std::make_shared<const Model>(std::move(model_)),
                     .costs = std::move(costs_),
                     .notes = std::move(notes_),
                     .outputs = std::move(outputs_)};
}

absl::Status Loading::ReadConfig() {
  RESNETD_ASSIGN_OR_RETURN(config_, ReadModelConfig(source_));
  model_.description = config_.description();
  model_.default_deadline = config_.default_deadline_ms() > 0 ? std::chrono::milliseconds(config_.default_deadline_ms())
                                                              : options_.default_deadline;
  return absl::OkStatus();
}

// Before the network: how many there are says what its outputs are.
absl::Status Loading::ReadLabels() {
  first_labels_file_ = config_.labels_file().empty() ? kLabelsFile : config_.labels_file();
  std::optional<std::string> text;
  if (!options_.labels_file.empty()) {
    first_labels_file_ = options_.labels_file;
    RESNETD_ASSIGN_OR_RETURN(text, ReadFile(first_labels_file_, kMaxLabelsBytes));
  } else {
    RESNETD_ASSIGN_OR_RETURN(text, ReadOptional(source_, config_.labels_file(), kLabelsFile, kMaxLabelsBytes));
  }
  if (text.has_value()) {
    RESNETD_ASSIGN_OR_RETURN(first_labels_, ParseLabels(*text, first_labels_file_));
    label_counts_.first = static_cast<int>(first_labels_->size());
  } else {
    FindHubLabels();
  }
  for (const v1::HeadConfig& head : config_.heads()) {
    labels_.emplace_back();
    if (!head.labels_file().empty()) {
      RESNETD_ASSIGN_OR_RETURN(const std::string file, source_.read(head.labels_file(), kMaxLabelsBytes));
      RESNETD_ASSIGN_OR_RETURN(labels_.back(), ParseLabels(file, head.labels_file()));
    }
    label_counts_.heads.push_back(labels_.back().has_value() ? static_cast<int>(labels_.back()->size()) : 0);
  }
  return absl::OkStatus();
}

// Files of that name are many people's, so it is no mistake if one has no labels. Exports lie in a folder "onnx" below
// it.
void Loading::FindHubLabels() {
  for (const char* file : {"config.json", "../config.json"}) {
    const absl::StatusOr<std::string> text = source_.read(file, kMaxConfigBytes);
    if (!text.ok()) continue;
    if (absl::StatusOr<Labels> labels = ParseLabels(*text, file); labels.ok()) hub_labels_ = *std::move(labels);
    hub_file_ = file;
    return;
  }
}

absl::Status Loading::CompileEngine() {
  RESNETD_ASSIGN_OR_RETURN(std::string onnx, ReadOnnxFile(source_));
  ReadOptions reading = {.outputs = {config_.outputs().begin(), config_.outputs().end()},
                         .hints = HintsOf(config_, label_counts_)};
  RESNETD_ASSIGN_OR_RETURN(reading.size, ChooseInputSize(config_, options_.input_size, options_.recipe));
  RESNETD_ASSIGN_OR_RETURN(Network network, ReadNetwork({std::move(onnx), source_.name, source_.folder}, reading));
  const std::shared_future<std::string> sha256 = network.sha256();
  notes_.insert(notes_.end(), network.notes().begin(), network.notes().end());
  EngineOptions engine;
  engine.threads = options_.threads;
  engine.warm_up = false;  // MeasureCosts() runs every batch size
  engine.batch_sizes = options_.batch_sizes;
  if (config_.batch_sizes_size() > 0)
    engine.batch_sizes.assign(config_.batch_sizes().begin(), config_.batch_sizes().end());
  RESNETD_ASSIGN_OR_RETURN(model_.engine, Engine::Compile(std::move(network), engine));
  model_.sha256 = sha256.get();
  return absl::OkStatus();
}

absl::Status Loading::ReadRecipe() {
  RESNETD_ASSIGN_OR_RETURN(ChosenRecipe chosen,
                           ChooseRecipe(config_.preprocessing(), options_.recipe, model_.engine->info()));
  model_.recipe = chosen.recipe;
  model_.recipe_id = image::NameOf(model_.recipe);
  model_.recipe_hash = RecipeHash(model_.recipe);
  if (chosen.assumed) {
    notes_.push_back(absl::StrCat("no preset given, assuming ", chosen.preset, " by the input's size (",
                                  image::ToString(model_.recipe), ")"));
  }
  if (chosen.exact_by_default) {
    notes_.push_back(
        absl::StrCat("the input is ", model_.recipe.width, "x", model_.recipe.height,
                     ", not square: images are scaled to it exactly, as preprocessing.resize is not given; "
                     "SHORTER_SIDE would keep their proportions and crop"));
  }
  if (!chosen.note.empty()) notes_.push_back(std::move(chosen.note));
  return absl::OkStatus();
}

absl::Status Loading::ReadHeads() {
  const ModelInfo& info = model_.engine->info();
  RESNETD_ASSIGN_OR_RETURN(std::vector<ChosenHead> chosen, ChooseHeads(config_, info, label_counts_));
  if (info.logits == kNoOutput && !options_.labels_file.empty()) {
    return absl::InvalidArgumentError("--labels: expected none, as the model has no logits");
  }
  for (auto& [head, takes_labels, config] : chosen) {
    if (config) {
      RESNETD_RETURN_IF_ERROR(
          SetLabels(labels_[static_cast<size_t>(*config)], config_.heads(*config).labels_file(), head));
    } else if (takes_labels) {
      RESNETD_RETURN_IF_ERROR(CheckOwner(head));
      RESNETD_RETURN_IF_ERROR(SetLabels(first_labels_, first_labels_file_, head));
      SetHubLabels(head);
    }
    if (model_.heads.empty() && head.labels.empty()) notes_.push_back("no labels, answers carry class indices only");
    model_.heads.push_back(std::move(head));
  }
  if (model_.heads.empty()) {
    model_.no_classifier = WhyNoClassifier(info);
    if (first_labels_.has_value()) {
      if (info.outputs[static_cast<size_t>(info.embedding)].role == OutputRole::kUndecided) {
        return absl::InvalidArgumentError(absl::StrCat(EchoPath(first_labels_file_),
                                                       ": expected as many labels as an output has ", "values, got ",
                                                       label_counts_.first, "; ", model_.no_classifier));
      }
      notes_.push_back(absl::StrCat(EchoPath(first_labels_file_), " is not used, as the model has no classifier"));
    }
  }
  for (OutputNote& note : OutputNotes(model_.heads, info)) {
    (note.assumed ? notes_ : outputs_).push_back(std::move(note.text));
  }
  return absl::OkStatus();
}

// One or two labels may be those of any of several values.
absl::Status Loading::CheckOwner(const Head& head) const {
  const bool fit = model_.engine->info().outputs[static_cast<size_t>(head.output)].labelled;
  if (fit || !head.is_value() || label_counts_.first < 1 || label_counts_.first > 2) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(first_labels_file_, ": expected as many labels as one output has values, got ", label_counts_.first,
                   " beside several outputs of one value; \"", head.sigmoid_line,
                   "\", or such a line with a labels_file, in config.textproto says what they are"));
}

absl::Status Loading::SetLabels(const std::optional<Labels>& labels, absl::string_view file, Head& head) const {
  if (!labels.has_value()) return absl::OkStatus();
  const int width = model_.engine->info().outputs[static_cast<size_t>(head.output)].width;
  if (const size_t count = labels->size(); width == 1 && count > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat(EchoPath(file), ": expected 1 label, of what the one score of output ", Quoted(head.name),
                     " is the score of, or 2, without it and with it; got ", count));
  }
  RESNETD_RETURN_IF_ERROR(CheckCount(*labels, file, head.classes));
  head.labels = *labels;
  return absl::OkStatus();
}

// Labels that nobody pointed to are taken where they fit, and no evidence of what an output is.
void Loading::SetHubLabels(Head& head) {
  if (!hub_labels_.has_value() || head.is_value()) return;
  if (hub_labels_->size() == static_cast<size_t>(head.classes)) {
    head.labels = *hub_labels_;
    notes_.push_back(absl::StrCat("labels are those of ", hub_file_));
  } else {
    notes_.push_back(absl::StrCat("the ", hub_labels_->size(), " labels of ", hub_file_, " are not used, as there are ",
                                  head.classes, " classes"));
  }
}

absl::Status Loading::TryOut() {
  Workplace workplace(model_.engine->arena_bytes());
  RESNETD_ASSIGN_OR_RETURN(Runner runner, Runner::Make(*model_.engine, model_.recipe, workplace));
  RESNETD_ASSIGN_OR_RETURN(std::optional<std::string> text,
                           ReadOptional(source_, config_.golden_file(), kGoldenFile, kMaxGoldenBytes));
  if (text.has_value()) {
    RESNETD_ASSIGN_OR_RETURN(const v1::GoldenSet golden, ParseGoldenSet(*text, kGoldenFile));
    RESNETD_RETURN_IF_ERROR(CheckGolden(golden, model_.engine->info(), runner));
  } else {
    notes_.push_back("no golden answers beside it, none were checked");
  }
  RESNETD_ASSIGN_OR_RETURN(costs_, MeasureCosts(*model_.engine, runner));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadOnnxFile(const ModelSource& source) {
  absl::StatusOr<std::string> onnx = source.read(source.onnx_file, kMaxOnnxBytes);
  if (!onnx.ok()) return onnx;
  const std::string foreign = ForeignFormat(source.onnx_file, *onnx);
  if (foreign.empty()) return onnx;
  return absl::InvalidArgumentError(absl::StrCat("expected an ONNX file, got ", foreign));
}

std::vector<std::string> FilesBeside(const v1::ModelConfig& config) {
  std::vector<std::string> files = {config.labels_file().empty() ? kLabelsFile : config.labels_file(),
                                    config.golden_file().empty() ? kGoldenFile : config.golden_file()};
  if (config.labels_file().empty()) files.push_back(kHubFile);
  for (const v1::HeadConfig& head : config.heads()) {
    if (!head.labels_file().empty()) files.push_back(head.labels_file());
  }
  return files;
}

absl::StatusOr<v1::ModelConfig> ReadModelConfig(const ModelSource& source) {
  RESNETD_ASSIGN_OR_RETURN(const std::optional<std::string> text,
                           ReadOptional(source, "", kConfigFile, kMaxConfigBytes));
  return text.has_value() ? ParseModelConfig(*text, kConfigFile) : v1::ModelConfig();
}

absl::StatusOr<LoadedModel> LoadModel(const ModelSource& source, const LoadOptions& options) {
  absl::StatusOr<LoadedModel> loaded = Loading(source, options).Run();
  if (loaded.ok()) return loaded;
  return About(source, loaded.status());
}

absl::StatusOr<std::vector<MeasuredBatch>> MeasureCosts(const Engine& engine, Runner& runner) {
  std::vector<MeasuredBatch> costs;
  const OutputSet wanted = CommonOutputs(engine.info());
  RESNETD_RETURN_IF_ERROR(CheckFurtherOutputs(engine.info(), runner));
  for (const int batch : engine.info().batch_sizes) {
    Duration least = Duration::max(), spent{};
    for (int run = 0; run == 0 || (spent < kMostCostTime && (run < kCostRuns || spent < kLeastCostTime)); ++run) {
      FillSlots(batch, engine.info().input_values, runner);
      const Duration before = ThreadCpuTime();
      RESNETD_ASSIGN_OR_RETURN(const RunTimings timings, runner.Run({.count = batch, .wanted = wanted}));
      least = std::min(least, ThreadCpuTime() - before);
      if (run == 0) RESNETD_RETURN_IF_ERROR(CheckFinite(engine.info(), wanted, batch, runner));
      spent += timings.compute;
    }
    costs.push_back({batch, std::max(least, Duration(1))});
  }
  return costs;
}

}  // namespace resnetd
