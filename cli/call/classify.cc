// resnetctl classify: one row an image, best class first.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/echo.h"
#include "cli/call/bulk.h"
#include "cli/call/client.h"
#include "cli/call/execution.h"
#include "cli/call/served_model.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/inputs.h"
#include "cli/print/json.h"
#include "cli/print/table.h"
#include "resnetd/v1/inference.grpc.pb.h"

namespace resnetd::cli {
namespace {

using Classification = Bulk<v1::ClassifyRequest, v1::ClassifyResponse>;

struct Options {
  ImageArguments images;
  int top_k = 3;
  bool logits = false;
  std::optional<float> threshold;
  std::string model, head;
  std::string expected_file;
  bool json_lines = false;
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

// Prints outcomes as they come, if they are to be JSON Lines. Else collects them and prints them together, since a
// column's width is known at the end.
class Report {
 public:
  Report(const Context& context, const Options& options, const std::vector<std::string>& files,
         const ExpectedLabels* expected)
      : context_(context), options_(options), files_(files), expected_(expected) {}

  void Add(size_t index, const v1::ClassifyResult* result, const CallError* error) {
    const std::string* truth = expected_ == nullptr ? nullptr : expected_->Find(files_[index]);
    nlohmann::ordered_json json = {{"image", files_[index]}};
    std::vector<std::string> row = {EchoPath(files_[index])};
    if (expected_ != nullptr) row.push_back(truth == nullptr ? "" : *truth);
    if (truth != nullptr) json["expected"] = *truth;
    if (error != nullptr) {
      ++failed_;
      json["error"] = ToJson(*error);
      row.push_back(OneLine(*error));
    } else {
      if (truth != nullptr) ++(Matches(*result, *truth) ? correct_ : wrong_);
      json["classes"] = nlohmann::ordered_json::array();
      most_classes_ = std::max(most_classes_, result->classes_size());
      for (const v1::Class& c : result->classes()) {
        json["classes"].push_back({{"index", c.index()}, {"label", c.label()}, {"score", c.score()}});
        row.push_back(Cell(c, options_.logits));
      }
      json["execution"] = ToJson(result->execution());
    }
    if (options_.json_lines) {
      *context_.out << Dump(json, -1) << std::endl;
      return;
    }
    rows_.push_back(std::move(row));
    json_.push_back(std::move(json));
  }

  void Print() const {
    if (options_.json_lines) return;
    if (context_.json) {
      *context_.out << Dump(json_) << '\n';
      return;
    }
    Table table(Header());
    for (const std::vector<std::string>& row : rows_) table.AddRow(row);
    table.Print(*context_.out);
    if (correct_ + wrong_ > 0) *context_.out << correct_ << " of " << correct_ + wrong_ << " correct\n";
  }

  size_t failed() const { return failed_; }

 private:
  std::vector<std::string> Header() const {
    std::vector<std::string> header = {"image"};
    if (expected_ != nullptr) header.push_back("true label");
    // One column is there even if all images failed: it holds the reasons.
    for (int k = 1; k <= std::max(most_classes_, 1); ++k) header.push_back(absl::StrCat("top ", k));
    return header;
  }

  const Context& context_;
  const Options& options_;
  const std::vector<std::string>& files_;
  const ExpectedLabels* expected_;
  std::vector<std::vector<std::string>> rows_;
  nlohmann::ordered_json json_ = nlohmann::ordered_json::array();
  int most_classes_ = 0;
  size_t failed_ = 0;
  int correct_ = 0, wrong_ = 0;
};

v1::ClassifyRequest RequestFor(const Options& options, const v1::GetModelResponse& model) {
  v1::ClassifyRequest request;
  request.set_model(model.name());
  request.set_model_version(model.version());
  request.mutable_options()->set_top_k(options.top_k);
  // If there are fewer classes, all are shown.
  if (const v1::Head* head = FindHead(model, options.head); head != nullptr) {
    request.mutable_options()->set_top_k(std::min(options.top_k, head->classes()));
  }
  if (options.logits) request.mutable_options()->set_scores(v1::ClassifyOptions::LOGITS);
  if (options.threshold) request.mutable_options()->set_threshold(*options.threshold);
  request.mutable_options()->set_head(options.head);
  return request;
}

int Classify(const Context& context, const Options& options) {
  if (const std::string wrong = CheckJsonLines(context, options.json_lines); !wrong.empty()) {
    *context.err << wrong << '\n';
    return kUsage;
  }
  const absl::StatusOr<std::vector<std::string>> files = ImagesOf(options.images);
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
  Patience patience(LimitsOf(context, options.bulk));
  ServedModel model(context, *stub, patience);
  if (const absl::Status asked = model.Ask(options.model); !asked.ok()) {
    *context.err << OneLine(ErrorFrom(asked)) << '\n';
    return kFailed;
  }
  Report report(context, options, *files, expected ? &*expected : nullptr);
  Classification bulk(context, options.bulk, patience, RequestFor(options, model.answer()),
                      [&](auto* call, const auto* request, auto* response, auto done) {
                        stub->async()->Classify(call, request, response, std::move(done));
                      });
  std::optional<Ended> ended = bulk.Run(*files, [&](size_t i, const auto* result, const CallError* error) {
    report.Add(i, result, error);
    if (error != nullptr) *context.err << Explain(files->at(i), *error) << '\n';
    return true;
  });
  if (!ended) ended = model.AskWhetherSame(files->size());
  if (ended) {
    *context.err << Explain(context, *ended, files->size()) << '\n';
    if (ended->mixed || ended->unreachable) return kFailed;
    for (size_t i = ended->handed_over; i < files->size(); ++i) report.Add(i, nullptr, &ended->error);
  }
  report.Print();
  if (!ended) TellFailed(context, report.failed(), files->size());
  return report.failed() == 0 ? kOk : kFailed;
}

}  // namespace

Command AddClassify(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  AddImageArguments(app, options->images, "JPEG, PNG or WebP files, or folders of them; -: one on standard input");
  app.add_flag("--jsonl", options->json_lines, "Print JSON Lines, an image a line, as the answers come");
  app.add_option("-k,--top-k", options->top_k, "Classes an image, or all there are; 0: the server's default")
      ->capture_default_str();
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
