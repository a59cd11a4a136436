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
#include "engine/arena.h"
#include "models/slot_view.h"
#include "server/compute/raw_tensor.h"

namespace resnetd::server {
namespace {}  // namespace

class Workers::Worker {
 public:
  Worker(size_t arena_bytes, const image::Limits& limits, Metrics& metrics)
      : arena_(arena_bytes), metrics_(metrics), preprocessor_(limits) {}

  absl::Status Add(const ServedModel& served) {
    RESNETD_ASSIGN_OR_RETURN(sessions_[served.key], served.model->engine->NewSession(arena_.span()));
    return absl::OkStatus();
  }

  void Run(const scheduling::Dispatch& dispatch, std::vector<std::unique_ptr<scheduling::Job>> jobs);

 private:
  struct Decoded {
    Item* item;
    Execution execution;
  };

  absl::Status Fill(const Item& item, const SlotView& slot);
  void Finish(Session& session, const absl::StatusOr<RunTimings>& run);

  const Arena arena_;
  Metrics& metrics_;
  image::Preprocessor preprocessor_;
  absl::flat_hash_map<scheduling::ModelKey, std::unique_ptr<Session>> sessions_;
  std::vector<Decoded> decoded_;  // of the batch in hand
};

absl::Status Workers::Worker::Fill(const Item& item, const SlotView& slot) try {
  const image::TensorView dst = ToTensorView(slot);
  const ImageSource source = item.source();
  switch (source.kind) {
    case SourceKind::kEncoded: {
      const absl::Status status = preprocessor_.FromFile(source.bytes, item.model().recipe, dst);
      metrics_.StrayBytes(preprocessor_.stray_bytes());
      return status;
    }
    case SourceKind::kPixelsU8:
      return preprocessor_.FromPixels({.data = reinterpret_cast<const uint8_t*>(source.bytes.data()),
                                       .height = source.height,
                                       .width = source.width,
                                       .channels = slot.channels,
                                       .planar = source.layout == Layout::kNchw},
                                      item.model().recipe, dst);
    case SourceKind::kTensorF32:
    case SourceKind::kTensorF16:
      CopyTensor(source, dst);
      return absl::OkStatus();
  }
  return absl::InternalError("an image of an unknown kind");
} catch (const std::bad_alloc&) {
  return absl::ResourceExhaustedError("not enough memory to decode the image");
}

void Workers::Worker::Run(const scheduling::Dispatch& dispatch, std::vector<std::unique_ptr<scheduling::Job>> jobs) {
  const Time taken = Now();
  Session& session = *sessions_.at(dispatch.model);
  decoded_.clear();
  Time before = taken;
  for (const std::unique_ptr<scheduling::Job>& job : jobs) {
    Item& item = static_cast<Item&>(*job);
    const absl::Status status = Fill(item, session.slot(static_cast<int>(decoded_.size())));
    const Time after = Now();
    Execution execution;
    execution.queue = taken - item.admitted_at();
    execution.decode = after - std::exchange(before, after);
    metrics_.StageEnded(Stage::kQueue, execution.queue);
    metrics_.StageEnded(Stage::kDecode, execution.decode);
    if (status.ok()) {
      decoded_.push_back({&item, execution});
    } else {
      item.OnFailed(status, execution);
      before = Now();
    }
  }
  const int count = static_cast<int>(decoded_.size());
  if (count > 0) {
    metrics_.BatchRun(count);
    OutputSet wanted;
    for (const Decoded& d : decoded_) wanted |= d.item->wanted();
    const absl::StatusOr<RunTimings> run = session.Run({.count = count, .wanted = wanted});
    for (Decoded& d : decoded_) {
      d.execution.batch_id = static_cast<uint64_t>(dispatch.id);
      d.execution.batch_size = count;
    }
    Finish(session, run);
  }
  metrics_.WorkerBusy(Now() - taken);
}

void Workers::Worker::Finish(Session& session, const absl::StatusOr<RunTimings>& run) {
  for (size_t i = 0; i < decoded_.size(); ++i) {
    auto& [item, execution] = decoded_[i];
    if (!run.ok()) {
      item->OnFailed(run.status(), execution);
      continue;
    }
    execution.infer = run->compute;
    metrics_.StageEnded(Stage::kInfer, execution.infer);
    item->OnComputed([&](OutputId id) { return session.output(id, static_cast<int>(i)); }, execution);
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
