// resnetctl evaluate: how often a model is right about images whose classes are known, and whether PyTorch says the
// same.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/cpu_budget.h"
#include "base/echo.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/evaluate/classifier.h"
#include "cli/evaluate/confusion_picture.h"
#include "cli/evaluate/evaluation.h"
#include "cli/evaluate/labelled_images.h"
#include "cli/inputs.h"
#include "cli/model_file.h"
#include "cli/print/json.h"
#include "cli/print/table.h"
#include "engine/engine.h"
#include "nlohmann/json.hpp"

namespace resnetd::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kDifferencesShown = 20;

struct Options {
  LocalModel model;  // its path is the name of a served one otherwise
  std::string data, head, predictions, svg;
  bool local = false;
  int threads = ReadCpuBudget();
  BulkOptions bulk;
};

// Class of each image.
struct Known {
  TrueClasses truth;
  std::vector<int> predicted;  // by the file of predictions; empty without one
};

struct Failure {
  size_t image;
  CallError error;
};

// The file of predictions says another class.
struct Difference {
  size_t image;
  int here, there;
};

struct Report {
  explicit Report(int classes) : evaluation(classes), predictions(classes) {}

  Evaluation evaluation;
  Evaluation predictions;  // the file's, of the images that were answered here
  std::vector<Failure> failures;
  std::vector<Difference> differences;
  std::optional<Ended> ended;  // before the last image
  double seconds = 0;
};

absl::StatusOr<std::vector<int>> ReadPredictions(const std::string& path, const LabelledImages& data,
                                                 const ClassNames& classes) {
  RESNETD_ASSIGN_OR_RETURN(const ExpectedLabels labels, ExpectedLabels::Read(path));
  std::vector<int> predicted;
  for (const LabelledImage& image : data.images) {
    const std::string* label = labels.Find(image.path);
    if (label == nullptr) label = labels.Find(image.name);
    if (label == nullptr)
      return absl::InvalidArgumentError(absl::StrCat(EchoPath(path), ": no line for ", EchoPath(image.name)));
    const absl::StatusOr<int> index = FindClass(*label, classes);
    if (!index.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(EchoPath(path), ": ", EchoPath(image.name), ": ", index.status().message()));
    }
    predicted.push_back(*index);
  }
  return predicted;
}

absl::StatusOr<Known> FindKnown(const Options& options, const LabelledImages& data, const ClassNames& classes) {
  Known known;
  RESNETD_ASSIGN_OR_RETURN(known.truth, FindTrueClasses(data, classes));
  if (!options.predictions.empty()) {
    RESNETD_ASSIGN_OR_RETURN(known.predicted, ReadPredictions(options.predictions, data, classes));
  }
  return known;
}

Report Evaluate(const Context& context, Classifier& classifier, const LabelledImages& data, const Known& known) {
  Report report(classifier.classes().count);
  std::vector<std::string> files;
  for (const LabelledImage& image : data.images) files.push_back(image.path);
  const auto start = Now();
  report.ended = classifier.Run(files, [&](size_t i, absl::Span<const int> best, const CallError* error) {
    if (error != nullptr) {
      *context.err << Explain(files[i], *error) << '\n';
      report.failures.push_back({i, *error});
      return;
    }
    report.evaluation.Add(known.truth.of_image[i], best);
    if (known.predicted.empty()) return;
    report.predictions.Add(known.truth.of_image[i], {&known.predicted[i], 1});
    if (known.predicted[i] != best[0]) report.differences.push_back({i, best[0], known.predicted[i]});
  });
  for (size_t i = report.ended ? report.ended->handed_over : files.size(); i < files.size(); ++i) {
    report.failures.push_back({i, report.ended->error});
  }
  report.seconds = std::chrono::duration<double>(Now() - start).count();
  return report;
}

