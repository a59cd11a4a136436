#ifndef RESNETD_BASE_NETWORKS_H_
#define RESNETD_BASE_NETWORKS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace resnetd {

// A set of IP addresses, as an operator writes them: 10.0.0.0/8, 192.0.2.7, fd00::/8. Immutable, and so thread-safe.
class Networks {
 public:
  Networks() = default;  // of nobody

  // Addresses and networks, each of which must be written out. INVALID_ARGUMENT, naming `what`, for anything else, and
  // for a network with bits behind its prefix (10.0.0.1/8), which may be another than was meant.
  static absl::StatusOr<Networks> Parse(absl::string_view what, absl::Span<const std::string> texts);

  // `address`: without a port or brackets. False for what is none. An IPv4 address may be given as IPv6
  // (::ffff:10.0.0.1).
  bool Contain(absl::string_view address) const;

 private:
  using Bytes = std::array<uint8_t, 16>;  // IPv6, into which IPv4 is mapped
  struct Network {
    Bytes address;
    int bits;
  };
  static std::optional<Network> Read(absl::string_view text);

  std::vector<Network> networks_;
};

}  // namespace resnetd

#endif  // RESNETD_BASE_NETWORKS_H_
