#include "server/connection_shares.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "server/bounds.h"

namespace resnetd::server {
namespace {

// The log, listeners, gRPC's pollers, and files of models. A server at rest has about 25 open.
constexpr uint64_t kReserve = 64;
// gRPC's and the acceptor's duplicate.
constexpr uint64_t kDescriptorsEach = 2;
// A port each.
constexpr int kLeast = 2;
// Probes and scrapers: at most so many, and this part of a smaller budget.
constexpr int kMostHttp = 64, kHttpPart = 8;

}  // namespace

absl::StatusOr<ConnectionShares> ShareConnections(int max_connections, uint64_t descriptors) {
  const auto most = static_cast<int>(std::min<uint64_t>((std::max(descriptors, kReserve) - kReserve) / kDescriptorsEach,
                                                        static_cast<uint64_t>(bounds::kMaxConnections.most)));
  if (most < kLeast) {
    return Expected("ulimit -n", absl::StrCat("at least ", kReserve + kLeast * kDescriptorsEach, " open files"),
                    absl::StrCat(descriptors));
  }
  const int all = max_connections == 0 ? most : max_connections;
  if (all < kLeast || all > most) {
    return Expected(
        bounds::kMaxConnections.option,
        absl::StrCat("0, or ", kLeast, " to ", most, " where 'ulimit -n' allows ", descriptors, " open files"),
        absl::StrCat(max_connections));
  }
  const int http = std::clamp(all / kHttpPart, 1, kMostHttp);
  return ConnectionShares{.grpc = all - http, .http = http};
}

}  // namespace resnetd::server
