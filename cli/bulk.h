#ifndef RESNETD_CLI_BULK_H_
#define RESNETD_CLI_BULK_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/inputs.h"
#include "cli/progress.h"
#include "cli/retry.h"

namespace resnetd::cli {

struct BulkOptions {
  int images_per_request = 8;    // 1: every image's failure is its call's; the server limits the other end
  int requests_in_flight = 4;    // 1 leaves the server idle between calls; many more only wait in its queue
  double deadline_seconds = 0;   // of the whole; 0: none
  double patience_seconds = 60;  // with a server that does not answer any more; 0: none
};

inline void AddBulkOptions(CLI::App& app, BulkOptions& options) {
  app.add_option("--images-per-request", options.images_per_request, "Images of one call")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  app.add_option("--requests-in-flight", options.requests_in_flight, "Calls under way at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  app.add_option("--deadline", options.deadline_seconds,
                 "Seconds that all calls together may take; 0: as long as the server takes. A busy server is asked "
                 "again until then")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e9));
  app.add_option("--patience", options.patience_seconds,
                 "Seconds to wait for a server that has answered and does not any more")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e9));
}

// Sends image files in requests of several, a window of requests at a time, and hands over each image's outcome in
// order. Files are read as the window moves, so any number of them fits into memory. What the server refuses or leaves
// unanswered is sent again, when it says or a little later each time (retry.h); no new request follows meanwhile.
//
// Request and Response are of the same method; `template_request` holds everything but the images.
template <typename Request, typename Response>
class Bulk {
 public:
  using Result = typename std::decay_t<decltype(std::declval<Response>().results())>::value_type;
  // Starts an asynchronous call: the callback method of the stub.
  using Start = std::function<void(grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>)>;
  // Exactly one of `result` and `error` is not null.
  using OnImage = std::function<void(size_t index, const Result* result, const CallError* error)>;

  Bulk(const Context& context, BulkOptions options, Request template_request, Start start)
      : context_(context),
        options_(options),
        template_(std::move(template_request)),
        start_(std::move(start)),
        deadline_(DeadlineOf(options)),
        retry_(deadline_, ToDuration(options.patience_seconds)) {}

  void Run(const std::vector<std::string>& files, const OnImage& on_image) {
    Progress progress(*context_.err, context_.err_is_terminal, static_cast<double>(files.size()), "images");
    std::deque<std::unique_ptr<Call>> window;
    size_t next = 0, done = 0;
    while (next < files.size() || !window.empty()) {
      const bool refused = Settle(window);
      while (!refused && next < files.size() && window.size() < static_cast<size_t>(options_.requests_in_flight)) {
        window.push_back(NextCall(files, next));
        next = window.back()->end;
        Send(*window.back());
      }
      if (window.front()->settled) {
        Deliver(*window.front(), on_image);
        done = window.front()->end;
        window.pop_front();
      } else {
        WaitForChange(window);
      }
      progress.Update(static_cast<double>(done));
    }
  }

 private:
  // Some photos are large: a request is closed before it outgrows what servers accept.
  static constexpr size_t kRequestBytes = size_t{8} << 20;

  using Time = Retry::Time;

  // What became of one file: neither is set while it waits for its answer.
  struct Image {
    std::unique_ptr<Result> result;
    CallError error;
    bool settled() const { return result != nullptr || error.code != 0; }
  };

  // A run of files and the request of those that have no answer yet. `context`, `response`, `status` and `done` are of
  // its last attempt.
  struct Call {
    size_t begin = 0, end = 0;  // of the files
    std::vector<Image> images;  // one a file
    std::vector<size_t> sent;   // which of them the request holds, in order
    Request request;
    std::unique_ptr<grpc::ClientContext> context;
    Response response;
    grpc::Status status;
    std::unique_ptr<absl::Notification> done;  // null: to be sent at `again`
    Time again{};
    int attempts = 0;
    bool settled = false;
  };

  std::unique_ptr<Call> NextCall(const std::vector<std::string>& files, size_t begin) {
    auto call = std::make_unique<Call>();
    call->begin = call->end = begin;
    call->request = template_;
    size_t bytes = 0;
    while (call->end < files.size() && call->end - begin < static_cast<size_t>(options_.images_per_request) &&
           bytes < kRequestBytes) {
      absl::StatusOr<std::string> file = ReadImageFile(files[call->end++]);
      Image& image = call->images.emplace_back();
      if (!file.ok()) {
        image.error = ErrorFrom(file.status());
        continue;
      }
      bytes += file->size();
      call->sent.push_back(call->images.size() - 1);
      call->request.add_images()->set_encoded(*std::move(file));
    }
    return call;
  }

