// resnetctl embed: one vector an image, as a table of its first values, JSON or a NumPy file.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/bulk.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/execution.h"
#include "cli/inputs.h"
#include "cli/npy.h"
#include "cli/table.h"
#include "resnetd/v1/inference.grpc.pb.h"

namespace resnetd::cli {
namespace {

using Embedding = Bulk<v1::EmbedRequest, v1::EmbedResponse>;

constexpr int kShownValues = 4;

struct Options {
  std::vector<std::string> images;
  bool l2 = false;
  std::string npy;
  std::string model;
  BulkOptions bulk;
};

struct Outcome {
  v1::EmbedResult result;
  CallError error;  // code 0: none
};

double Norm(const v1::EmbedResult& result) {
  double sum = 0;
  for (const float v : result.embedding()) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

void PrintTable(const Context& context, const std::vector<std::string>& files, const std::vector<Outcome>& outcomes) {
  Table table({"image", "size", "norm", "first values"});
  for (size_t i = 0; i < files.size(); ++i) {
    const auto& [result, error] = outcomes[i];
    if (error.code != 0) {
      table.AddRow({files[i], OneLine(error)});
      continue;
    }
    std::string values;
    for (int k = 0; k < std::min(kShownValues, result.embedding_size()); ++k) {
      absl::StrAppend(&values, k == 0 ? "" : " ", absl::StrFormat("%.4f", result.embedding(k)));
    }
    table.AddRow({files[i], absl::StrCat(result.embedding_size()), absl::StrFormat("%.4f", Norm(result)), values});
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
      entry["embedding"] = std::vector<float>(result.embedding().begin(), result.embedding().end());
      entry["execution"] = ToJson(result.execution());
    }
    json.push_back(std::move(entry));
  }
  *context.out << json.dump(2) << '\n';
}

// One row an image, in order, so that row i is image i: a failed image's row is NaN.
absl::Status SaveNpy(const std::string& path, const std::vector<Outcome>& outcomes) {
  size_t width = 0;
  for (const Outcome& o : outcomes) width = std::max(width, static_cast<size_t>(o.result.embedding_size()));
  if (width == 0) return absl::InvalidArgumentError(absl::StrCat("no image has an embedding: ", path, " not written"));
  std::vector<float> values;
  values.reserve(outcomes.size() * width);
  for (const Outcome& o : outcomes) {
    values.insert(values.end(), o.result.embedding().begin(), o.result.embedding().end());
    values.insert(values.end(), width - o.result.embedding_size(), std::numeric_limits<float>::quiet_NaN());
  }
  return WriteNpy(path, values, outcomes.size(), width);
}

int Embed(const Context& context, const Options& options) {
  const absl::StatusOr<std::vector<std::string>> files = ExpandInputs(options.images);
  if (!files.ok()) {
    *context.err << Explain(ErrorFrom(files.status())) << '\n';
    return kUsage;
  }
  v1::EmbedRequest request;
  request.set_model(options.model);
  request.mutable_options()->set_l2_normalize(options.l2);

  int exit_code = kOk;
  std::vector<Outcome> outcomes(files->size());
  const auto stub = v1::InferenceService::NewStub(Connect(context));
  Embedding bulk(context, options.bulk, request, [&](auto* call, const auto* sent, auto* response, auto done) {
    stub->async()->Embed(call, sent, response, std::move(done));
  });
  bulk.Run(*files, [&](size_t i, const auto* result, const CallError* error) {
    if (error == nullptr) {
      outcomes[i].result = *result;
      return;
    }
    outcomes[i].error = *error;
    exit_code = kFailed;
    *context.err << files->at(i) << ": " << Explain(*error) << '\n';
  });

  if (context.json) {
    PrintJson(context, *files, outcomes);
  } else if (options.npy.empty()) {
    PrintTable(context, *files, outcomes);
  }
  if (!options.npy.empty()) {
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
  app.add_option("images", options->images, "JPEG or PNG files, or folders of them")->required();
  app.add_flag("--l2", options->l2, "Scale each vector to length 1");
  app.add_option("--npy", options->npy,
                 "Write float32 [images, size] as a NumPy file instead of a table; a failed image's row is NaN");
  app.add_option("--model", options->model, "Model; needed if the server holds several");
  AddBulkOptions(app, options->bulk);
  return [options](const Context& context) { return Embed(context, *options); };
}

}  // namespace resnetd::cli
