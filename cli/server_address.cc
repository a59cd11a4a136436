// gRPC takes a name without a port for one with 443 or 80, and a scheme that it does not know for a host's name:
// neither is what anybody meant.
#include "cli/server_address.h"

#include <arpa/inet.h>

#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/address.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::cli {
namespace {

constexpr size_t kLeastPortDigits = 4;  // of what looks like a port behind an IPv6 address

bool IsPort(absl::string_view text) {
  int port = 0;
  const bool digits = absl::c_all_of(text, [](unsigned char c) { return absl::ascii_isdigit(c); });
  return digits && !text.empty() && text[0] != '0' && absl::SimpleAtoi(text, &port) && port <= 65535;
}

// With or without a zone behind it: fe80::1%eth0.
bool IsIpv6(absl::string_view text) {
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(text.substr(0, text.find('%'))).c_str(), &address) == 1;
}

// Refuses what is IPv6 with and without its last part, where that part looks like a port.
absl::Status CheckBareIpv6(absl::string_view text) {
  if (!IsIpv6(text)) return absl::InvalidArgumentError("expected an IPv6 address, or host:port with one colon");
  const size_t colon = text.rfind(':');
  const absl::string_view address = text.substr(0, colon), port = text.substr(colon + 1);
  if (port.size() < kLeastPortDigits || !IsPort(port) || !IsIpv6(address)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected [", address, "]:", port, " or [", text, "]:", kDefaultPort));
}

// "host", "host:port", "[v6]", "[v6]:port" or "v6", to "host:port" or "[v6]:port".
absl::StatusOr<std::string> WithPort(absl::string_view text) {
  std::string host(text), port = absl::StrCat(kDefaultPort);
  const bool bare_v6 = absl::c_count(text, ':') > 1 && !absl::StartsWith(text, "[");
  if (bare_v6) RESNETD_RETURN_IF_ERROR(CheckBareIpv6(text));
  const size_t colon =
      bare_v6 ? absl::string_view::npos : text.find(':', absl::StartsWith(text, "[") ? text.find(']') : 0);
  if (colon != absl::string_view::npos) {
    host = std::string(text.substr(0, colon));
    port = std::string(text.substr(colon + 1));
  }
  if (!IsPort(port)) return absl::InvalidArgumentError("expected a port from 1 to 65535 behind the colon");
  const bool in_brackets = absl::StartsWith(host, "[");
  if (in_brackets && (!absl::EndsWith(host, "]") || !IsIpv6(HostOf(host)))) {
    return absl::InvalidArgumentError("expected an IPv6 address between [ and ], and :port or nothing behind it");
  }
  if (!bare_v6 && !in_brackets && host.find_first_of("/@[]?#%\\,") != std::string::npos) {
    return absl::InvalidArgumentError("expected host:port, a name or an address and a number");
  }
  // It puts another name in front.
  const absl::Status status = CheckAddress("", host);
  if (!status.ok()) {
    return absl::InvalidArgumentError("expected a name, an IPv4 address of four numbers or an IPv6 address");
  }
  // In a target, which is a URI, the % of a zone is written so.
  host = absl::StrReplaceAll(HostOf(host), {{"%", "%25"}});
  return absl::StrCat(absl::StrContains(host, ':') ? absl::StrCat("[", host, "]") : host, ":", port);
}

// ipv4: and ipv6: take several, with commas between.
absl::StatusOr<std::string> EachWithPort(absl::string_view scheme, absl::string_view addresses) {
  std::vector<std::string> targets;
  for (const absl::string_view address : absl::StrSplit(addresses, ',')) {
    RESNETD_ASSIGN_OR_RETURN(targets.emplace_back(), WithPort(address));
  }
  return absl::StrCat(scheme, absl::StrJoin(targets, ","));
}

absl::StatusOr<std::string> ParseUrl(absl::string_view scheme, absl::string_view rest) {
  if (scheme == "https" || scheme == "grpcs") {
    return absl::InvalidArgumentError(
        "expected an address without TLS, which resnetctl does not speak (name a server's own port, or a proxy of this "
        "machine that adds TLS)");
  }
  if (scheme == "dns") {
    const size_t slash = rest.find('/');  // behind the name server, which may be empty
    if (slash == absl::string_view::npos) return absl::InvalidArgumentError("expected dns:///host:port");
    RESNETD_ASSIGN_OR_RETURN(const std::string target, WithPort(rest.substr(slash + 1)));
    return absl::StrCat("dns://", rest.substr(0, slash + 1), target);
  }
  if (scheme != "http" && scheme != "grpc") {
    return absl::InvalidArgumentError("expected host:port, perhaps behind http://, grpc://, dns:/// or unix:");
  }
  absl::ConsumeSuffix(&rest, "/");
  if (absl::StrContains(rest, '/')) {
    return absl::InvalidArgumentError(absl::StrCat("expected ", scheme, "://host:port without a path"));
  }
  return WithPort(rest);
}

absl::StatusOr<std::string> Parse(absl::string_view text) {
  const bool plain = absl::c_all_of(text, [](unsigned char c) { return absl::ascii_isgraph(c); });
  if (!plain || text.empty()) return absl::InvalidArgumentError("expected host:port");
  for (const absl::string_view socket : {"unix:", "unix-abstract:"}) {
    if (!absl::StartsWith(text, socket)) continue;
    if (text.find_first_not_of('/', socket.size()) != absl::string_view::npos) return std::string(text);
    return absl::InvalidArgumentError(absl::StrCat("expected ", socket, " and the name of a socket"));
  }
  if (const size_t end = text.find("://"); end != absl::string_view::npos) {
    return ParseUrl(absl::AsciiStrToLower(text.substr(0, end)), text.substr(end + 3));
  }
  for (const absl::string_view scheme : {"ipv4:", "ipv6:"}) {
    absl::string_view rest = text;
    if (absl::ConsumePrefix(&rest, scheme)) return EachWithPort(scheme, rest);
  }
  // A host may be called dns too: dns:8500.
  if (absl::string_view rest = text; absl::ConsumePrefix(&rest, "dns:") && !IsPort(rest)) {
    RESNETD_ASSIGN_OR_RETURN(const std::string target, WithPort(rest));
    return absl::StrCat("dns:", target);
  }
  return WithPort(text);
}

}  // namespace

absl::StatusOr<std::string> ParseServer(absl::string_view text) {
  absl::StatusOr<std::string> target = Parse(text);
  if (target.ok()) return target;
  return absl::InvalidArgumentError(absl::StrCat(target.status().message(), ", got ", Quoted(text)));
}

}  // namespace resnetd::cli
