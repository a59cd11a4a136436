// resnetctl inspect: what a model is, what the passes make of it, what each layer costs, where its residual units add.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/echo.h"
#include "base/enum_table.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/inspect/layer_picture.h"
#include "cli/inspect/layer_times.h"
#include "cli/inspect/machine.h"
#include "cli/inspect/residuals.h"
#include "cli/model_file.h"
#include "cli/print/json.h"
#include "cli/print/progress.h"
#include "cli/print/table.h"
#include "engine/engine.h"
#include "engine/inspect/inspect.h"
#include "nlohmann/json.hpp"

namespace resnetd::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  LocalModel model;
  std::string svg, image;
  int batch = 1, threads = 1, runs = 30;
  bool graph = false, residuals = false;
};

// All that was found out; what was not asked for is empty.
struct Findings {
  ModelFile model;
  Inspection inspection;
  std::shared_ptr<const Engine> engine;
  std::optional<LayerTimes> times;
  std::vector<std::string> pluses;              // by unit: where its plus is
  std::vector<std::optional<UnitNorms>> norms;  // by unit; empty without an image
};

double ArenaRatio(const Engine& engine) {
  return static_cast<double>(engine.arena_bytes()) / static_cast<double>(engine.info().arena_lower_bound);
}

absl::Status LookAtUnits(const Context& context, const Options& options, Findings& found) {
  const std::vector<ResidualUnit>& units = found.inspection.units;
  const std::vector<StepInfo> steps = found.engine->Describe(options.batch);
  for (const ResidualUnit& unit : units) found.pluses.push_back(PlaceOfPlus(unit, steps));
  if (options.image.empty()) return absl::OkStatus();
  Progress progress(*context.err, context.err_is_terminal, static_cast<double>(units.size()), "units");
  RESNETD_ASSIGN_OR_RETURN(found.norms, MeasureUnits(found.model, units, options.image, options.threads,
                                                     [&](size_t done) { progress.Update(static_cast<double>(done)); }));
  return absl::OkStatus();
}

absl::StatusOr<Findings> LookAt(const Context& context, const Options& options) {
  Findings found;
  RESNETD_ASSIGN_OR_RETURN(found.model, OpenModel(options.model));
  RESNETD_ASSIGN_OR_RETURN(const ReadOptions reading, ReadingOf(found.model));
  RESNETD_ASSIGN_OR_RETURN(found.inspection, Inspect(found.model.bytes(), reading));
  RESNETD_ASSIGN_OR_RETURN(
      found.engine,
      Engine::Load(found.model.bytes(), {.batch_sizes = {options.batch}, .threads = options.threads}, reading));
  if (options.residuals) {
    RESNETD_RETURN_IF_ERROR(LookAtUnits(context, options, found));
  } else if (options.runs > 0) {
    Progress progress(*context.err, context.err_is_terminal, options.runs, "runs");
    RESNETD_ASSIGN_OR_RETURN(found.times, MeasureLayers(found.engine, options.batch, options.runs,
                                                        [&](int done) { progress.Update(done); }));
  }
  return found;
}

Json ModelJson(const Findings& found) {
  const ModelInfo& info = found.engine->info();
  static constexpr EnumTable<HeadActivation, const char*> kActivations = {"none", "softmax", "sigmoid"};
  Json outputs = Json::array();
  for (const OutputInfo& output : info.outputs) {
    const bool applied = output.role == OutputRole::kClassifier && output.probabilities;
    outputs.push_back({{"name", output.name},
                       {"dims", output.dims},
                       {"activation", applied ? "applied" : kActivations[output.activation]}});
  }
  return {{"model", found.model.source.name},
          {"version", found.model.source.version},
          {"origin", found.model.source.origin},
          {"input", {{"height", info.height}, {"width", info.width}, {"channels", info.channels}}},
          {"outputs", std::move(outputs)},
          {"parameters", info.parameters},
          {"multiply_adds", info.multiply_adds},
          {"batch", info.batch_sizes.front()},
          {"threads", info.threads},
          {"precision", info.precision},
          {"isa", info.isa},
          {"packed_weight_bytes", info.packed_weight_bytes},
          {"arena_bytes", found.engine->arena_bytes()},
          {"arena_lower_bound", info.arena_lower_bound},
          {"plan_fingerprint", info.plan_fingerprint}};
}

Json PassesJson(const Findings& found, bool graph) {
  Json passes = Json::array();
  for (const GraphStage& stage : found.inspection.stages) {
    Json operators = Json::object();
    for (const auto& [op, count] : stage.operators) operators[op] = count;
    passes.push_back({{"pass", stage.name}, {"operators", std::move(operators)}});
    if (graph) passes.back()["graph"] = stage.text;
  }
  return passes;
}

