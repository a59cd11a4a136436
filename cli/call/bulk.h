#ifndef RESNETD_CLI_CALL_BULK_H_
#define RESNETD_CLI_CALL_BULK_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cli/call/retry.h"
#include "cli/command.h"
#include "cli/error.h"
#include "grpcpp/client_context.h"
#include "resnetd/v1/inference.pb.h"

namespace resnetd::cli {

struct BulkOptions {
  int images_per_request = 8;    // 1: every image's failure is its call's; the server limits the other end
  int requests_in_flight = 4;    // 1 leaves the server idle between calls; many more only wait in its queue
  double deadline_seconds = 0;   // of the whole command; 0: none
  double patience_seconds = 60;  // how long the server may be away
};

void AddBulkOptions(CLI::App& app, BulkOptions& options);

// The limits of a command that starts now.
Patience::Limits LimitsOf(const Context& context, const BulkOptions& options);

// Why a run ended before its last image.
struct Ended {
  CallError error;
  std::string why;     // what ended the trying again; may be empty
  size_t handed_over;  // images whose outcomes were handed over
  // They may be of different models: none of them counts.
  bool mixed = false;
  bool unreachable = false;  // nobody has answered anything
};

// Tells a person how many of how many images were answered, and why no more.
std::string Explain(const Context& context, const Ended& ended, size_t images);

// Returns what is wrong with asking for JSON Lines, if they are asked for; empty: nothing.
std::string CheckJsonLines(const Context& context, bool json_lines);
// Says at the end how many of several images failed, if any did.
void TellFailed(const Context& context, size_t failed, size_t images);

// One try of a request, of whatever method.
class BulkCall {
 public:
  virtual ~BulkCall() = default;
  virtual void AddImage(std::string encoded) = 0;
  // Before Send(), or after `done`: gives an image back, for another try.
  virtual std::string TakeImage(int i) = 0;
  virtual void Send(std::function<void(grpc::Status)> done) = 0;
  // The number of results in the answer.
  virtual int results() const = 0;
  virtual const google::rpc::Status& status(int i) const = 0;
  // Names in words what made result `i`: results from different sources do not belong together.
  virtual std::string Source(int i) const = 0;

  grpc::ClientContext context;
};

// Sends image files in requests of several, a window of requests at a time, and hands over each image's outcome in
// order. Files are read as the window moves, so any number of them fits into memory.
//
// Sends a failed request again if it may yet succeed, later or in smaller requests, as `patience` allows: a server may
// refuse, be restarted or be away for a while, and its limits need not be known. An image's outcome is an error only
// where RemedyOf() says that it is the image's.
class BulkRun {
 public:
  using NewCall = std::function<std::unique_ptr<BulkCall>()>;
  // A result of `call`, or, with `call` null, an error. False ends the run.
  using OnImage = std::function<bool(size_t index, const BulkCall* call, int result, const CallError* error)>;

  // All outlive it. Runs once.
  BulkRun(const Context& context, const BulkOptions& options, Patience& patience,
          const std::vector<std::string>& files);
  ~BulkRun();

  std::optional<Ended> Run(const NewCall& new_call, const OnImage& on_image);

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

inline void AppendSpaces(const v1::ClassifyResult& /*result*/, std::string& /*source*/) {}
inline void AppendSpaces(const v1::EmbedResult& result, std::string& source) {
  if (!result.embedding_space().empty()) absl::StrAppend(&source, ", embedding space ", result.embedding_space());
  for (const v1::LayerEmbedding& l : result.layers()) {
    absl::StrAppend(&source, ", embedding space ", l.embedding_space(), " of layer ", l.layer());
  }
}

// BulkRun of one method. Request and Response are its; `template_request` holds everything but the images.
template <typename Request, typename Response>
class Bulk {
 public:
  using Result = typename std::decay_t<decltype(std::declval<Response>().results())>::value_type;
  // Starts an asynchronous call: the callback method of the stub.
  using Start = std::function<void(grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>)>;
  // Exactly one of `result` and `error` is not null. False ends the run.
  using OnImage = std::function<bool(size_t index, const Result* result, const CallError* error)>;

  Bulk(const Context& context, const BulkOptions& options, Patience& patience, Request template_request, Start start)
      : context_(context),
        options_(options),
        patience_(patience),
        template_(std::move(template_request)),
        start_(std::move(start)) {}

  std::optional<Ended> Run(const std::vector<std::string>& files, const OnImage& on_image) {
    BulkRun run(context_, options_, patience_, files);
    return run.Run([this] { return std::make_unique<Call>(template_, start_); },
                   [&](size_t index, const BulkCall* call, int result, const CallError* error) {
                     return on_image(
                         index, call == nullptr ? nullptr : &static_cast<const Call*>(call)->response().results(result),
                         error);
                   });
  }

 private:
  class Call final : public BulkCall {
   public:
    Call(const Request& request, const Start& start) : request_(request), start_(start) {}
    void AddImage(std::string encoded) override { request_.add_images()->set_encoded(std::move(encoded)); }
    std::string TakeImage(int i) override { return std::move(*request_.mutable_images(i)->mutable_encoded()); }
    void Send(std::function<void(grpc::Status)> done) override {
      start_(&context, &request_, &response_, std::move(done));
    }
    int results() const override { return response_.results_size(); }
    const google::rpc::Status& status(int i) const override { return response_.results(i).status(); }
    std::string Source(int i) const override {
      std::string source = absl::StrCat("model '", response_.model(), "' version '", response_.model_version(),
                                        "', recipe ", response_.recipe_hash());
      AppendSpaces(response_.results(i), source);
      return source;
    }
    const Response& response() const { return response_; }

   private:
    Request request_;
    Response response_;
    const Start& start_;
  };

  const Context& context_;
  const BulkOptions& options_;
  Patience& patience_;
  const Request template_;
  const Start start_;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_CALL_BULK_H_
