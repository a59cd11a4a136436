#include "base/address.h"

#include <arpa/inet.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/echo.h"

namespace resnetd {
namespace {

constexpr absl::string_view kSocketFile = "unix:";

bool HasBrackets(absl::string_view address) {
  return absl::StartsWith(address, "[") && absl::EndsWith(address, "]");
}

}  // namespace

absl::Status CheckAddress(absl::string_view what, absl::string_view address) {
  const std::string host = HostOf(address);
  in_addr loose{};
  const bool is_v6 = absl::StrContains(host, ':');
  const bool short_form = inet_aton(host.c_str(), &loose) != 0 && inet_pton(AF_INET, host.c_str(), &loose) != 1;
  if (!host.empty() && !short_form && !IsSocketFile(address) && (is_v6 || !HasBrackets(address))) {
    return absl::OkStatus();
  }
  return Expected(what, "a name, an IPv4 address of four numbers or an IPv6 address", Quoted(address));
}

absl::Status CheckAddressOrSocketFile(absl::string_view what, absl::string_view address) {
  if (!IsSocketFile(address)) return CheckAddress(what, address);
  if (!SocketFileOf(address).empty()) return absl::OkStatus();
  return Expected(what, "unix: and the path of a socket", Quoted(address));
}

bool IsSocketFile(absl::string_view address) {
  return absl::StartsWith(address, kSocketFile);
}

std::string SocketFileOf(absl::string_view address) {
  absl::ConsumePrefix(&address, kSocketFile);
  if (absl::StartsWith(address, "///")) address.remove_prefix(2);
  return std::string(address);
}

std::string HostOf(absl::string_view address) {
  if (HasBrackets(address)) address = address.substr(1, address.size() - 2);
  return std::string(address);
}

std::string HostPort(absl::string_view address, int port) {
  if (IsSocketFile(address)) return std::string(address);
  const std::string host = HostOf(address);
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

}  // namespace resnetd
