#include "cli/call/served_model.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cli/call/client.h"

namespace resnetd::cli {

std::optional<CallError> ServedModel::Call(const v1::GetModelRequest& request, v1::GetModelResponse& response) {
  for (int tries = 0;; ++tries) {
    grpc::ClientContext call;
    patience_.SetDeadlineOf(call);
    const grpc::Status status = stub_.GetModel(&call, request, &response);
    if (status.ok()) {
      patience_.Answered();
      return std::nullopt;
    }
    Failure failure = FailureOf(status, call);
    if (RemedyOf(failure.error, 1) != Remedy::kRetry) return failure.error;
    const auto next = patience_.NextTry(failure, tries);
    if (!next) {
      if (!IsUnreachable(failure.error)) absl::StrAppend(&failure.error.message, " (", patience_.why(), ")");
      return failure.error;
    }
    if (patience_.NoteIsDue()) {
      *context_.err << OneLineOfCall(context_, failure.error) << "; trying again\n" << std::flush;
    }
    std::this_thread::sleep_until(*next);
  }
}

absl::Status ServedModel::Ask(const std::string& name) {
  v1::GetModelRequest request;
  request.set_model(name);
  const std::optional<CallError> error = Call(request, answer_);
  if (!error) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(error->code), OneLineOfCall(context_, *error));
}

std::optional<Ended> ServedModel::AskWhetherSame(size_t images) {
  if (!patience_.interrupted()) return std::nullopt;
  v1::GetModelRequest request;
  request.set_model(answer_.name());
  request.set_model_version(answer_.version());
  v1::GetModelResponse now;
  if (const std::optional<CallError> error = Call(request, now)) return Ended{*error, "", images, /*mixed=*/true};
  if (now.weights_sha256() == answer_.weights_sha256() && now.recipe_hash() == answer_.recipe_hash()) {
    return std::nullopt;
  }
  const absl::Status changed = absl::FailedPreconditionError(
      absl::StrCat("the model changed while it was asked: first its weights were ", answer_.weights_sha256(),
                   ", recipe ", answer_.recipe_hash(), ", then ", now.weights_sha256(), ", recipe ", now.recipe_hash(),
                   "; nothing tells which of them answered what"));
  return Ended{ErrorFrom(changed), "", images, /*mixed=*/true};
}

const v1::Head* FindHead(const v1::GetModelResponse& model, const std::string& name) {
  const auto find = [&](auto&& matches) -> const v1::Head* {
    const auto found = std::find_if(model.heads().begin(), model.heads().end(), matches);
    return found == model.heads().end() ? nullptr : &*found;
  };
  if (const v1::Head* named = find([&](const v1::Head& h) { return name.empty() || h.name() == name; })) return named;
  return find(
      [&](const v1::Head& h) { return std::find(h.aliases().begin(), h.aliases().end(), name) != h.aliases().end(); });
}

}  // namespace resnetd::cli
