// resnetctl embed: one vector an image, or one a layer, as a table of first values, JSON or a NumPy file.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "base/echo.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "cli/call/bulk.h"
#include "cli/call/client.h"
#include "cli/call/execution.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/inputs.h"
#include "cli/print/json.h"
#include "cli/print/npy.h"
#include "cli/print/row_table.h"
#include "cli/print/table.h"
#include "resnetd/v1/inference.grpc.pb.h"

namespace resnetd::cli {
namespace {

using Embedding = Bulk<v1::EmbedRequest, v1::EmbedResponse>;

constexpr size_t kShownValues = 4;

struct Options {
  ImageArguments images;
  bool l2 = false;
  std::vector<std::string> layers;
  int dimensions = 0;
  std::vector<std::string> spaces;
  std::string npy;
  std::string model;
  bool json_lines = false;
  BulkOptions bulk;
};

struct Outcome {
  v1::EmbedResult result;
  CallError error;  // code 0: none
};

// One layer of an image's result, whether or not the layers were named.
struct Vector {
  std::string layer;  // empty: not named
  absl::Span<const float> values;
  std::string space;
};

std::vector<Vector> VectorsOf(const v1::EmbedResult& result) {
  const auto span = [](const auto& values) { return absl::MakeConstSpan(values.data(), values.size()); };
  std::vector<Vector> vectors;
  for (const v1::LayerEmbedding& l : result.layers()) {
    vectors.push_back({l.layer(), span(l.values()), l.embedding_space()});
  }
  if (vectors.empty()) vectors.push_back({"", span(result.embedding()), result.embedding_space()});
  return vectors;
}

double Norm(absl::Span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

void PrintTable(const Context& context, const std::vector<std::string>& files, const std::vector<Outcome>& outcomes,
                bool with_layers) {
  std::vector<std::string> header = {"image", "size", "norm", "first values"};
  if (with_layers) header.insert(header.begin() + 1, "layer");
  Table table(std::move(header));
  for (size_t i = 0; i < files.size(); ++i) {
    const auto& [result, error] = outcomes[i];
    if (error.code != 0) {
      table.AddRow({EchoPath(files[i]), OneLine(error)});
      continue;
    }
    for (const Vector& v : VectorsOf(result)) {
      std::string first;
      for (size_t k = 0; k < std::min(kShownValues, v.values.size()); ++k) {
        absl::StrAppend(&first, k == 0 ? "" : " ", absl::StrFormat("%.4f", v.values[k]));
      }
      std::vector<std::string> row = {EchoPath(files[i]), absl::StrCat(v.values.size()),
                                      absl::StrFormat("%.4f", Norm(v.values)), first};
      if (with_layers) row.insert(row.begin() + 1, Echo(v.layer));
      table.AddRow(std::move(row));
    }
  }
  table.Print(*context.out);
}

nlohmann::ordered_json EntryOf(const std::string& file, const v1::EmbedResult* result, const CallError* error) {
  nlohmann::ordered_json entry = {{"image", file}};
  if (error != nullptr) {
    entry["error"] = ToJson(*error);
    return entry;
  }
  for (const Vector& v : VectorsOf(*result)) {
    nlohmann::ordered_json& of = v.layer.empty() ? entry : entry["layers"][v.layer];
    of["embedding"] = std::vector<float>(v.values.begin(), v.values.end());
    of["embedding_space"] = v.space;
  }
  entry["execution"] = ToJson(result->execution());
  return entry;
}

void PrintJson(const Context& context, const std::vector<std::string>& files, const std::vector<Outcome>& outcomes) {
  auto json = nlohmann::ordered_json::array();
  for (size_t i = 0; i < files.size(); ++i) {
    const auto& [result, error] = outcomes[i];
    json.push_back(EntryOf(files[i], &result, error.code == 0 ? nullptr : &error));
  }
  *context.out << Dump(json) << '\n';
}

// Writes one row an image, in order, so that row i is image i, NaN for a bad image, and first the table that says
// which is which. Returns a line that tells of both, empty where the rows went to a device.
absl::StatusOr<std::string> SaveNpy(const std::string& path, const std::vector<std::string>& files,
                                    const std::vector<Outcome>& outcomes) {
  size_t width = 0, failed = 0;
  for (const Outcome& o : outcomes) {
    width = std::max(width, VectorsOf(o.result)[0].values.size());
    failed += o.error.code == 0 ? 0 : 1;
  }
  if (width == 0)
    return absl::InvalidArgumentError(absl::StrCat("no image has an embedding: ", EchoPath(path), " not written"));
  std::vector<float> values;
  std::vector<NamedRow> rows;
  values.reserve(outcomes.size() * width);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome& o = outcomes[i];
    const Vector row = VectorsOf(o.result)[0];
    values.insert(values.end(), row.values.begin(), row.values.end());
    values.insert(values.end(), width - row.values.size(), std::numeric_limits<float>::quiet_NaN());
    rows.push_back({files[i], o.error.code == 0 ? "ok" : OneLine(o.error), row.space});
  }
  const std::string table = PathOfRowTable(path);
  if (!table.empty()) RESNETD_RETURN_IF_ERROR(WriteFile(table, {RowTable(rows)}));
  RESNETD_RETURN_IF_ERROR(WriteNpy(path, values, {outcomes.size(), width}));
  if (table.empty()) return std::string();
  return absl::StrCat(EchoPath(path), ": ", outcomes.size(), " rows of ", width, ", ", failed, " of them NaN; ",
                      EchoPath(table), " says which row is which file\n");
}

v1::EmbedRequest RequestFor(const Options& options) {
  v1::EmbedRequest request;
  request.set_model(options.model);
  request.mutable_options()->set_l2_normalize(options.l2);
  request.mutable_options()->set_dimensions(options.dimensions);
  for (const std::string& layer : options.layers) request.mutable_options()->add_layers(layer);
  for (const std::string& space : options.spaces) request.mutable_options()->add_require_space(space);
  return request;
}

// An image without a vector that is none of its fault: a row of NaN would hide that.
bool RowIsMissing(const Outcome& outcome) {
  return outcome.error.code != 0 && !ImageIsBad(outcome.error);
}

std::string CheckOptions(const Context& context, const Options& options) {
  if (!options.npy.empty() && options.layers.size() > 1) {
    return absl::StrCat("--npy: expected one --layer, got ", options.layers.size());
  }
  return CheckJsonLines(context, options.json_lines);
}

// Takes outcomes as they come. Returns whether the run shall go on.
class Outcomes {
 public:
  Outcomes(const Context& context, const Options& options, const std::vector<std::string>& files)
      : context_(context), options_(options), files_(files), all_(keeps() ? files.size() : 0) {}

