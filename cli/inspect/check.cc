// resnetctl check: whether a server would serve a model, without serving it. Mistakes that do not depend on each other
// are all told at once.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/echo.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/model_file.h"
#include "cli/print/json.h"
#include "cli/print/table.h"
#include "engine/image/recipe.h"
#include "engine/inspect/inspect.h"
#include "models/foreign_file.h"
#include "models/loader.h"
#include "models/source.h"
#include "nlohmann/json.hpp"

namespace resnetd::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Verdict {
  std::string path;         // what was asked for
  bool opened = false;      // the model's file was read
  bool understood = false;  // as an ONNX file
  ModelFile model;
  OperatorReport operators;
  std::vector<absl::Status> mistakes;  // unsupported operators aside
  LoadedModel loaded;                  // null if anything is wrong

  bool ok() const { return loaded.model != nullptr; }
  std::string Title() const { return opened ? model.Title() : EchoPath(path); }
};

Verdict Judge(const LocalModel& which) {
  Verdict verdict;
  verdict.path = which.path;
  absl::StatusOr<ModelFile> model = OpenModel(which);
  if (!model.ok()) {
    verdict.mistakes.push_back(model.status());
    return verdict;
  }
  verdict.model = *std::move(model);
  verdict.opened = true;
  if (absl::StatusOr<OperatorReport> report = CheckOperators(verdict.model.bytes()); report.ok()) {
    verdict.operators = *std::move(report);
    verdict.understood = true;
  }  // else loading fails for the same reason
  if (!verdict.operators.unsupported.empty()) {
    const absl::Status config = ReadModelConfig(verdict.model.source).status();
    if (!config.ok()) verdict.mistakes.push_back(config);
    return verdict;
  }
  absl::StatusOr<LoadedModel> loaded = LoadModel(verdict.model.source, {.input_size = which.input_size});
  if (!loaded.ok()) {
    verdict.mistakes.push_back(loaded.status());
    return verdict;
  }
  verdict.loaded = *std::move(loaded);
  if (!which.path.empty() && HasTritonConfig(std::filesystem::path(verdict.model.source.origin).parent_path())) {
    verdict.loaded.notes.push_back(
        "the config.pbtxt is Triton's and is not read: what it says of labels, preprocessing and batch sizes is said "
        "in "
        "config.textproto beside the model");
  }
  return verdict;
}

Json JsonOf(const Verdict& verdict) {
  const ModelSource& source = verdict.model.source;
  const auto unless_unknown = [](bool known, Json value) { return known ? std::move(value) : Json(nullptr); };
  Json json = {{"ok", verdict.ok()},
               {"model", unless_unknown(verdict.opened, source.name)},
               {"version", unless_unknown(verdict.opened, source.version)},
               {"origin", verdict.opened ? source.origin : verdict.path},
               {"opset", unless_unknown(verdict.understood, verdict.operators.opset)},
               {"nodes", unless_unknown(verdict.understood, verdict.operators.nodes)},
               {"unsupported", unless_unknown(verdict.understood, Json::array())},
               {"errors", Json::array()},
               {"outputs", unless_unknown(verdict.ok(), verdict.loaded.outputs)},
               {"notes", unless_unknown(verdict.ok(), verdict.loaded.notes)}};
  for (const UnsupportedNode& node : verdict.operators.unsupported) {
    json["unsupported"].push_back({{"node", node.name}, {"operator", node.op}});
  }
  for (const absl::Status& mistake : verdict.mistakes) json["errors"].push_back(ToJson(ErrorFrom(mistake)));
  return json;
}

void PrintSound(std::ostream& out, const Verdict& verdict) {
  const Model& model = *verdict.loaded.model;
  const ModelInfo& info = model.engine->info();
  Table table({"model", verdict.model.Title()});
  table.AddRow({"operators", absl::StrCat("all ", verdict.operators.nodes, " nodes, opset ", verdict.operators.opset)});
  table.AddRow({"input", absl::StrCat(info.height, " x ", info.width, " x ", info.channels)});
  table.AddRow({"recipe", absl::StrCat(model.recipe_id, ": ", image::ToString(model.recipe))});
  table.AddRow({"classes", absl::StrCat(model.classes())});
  table.AddRow({"features", absl::StrCat(info.features)});
  table.AddRow({"weights' SHA-256", model.sha256});
  for (const std::string& output : verdict.loaded.outputs) table.AddRow({"output", output});
  for (const std::string& note : verdict.loaded.notes) table.AddRow({"note", note});
  table.Print(out);
  out << "a server would serve it\n";
}