Json LayersJson(const LayerTimes& times) {
  Json layers = Json::array();
  for (const LayerTime& layer : times.layers) {
    const StepInfo& step = layer.step;
    layers.push_back({{"node", step.node},
                      {"operator", step.op},
                      {"attributes", step.attributes},
                      {"post_ops", step.post_ops},
                      {"sum_in_place", step.in_place_sum},
                      {"shape", step.shape},
                      {"multiply_adds", step.multiply_adds},
                      {"implementation", step.implementation},
                      {"seconds", layer.seconds()},
                      {"gflops", layer.gflops()},
                      {"of_peak", layer.gflops() / times.peak_gflops}});
  }
  return layers;
}

Json DisturbanceJson(const Disturbance& disturbance) {
  const auto share = [](const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); };
  return {{"busy", disturbance.busy()},
          {"waited", share(disturbance.waited)},
          {"stolen", share(disturbance.stolen)},
          {"below_best", disturbance.below_best}};
}

Json UnitsJson(const Findings& found) {
  Json units = Json::array();
  for (size_t i = 0; i < found.pluses.size(); ++i) {
    const ResidualUnit& unit = found.inspection.units[i];
    units.push_back({{"node", unit.node},
                     {"shape", unit.shape},
                     {"shortcut", unit.shortcut},
                     {"plus", found.pluses[i]},
                     {"x", unit.input},
                     {"f", unit.branch}});
    if (found.norms.empty() || !found.norms[i].has_value()) continue;
    units.back()["norm_x"] = found.norms[i]->input;
    units.back()["norm_f"] = found.norms[i]->branch;
    units.back()["ratio"] = found.norms[i]->branch / found.norms[i]->input;
  }
  return units;
}

void PrintJson(const Context& context, const Options& options, const Findings& found) {
  Json json = ModelJson(found);
  json["passes"] = PassesJson(found, options.graph);
  if (found.times.has_value()) {
    json["runs"] = found.times->runs;
    json["seconds"] = std::chrono::duration<double>(found.times->run).count();
    json["gflops"] = found.times->gflops();
    json["peak_gflops"] = found.times->peak_gflops;
    json["disturbance"] = DisturbanceJson(found.times->disturbance);
    json["layers"] = LayersJson(*found.times);
  }
  if (options.residuals) json["units"] = UnitsJson(found);
  *context.out << Dump(json) << '\n';
}

void PrintModel(std::ostream& out, const Findings& found) {
  const ModelInfo& info = found.engine->info();
  Table table({"model", found.model.Title()});
  table.AddRow({"input", absl::StrCat(info.height, " x ", info.width, " x ", info.channels)});
  table.AddRow({"outputs", absl::StrJoin(info.outputs, ", ", [](std::string* text, const OutputInfo& output) {
                  absl::StrAppend(text, Echo(output.name), " ", absl::StrJoin(output.dims, "x"));
                })});
  table.AddRow({"parameters", absl::StrCat(info.parameters)});
  table.AddRow({"multiply-adds", absl::StrCat(info.multiply_adds, " an image")});
  table.AddRow({"computes in", absl::StrCat(info.precision, " on ", info.isa)});
  table.AddRow({"packed weights", absl::StrCat(info.packed_weight_bytes, " bytes")});
  table.AddRow(
      {"arena", absl::StrFormat("%d bytes for a batch of %d, %.3f of the least possible", found.engine->arena_bytes(),
                                info.batch_sizes.front(), ArenaRatio(*found.engine))});
  table.AddRow({"plan", info.plan_fingerprint});
  table.Print(out);
  out << '\n';
}

void PrintPasses(std::ostream& out, const Findings& found) {
  Table table({"after", "nodes", "operators"});
  std::string before;
  for (const GraphStage& stage : found.inspection.stages) {
    if (stage.text == before) {
      table.AddRow({stage.name, "", "(as before)"});
      continue;
    }
    before = stage.text;
    int nodes = 0;
    for (const auto& [op, count] : stage.operators) nodes += count;
    table.AddRow({stage.name, absl::StrCat(nodes),
                  absl::StrJoin(stage.operators, ", ", [](std::string* text, const auto& counted) {
                    absl::StrAppend(text, counted.second, " ", counted.first);
                  })});
  }
  table.Print(out);
  out << '\n';
}

void PrintGraphs(std::ostream& out, const Findings& found) {
  for (const GraphStage& stage : found.inspection.stages) {
    out << "after " << stage.name << ":\n";
    for (const absl::string_view line : absl::StrSplit(stage.text, '\n', absl::SkipEmpty())) {
      out << "  " << EchoWords(Printable(line)) << '\n';
    }
    out << '\n';
  }
}

