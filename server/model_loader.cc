// From files to a Model, in the order in which mistakes are cheapest to find.
#include "server/model_loader.h"

#include <time.h>

#include <algorithm>
#include <future>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/echo.h"
#include "engine/image/image.h"
#include "engine/status_macros.h"
#include "server/arena.h"
#include "server/embedding_space.h"
#include "server/file.h"
#include "server/golden_check.h"
#include "server/model_config.h"
#include "server/model_outputs.h"
#include "server/sha256.h"

namespace resnetd::server {
namespace {

constexpr size_t kMaxOnnxBytes = (size_t{1} << 31) - 1;  // protobuf's own limit
constexpr size_t kMaxConfigBytes = size_t{1} << 20;
constexpr size_t kMaxLabelsBytes = size_t{16} << 20;
constexpr size_t kMaxGoldenBytes = size_t{64} << 20;
constexpr char kConfigFile[] = "config.textproto";
constexpr char kLabelsFile[] = "labels.txt";
constexpr char kGoldenFile[] = "golden.textproto";

// How long one batch size is measured: long enough for a run that nothing disturbs. What takes longer than
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

// What most requests want. Further outputs cost little beside it, and what they cost the scheduler learns by itself.
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

class Loading {
 public:
  Loading(const ModelSource& source, const LoadOptions& options) : source_(source), options_(options) {}

  absl::StatusOr<LoadedModel> Run(scheduling::ModelKey key);

 private:
  absl::Status ReadConfig();
  absl::Status CompileEngine();
  absl::Status ReadRecipe();
  absl::Status ReadHeads();
  absl::Status ReadFirstLabels(Head& head);
  absl::Status TryOut();  // golden answers and costs

