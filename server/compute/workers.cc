// An image that cannot be decoded fails alone, and its slot is written again by the next one: the images that are left
// lie in slots 0..n-1 without a gap.
#include "server/compute/workers.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/time.h"
#include "models/runner.h"
#include "server/compute/raw_tensor.h"

namespace resnetd::server {
class Workers::Worker {
 public:
  Worker(size_t arena_bytes, const image::Limits& limits, Metrics& metrics)
      : workplace_(arena_bytes, limits), metrics_(metrics) {}

  absl::Status Add(const ServedModel& served) {
    RESNETD_ASSIGN_OR_RETURN(Runner runner, Runner::Make(*served.model->engine, served.model->recipe, workplace_));
    runners_.insert_or_assign(served.key, std::move(runner));
    return absl::OkStatus();
  }

  void Run(const scheduling::Dispatch& dispatch, std::vector<std::unique_ptr<scheduling::Job>> jobs);

 private:
  struct Decoded {
    ImageJob* image;
    Execution execution;
  };

  absl::Status Fill(const ImageSource& source, Runner& runner, int slot);
  void Finish(const Runner& runner, const absl::StatusOr<RunTimings>& run);

  Workplace workplace_;
  Metrics& metrics_;
  absl::flat_hash_map<scheduling::ModelKey, Runner> runners_;
  std::vector<Decoded> decoded_;  // of the batch in hand
};

absl::Status Workers::Worker::Fill(const ImageSource& source, Runner& runner, int slot) try {
  switch (source.kind) {
    case SourceKind::kEncoded: {
      const absl::Status status = runner.Decode(source.bytes, source.header, slot);
      metrics_.StrayBytes(runner.stray_bytes());
      return status;
    }
    case SourceKind::kPixelsU8:
      return runner.Normalise({.data = reinterpret_cast<const uint8_t*>(source.bytes.data()),
                               .height = source.height,
                               .width = source.width,
                               .channels = runner.slot(slot).channels,
                               .planar = source.layout == Layout::kNchw},
                              slot);
    case SourceKind::kTensorF32:
    case SourceKind::kTensorF16:
      CopyTensor(source, runner.slot(slot));
      return absl::OkStatus();
  }
  return absl::InternalError("an image of an unknown kind");
} catch (const std::bad_alloc&) {
  return absl::ResourceExhaustedError("not enough memory to decode the image");
}

void Workers::Worker::Run(const scheduling::Dispatch& dispatch, std::vector<std::unique_ptr<scheduling::Job>> jobs) {
  const Time taken = Now();
  Runner& runner = runners_.at(dispatch.model);
  decoded_.clear();
  Time before = taken;
  for (const std::unique_ptr<scheduling::Job>& job : jobs) {
    ImageJob& image = static_cast<ImageJob&>(*job);
    const absl::Status status = Fill(image.source(), runner, static_cast<int>(decoded_.size()));
    const Time after = Now();
    Execution execution;
    execution.queue = taken - image.admitted_at();
    execution.decode = after - std::exchange(before, after);
    metrics_.Queued(execution.queue);
    metrics_.Decoded(execution.decode);
    if (status.ok()) {
      decoded_.push_back({&image, execution});
    } else {
      image.OnFailed(status, execution);
      before = Now();
    }
  }
  const int count = static_cast<int>(decoded_.size());
  if (count > 0) {
    metrics_.BatchRun(count, dispatch.why);
    OutputSet wanted;
    for (const Decoded& d : decoded_) wanted |= d.image->wanted();
    const absl::StatusOr<RunTimings> run = runner.Run({.count = count, .wanted = wanted});
    for (Decoded& d : decoded_) {
      d.execution.batch_id = static_cast<uint64_t>(dispatch.id);
      d.execution.batch_size = count;
    }
    Finish(runner, run);
  }
  metrics_.WorkerBusy(Now() - taken);
}

void Workers::Worker::Finish(const Runner& runner, const absl::StatusOr<RunTimings>& run) {
  for (size_t i = 0; i < decoded_.size(); ++i) {
    auto& [image, execution] = decoded_[i];
    if (!run.ok()) {
      image->OnFailed(run.status(), execution);
      continue;
    }
    execution.infer = run->compute;
    metrics_.Inferred(execution.infer);
    image->OnComputed([&](OutputId id) { return runner.output(id, static_cast<int>(i)); }, execution);
  }
}

Workers::Workers(int workers, const image::Limits& limits, Metrics& metrics)
    : limits_(limits), metrics_(metrics), workers_(static_cast<size_t>(workers)) {}
Workers::~Workers() = default;

absl::Status Workers::Prepare(absl::Span<const ServedModel> models) {
  size_t arena_bytes = 0;
  for (const ServedModel& served : models) arena_bytes = std::max(arena_bytes, served.model->engine->arena_bytes());
  for (std::unique_ptr<Worker>& worker : workers_) {
    worker = std::make_unique<Worker>(arena_bytes, limits_, metrics_);
    for (const ServedModel& served : models) RESNETD_RETURN_IF_ERROR(worker->Add(served));
  }
  return absl::OkStatus();
}

void Workers::Run(int worker, const scheduling::Dispatch& dispatch,
                  std::vector<std::unique_ptr<scheduling::Job>> jobs) {
  workers_[static_cast<size_t>(worker)]->Run(dispatch, std::move(jobs));
}

}  // namespace resnetd::server
