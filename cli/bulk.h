#ifndef RESNETD_CLI_BULK_H_
#define RESNETD_CLI_BULK_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/inputs.h"
#include "cli/progress.h"

namespace resnetd::cli {

struct BulkOptions {
  int images_per_request = 8;  // 1: every image's failure is its call's; the server limits the other end
  int requests_in_flight = 4;  // 1 leaves the server idle between calls; many more only wait in its queue
};

inline void AddBulkOptions(CLI::App& app, BulkOptions& options) {
  app.add_option("--images-per-request", options.images_per_request, "Images of one call")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  app.add_option("--requests-in-flight", options.requests_in_flight, "Calls under way at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
}

// Sends image files in requests of several, a window of requests at a time, and hands over each image's outcome in
// order. Files are read as the window moves, so any number of them fits into memory.
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
      : context_(context), options_(options), template_(std::move(template_request)), start_(std::move(start)) {}

  void Run(const std::vector<std::string>& files, const OnImage& on_image) {
    Progress progress(*context_.err, context_.err_is_terminal, static_cast<double>(files.size()), "images");
    std::deque<std::unique_ptr<Call>> window;
    size_t next = 0, done = 0;
    while (next < files.size() || !window.empty()) {
      while (next < files.size() && window.size() < static_cast<size_t>(options_.requests_in_flight)) {
        window.push_back(NextCall(files, next));
        next = window.back()->end;
        Send(*window.back());
      }
      while (!window.front()->done.WaitForNotificationWithTimeout(absl::Milliseconds(100))) {
        progress.Update(static_cast<double>(done));
      }
      Deliver(*window.front(), on_image);
      done = window.front()->end;
      progress.Update(static_cast<double>(done));
      window.pop_front();
    }
  }

 private:
  // Some photos are large: a request is closed before it outgrows what servers accept.
  static constexpr size_t kRequestBytes = size_t{8} << 20;

  struct Call {
    size_t begin = 0, end = 0;       // of the files
    std::vector<absl::Status> read;  // one a file: those that are not OK are not in the request
    grpc::ClientContext context;
    Request request;
    Response response;
    grpc::Status status;
    absl::Notification done;
  };

  std::unique_ptr<Call> NextCall(const std::vector<std::string>& files, size_t begin) {
    auto call = std::make_unique<Call>();
    call->begin = call->end = begin;
    call->request = template_;
    size_t bytes = 0;
    while (call->end < files.size() && call->end - begin < static_cast<size_t>(options_.images_per_request) &&
           bytes < kRequestBytes) {
      absl::StatusOr<std::string> file = ReadImageFile(files[call->end++]);
      call->read.push_back(file.status());
      if (!file.ok()) continue;
      bytes += file->size();
      call->request.add_images()->set_encoded(*std::move(file));
    }
    return call;
  }

  void Send(Call& call) {
    if (call.request.images().empty()) {
      call.done.Notify();
      return;
    }
    SetDeadline(call.context, context_.timeout_seconds);
    start_(&call.context, &call.request, &call.response, [&call](grpc::Status status) {
      call.status = std::move(status);
      call.done.Notify();
    });
  }

  void Deliver(const Call& call, const OnImage& on_image) {
    CallError failure = ErrorFrom(call.status);
    if (call.status.ok() && call.response.results_size() != call.request.images_size()) {
      failure = ErrorFrom(absl::InternalError(absl::StrCat(
          "expected ", call.request.images_size(), " results, the server sent ", call.response.results_size())));
    }
    int sent = 0;
    for (size_t i = call.begin; i < call.end; ++i) {
      const absl::Status& read = call.read[i - call.begin];
      if (!read.ok()) {
        const CallError error = ErrorFrom(read);
        on_image(i, nullptr, &error);
      } else if (failure.code != 0) {
        on_image(i, nullptr, &failure);
      } else if (const Result& result = call.response.results(sent++); result.status().code() != 0) {
        const CallError error = ErrorFrom(result.status());
        on_image(i, nullptr, &error);
      } else {
        on_image(i, &result, nullptr);
      }
    }
  }

  const Context& context_;
  const BulkOptions options_;
  const Request template_;
  const Start start_;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_BULK_H_