// Names of the nodes of each operator, in the order in which operators come first.
std::vector<std::pair<std::string, std::vector<std::string>>> ByOperator(const std::vector<UnsupportedNode>& nodes) {
  std::vector<std::pair<std::string, std::vector<std::string>>> all;
  for (const UnsupportedNode& node : nodes) {
    auto at = std::find_if(all.begin(), all.end(), [&](const auto& of) { return of.first == node.op; });
    if (at == all.end()) at = all.insert(all.end(), {node.op, {}});
    at->second.push_back(node.name);
  }
  return all;
}

void PrintMistakes(const Context& context, const Verdict& verdict) {
  const std::vector<UnsupportedNode>& unsupported = verdict.operators.unsupported;
  if (!unsupported.empty()) {
    Table table({"unsupported operator", "nodes", "first node"});
    std::string counted;
    for (const auto& [op, nodes] : ByOperator(unsupported)) {
      table.AddRow({Echo(op), absl::StrCat(nodes.size()), Echo(nodes.front())});
      absl::StrAppend(&counted, counted.empty() ? "" : ", ", Echo(op), " (", nodes.size(),
                      nodes.size() == 1 ? " node)" : " nodes)");
    }
    table.Print(*context.out);
    *context.err << Printable(verdict.Title()) << ": " << unsupported.size() << " of " << verdict.operators.nodes
                 << " nodes at opset " << verdict.operators.opset
                 << " have operators that are not supported: " << counted << '\n';
  }
  for (const absl::Status& mistake : verdict.mistakes) {
    const bool named = verdict.path.empty() ||
                       (verdict.opened && absl::StrContains(mistake.message(), Quoted(verdict.model.source.name)));
    *context.err << (named ? OneLine(ErrorFrom(mistake)) : Explain(verdict.path, ErrorFrom(mistake))) << '\n';
  }
}

void Print(const Context& context, const Verdict& verdict) {
  if (verdict.ok()) {
    PrintSound(*context.out, verdict);
  } else {
    PrintMistakes(context, verdict);
  }
}

// Each model of a folder that `resnetd --models` would serve, one after the other: together they may be more than
// memory holds.
int RunAll(const Context& context, const LocalModel& folder, const FolderContents& contents) {
  const std::string& root = folder.root.empty() ? folder.path : folder.root;
  bool all_ok = true;
  Json models = Json::array();
  for (const ModelSource& source : contents.sources) {
    const Verdict verdict = Judge({.path = source.origin, .root = root, .input_size = folder.input_size});
    all_ok = all_ok && verdict.ok();
    if (context.json) {
      models.push_back(JsonOf(verdict));
      continue;
    }
    Print(context, verdict);
    *context.out << '\n' << std::flush;
  }
  if (context.json) {
    *context.out << Dump({{"ok", all_ok},
                          {"origin", folder.path},
                          {"models", std::move(models)},
                          {"passed_over", contents.passed_over}})
                 << '\n';
    return all_ok ? kOk : kFailed;
  }
  for (const std::string& sentence : contents.passed_over) *context.out << EchoWords(Printable(sentence)) << '\n';
  *context.out << contents.sources.size() << (contents.sources.size() == 1 ? " model" : " models")
               << (all_ok ? ": a server would serve all\n" : ": a server would not serve all\n");
  return all_ok ? kOk : kFailed;
}

int Run(const Context& context, const LocalModel& which) {
  absl::Status refused;
  if (!which.path.empty() && !FindSource(which.path, which.root).ok()) {
    // It may be the folder above models.
    const absl::StatusOr<FolderContents> contents = FolderSources(which.path, which.root);
    if (contents.ok() && !contents->sources.empty()) return RunAll(context, which, *contents);
    refused = contents.status();
  }
  Verdict verdict = Judge(which);
  // Two of one name, or a folder that lacks its version: this says more than that there is no model.
  const bool says_more = absl::IsInvalidArgument(refused) || absl::StrContains(refused.message(), "is not served");
  if (says_more && ForeignFolder(which.path).empty()) {
    const absl::string_view message = absl::StripPrefix(refused.message(), "--models: ");
    verdict.mistakes = {absl::Status(refused.code(), message)};
  }
  if (context.json) {
    *context.out << Dump(JsonOf(verdict)) << '\n';
  } else {
    Print(context, verdict);
  }
  return verdict.ok() ? kOk : kFailed;
}

}  // namespace

Command AddCheck(CLI::App& app) {
  const auto model = std::make_shared<LocalModel>();
  app.add_option("model", model->path,
                 "An ONNX file, a model's folder or a folder of models; default: the model in the program");
  AddModelRoot(app, model->root);
  AddInputSize(app, model->input_size);
  return [model](const Context& context) { return Run(context, *model); };
}

}  // namespace resnetd::cli
