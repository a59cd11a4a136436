#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "grpc/health/v1/health.pb.h"
#include "server/edge/error.h"
#include "server/edge/health/health.h"

namespace resnetd::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// Longer names than gRPC's own service takes are no model's. The bytes of a request leave room for fields unknown to
// us.
constexpr size_t kLongestName = 200, kLongestRequest = 4096;

std::string Answer(HealthCheckResponse::ServingStatus status) {
  HealthCheckResponse response;
  response.set_status(status);
  return response.SerializeAsString();
}

class WatchedName final : public Watched {
 public:
  // `watching`: changes are to be told by `changed`; an unknown name is no error then, since it may be known later.
  WatchedName(Health& health, std::string name, bool watching, std::function<void()> changed)
      : health_(health),
        name_(std::move(name)),
        watching_(watching),
        subscription_(watching ? health.Subscribe(name_, std::move(changed)) : nullptr) {}

  absl::StatusOr<std::string> Current() const override {
    const std::optional<bool> serving = health_.Get(name_);
    if (serving) return Answer(*serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
    if (watching_) return Answer(HealthCheckResponse::SERVICE_UNKNOWN);
    return Error(absl::StatusCode::kNotFound, reason::kModelNotFound,
                 absl::StrCat("no health is known by the name ", Quoted(name_),
                              ": expected \"\" (the server), \"liveness\" (the process) or a model's name"));
  }

  absl::Status End() const override {
    if (!health_.ended()) return absl::OkStatus();
    return Error(absl::StatusCode::kUnavailable, reason::kShutdown, "the server is shutting down");
  }

 private:
  const Health& health_;
  const std::string name_;
  const bool watching_;
  const Health::Subscription subscription_;
};

class HealthCodec final : public WatchCodec {
 public:
  HealthCodec(Health& health, bool watching) : health_(health), watching_(watching) {}

  absl::StatusOr<std::unique_ptr<Watched>> Watch(RequestBytes& bytes, std::function<void()> changed) const override {
    HealthCheckRequest request;
    if (bytes.size() > kLongestRequest || !request.ParseFromZeroCopyStream(bytes.Open().get())) {
      return FieldError("request",
                        absl::StrCat("expected a grpc.health.v1.HealthCheckRequest of at most ", kLongestRequest,
                                     " bytes, got ", bytes.size(), " bytes that are not one"),
                        reason::kMalformedMessage);
    }
    if (request.service().size() > kLongestName) {
      return FieldError("service", absl::StrCat("expected a name of at most ", kLongestName, " bytes, got ",
                                                request.service().size(), " bytes"));
    }
    return std::make_unique<WatchedName>(health_, std::move(*request.mutable_service()), watching_, std::move(changed));
  }

 private:
  Health& health_;
  const bool watching_;
};

}  // namespace

Protocol HealthProtocol(Health& health) {
  Protocol protocol{.service = "grpc.health.v1.Health", .methods = {}};
  protocol.methods.push_back({.name = "Check", .watch = std::make_unique<HealthCodec>(health, false)});
  protocol.methods.push_back(
      {.name = "Watch", .streaming = true, .watch = std::make_unique<HealthCodec>(health, true)});
  return protocol;
}

}  // namespace resnetd::server
