// |F(x)| / |x| needs tensors that no plan keeps: they become outputs. Then the plus is a step of its own, since a fused
// one would leave no F(x); the values are the same but for rounding.
#include "cli/inspect/residuals.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "cli/inputs.h"
#include "models/config.h"
#include "models/loader.h"
#include "models/runner.h"

namespace resnetd::cli {
namespace {

// The engine's limit less what every model has: four stages, "pool", and a head or several.
constexpr size_t kUnitsAtOnce = 8;

double Norm(absl::Span<const float> values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  return std::sqrt(squares);
}

// Reads tensors of an engine that has computed the image.
class Computed {
 public:
  static absl::StatusOr<Computed> Run(const ModelFile& model, const std::string& image_file, const ReadOptions& reading,
                                      int threads) {
    Computed computed;
    RESNETD_ASSIGN_OR_RETURN(computed.engine_,
                             Engine::Load(model.bytes(), {.batch_sizes = {1}, .threads = threads}, reading));
    const ModelInfo& info = computed.engine_->info();
    RESNETD_ASSIGN_OR_RETURN(const v1::ModelConfig config, ReadModelConfig(model.source));
    RESNETD_ASSIGN_OR_RETURN(const ChosenRecipe chosen, ChooseRecipe(config.preprocessing(), "", info));
    computed.workplace_ = std::make_unique<Workplace>(computed.engine_->arena_bytes());
    RESNETD_ASSIGN_OR_RETURN(computed.runner_, Runner::Make(*computed.engine_, chosen.recipe, *computed.workplace_));
    RESNETD_RETURN_IF_ERROR(OutcomeOf(computed.runner_->Decode(absl::string_view(image_file), 0), image_file));
    RESNETD_RETURN_IF_ERROR(computed.runner_->Run({.count = 1}).status());
    return computed;
  }

  absl::StatusOr<double> NormOf(const std::string& tensor) const {
    const std::vector<OutputInfo>& outputs = engine_->info().outputs;
    const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const auto& o) { return o.name == tensor; });
    if (found == outputs.end()) return absl::InternalError(absl::StrCat(Quoted(tensor), " was not computed"));
    return Norm(runner_->output(static_cast<OutputId>(found - outputs.begin()), 0));
  }

 private:
  std::shared_ptr<const Engine> engine_;
  std::unique_ptr<Workplace> workplace_;
  std::optional<Runner> runner_;
};

}  // namespace

std::string PlaceOfPlus(const ResidualUnit& unit, const std::vector<StepInfo>& steps) {
  for (const StepInfo& step : steps) {
    if (unit.step.empty() || step.node != unit.step) continue;
    if (step.in_place_sum) return "sum in place";
    if (absl::StrContains(step.post_ops, "+Add")) return "binary post-op";
    if (step.op == "Add") return "a step of its own";
  }
  return "-";
}

absl::StatusOr<std::vector<std::optional<UnitNorms>>> MeasureUnits(const ModelFile& model,
                                                                   const std::vector<ResidualUnit>& units,
                                                                   const std::string& image_path, int threads,
                                                                   const std::function<void(size_t)>& progress) {
  RESNETD_ASSIGN_OR_RETURN(const std::string image_file, ReadImageFile(image_path));
  std::vector<std::optional<UnitNorms>> norms(units.size());
  for (size_t first = 0; first < units.size(); first += kUnitsAtOnce) {
    const size_t end = std::min(first + kUnitsAtOnce, units.size());
    RESNETD_ASSIGN_OR_RETURN(ReadOptions reading, ReadingOf(model));
    for (size_t i = first; i < end; ++i) {
      if (!units[i].input.empty()) reading.outputs.insert(reading.outputs.end(), {units[i].input, units[i].branch});
    }
    RESNETD_ASSIGN_OR_RETURN(const Computed computed, Computed::Run(model, image_file, reading, threads));
    for (size_t i = first; i < end; ++i) {
      if (units[i].input.empty()) continue;
      UnitNorms& of = norms[i].emplace();
      RESNETD_ASSIGN_OR_RETURN(of.input, computed.NormOf(units[i].input));
      RESNETD_ASSIGN_OR_RETURN(of.branch, computed.NormOf(units[i].branch));
    }
    progress(end);
  }
  return norms;
}

}  // namespace resnetd::cli
