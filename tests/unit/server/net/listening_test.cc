#include "server/net/listening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "base/descriptor.h"
#include "tests/support/temp_folder.h"

namespace resnetd::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// 0, or what connect() says.
int Connect(const sockaddr* address, socklen_t size) {
  const Descriptor fd(socket(address->sa_family, SOCK_STREAM, 0));
  return connect(fd.get(), address, size) == 0 ? 0 : errno;
}

int ConnectV4(int port, uint32_t host = INADDR_LOOPBACK) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(host);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return Connect(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int ConnectV6(int port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  address.sin6_port = htons(static_cast<uint16_t>(port));
  return Connect(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int ConnectFile(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return Connect(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

bool HasV6() {
  return Listen("::1", 0).ok();
}

TEST(ListeningTest, AnAddressAndNothingElse) {
  const absl::StatusOr<Listening> listening = Listen("127.0.0.1", 0);
  ASSERT_TRUE(listening.ok()) << listening.status();
  EXPECT_EQ(listening->sockets.size(), 1);
  EXPECT_EQ(ConnectV4(listening->port), 0);
  EXPECT_EQ(ConnectV4(listening->port, INADDR_LOOPBACK + 1), ECONNREFUSED);
}

TEST(ListeningTest, AllInterfacesOfBothFamilies) {
  for (const char* address : {"0.0.0.0", "::", "[::]"}) {
    const absl::StatusOr<Listening> listening = Listen(address, 0);
    ASSERT_TRUE(listening.ok()) << listening.status();
    EXPECT_EQ(ConnectV4(listening->port), 0) << address;
    EXPECT_EQ(ConnectV4(listening->port, INADDR_LOOPBACK + 1), 0) << address;
    if (HasV6()) {
      EXPECT_EQ(ConnectV6(listening->port), 0) << address;
    }
  }
}

TEST(ListeningTest, ANameWithAllItsAddresses) {
  const absl::StatusOr<Listening> listening = Listen("localhost", 0);
  ASSERT_TRUE(listening.ok()) << listening.status();
  EXPECT_EQ(ConnectV4(listening->port), 0);
  const absl::Status status = Listen("no-such-host.invalid", 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), Not(IsEmpty()));
}

TEST(ListeningTest, APortInUse) {
  const absl::StatusOr<Listening> first = Listen("127.0.0.1", 0);
  ASSERT_TRUE(first.ok());
  for (const char* address : {"127.0.0.1", "localhost", "0.0.0.0", "::"}) {
    const absl::Status status = Listen(address, first->port).status();
    EXPECT_EQ(status, absl::UnavailableError("the port is in use")) << address;
  }
}

TEST(ListeningTest, ASocketFile) {
  const TempFolder folder;
  const std::string path = folder.path() + "/s";
  for (const std::string& address : {"unix:" + path, "unix://" + path}) {
    const absl::StatusOr<Listening> listening = Listen(address, 8500);
    ASSERT_TRUE(listening.ok()) << listening.status();
    EXPECT_EQ(listening->port, 0);
    EXPECT_EQ(listening->socket_file, path);
    EXPECT_EQ(ConnectFile(path), 0);
    EXPECT_EQ(Listen(address, 0).status(), absl::UnavailableError("the socket is in use"));
    EXPECT_EQ(ConnectFile(path), 0) << "it was left alone";
  }  // and here it is dead, its file left behind, which the next round replaces
  EXPECT_EQ(ConnectFile(path), ECONNREFUSED);
}

TEST(ListeningTest, AFileThatIsNoSocketIsLeftAlone) {
  const TempFolder folder;
  const std::string path = folder.path() + "/s";
  std::ofstream(path) << "text";
  EXPECT_EQ(Listen("unix:" + path, 0).status(), absl::UnavailableError("there is a file that is no socket"));
  struct stat file {};
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_size, 4);
  EXPECT_THAT(std::string(Listen("unix:" + folder.path() + "/none/s", 0).status().message()),
              HasSubstr("No such file"));
}

TEST(ListeningTest, ThePathOfASocketHasALength) {
  const TempFolder folder;
  const size_t most = sizeof(sockaddr_un::sun_path) - 1;
  std::string path = folder.path() + "/";
  ASSERT_LT(path.size(), most);
  path.resize(most, 's');
  EXPECT_TRUE(Listen("unix:" + path, 0).ok());
  EXPECT_EQ(Listen("unix:" + path + "s", 0).status(),
            absl::UnavailableError("expected a path of at most 107 bytes, got 108"));
}

}  // namespace
}  // namespace resnetd::server
