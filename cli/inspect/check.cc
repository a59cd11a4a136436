// resnetctl check: whether a server would serve a model, without serving it. Mistakes that do not depend on each other
// are all told at once.
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/model_file.h"
#include "cli/print/table.h"
#include "engine/image/recipe.h"
#include "engine/inspect/inspect.h"
#include "models/loader.h"
#include "nlohmann/json.hpp"

namespace resnetd::cli {
namespace {

struct Verdict {
  ModelFile model;
  OperatorReport operators;
  std::vector<absl::Status> mistakes;  // unsupported operators aside
  LoadedModel loaded;                  // null if anything is wrong

  bool ok() const { return loaded.model != nullptr; }
};

Verdict Judge(const std::string& path) {
  Verdict verdict;
  absl::StatusOr<ModelFile> model = OpenModel(path);
  if (!model.ok()) {
    verdict.mistakes.push_back(model.status());
    return verdict;
  }
  verdict.model = *std::move(model);
  if (absl::StatusOr<OperatorReport> report = CheckOperators(verdict.model.bytes()); report.ok()) {
    verdict.operators = *std::move(report);
  }  // else loading fails for the same reason
  if (!verdict.operators.unsupported.empty()) {
    const absl::Status config = ReadModelConfig(verdict.model.source).status();
    if (!config.ok()) verdict.mistakes.push_back(config);
    return verdict;
  }
  absl::StatusOr<LoadedModel> loaded = LoadModel(verdict.model.source, {});
  if (loaded.ok()) {
    verdict.loaded = *std::move(loaded);
  } else {
    verdict.mistakes.push_back(loaded.status());
  }
  return verdict;
}

void PrintJson(const Context& context, const Verdict& verdict) {
  using Json = nlohmann::ordered_json;
  Json json = {{"ok", verdict.ok()},
               {"model", verdict.model.source.name},
               {"version", verdict.model.source.version},
               {"origin", verdict.model.source.origin},
               {"opset", verdict.operators.opset},
               {"nodes", verdict.operators.nodes},
               {"unsupported", Json::array()},
               {"errors", Json::array()},
               {"outputs", verdict.loaded.outputs},
               {"notes", verdict.loaded.notes}};
  for (const UnsupportedNode& node : verdict.operators.unsupported) {
    json["unsupported"].push_back({{"node", node.name}, {"operator", node.op}});
  }
  for (const absl::Status& mistake : verdict.mistakes) json["errors"].push_back(ToJson(ErrorFrom(mistake)));
  // Names in a model may be any bytes.
  *context.out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
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

void PrintMistakes(const Context& context, const Verdict& verdict) {
  const std::vector<UnsupportedNode>& unsupported = verdict.operators.unsupported;
  if (!unsupported.empty()) {
    Table table({"node", "unsupported operator", "opset"});
    for (const UnsupportedNode& node : unsupported) {
      table.AddRow({Echo(node.name), Echo(node.op), absl::StrCat(verdict.operators.opset)});
    }
    table.Print(*context.out);
    *context.err << Printable(verdict.model.Title()) << ": " << unsupported.size() << " of " << verdict.operators.nodes
                 << " nodes have unsupported operators\n";
  }
  for (const absl::Status& mistake : verdict.mistakes) *context.err << OneLine(ErrorFrom(mistake)) << '\n';
}

int Run(const Context& context, const std::string& path) {
  const Verdict verdict = Judge(path);
  if (context.json) {
    PrintJson(context, verdict);
  } else if (verdict.ok()) {
    PrintSound(*context.out, verdict);
  } else {
    PrintMistakes(context, verdict);
  }
  return verdict.ok() ? kOk : kFailed;
}

}  // namespace

Command AddCheck(CLI::App& app) {
  const auto path = std::make_shared<std::string>();
  app.add_option("model", *path, "An ONNX file, or a model's folder; default: the model in the program");
  return [path](const Context& context) { return Run(context, *path); };
}

}  // namespace resnetd::cli