  bool Add(size_t i, const v1::EmbedResult* result, const CallError* error) {
    if (options_.json_lines) *context_.out << Dump(EntryOf(files_[i], result, error), -1) << std::endl;
    if (error != nullptr) ++failed_;
    if (!keeps()) return true;
    if (error == nullptr) {
      all_[i].result = *result;
      return true;
    }
    all_[i].error = *error;
    return options_.npy.empty() || !RowIsMissing(all_[i]);
  }
  // Prints what was kept, and writes the rows unless the run ended before the last.
  absl::Status Finish(bool ended) const {
    if (context_.json) {
      PrintJson(context_, files_, all_);
    } else if (options_.npy.empty() && !options_.json_lines) {
      PrintTable(context_, files_, all_, !options_.layers.empty());
    }
    if (options_.npy.empty() || ended) return absl::OkStatus();
    RESNETD_ASSIGN_OR_RETURN(const std::string told, SaveNpy(options_.npy, files_, all_));
    if (!context_.json && !options_.json_lines) *context_.out << told;
    return absl::OkStatus();
  }
  size_t failed() const { return failed_; }

 private:
  // Lines that have been printed are all that is wanted of an outcome, unless rows are.
  bool keeps() const { return !options_.json_lines || !options_.npy.empty(); }

  const Context& context_;
  const Options& options_;
  const std::vector<std::string>& files_;
  std::vector<Outcome> all_;
  size_t failed_ = 0;
};

int Embed(const Context& context, const Options& options) {
  if (const std::string wrong = CheckOptions(context, options); !wrong.empty()) {
    *context.err << wrong << '\n';
    return kUsage;
  }
  const absl::StatusOr<std::vector<std::string>> files = ImagesOf(options.images);
  if (!files.ok()) {
    *context.err << Explain(ErrorFrom(files.status())) << '\n';
    return kUsage;
  }
  Outcomes outcomes(context, options, *files);
  const auto stub = v1::InferenceService::NewStub(Connect(context));
  Patience patience(LimitsOf(context, options.bulk));
  Embedding bulk(context, options.bulk, patience, RequestFor(options),
                 [&](auto* call, const auto* request, auto* response, auto done) {
                   stub->async()->Embed(call, request, response, std::move(done));
                 });
  const std::optional<Ended> ended = bulk.Run(*files, [&](size_t i, const auto* result, const CallError* error) {
    if (error != nullptr) *context.err << Explain(files->at(i), *error) << '\n';
    return outcomes.Add(i, result, error);
  });
  if (ended) {
    *context.err << Explain(context, *ended, files->size()) << '\n';
    if (ended->unreachable) return kFailed;
    if (!options.npy.empty()) *context.err << EchoPath(options.npy) << ": not written\n";
    for (size_t i = ended->handed_over; i < files->size(); ++i) outcomes.Add(i, nullptr, &ended->error);
  }
  if (const absl::Status saved = outcomes.Finish(ended.has_value()); !saved.ok()) {
    *context.err << Explain(ErrorFrom(saved)) << '\n';
    return kFailed;
  }
  if (!ended) TellFailed(context, outcomes.failed(), files->size());
  return ended || outcomes.failed() > 0 ? kFailed : kOk;
}

}  // namespace

Command AddEmbed(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  AddImageArguments(app, options->images, "JPEG, PNG or WebP files, or folders of them; -: one on standard input");
  app.add_flag("--jsonl", options->json_lines, "Print JSON Lines, an image a line, as the answers come");
  app.add_flag("--l2", options->l2, "Scale each vector to length 1");
  app.add_option("--layer", options->layers, "A layer of the model, as `models NAME` lists them; may be given again")
      ->allow_extra_args(false);
  app.add_option("--dimensions", options->dimensions, "Keep the first so many values, where the model allows it");
  app.add_option("--require-space", options->spaces,
                 "Fail unless the vectors are in this embedding space; one for each --layer, in order")
      ->allow_extra_args(false);
  app.add_option(
      "--npy", options->npy,
      "Write float32 [images, size] as a NumPy file instead of a table, a bad image's row is NaN, and beside "
      "it a .tsv of path, status and space of each row");
  app.add_option("--model", options->model, "Model; needed if the server holds several");
  AddBulkOptions(app, options->bulk);
  return [options](const Context& context) { return Embed(context, *options); };
}

}  // namespace resnetd::cli
