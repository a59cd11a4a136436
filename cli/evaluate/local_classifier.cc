// Each thread has a session and an arena of its own, takes the next few files, and leaves their outcomes where they
// belong: threads share the model, which is constant, and a counter.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <numeric>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "cli/evaluate/classifier.h"
#include "cli/inputs.h"
#include "cli/model_file.h"
#include "cli/print/progress.h"
#include "models/loader.h"
#include "models/model.h"
#include "models/outputs.h"
#include "models/runner.h"

namespace resnetd::cli {
namespace {

constexpr int kBatch = 8;  // unless the model's config names others: then its largest

struct Outcome {
  absl::Status status;
  std::vector<int> best;
};

// The server chooses alike: of equal ones the first.
std::vector<int> FiveBest(absl::Span<const float> logits) {
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto end = order.begin() + static_cast<ptrdiff_t>(std::min<size_t>(order.size(), 5));
  std::partial_sort(order.begin(), end, order.end(), [&](int a, int b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  order.erase(end, order.end());
  return order;
}

// One thread's part.
class Worker {
 public:
  Worker(const Model& model, const Head& head) : model_(model), head_(head), workplace_(model.engine->arena_bytes()) {}

  absl::Status Prepare() {
    RESNETD_ASSIGN_OR_RETURN(runner_, Runner::Make(*model_.engine, model_.recipe, workplace_));
    return absl::OkStatus();
  }

  // files[i] to outcomes[i], at most a batch of them.
  void Classify(absl::Span<const std::string> files, absl::Span<Outcome> outcomes) {
    std::vector<size_t> in_slot;
    for (size_t i = 0; i < files.size(); ++i) {
      outcomes[i].status = Fill(files[i], static_cast<int>(in_slot.size()));
      if (outcomes[i].status.ok()) in_slot.push_back(i);
    }
    if (in_slot.empty()) return;
    OutputSet wanted;
    wanted.set(static_cast<size_t>(head_.output));
    const absl::Status run = runner_->Run({.count = static_cast<int>(in_slot.size()), .wanted = wanted}).status();
    for (size_t slot = 0; slot < in_slot.size(); ++slot) {
      Outcome& outcome = outcomes[in_slot[slot]];
      outcome.status = run;
      if (!run.ok()) continue;
      std::array<float, 2> pair;
      const absl::Span<const float> logits =
          LogitsOf(head_, runner_->output(head_.output, static_cast<int>(slot)), pair);
      if (std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); })) {
        outcome.best = FiveBest(logits);
      } else {
        outcome.status = absl::InternalError("the network's output is not finite");
      }
    }
  }

 private:
  absl::Status Fill(const std::string& path, int slot) {
    RESNETD_ASSIGN_OR_RETURN(const std::string file, ReadListedImage(path));
    return OutcomeOf(runner_->Decode(absl::string_view(file), slot), file);
  }

  const Model& model_;
  const Head& head_;  // of the model
  Workplace workplace_;
  std::optional<Runner> runner_;
};

class LocalClassifier final : public Classifier {
 public:
  LocalClassifier(const Context& context, std::shared_ptr<const Model> model, const Head& head)
      : context_(context),
        model_(std::move(model)),
        head_(head),
        batch_(static_cast<size_t>(model_->engine->info().batch_sizes.back())),
        name_(absl::StrCat(model_->name, " version ", model_->version)),
        classes_{head.classes, head.labels} {}

  absl::Status Prepare(int threads) {
    for (int i = 0; i < threads; ++i) {
      workers_.push_back(std::make_unique<Worker>(*model_, head_));
      RESNETD_RETURN_IF_ERROR(workers_.back()->Prepare());
    }
    return absl::OkStatus();
  }

  const std::string& name() const override { return name_; }
  const ClassNames& classes() const override { return classes_; }
  std::optional<Ended> Run(const std::vector<std::string>& files, const OnImage& on_image) override;

 private:
  const Context& context_;
  const std::shared_ptr<const Model> model_;
  const Head& head_;  // of the model
  const size_t batch_;
  const std::string name_;
  const ClassNames classes_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

std::optional<Ended> LocalClassifier::Run(const std::vector<std::string>& files, const OnImage& on_image) {
  Progress progress(*context_.err, context_.err_is_terminal, static_cast<double>(files.size()), "images");
  std::vector<Outcome> outcomes(files.size());
  std::atomic<size_t> next{0}, done{0}, running{workers_.size()};
  absl::Notification all_done;
  std::vector<std::thread> threads;
  for (const std::unique_ptr<Worker>& worker : workers_) {
    threads.emplace_back([&, worker = worker.get()] {
      for (size_t begin; (begin = next.fetch_add(batch_)) < files.size();) {
        const size_t count = std::min(batch_, files.size() - begin);
        worker->Classify(absl::MakeConstSpan(files).subspan(begin, count),
                         absl::MakeSpan(outcomes).subspan(begin, count));
        done += count;
      }
      if (running.fetch_sub(1) == 1) all_done.Notify();
    });
  }
  while (!all_done.WaitForNotificationWithTimeout(absl::Milliseconds(100))) {
    progress.Update(static_cast<double>(done.load()));
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < files.size(); ++i) {
    const CallError error = ErrorFrom(outcomes[i].status);
    on_image(i, outcomes[i].best, outcomes[i].status.ok() ? nullptr : &error);
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Classifier>> NewLocalClassifier(const Context& context, const LocalModel& model,
                                                               const std::string& head, int threads) {
  RESNETD_ASSIGN_OR_RETURN(const ModelFile file, OpenModel(model));
  LoadOptions options;
  options.input_size = model.input_size;
  options.batch_sizes = {kBatch};
  RESNETD_ASSIGN_OR_RETURN(const LoadedModel loaded, LoadModel(file.source, options));
  const std::vector<Head>& heads = loaded.model->heads;
  const Head* found = !head.empty()   ? FindHead(heads, loaded.model->engine->info(), head)
                      : heads.empty() ? nullptr
                                      : &heads.front();
  if (found == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("model ", Quoted(loaded.model->name), " has no ",
                                                   head.empty() ? "classifier" : absl::StrCat("head ", Quoted(head))));
  }
  if (found->is_value()) {
    return absl::InvalidArgumentError(absl::StrCat("head ", Quoted(found->name), " of model ",
                                                   Quoted(loaded.model->name), " is one value and no class"));
  }
  auto classifier = std::make_unique<LocalClassifier>(context, loaded.model, *found);
  RESNETD_RETURN_IF_ERROR(classifier->Prepare(threads));
  return classifier;
}

}  // namespace resnetd::cli
