#ifndef RESNETD_CLI_CALL_SERVED_MODEL_H_
#define RESNETD_CLI_CALL_SERVED_MODEL_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cli/call/bulk.h"
#include "cli/call/retry.h"
#include "cli/command.h"
#include "resnetd/v1/inference.grpc.pb.h"

namespace resnetd::cli {

// A model of a server as a bulk command finds it, and whether it is still the same afterwards: answers to Classify do
// not tell weights apart.
class ServedModel {
 public:
  // All outlive it.
  ServedModel(const Context& context, v1::InferenceService::Stub& stub, Patience& patience)
      : context_(context), stub_(stub), patience_(patience) {}

  // Asks for a model, empty: the only one, as long as `patience` allows. The error names the server.
  absl::Status Ask(const std::string& name);
  const v1::GetModelResponse& answer() const { return answer_; }

  // After `images` images: asks again if the server may have been another meanwhile. `mixed`, if the model is.
  std::optional<Ended> AskWhetherSame(size_t images);

 private:
  std::optional<CallError> Call(const v1::GetModelRequest& request, v1::GetModelResponse& response);

  const Context& context_;
  v1::InferenceService::Stub& stub_;
  Patience& patience_;
  v1::GetModelResponse answer_;
};

// Finds a head by its name, the first for an empty one; null if the model has no such head.
const v1::Head* FindHead(const v1::GetModelResponse& model, const std::string& name);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_CALL_SERVED_MODEL_H_
