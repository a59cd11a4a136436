#ifndef RESNETD_MODELS_LOADER_H_
#define RESNETD_MODELS_LOADER_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/model.h"
#include "models/runner.h"
#include "models/source.h"
#include "resnetd/v1/model_config.pb.h"

namespace resnetd {

struct LoadOptions {
  int threads = 1;                                // of one batch
  std::vector<int> batch_sizes = {1, 2, 4, 8};    // where the model's config names none
  std::chrono::milliseconds default_deadline{0};  // likewise
  std::string recipe = {};                        // a preset's name, in place of the config's; empty: none
  std::string input_size = {};                    // "224x224", in place of the config's; empty: not said
  std::string labels_file = {};                   // a path, in place of the file beside the model; empty: none
};

// The cost of a run of this batch size.
struct MeasuredBatch {
  int batch = 1;
  std::chrono::nanoseconds cost{};
};

struct LoadedModel {
  std::shared_ptr<const Model> model;
  std::vector<MeasuredBatch> costs;  // one a batch size, ascending
  std::vector<std::string> notes;    // what was assumed, for the log
  std::vector<std::string> outputs;  // what the outputs are taken for on good evidence, likewise
};

// The parts that need no engine. INVALID_ARGUMENT where the file is known to be of another format. The config is an
// empty one where there is no such file.
absl::StatusOr<std::string> ReadOnnxFile(const ModelSource& source);
absl::StatusOr<v1::ModelConfig> ReadModelConfig(const ModelSource& source);

// Names of the files that are read beside the ONNX file and the config, whether or not they exist.
std::vector<std::string> FilesBeside(const v1::ModelConfig& config);

// Reads a model and all that lies beside it, compiles it, computes its golden answers and measures what each batch size
// costs. Errors name the file or the field, and are not worth a retry: INVALID_ARGUMENT, NOT_FOUND;
// FAILED_PRECONDITION: a golden answer did not come out, or an output is not finite for a fixed finite input.
absl::StatusOr<LoadedModel> LoadModel(const ModelSource& source, const LoadOptions& options);

// The calling thread's CPU time of one run of each batch size for logits and embedding, the least of a few: what a
// batch costs when nothing disturbs it. FAILED_PRECONDITION: an output is not finite.
absl::StatusOr<std::vector<MeasuredBatch>> MeasureCosts(const Engine& engine, Runner& runner);

}  // namespace resnetd

#endif  // RESNETD_MODELS_LOADER_H_
