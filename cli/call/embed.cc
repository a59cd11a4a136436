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
#include "cli/call/bulk.h"
#include "cli/call/client.h"
#include "cli/call/execution.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/inputs.h"
#include "cli/print/npy.h"
#include "cli/print/table.h"
#include "resnetd/v1/inference.grpc.pb.h"

namespace resnetd::cli {
namespace {

using Embedding = Bulk<v1::EmbedRequest, v1::EmbedResponse>;

constexpr size_t kShownValues = 4;

struct Options {
  std::vector<std::string> images;
  bool l2 = false;
  std::vector<std::string> layers;
  int dimensions = 0;
  std::vector<std::string> spaces;
  std::string npy;
  std::string model;
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

void PrintJson(const Context& context, const std::vector<std::string>& files, const std::vector<Outcome>& outcomes) {
  auto json = nlohmann::ordered_json::array();
  for (size_t i = 0; i < files.size(); ++i) {
    const auto& [result, error] = outcomes[i];
    nlohmann::ordered_json entry = {{"image", files[i]}};
    if (error.code != 0) {
      entry["error"] = ToJson(error);
    } else {
      for (const Vector& v : VectorsOf(result)) {
        nlohmann::ordered_json& of = v.layer.empty() ? entry : entry["layers"][v.layer];
        of["embedding"] = std::vector<float>(v.values.begin(), v.values.end());
        of["embedding_space"] = v.space;
      }
      entry["execution"] = ToJson(result.execution());
    }
    json.push_back(std::move(entry));
  }
  *context.out << json.dump(2) << '\n';
}

// One row an image, in order, so that row i is image i: a bad image's row is NaN.
absl::Status SaveNpy(const std::string& path, const std::vector<Outcome>& outcomes) {
  size_t width = 0;
  for (const Outcome& o : outcomes) width = std::max(width, VectorsOf(o.result)[0].values.size());
  if (width == 0)
    return absl::InvalidArgumentError(absl::StrCat("no image has an embedding: ", EchoPath(path), " not written"));
  std::vector<float> rows;
  rows.reserve(outcomes.size() * width);
  for (const Outcome& o : outcomes) {
    const absl::Span<const float> values = VectorsOf(o.result)[0].values;
    rows.insert(rows.end(), values.begin(), values.end());
    rows.insert(rows.end(), width - values.size(), std::numeric_limits<float>::quiet_NaN());
  }
  return WriteNpy(path, rows, {outcomes.size(), width});
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

int Embed(const Context& context, const Options& options) {
  if (!options.npy.empty() && options.layers.size() > 1) {
    *context.err << "--npy: expected one --layer, got " << options.layers.size() << '\n';
    return kUsage;
  }
  const absl::StatusOr<std::vector<std::string>> files = ExpandInputs(options.images);
  if (!files.ok()) {
    *context.err << Explain(ErrorFrom(files.status())) << '\n';
    return kUsage;
  }
  int exit_code = kOk;
  std::vector<Outcome> outcomes(files->size());
  const auto stub = v1::InferenceService::NewStub(Connect(context));
  Patience patience(LimitsOf(context, options.bulk));
  Embedding bulk(context, options.bulk, patience, RequestFor(options),
                 [&](auto* call, const auto* request, auto* response, auto done) {
                   stub->async()->Embed(call, request, response, std::move(done));
                 });
  const std::optional<Ended> ended = bulk.Run(*files, [&](size_t i, const auto* result, const CallError* error) {
    if (error == nullptr) {
      outcomes[i].result = *result;
      return true;
    }
    outcomes[i].error = *error;
    exit_code = kFailed;
    *context.err << EchoPath(files->at(i)) << ": " << Explain(*error) << '\n';
    return options.npy.empty() || !RowIsMissing(outcomes[i]);
  });
  if (ended) {
    *context.err << Explain(context, *ended, files->size()) << '\n';
    if (!options.npy.empty()) *context.err << EchoPath(options.npy) << ": not written\n";
    for (size_t i = ended->handed_over; i < files->size(); ++i) outcomes[i].error = ended->error;
    exit_code = kFailed;
  }

  if (context.json) {
    PrintJson(context, *files, outcomes);
  } else if (options.npy.empty()) {
    PrintTable(context, *files, outcomes, !options.layers.empty());
  }
  if (!options.npy.empty() && !ended) {
    if (const absl::Status saved = SaveNpy(options.npy, outcomes); !saved.ok()) {
      *context.err << Explain(ErrorFrom(saved)) << '\n';
      return kFailed;
    }
  }
  return exit_code;
}

}  // namespace

Command AddEmbed(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("images", options->images, "JPEG, PNG or WebP files, or folders of them")->required();
  app.add_flag("--l2", options->l2, "Scale each vector to length 1");
  app.add_option("--layer", options->layers, "A layer of the model, as `models NAME` lists them; may be given again")
      ->allow_extra_args(false);
  app.add_option("--dimensions", options->dimensions, "Keep the first so many values, where the model allows it");
  app.add_option("--require-space", options->spaces,
                 "Fail unless the vectors are in this embedding space; one for each --layer, in order")
      ->allow_extra_args(false);
  app.add_option("--npy", options->npy,
                 "Write float32 [images, size] as a NumPy file instead of a table; a bad image's row is NaN");
  app.add_option("--model", options->model, "Model; needed if the server holds several");
  AddBulkOptions(app, options->bulk);
  return [options](const Context& context) { return Embed(context, *options); };
}

}  // namespace resnetd::cli
