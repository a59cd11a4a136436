#ifndef RESNETD_CLI_INSPECT_LAYER_TIMES_H_
#define RESNETD_CLI_INSPECT_LAYER_TIMES_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "base/time.h"
#include "cli/inspect/machine.h"
#include "engine/engine.h"

namespace resnetd::cli {

struct LayerTime {
  StepInfo step;
  Duration time{};  // the median of the runs

  double seconds() const { return std::chrono::duration<double>(time).count(); }
  double gflops() const { return 2e-9 * static_cast<double>(step.multiply_adds) / seconds(); }
};

// The cost of one batch, layer by layer. A multiply-add counts as two floating-point operations.
struct LayerTimes {
  int batch = 0, threads = 0, runs = 0;
  std::vector<LayerTime> layers;  // the steps that logits and embedding need, in order of execution
  Duration run{};                 // a whole run, the median
  Disturbance disturbance{};      // of the runs
  double peak_gflops = 0;         // of as many threads, measured in between (engine/inspect/fma_peak.h)

  int64_t multiply_adds() const;
  double gflops() const;  // of the whole run
};

// Runs batches of noise, `runs` of them after a few for warmth, and the peak in turn with them, since the speed of a
// machine wanders. `progress` is told the number of runs so far. `batch` is one of the engine's batch sizes.
absl::StatusOr<LayerTimes> MeasureLayers(const std::shared_ptr<const Engine>& engine, int batch, int runs,
                                         const std::function<void(int)>& progress);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_INSPECT_LAYER_TIMES_H_
