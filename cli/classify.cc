// resnetctl classify: one row an image, best class first.
#include <cstddef>
#include <memory>
#include <optional>
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
#include "cli/table.h"
#include "resnetd/v1/inference.grpc.pb.h"

namespace resnetd::cli {
namespace {

using Classification = Bulk<v1::ClassifyRequest, v1::ClassifyResponse>;

struct Options {
  std::vector<std::string> images;
  int top_k = 3;
  bool logits = false;
  std::optional<float> threshold;
  std::string model, head;
  std::string expected_file;
  BulkOptions bulk;
};

std::string Name(const v1::Class& c) {
  return c.label().empty() ? absl::StrCat("#", c.index()) : c.label();
}

std::string Cell(const v1::Class& c, bool logits) {
  return logits ? absl::StrFormat("%s %.3f", Name(c), c.score())
                : absl::StrFormat("%s %.1f %%", Name(c), c.score() * 100);
}

// Whether the best class is `label`, which may be the class's index where the model has no labels.
bool Matches(const v1::ClassifyResult& result, const std::string& label) {
  if (result.classes().empty()) return false;
  const v1::Class& best = result.classes(0);
  return best.label() == label || absl::StrCat(best.index()) == label;
}

// Collects outcomes and prints them together, since a column's width is known at the end.
class Report {
 public:
  Report(const Options& options, const std::vector<std::string>& files, const ExpectedLabels* expected)
      : options_(options), files_(files), expected_(expected), table_(Header()) {}

  void Add(size_t index, const v1::ClassifyResult* result, const CallError* error) {
    const std::string* truth = expected_ == nullptr ? nullptr : expected_->Find(files_[index]);
    nlohmann::ordered_json json = {{"image", files_[index]}};
    std::vector<std::string> row = {files_[index]};
    if (expected_ != nullptr) row.push_back(truth == nullptr ? "" : *truth);
    if (truth != nullptr) json["expected"] = *truth;
    if (error != nullptr) {
      ++failed_;
      json["error"] = ToJson(*error);
      row.push_back(OneLine(*error));
    } else {
      if (truth != nullptr) ++(Matches(*result, *truth) ? correct_ : wrong_);
      json["classes"] = nlohmann::ordered_json::array();
      for (const v1::Class& c : result->classes()) {
        json["classes"].push_back({{"index", c.index()}, {"label", c.label()}, {"score", c.score()}});
        row.push_back(Cell(c, options_.logits));
      }
      json["execution"] = ToJson(result->execution());
    }
    table_.AddRow(std::move(row));
    json_.push_back(std::move(json));
  }

  void Print(const Context& context) const {
    if (context.json) {
      *context.out << json_.dump(2) << '\n';
      return;
    }
    table_.Print(*context.out);
    if (correct_ + wrong_ > 0) *context.out << correct_ << " of " << correct_ + wrong_ << " correct\n";
  }

  int exit_code() const { return failed_ == 0 ? kOk : kFailed; }

 private:
  std::vector<std::string> Header() const {
    std::vector<std::string> header = {"image"};
    if (expected_ != nullptr) header.push_back("true label");
    for (int k = 1; k <= (options_.top_k == 0 ? 5 : options_.top_k); ++k) header.push_back(absl::StrCat("top ", k));
    return header;
  }

  const Options& options_;
  const std::vector<std::string>& files_;
  const ExpectedLabels* expected_;
  Table table_;
  nlohmann::ordered_json json_ = nlohmann::ordered_json::array();
  int failed_ = 0, correct_ = 0, wrong_ = 0;
};

v1::ClassifyRequest RequestFor(const Options& options) {
  v1::ClassifyRequest request;
  request.set_model(options.model);
  request.mutable_options()->set_top_k(options.top_k);
  if (options.logits) request.mutable_options()->set_scores(v1::ClassifyOptions::LOGITS);
  if (options.threshold) request.mutable_options()->set_threshold(*options.threshold);
  request.mutable_options()->set_head(options.head);
  return request;
}

int Classify(const Context& context, const Options& options) {
  const absl::StatusOr<std::vector<std::string>> files = ExpandInputs(options.images);
  if (!files.ok()) {
    *context.err << Explain(ErrorFrom(files.status())) << '\n';
    return kUsage;
  }
  std::optional<ExpectedLabels> expected;
  if (!options.expected_file.empty()) {
    absl::StatusOr<ExpectedLabels> read = ExpectedLabels::Read(options.expected_file);
    if (!read.ok()) {
      *context.err << Explain(ErrorFrom(read.status())) << '\n';
      return kUsage;
    }
    expected = *std::move(read);
  }
  const auto stub = v1::InferenceService::NewStub(Connect(context));
  Report report(options, *files, expected ? &*expected : nullptr);
  Classification bulk(context, options.bulk, RequestFor(options),
                      [&](auto* call, const auto* request, auto* response, auto done) {
                        stub->async()->Classify(call, request, response, std::move(done));
                      });
  bulk.Run(*files, [&](size_t i, const auto* result, const CallError* error) {
    report.Add(i, result, error);
    if (error != nullptr) *context.err << files->at(i) << ": " << Explain(*error) << '\n';
  });
  report.Print(context);
  return report.exit_code();
}

}  // namespace

Command AddClassify(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("images", options->images, "JPEG, PNG or WebP files, or folders of them")->required();
  app.add_option("-k,--top-k", options->top_k, "Classes an image; 0: the server's default")->capture_default_str();
  app.add_flag("--logits", options->logits, "The network's raw scores instead of probabilities");
  app.add_option("--threshold", options->threshold, "Leave out classes that score below");
  app.add_option("--model", options->model, "Model; needed if the server holds several");
  app.add_option("--head", options->head, "A head of the model, as `models NAME` lists them; its first if not given");
  app.add_option("--expect", options->expected_file,
                 "Text file with lines \"path label\": shows the true labels beside");
  AddBulkOptions(app, options->bulk);
  return [options](const Context& context) { return Classify(context, *options); };
}

}  // namespace resnetd::cli
