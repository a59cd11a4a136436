#include "base/networks.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

#include "base/echo.h"

namespace resnetd {
namespace {

constexpr int kBits = 128, kBitsBeforeV4 = 96;

// Whether the first `bits` are the same.
bool SameStart(const std::array<uint8_t, 16>& a, const std::array<uint8_t, 16>& b, int bits) {
  const size_t whole = static_cast<size_t>(bits) / 8;
  const int rest = bits % 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

}  // namespace

std::optional<Networks::Network> Networks::Read(absl::string_view text) {
  const size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Network network{.address = {}, .bits = kBits};
  int before = 0;
  if (inet_pton(AF_INET, address.c_str(), &network.address[12]) == 1) {
    network.address[10] = network.address[11] = 0xff;
    before = kBitsBeforeV4;
  } else if (inet_pton(AF_INET6, address.c_str(), network.address.data()) != 1) {
    return std::nullopt;
  }
  if (slash == absl::string_view::npos) return network;
  const absl::string_view prefix = text.substr(slash + 1);
  int bits = 0;
  const bool digits = absl::c_all_of(prefix, [](unsigned char c) { return absl::ascii_isdigit(c); });
  if (!digits || !absl::SimpleAtoi(prefix, &bits) || bits > kBits - before) return std::nullopt;
  network.bits = before + bits;
  return network;
}

absl::StatusOr<Networks> Networks::Parse(absl::string_view what, absl::Span<const std::string> texts) {
  Networks all;
  for (const std::string& text : texts) {
    const std::optional<Network> network = Read(text);
    if (!network) {
      return Expected(what, "IP addresses and networks, such as 192.0.2.7 or 10.0.0.0/8 or fd00::/8", Quoted(text));
    }
    for (int bit = network->bits; bit < kBits; ++bit) {
      if ((network->address[static_cast<size_t>(bit) / 8] >> (7 - bit % 8) & 1) != 0) {
        return Expected(what, "a network without bits behind its prefix", Quoted(text));
      }
    }
    all.networks_.push_back(*network);
  }
  return all;
}

bool Networks::Contain(absl::string_view address) const {
  if (absl::StrContains(address, '/')) return false;
  const std::optional<Network> one = Read(address);
  return one && std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
           return SameStart(network.address, one->address, network.bits);
         });
}

}  // namespace resnetd
