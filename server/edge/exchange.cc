// The threads share an exchange thus: Start() and Submit() belong to the call's one reader. From Submit() on, each
// answer slot belongs to the image's end, wherever that happens. `open_` counts the slots still out, plus one that
// Submit() holds, so that the exchange cannot complete under its feet; who takes the count to zero owns everything and
// completes.
#include "server/edge/exchange.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/time.h"
#include "models/model.h"
#include "server/edge/error.h"
#include "server/edge/queue_refusal.h"

namespace resnetd::server {
namespace {

absl::Status DeadlineExceeded() {
  return Error(absl::StatusCode::kDeadlineExceeded, reason::kDeadlineExceeded,
               "the deadline passed before the image was computed");
}

absl::Status Cancelled() {
  return Error(absl::StatusCode::kCancelled, reason::kCancelled, "the call was cancelled by its client");
}

absl::Status StatusOf(scheduling::End why) {
  switch (why) {
    case scheduling::End::kDeadlineExceeded:
      return DeadlineExceeded();
    case scheduling::End::kCancelled:
      return Cancelled();
    case scheduling::End::kShutdown:
      break;
  }
  return Error(absl::StatusCode::kUnavailable, reason::kShutdown, "the server shut down before the image was computed");
}

OutputSet WantedBy(const ImageRequest& request) {
  OutputSet wanted;
  if (request.classify) wanted.set(static_cast<size_t>(request.served.model->heads[request.classify->head].output));
  if (request.embed) {
    for (const WantedLayer& w : request.embed->layers) wanted.set(static_cast<size_t>(w.layer->output));
  }
  return wanted;
}

bool AllFinite(absl::Span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

}  // namespace

// An image in the scheduler's hands.
class Exchange::QueuedImage final : public ImageJob {
 public:
  QueuedImage(std::shared_ptr<Exchange> exchange, size_t image) : exchange_(std::move(exchange)), image_(image) {}

  ImageSource source() const override { return exchange_->request_.images[image_]->source; }
  OutputSet wanted() const override { return exchange_->wanted_; }
  Time admitted_at() const override { return exchange_->admitted_at_; }

  void OnComputed(Outputs outputs, const Execution& execution) override {
    exchange_->Computed(image_, outputs, execution);
  }
  void OnFailed(const absl::Status& status, const Execution& execution) override {
    exchange_->Failed(
        image_,
        status.code() == absl::StatusCode::kInvalidArgument
            ? FieldError(exchange_->codec_.FieldOf(source().kind, image_), status.message(), reason::kBadImage)
            : Error(status.code(), absl::IsResourceExhausted(status) ? reason::kOutOfMemory : reason::kEngine,
                    status.message()),
        execution);
  }
  void OnEnded(scheduling::End why) override {
    Execution execution;
    execution.queue = Now() - admitted_at();
    exchange_->Failed(image_, StatusOf(why), execution);
  }

