#include "base/address.h"

#include <arpa/inet.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"

namespace resnetd {
namespace {

bool HasBrackets(absl::string_view address) {
  return absl::StartsWith(address, "[") && absl::EndsWith(address, "]");
}

}  // namespace

absl::Status CheckAddress(absl::string_view what, absl::string_view address) {
  const std::string host = HostOf(address);
  in_addr loose{};
  const bool is_v6 = absl::StrContains(host, ':');
  const bool short_form = inet_aton(host.c_str(), &loose) != 0 && inet_pton(AF_INET, host.c_str(), &loose) != 1;
  if (!host.empty() && !short_form && (is_v6 || !HasBrackets(address))) return absl::OkStatus();
  return Expected(what, "a name, an IPv4 address of four numbers or an IPv6 address", Quoted(address));
}

std::string HostOf(absl::string_view address) {
  if (HasBrackets(address)) address = address.substr(1, address.size() - 2);
  return std::string(address);
}

std::string HostPort(absl::string_view address, int port) {
  const std::string host = HostOf(address);
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

}  // namespace resnetd