  const ModelSource& source_;
  const LoadOptions& options_;
  v1::ModelConfig config_;
  Model model_;
  std::vector<std::string> notes_;
};

absl::StatusOr<LoadedModel> Loading::Run(scheduling::ModelKey key) {
  model_.name = source_.name;
  model_.version = source_.version;
  model_.key = key;
  RESNETD_RETURN_IF_ERROR(ReadConfig());
  RESNETD_RETURN_IF_ERROR(CompileEngine());
  RESNETD_RETURN_IF_ERROR(ReadRecipe());
  RESNETD_RETURN_IF_ERROR(ReadHeads());
  RESNETD_ASSIGN_OR_RETURN(model_.layers, ChooseLayers(config_, model_.engine->info(), model_.sha256, model_.recipe));
  RESNETD_RETURN_IF_ERROR(TryOut());
  return LoadedModel{std::make_shared<const Model>(std::move(model_)), std::move(notes_)};
}

absl::Status Loading::ReadConfig() {
  RESNETD_ASSIGN_OR_RETURN(config_, ReadModelConfig(source_));
  model_.description = config_.description();
  model_.default_deadline = config_.default_deadline_ms() > 0 ? std::chrono::milliseconds(config_.default_deadline_ms())
                                                              : options_.default_deadline;
  return absl::OkStatus();
}

absl::Status Loading::CompileEngine() {
  RESNETD_ASSIGN_OR_RETURN(std::string onnx, ReadOnnxFile(source_));
  EngineOptions engine;
  engine.threads = options_.threads;
  engine.warm_up = false;  // MeasureCosts() runs every batch size
  engine.batch_sizes = options_.batch_sizes;
  if (config_.batch_sizes_size() > 0)
    engine.batch_sizes.assign(config_.batch_sizes().begin(), config_.batch_sizes().end());
  engine.outputs.assign(config_.outputs().begin(), config_.outputs().end());
  ModelBytes bytes{{reinterpret_cast<const std::byte*>(onnx.data()), onnx.size()}, source_.name, source_.folder};
  Sha256 hash;
  // Beside the reading: of a hundred megabytes it takes as long.
  const std::future<void> hashed = std::async(std::launch::async, [&] { hash.Add(bytes.onnx); });
  bytes.on_external_file = [&](absl::Span<const std::byte> file) {
    hashed.wait();
    hash.Add(file);
  };
  bytes.on_read = [&] {
    hashed.wait();
    std::string().swap(onnx);  // assigning an empty one would keep the memory
  };
  RESNETD_ASSIGN_OR_RETURN(model_.engine, Engine::Load(bytes, engine));
  model_.sha256 = hash.Hex();
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
  return absl::OkStatus();
}

absl::Status Loading::ReadHeads() {
  const ModelInfo& info = model_.engine->info();
  RESNETD_ASSIGN_OR_RETURN(std::vector<ChosenHead> chosen, ChooseHeads(config_, info));
  if (info.logits == kNoOutput && !options_.labels_file.empty()) {
    return absl::InvalidArgumentError("--labels: expected none, as the model has no logits");
  }
  for (auto& [head, labels_file] : chosen) {
    if (head.output == info.logits) {
      RESNETD_RETURN_IF_ERROR(ReadFirstLabels(head));
    } else if (!labels_file.empty()) {
      RESNETD_ASSIGN_OR_RETURN(const std::string text, source_.read(labels_file, kMaxLabelsBytes));
      RESNETD_ASSIGN_OR_RETURN(head.labels, ParseLabels(text, labels_file, head.classes));
    }
    model_.heads.push_back(std::move(head));
  }
  return absl::OkStatus();
}

absl::Status Loading::ReadFirstLabels(Head& head) {
  std::optional<std::string> text;
  std::string name = config_.labels_file().empty() ? kLabelsFile : config_.labels_file();
  if (!options_.labels_file.empty()) {
    name = options_.labels_file;
    RESNETD_ASSIGN_OR_RETURN(text, ReadFile(name, kMaxLabelsBytes));
  } else {
    RESNETD_ASSIGN_OR_RETURN(text, ReadOptional(source_, config_.labels_file(), kLabelsFile, kMaxLabelsBytes));
  }
  if (!text.has_value()) {
    notes_.push_back("no labels, answers carry class indices only");
    return absl::OkStatus();
  }
  RESNETD_ASSIGN_OR_RETURN(head.labels, ParseLabels(*text, name, head.classes));
  return absl::OkStatus();
}

absl::Status Loading::TryOut() {
  const Arena arena(model_.engine->arena_bytes());
  RESNETD_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, model_.engine->NewSession(arena.span()));
  RESNETD_ASSIGN_OR_RETURN(std::optional<std::string> text,
                           ReadOptional(source_, config_.golden_file(), kGoldenFile, kMaxGoldenBytes));
  if (text.has_value()) {
    RESNETD_ASSIGN_OR_RETURN(const v1::GoldenSet golden, ParseGoldenSet(*text, kGoldenFile));
    RESNETD_RETURN_IF_ERROR(CheckGolden(golden, model_.engine->info(), model_.recipe, *session));
  } else {
    notes_.push_back("no golden answers beside it, none were checked");
  }
  RESNETD_ASSIGN_OR_RETURN(model_.costs, MeasureCosts(*model_.engine, *session));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadOnnxFile(const ModelSource& source) {
  return source.read(source.onnx_file, kMaxOnnxBytes);
}

std::vector<std::string> FilesBeside(const v1::ModelConfig& config) {
  std::vector<std::string> files = {config.labels_file().empty() ? kLabelsFile : config.labels_file(),
                                    config.golden_file().empty() ? kGoldenFile : config.golden_file()};
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

absl::StatusOr<LoadedModel> LoadModel(const ModelSource& source, scheduling::ModelKey key, const LoadOptions& options) {
  absl::StatusOr<LoadedModel> loaded = Loading(source, options).Run(key);
  if (loaded.ok()) return loaded;
  return absl::Status(loaded.status().code(), absl::StrCat("model ", Quoted(source.name), " (", source.origin,
                                                           "): ", loaded.status().message()));
}

absl::StatusOr<std::vector<scheduling::BatchCost>> MeasureCosts(const Engine& engine, Session& session) {
  std::vector<scheduling::BatchCost> costs;
  const OutputSet wanted = CommonOutputs(engine.info());
  for (const int batch : engine.info().batch_sizes) {
    Duration least = Duration::max(), spent{};
    for (int run = 0; run == 0 || (spent < kMostCostTime && (run < kCostRuns || spent < kLeastCostTime)); ++run) {
      const Duration before = ThreadCpuTime();
      RESNETD_ASSIGN_OR_RETURN(const RunTimings timings, session.Run({.count = batch, .wanted = wanted}));
      least = std::min(least, ThreadCpuTime() - before);
      spent += timings.compute;
    }
    costs.push_back({batch, std::max(least, Duration(1))});
  }
  return costs;
}

}  // namespace resnetd::server