double Share(int64_t part, int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

// A share of no images does not exist: it is printed as "-".
std::string Percent(int64_t part, int64_t whole) {
  return whole == 0 ? "-" : absl::StrFormat("%.2f %%", 100 * Share(part, whole));
}

std::string IntervalText(const Interval& interval) {
  return absl::StrFormat("%.2f to %.2f %%", 100 * interval.low, 100 * interval.high);
}

Json ShareJson(int64_t hits, int64_t of) {
  if (of == 0) return {{"right", hits}, {"share", nullptr}, {"low", nullptr}, {"high", nullptr}};
  const Interval interval = WilsonInterval(hits, of);
  return {{"right", hits}, {"share", Share(hits, of)}, {"low", interval.low}, {"high", interval.high}};
}

std::string ReadingText(const TrueClasses& truth) {
  switch (truth.reading) {
    case Reading::kLabels:
      return "by the model's labels";
    case Reading::kOrder:
      return "the folders in the order of their names";
    case Reading::kIndices:
      break;
  }
  if (!truth.image_folder_differs) return "by index";
  const auto& [folder, place] = *truth.image_folder_differs;
  return absl::StrCat("by index; torchvision's ImageFolder goes by the order of the names, which makes ", Echo(folder),
                      " class ", place);
}

const char* ReadingJson(Reading reading) {
  switch (reading) {
    case Reading::kLabels:
      return "labels";
    case Reading::kIndices:
      return "indices";
    case Reading::kOrder:
      return "order";
  }
  return "";
}

Json ClassesJson(const Evaluation& evaluation, const ClassNames& classes) {
  Json all = Json::array();
  for (int c = 0; c < evaluation.classes(); ++c) {
    const Tally& of = evaluation.of_class(c);
    if (of.images == 0) continue;
    all.push_back({{"index", c},
                   {"label", classes.Of(c)},
                   {"images", of.images},
                   {"top1", ShareJson(of.top1, of.images)},
                   {"top5", ShareJson(of.top5, of.images)}});
  }
  return all;
}

Json PredictionsJson(const Report& report, const LabelledImages& data, const Known& known) {
  Json images = Json::array();
  for (const Difference& d : report.differences) {
    images.push_back({{"image", data.images[d.image].path},
                      {"true", known.truth.of_image[d.image]},
                      {"here", d.here},
                      {"there", d.there}});
  }
  const Tally& theirs = report.predictions.all();
  return {{"compared", theirs.images},
          {"top1", ShareJson(theirs.top1, theirs.images)},
          {"differ", report.differences.size()},
          {"images", std::move(images)}};
}

void PrintJson(const Context& context, const Classifier& classifier, const LabelledImages& data, const Known& known,
               const Report& report) {
  const Tally& all = report.evaluation.all();
  Json confusion = Json::array(), errors = Json::array();
  for (const auto& [classes, images] : report.evaluation.confusion()) {
    confusion.push_back({{"true", classes.first}, {"taken_for", classes.second}, {"images", images}});
  }
  for (const Failure& failure : report.failures) {
    errors.push_back({{"image", data.images[failure.image].path}, {"error", ToJson(failure.error)}});
  }
  Json json = {{"model", classifier.name()},
               {"images", all.images},
               {"failed", report.failures.size()},
               {"classes_read_as", ReadingJson(known.truth.reading)},
               {"image_folder_differs", known.truth.image_folder_differs.has_value()},
               {"seconds", report.seconds},
               {"top1", ShareJson(all.top1, all.images)},
               {"top5", ShareJson(all.top5, all.images)},
               {"classes", ClassesJson(report.evaluation, classifier.classes())},
               {"confusion", std::move(confusion)},
               {"errors", std::move(errors)}};
  if (!known.predicted.empty()) json["predictions"] = PredictionsJson(report, data, known);
  *context.out << Dump(json) << '\n';
}

void PrintSummary(const Context& context, const Classifier& classifier, const Known& known, const Report& report) {
  const Tally& all = report.evaluation.all();
  const auto line = [&](int64_t hits, const Interval& interval) {
    if (all.images == 0) return Percent(hits, all.images);
    return absl::StrCat(Percent(hits, all.images), "  (95 %: ", IntervalText(interval), ")");
  };
  Table table({"model", classifier.name()});
  table.AddRow({"images", absl::StrCat(all.images, " answered, ", report.failures.size(), " failed")});
  table.AddRow({"classes", ReadingText(known.truth)});
  table.AddRow({"top 1", line(all.top1, all.top1_interval())});
  if (report.evaluation.classes() > 5) table.AddRow({"top 5", line(all.top5, all.top5_interval())});
  table.AddRow({"images/s", absl::StrFormat("%.0f", static_cast<double>(all.images) / report.seconds)});
  table.Print(*context.out);
}

void PrintClasses(const Context& context, const Evaluation& evaluation, const ClassNames& classes) {
  Table table({"class", "images", "top 1", "95 %", "top 5", "most often taken for"});
  for (int c = 0; c < evaluation.classes(); ++c) {
    const Tally& of = evaluation.of_class(c);
    if (of.images == 0) continue;
    const auto [other, images] = evaluation.MostConfused(c);
    table.AddRow({classes.Of(c), absl::StrCat(of.images), Percent(of.top1, of.images), IntervalText(of.top1_interval()),
                  Percent(of.top5, of.images), other < 0 ? "" : absl::StrCat(classes.Of(other), " (", images, ")")});
  }
  *context.out << '\n';
  table.Print(*context.out);
}

void PrintDifferences(const Context& context, const Options& options, const LabelledImages& data, const Known& known,
                      const ClassNames& classes, const Report& report) {
  const Tally& theirs = report.predictions.all();
  *context.out << '\n'
               << report.differences.size() << " of " << theirs.images << " images differ from "
               << EchoPath(options.predictions) << ", whose top 1 is " << Percent(theirs.top1, theirs.images) << '\n';
  if (report.differences.empty()) return;
  Table table({"image", "true class", "here", "there"});
  const size_t shown = std::min(report.differences.size(), kDifferencesShown);
  for (size_t i = 0; i < shown; ++i) {
    const Difference& d = report.differences[i];
    table.AddRow({EchoPath(data.images[d.image].path), classes.Of(known.truth.of_image[d.image]), classes.Of(d.here),
                  classes.Of(d.there)});
  }
  table.Print(*context.out);
  if (shown < report.differences.size()) {
    *context.out << "and " << report.differences.size() - shown << " more: --json has all\n";
  }
}

int Fail(const Context& context, const absl::Status& status, int code) {
  *context.err << OneLine(ErrorFrom(status)) << '\n';
  return code;
}

int Run(const Context& context, const Options& options) {
  const absl::StatusOr<LabelledImages> data = ReadLabelledImages(options.data);
  if (!data.ok()) return Fail(context, data.status(), kUsage);
  const auto classifier = options.local ? NewLocalClassifier(context, options.model, options.head, options.threads)
                                        : NewServedClassifier(context, options.model.path, options.head, options.bulk);
  if (!classifier.ok()) return Fail(context, classifier.status(), kFailed);
  const ClassNames& classes = (*classifier)->classes();
  const absl::StatusOr<Known> known = FindKnown(options, *data, classes);
  if (!known.ok()) return Fail(context, known.status(), kUsage);

  const Report report = Evaluate(context, **classifier, *data, *known);
  if (report.ended) {
    *context.err << Explain(context, *report.ended, data->images.size()) << '\n';
    if (report.ended->mixed) return kFailed;
  }
  if (context.json) {
    PrintJson(context, **classifier, *data, *known, report);
  } else {
    PrintSummary(context, **classifier, *known, report);
    PrintClasses(context, report.evaluation, classes);
    if (!known->predicted.empty()) PrintDifferences(context, options, *data, *known, classes, report);
  }
  if (!options.svg.empty()) {
    const absl::Status written =
        WriteFile(options.svg, {DrawConfusion((*classifier)->name(), report.evaluation, classes)});
    if (!written.ok()) return Fail(context, written, kFailed);
  }
  return report.failures.empty() ? kOk : kFailed;
}

}  // namespace

Command AddEvaluate(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("model", options->model.path,
                 "A model of the server, needed if it holds several; with --local an ONNX file or a model's folder, "
                 "default: the model in the program");
  app.add_option("--data", options->data,
                 "A folder with a folder of images for each class, or a text file with lines \"path label\"")
      ->required();
  app.add_option("--head", options->head, "A head of the model; its first if not given");
  app.add_option("--predictions", options->predictions,
                 "Compare with these: a text file with lines \"path label\", as PyTorch classified the images");
  app.add_option("--svg", options->svg, "Draw what was taken for what into this file");
  auto* local = app.add_flag("--local", options->local, "Classify in this process, without a server");
  AddModelRoot(app, options->model.root)->needs(local);
  app.add_option("--threads", options->threads, "With --local: that classify")
      ->capture_default_str()
      ->check(CLI::Range(1, kMostThreads))
      ->needs(local);
  AddInputSize(app, options->model.input_size)->needs(local);
  AddBulkOptions(app, options->bulk);
  return [options](const Context& context) { return Run(context, *options); };
}

}  // namespace resnetd::cli
