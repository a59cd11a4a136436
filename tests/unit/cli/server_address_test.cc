// The forms in which people write a server's address.
#include "cli/server_address.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace resnetd::cli {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

TEST(ServerAddressTest, EachFormIsATarget) {
  const struct {
    const char *text, *target;
  } kCases[] = {
      {"localhost", "localhost:8500"},
      {"localhost:1", "localhost:1"},
      {"192.0.2.7:65535", "192.0.2.7:65535"},
      {"a_b.example.com", "a_b.example.com:8500"},
      {"http://host", "host:8500"},
      {"HTTP://host:80/", "host:80"},
      {"grpc://host:9000", "host:9000"},
      {"grpc://[2001:db8::1]/", "[2001:db8::1]:8500"},
      {"::1", "[::1]:8500"},
      {"[::1]", "[::1]:8500"},
      {"[::1]:1234", "[::1]:1234"},
      {"2001:db8::1:5", "[2001:db8::1:5]:8500"},
      {"2001:db8:0:0:0:0:0:1234", "[2001:db8:0:0:0:0:0:1234]:8500"},
      {"[fe80::1%eth0]:1", "[fe80::1%25eth0]:1"},
      {"dns:///host", "dns:///host:8500"},
      {"dns:///host:1", "dns:///host:1"},
      {"dns://192.0.2.1:53/host", "dns://192.0.2.1:53/host:8500"},
      {"dns:host", "dns:host:8500"},
      {"dns:8500", "dns:8500"},
      {"ipv4:192.0.2.7,192.0.2.8:1", "ipv4:192.0.2.7:8500,192.0.2.8:1"},
      {"ipv6:[::1]", "ipv6:[::1]:8500"},
      {"unix:/run/resnetd.sock", "unix:/run/resnetd.sock"},
      {"unix:///run/resnetd.sock", "unix:///run/resnetd.sock"},
      {"unix:resnetd.sock", "unix:resnetd.sock"},
      {"unix-abstract:resnetd", "unix-abstract:resnetd"},
  };
  for (const auto& [text, target] : kCases) {
    const absl::StatusOr<std::string> parsed = ParseServer(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(*parsed, target) << text;
  }
}

TEST(ServerAddressTest, EachMistakeIsASentence) {
  const struct {
    const char *text, *says;
  } kCases[] = {
      {"", "expected host:port"},
      {"two words", "expected host:port"},
      {"host:", "expected a port from 1 to 65535"},
      {"host:0", "expected a port"},
      {"host:65536", "expected a port"},
      {"host:080", "expected a port"},
      {"host:http", "expected a port"},
      {":8500", "expected a name"},
      {"127.1:8500", "expected a name, an IPv4 address of four numbers"},
      {"user@host:1", "expected host:port"},
      {"host/path", "expected host:port"},
      {"::1:8500", "expected [::1]:8500 or [::1:8500]:8500"},
      {"a:b:c", "expected an IPv6 address, or host:port with one colon"},
      {"[host]:1", "expected an IPv6 address between [ and ]"},
      {"[::1", "expected an IPv6 address between [ and ]"},
      {"http://host:1/v1/models", "expected http://host:port without a path"},
      {"https://host", "expected an address without TLS"},
      {"grpcs://host:443", "expected an address without TLS"},
      {"tcp://10.0.0.1:8500", "expected host:port, perhaps behind http://"},
      {"dns://host", "expected dns:///host:port"},
      {"unix:", "expected unix: and the name of a socket"},
      {"unix:///", "expected unix: and the name of a socket"},
  };
  for (const auto& [text, says] : kCases) {
    const absl::StatusOr<std::string> parsed = ParseServer(text);
    ASSERT_FALSE(parsed.ok()) << text;
    const std::string message(parsed.status().message());
    EXPECT_THAT(message, StartsWith(says)) << text;
    EXPECT_THAT(message, EndsWith(std::string(", got '") + text + "'"));
  }
}

}  // namespace
}  // namespace resnetd::cli