 private:
  const std::shared_ptr<Exchange> exchange_;
  const size_t image_;
};

Exchange::Exchange(const Services& services, const Codec& codec, const Arrival& arrival,
                   std::shared_ptr<ExchangeOwner> owner)
    : services_(services), codec_(codec), arrival_(arrival), deadline_(arrival.deadline), owner_(std::move(owner)) {}

Exchange::~Exchange() {
  if (answer_bytes_) services_.gate.ReleaseAnswer(*answer_bytes_);
}

bool Exchange::Start(RequestBytes& bytes) {
  if (bytes.size() > services_.max_message_bytes) {
    services_.rejections.Count(Rejection::kMessageSize);
    return Complete(Refused(Rejection::kMessageSize,
                            absl::StrCat("the request of ", bytes.size(), " bytes is larger than the limit of ",
                                         services_.max_message_bytes, " bytes (--max-message-bytes)"),
                            RefusedBy{"limit_bytes", static_cast<int64_t>(services_.max_message_bytes)}));
  }
  if (!services_.gate.Reserve(bytes.size())) {
    services_.rejections.Count(Rejection::kBytesInFlight);
    return Complete(services_.gate.Refusal(Rejection::kBytesInFlight));
  }
  bytes_ = bytes.size();
  absl::StatusOr<Codec::Decoded> decoded = codec_.Decode(bytes);
  if (!decoded.ok()) return Complete(decoded.status());
  if (std::string* answer = std::get_if<std::string>(&*decoded)) return Complete(std::move(*answer));
  return Prepare(std::get<ImageRequest>(*std::move(decoded)));
}

bool Exchange::Prepare(ImageRequest request) {
  request_ = std::move(request);
  request_.principal = arrival_.principal;
  wanted_ = WantedBy(request_);
  if (deadline_ == Time::max() && request_.served.model->default_deadline.count() > 0) {
    deadline_ = arrival_.at + request_.served.model->default_deadline;
  }
  const Time now = Now();
  if (deadline_ <= now) return Complete(DeadlineExceeded());

  if (!codec_.images_fail_alone()) {  // computing the others would be in vain
    for (const absl::StatusOr<CheckedImage>& image : request_.images) {
      if (!image.ok()) return Complete(image.status());
    }
  }
  answers_.resize(request_.images.size());
  for (size_t i = 0; i < answers_.size(); ++i) {
    const absl::StatusOr<CheckedImage>& image = request_.images[i];
    if (!image.ok()) {
      answers_[i].status = image.status();
      answers_[i].total = now - arrival_.at;
      continue;
    }
    group_.push_back(
        {std::make_unique<QueuedImage>(shared_from_this(), i), deadline_, image->prepare, image->source.bytes.size()});
  }
  return group_.empty() ? Complete(Answer()) : true;
}

bool Exchange::Submit(bool final_try) {
  {
    MutexLock lock(&mu_);
    if (cancelled_) final_try = true;
  }
  admitted_at_ = Now();
  open_.store(group_.size() + 1);
  scheduling::Admission admission = services_.scheduler.Submit(request_.served.key, std::exchange(group_, {}));
  if (const auto refusal = admission.verdict.refusal) {
    const bool full = *refusal == scheduling::Refusal::kQueueTime || *refusal == scheduling::Refusal::kQueueBytes;
    if (full && !final_try) {
      group_ = std::move(admission.refused);
      return false;
    }
    Complete(RefusalOf(admission.verdict, admission.refused));
    return true;
  }
  predicted_completion_ = admission.verdict.predicted_completion;
  bool cancelled = false;
  {
    MutexLock lock(&mu_);
    items_ = admission.items;
    cancelled = cancelled_;
  }
  if (cancelled) {
    for (scheduling::ItemId item : admission.items) services_.scheduler.Cancel(item);
  }
  EndOne();
  return true;
}

absl::Status Exchange::RefusalOf(const scheduling::Verdict& verdict,
                                 const std::vector<scheduling::Submission>& group) const {
  if (verdict.refusal == scheduling::Refusal::kUnknownModel) {
    return Error(absl::StatusCode::kUnavailable, reason::kShutdown, "the model is not served any more");
  }
  const scheduling::Limits& limits = services_.scheduler.limits();
  if (verdict.refusal == scheduling::Refusal::kGroupBytes) {
    size_t bytes = 0;
    for (const scheduling::Submission& s : group) bytes += s.bytes;
    services_.rejections.Count(Rejection::kRequestSize);
    return Refused(Rejection::kRequestSize,
                   absl::StrCat("the request's images of ", bytes, " bytes are more than may ever wait: ",
                                limits.max_queue_bytes, " bytes (--max-queue-bytes)"),
                   RefusedBy{"limit_bytes", static_cast<int64_t>(limits.max_queue_bytes)});
  }
  return QueueRefusal(verdict, limits, deadline_ - admitted_at_, services_.rejections);
}

void Exchange::Cancel() {
  std::vector<scheduling::ItemId> items;
  {
    MutexLock lock(&mu_);
    cancelled_ = true;
    items.swap(items_);
  }
  for (scheduling::ItemId item : items) services_.scheduler.Cancel(item);
}

bool Exchange::Sound(Outputs outputs) const {
  for (size_t id = 0; id < wanted_.size(); ++id) {
    if (wanted_[id] && !AllFinite(outputs(static_cast<OutputId>(id)))) return false;
  }
  return true;
}

void Exchange::Computed(size_t image, Outputs outputs, const Execution& execution) {
  if (!Sound(outputs)) {
    services_.metrics.NotFinite();
    return Failed(
        image,
        Error(absl::StatusCode::kInternal, reason::kNotFinite,
              absl::StrCat(codec_.FieldOf(request_.images[image]->source.kind, image), ": model \"",
                           Echo(request_.served.model->name), "\" computed an output for it that is not finite"),
              {{"model", request_.served.model->name}}),
        execution);
  }
  ImageAnswer& answer = answers_[image];
  answer.execution = execution;
  if (request_.classify) {
    const Head& head = request_.served.model->heads[request_.classify->head];
    std::array<float, 2> pair;
    const Probabilities probabilities(LogitsOf(head, outputs(head.output), pair), head.activation);
    answer.classes = BestClasses(probabilities, head, *request_.classify);
    if (request_.classify->head == 0 && head.activation != HeadActivation::kNone) {
      request_.served.metrics->Confidence(probabilities.largest());
    }
  }
  if (request_.embed) {
    for (const auto& [layer, space, name] : request_.embed->layers) {
      answer.embeddings.push_back(
          Embedding(outputs(layer->output), static_cast<size_t>(space->dimensions), request_.embed->l2_normalize));
    }
  }
  answer.total = Now() - arrival_.at;
  EndOne();
}

void Exchange::Failed(size_t image, absl::Status status, const Execution& execution) {
  ImageAnswer& answer = answers_[image];
  answer.status = std::move(status);
  answer.execution = execution;
  answer.total = Now() - arrival_.at;
  EndOne();
}

void Exchange::EndOne() {
  if (open_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  ComparePrediction();
  Complete(Answer());
}

void Exchange::ComparePrediction() const {
  Duration total{};  // from the call's arrival
  for (const ImageAnswer& answer : answers_) {
    if (!answer.status.ok()) return;
    total = std::max(total, answer.total);
  }
  const Duration actual = total - (admitted_at_ - arrival_.at);
  if (actual.count() > 0 && predicted_completion_.count() > 0) {
    services_.metrics.Answered(predicted_completion_, actual);
  }
}

// A request of one image fails with its image, as does one whose protocol has no place for an image's error. Any other
// fails only if nothing was computed and the images are not to blame: then there is no item a client could learn
// anything from.
absl::StatusOr<std::string> Exchange::Answer() const {
  for (const ImageAnswer& answer : answers_) services_.metrics.ImageEnded(answer.status.ok());
  const auto failed =
      std::find_if(answers_.begin(), answers_.end(), [](const ImageAnswer& a) { return !a.status.ok(); });
  if (failed == answers_.end()) return codec_.Encode(request_, answers_);
  const absl::StatusCode code = failed->status.code();
  const bool unserved = code == absl::StatusCode::kDeadlineExceeded || code == absl::StatusCode::kCancelled ||
                        code == absl::StatusCode::kUnavailable;
  const bool all_alike =
      std::all_of(answers_.begin(), answers_.end(), [&](const ImageAnswer& a) { return a.status.code() == code; });
  const bool alone = codec_.images_fail_alone() && answers_.size() > 1;
  if (!alone || (unserved && all_alike)) return failed->status;
  return codec_.Encode(request_, answers_);
}

bool Exchange::Complete(absl::StatusOr<std::string> reply) {
  reply_ = std::move(reply);
  request_ = {};
  answer_bytes_ = reply_.ok() ? reply_->size() : 0;
  services_.gate.HoldAnswer(*answer_bytes_);
  services_.gate.Release(bytes_);
  // The owner may let go of itself on another thread as soon as it knows, so it is held until the call returns.
  const std::shared_ptr<ExchangeOwner> owner = std::exchange(owner_, nullptr);
  owner->Answered(*this);
  return false;
}

}  // namespace resnetd::server