void PrintLayers(std::ostream& out, const LayerTimes& times) {
  Table table({"layer", "operator", "shape", "Mmul-add", "ms", "time", "GFLOP/s", "of peak", "implementation"});
  const double whole = std::chrono::duration<double>(times.run).count();
  const auto percent = [](double share) { return absl::StrFormat("%.1f %%", 100 * share); };
  const auto millions = [](int64_t count) { return absl::StrFormat("%.2f", static_cast<double>(count) * 1e-6); };
  for (const LayerTime& layer : times.layers) {
    const bool counts = layer.step.multiply_adds > 0;
    table.AddRow({Echo(layer.step.node), OperatorInWords(layer.step), layer.step.shape,
                  counts ? millions(layer.step.multiply_adds) : "", absl::StrFormat("%.3f", layer.seconds() * 1e3),
                  percent(layer.seconds() / whole), counts ? absl::StrFormat("%.1f", layer.gflops()) : "",
                  counts ? percent(layer.gflops() / times.peak_gflops) : "", layer.step.implementation});
  }
  table.AddRow({"all", "", absl::StrCat("batch ", times.batch), millions(times.multiply_adds()),
                absl::StrFormat("%.3f", whole * 1e3), "", absl::StrFormat("%.1f", times.gflops()),
                percent(times.gflops() / times.peak_gflops), absl::StrFormat("%.1f images/s", times.batch / whole)});
  table.Print(out);
  const bool above = std::any_of(times.layers.begin(), times.layers.end(),
                                 [&](const LayerTime& layer) { return layer.gflops() > times.peak_gflops; });
  if (above) out << "Above 100 %: multiplications with padding count, and kernels leave them out\n";
  out << absl::StrFormat("Medians of %d runs; this machine's peak on %d thread%s: %.1f GFLOP/s\n", times.runs,
                         times.threads, times.threads == 1 ? "" : "s", times.peak_gflops);
  if (times.disturbance.busy()) out << "Too long, " << BusyText(times.disturbance) << '\n';
}

void PrintUnits(std::ostream& out, const Findings& found) {
  const bool norms = !found.norms.empty();
  Table table(norms ? std::vector<std::string>{"unit", "shape", "shortcut", "plus", "|x|", "|F(x)|", "|F(x)|/|x|"}
                    : std::vector<std::string>{"unit", "shape", "shortcut", "plus"});
  for (size_t i = 0; i < found.pluses.size(); ++i) {
    const ResidualUnit& unit = found.inspection.units[i];
    std::vector<std::string> row = {Echo(unit.node), unit.shape, unit.shortcut, found.pluses[i]};
    if (norms && found.norms[i].has_value()) {
      const UnitNorms& of = *found.norms[i];
      for (const double value : {of.input, of.branch}) row.push_back(absl::StrFormat("%.2f", value));
      row.push_back(absl::StrFormat("%.3f", of.branch / of.input));
    } else if (norms) {
      row.insert(row.end(), {"-", "-", "-"});
    }
    table.AddRow(std::move(row));
  }
  table.Print(out);
}

// "Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz, avx512_core"
std::string MachineOf(const Findings& found) {
  return absl::StrCat(CpuModel(ReadKernelFile("/proc/cpuinfo")), ", ", found.engine->info().isa);
}

int Run(const Context& context, const Options& options) {
  const absl::StatusOr<Findings> found = LookAt(context, options);
  if (!found.ok()) {
    *context.err << OneLine(ErrorFrom(found.status())) << '\n';
    return kFailed;
  }
  if (context.json) {
    PrintJson(context, options, *found);
  } else {
    PrintModel(*context.out, *found);
    options.graph ? PrintGraphs(*context.out, *found) : PrintPasses(*context.out, *found);
    if (found->times.has_value()) PrintLayers(*context.out, *found->times);
    if (options.residuals) PrintUnits(*context.out, *found);
  }
  if (options.svg.empty()) return kOk;
  const absl::Status written =
      WriteFile(options.svg, {DrawLayers(found->model.source.name, MachineOf(*found), *found->times)});
  if (written.ok()) return kOk;
  *context.err << OneLine(ErrorFrom(written)) << '\n';
  return kFailed;
}

}  // namespace

Command AddInspect(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("model", options->model.path, "An ONNX file, or a model's folder; default: the model in the program");
  AddModelRoot(app, options->model.root);
  AddInputSize(app, options->model.input_size);
  app.add_option("--batch", options->batch, "Images in a run")
      ->capture_default_str()
      ->check(CLI::Range(1, kLargestBatch));
  app.add_option("--threads", options->threads, "Of a run")->capture_default_str()->check(CLI::Range(1, kMostThreads));
  auto* runs = app.add_option("--runs", options->runs, "How many are timed")
                   ->capture_default_str()
                   ->check(CLI::Range(1, 100'000));
  app.add_flag("--graph", options->graph, "Print the graph after each pass");
  auto* residuals = app.add_flag("--residuals", options->residuals, "Show the residual units in place of the layers");
  app.add_option("--image", options->image, "With --residuals: what to compute |F(x)|/|x| of")->needs(residuals);
  app.add_option("--svg", options->svg, "Draw the layers' times into this file")->excludes(residuals);
  residuals->excludes(runs);
  return [options](const Context& context) { return Run(context, *options); };
}

}  // namespace resnetd::cli