  void Send(Call& call) {
    if (call.sent.empty()) {
      call.settled = true;
      return;
    }
    ++call.attempts;
    call.context = std::make_unique<grpc::ClientContext>();
    call.done = std::make_unique<absl::Notification>();
    SetDeadline(*call.context, std::min(context_.timeout_seconds, SecondsLeft()));
    start_(call.context.get(), &call.request, &call.response, [&call](grpc::Status status) {
      call.status = std::move(status);
      call.done->Notify();
    });
  }

  // Takes what has been answered and sends again what is due. True: something is to be sent again, now or later.
  bool Settle(const std::deque<std::unique_ptr<Call>>& window) {
    bool refused = false;
    for (const std::unique_ptr<Call>& call : window) {
      if (call->settled) continue;
      if (call->done == nullptr) {
        if (call->again <= std::chrono::steady_clock::now()) Send(*call);
      } else if (call->done->HasBeenNotified()) {
        TakeAnswer(*call);
      }
      refused = refused || (!call->settled && (call->attempts > 1 || call->done == nullptr));
    }
    return refused;
  }

  void TakeAnswer(Call& call) {
    const Time now = std::chrono::steady_clock::now();
    CallError failure = ErrorFrom(call.status);
    if (call.status.ok() && call.response.results_size() != call.request.images_size()) {
      failure = ErrorFrom(absl::InternalError(absl::StrCat(
          "expected ", call.request.images_size(), " results, the server sent ", call.response.results_size())));
    }
    if (failure.code == 0 || !failure.reason.empty()) retry_.Heard(now);
    CallError again;  // why some are to be sent again
    for (size_t i = 0; i < call.sent.size(); ++i) {
      Image& image = call.images[call.sent[i]];
      if (failure.code != 0) {
        image.error = failure;
      } else if (Result& result = *call.response.mutable_results(static_cast<int>(i)); result.status().code() != 0) {
        image.error = ErrorFrom(result.status());
      } else {
        image.result = std::make_unique<Result>(std::move(result));
      }
      if (MayPass(image.error)) again = image.error;
    }
    const std::optional<Time> next = retry_.Next(again, Pushback(*call.context), call.attempts, now);
    if (!next) {
      call.settled = true;
      return;
    }
    KeepUnanswered(call);
    call.done = nullptr;
    call.again = *next;
  }

  // Leaves in the request what may pass at the next attempt.
  static void KeepUnanswered(Call& call) {
    std::vector<size_t> kept;
    auto& images = *call.request.mutable_images();
    for (size_t i = 0; i < call.sent.size(); ++i) {
      Image& image = call.images[call.sent[i]];
      if (!MayPass(image.error)) continue;
      image.error = {};
      images.SwapElements(static_cast<int>(kept.size()), static_cast<int>(i));
      kept.push_back(call.sent[i]);
    }
    images.DeleteSubrange(static_cast<int>(kept.size()), images.size() - static_cast<int>(kept.size()));
    call.sent = std::move(kept);
  }

  // Until the first request is answered or one is to be sent again, but not for long.
  void WaitForChange(const std::deque<std::unique_ptr<Call>>& window) const {
    Time until = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    const Call* under_way = nullptr;
    for (const std::unique_ptr<Call>& call : window) {
      if (call->settled) continue;
      if (call->done == nullptr) {
        until = std::min(until, call->again);
      } else if (under_way == nullptr) {
        under_way = call.get();
      }
    }
    const absl::Duration wait =
        std::max(absl::FromChrono(until - std::chrono::steady_clock::now()), absl::Milliseconds(1));
    if (under_way == nullptr) {
      absl::SleepFor(wait);
    } else {
      under_way->done->WaitForNotificationWithTimeout(wait);
    }
  }

  void Deliver(const Call& call, const OnImage& on_image) {
    for (size_t i = call.begin; i < call.end; ++i) {
      const Image& image = call.images[i - call.begin];
      on_image(i, image.result.get(), image.result == nullptr ? &image.error : nullptr);
    }
  }

  double SecondsLeft() const {
    if (options_.deadline_seconds <= 0) return std::numeric_limits<double>::infinity();
    return std::max(0.0, std::chrono::duration<double>(deadline_ - std::chrono::steady_clock::now()).count());
  }

  static Time DeadlineOf(const BulkOptions& options) {
    if (options.deadline_seconds <= 0) return Time::max();
    return std::chrono::steady_clock::now() + ToDuration(options.deadline_seconds);
  }

  static Retry::Duration ToDuration(double seconds) {
    return std::chrono::duration_cast<Retry::Duration>(std::chrono::duration<double>(seconds));
  }

  const Context& context_;
  const BulkOptions options_;
  const Request template_;
  const Start start_;
  const Time deadline_;
  Retry retry_;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_BULK_H_
