#ifndef RESNETD_CLI_EVALUATE_CLASSIFIER_H_
#define RESNETD_CLI_EVALUATE_CLASSIFIER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cli/call/bulk.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/evaluate/labelled_images.h"
#include "cli/model_file.h"

namespace resnetd::cli {

// Something that classifies image files: a server, or the engine in this process.
class Classifier {
 public:
  // `best`: the five best classes, or all if there are fewer; empty exactly where `error` is not null.
  using OnImage = std::function<void(size_t index, absl::Span<const int> best, const CallError* error)>;

  virtual ~Classifier() = default;
  virtual const std::string& name() const = 0;  // of the model, with its version
  virtual const ClassNames& classes() const = 0;
  // Classifies all files, with a progress bar; hands over their outcomes in order, one at a time. If that ends before
  // the last: why.
  virtual std::optional<Ended> Run(const std::vector<std::string>& files, const OnImage& on_image) = 0;
};

// A model of a server, empty: its only one, and a head of it, empty: its first. `context` outlives it.
absl::StatusOr<std::unique_ptr<Classifier>> NewServedClassifier(const Context& context, const std::string& model,
                                                                const std::string& head, const BulkOptions& bulk);

// On so many threads, an image on one.
absl::StatusOr<std::unique_ptr<Classifier>> NewLocalClassifier(const Context& context, const LocalModel& model,
                                                               const std::string& head, int threads);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_EVALUATE_CLASSIFIER_H_
