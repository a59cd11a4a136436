#include "cli/inspect/layer_times.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "engine/arena.h"
#include "engine/inspect/fma_peak.h"

namespace resnetd::cli {
namespace {

constexpr int kWarmUpRuns = 3;
constexpr int kPeakRounds = 7, kPeakSlices = 9;
// Short, as layers are: of what disturbs a busy machine the median then sees as little here as there.
constexpr double kPeakSeconds = 0.0005;
// OpenMP's threads spin for a while after a run, which would be taken from the peak's time.
constexpr std::chrono::milliseconds kUntilThreadsSleep{20};

template <typename T>
T Median(std::vector<T> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

OutputSet Wanted(const ModelInfo& info) {
  OutputSet wanted;
  for (const OutputId id : {info.logits, info.embedding}) {
    if (id != kNoOutput) wanted.set(static_cast<size_t>(id));
  }
  return wanted;
}

// Normally distributed noise, as a normalised image about is.
void Fill(const SlotView& slot, std::mt19937& random) {
  std::normal_distribution<float> normal;
  for (int y = 0; y < slot.height; ++y) {
    for (int x = 0; x < slot.width; ++x) {
      for (int c = 0; c < slot.channels; ++c) {
        std::byte* at = slot.data + y * slot.row_bytes + x * slot.pixel_bytes + c * slot.channel_bytes;
        *reinterpret_cast<float*>(at) = normal(random);
      }
    }
  }
}

void MeasurePeak(int threads, std::vector<double>& peaks) {
  if (threads > 1) std::this_thread::sleep_for(kUntilThreadsSleep);
  for (int i = 0; i < kPeakSlices; ++i) peaks.push_back(MeasureFmaPeak(threads, kPeakSeconds));
}

}  // namespace

int64_t LayerTimes::multiply_adds() const {
  return std::accumulate(layers.begin(), layers.end(), int64_t{0},
                         [](int64_t sum, const LayerTime& layer) { return sum + layer.step.multiply_adds; });
}

double LayerTimes::gflops() const {
  return 2e-9 * static_cast<double>(multiply_adds()) / std::chrono::duration<double>(run).count();
}

absl::StatusOr<LayerTimes> MeasureLayers(const std::shared_ptr<const Engine>& engine, int batch, int runs,
                                         const std::function<void(int)>& progress) {
  const ModelInfo& info = engine->info();
  const Arena arena(engine->arena_bytes());
  RESNETD_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, engine->NewSession(arena.span()));
  std::mt19937 random(1);
  LayerProfile profile;
  std::vector<std::vector<Duration>> times(engine->Describe(batch).size());
  std::vector<Duration> whole;
  std::vector<double> peaks;
  std::optional<DisturbanceMeter> meter;
  for (int run = -kWarmUpRuns; run < runs; ++run) {
    if (run == 0) meter.emplace(info.threads);
    for (int i = 0; i < batch; ++i) Fill(session->slot(i), random);
    RESNETD_ASSIGN_OR_RETURN(const RunTimings timings,
                             session->Run({.count = batch, .wanted = Wanted(info), .profile = &profile}));
    if (run < 0) continue;
    for (size_t i = 0; i < times.size(); ++i) times[i].push_back(profile[i]);
    whole.push_back(timings.compute);
    if (run * kPeakRounds / runs != (run + 1) * kPeakRounds / runs) MeasurePeak(info.threads, peaks);
    progress(run + 1);
  }
  LayerTimes measured{.batch = batch, .threads = info.threads, .runs = runs, .layers = {}, .run = Median(whole)};
  measured.disturbance = meter->Read(peaks);
  std::vector<StepInfo> steps = engine->Describe(batch);
  for (size_t i = 0; i < steps.size(); ++i) {
    const Duration time = Median(times[i]);
    if (time > Duration()) measured.layers.push_back({std::move(steps[i]), time});
  }
  measured.peak_gflops = Median(peaks);
  return measured;
}

}  // namespace resnetd::cli
