#include "server/net/connections.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace resnetd::server {
namespace {

// A socket on loopback, of either family.
class Socket {
 public:
  explicit Socket(int family) : family_(family), fd_(socket(family, SOCK_STREAM, 0)) {}
  Socket(int family, int fd) : family_(family), fd_(fd) {}
  ~Socket() { Close(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  bool Listen() { return bind(fd_, Address(0), size()) == 0 && listen(fd_, 4) == 0; }
  int Accept() { return accept(fd_, nullptr, nullptr); }
  int Connect(int port) { return connect(fd_, Address(port), size()) == 0 ? 0 : errno; }
  int port() {
    socklen_t length = size();
    getsockname(fd_, &address_.any, &length);
    return ntohs(family_ == AF_INET ? address_.v4.sin_port : address_.v6.sin6_port);
  }
  void Send(const std::string& text) {
    EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Nothing: the end.
  std::string Receive() {
    char bytes[16];
    const ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
    EXPECT_GE(count, 0);
    return std::string(bytes, static_cast<size_t>(std::max<ssize_t>(count, 0)));
  }

 private:
  const sockaddr* Address(int port) {
    address_ = {};
    if (family_ == AF_INET) {
      address_.v4.sin_family = AF_INET;
      address_.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address_.v4.sin_port = htons(static_cast<uint16_t>(port));
    } else {
      address_.v6.sin6_family = AF_INET6;
      address_.v6.sin6_addr = in6addr_loopback;
      address_.v6.sin6_port = htons(static_cast<uint16_t>(port));
    }
    return &address_.any;
  }
  socklen_t size() const { return family_ == AF_INET ? sizeof address_.v4 : sizeof address_.v6; }

  const int family_;
  int fd_;
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } address_{};
};

TEST(ConnectionsTest, ClosesInwardWhatIsOnThePortAndNothingElse) {
  for (const int family : {AF_INET, AF_INET6}) {
    SCOPED_TRACE(family == AF_INET ? "IPv4" : "IPv6");
    Socket listener(family), client(family), waiting(family), late(family);
    if (!listener.Listen()) {
      ASSERT_EQ(family, AF_INET6);
      continue;  // a machine without IPv6
    }
    Socket other_listener(family), other_client(family);
    ASSERT_TRUE(other_listener.Listen());
    const int port = listener.port();
    ASSERT_EQ(client.Connect(port), 0);
    Socket served(family, listener.Accept());
    ASSERT_EQ(waiting.Connect(port), 0);  // not accepted yet
    ASSERT_EQ(other_client.Connect(other_listener.port()), 0);
    Socket other_served(family, other_listener.Accept());
    client.Send("before");
    other_client.Send("other");

    EXPECT_EQ(CloseInward(port), 1);
    EXPECT_EQ(CloseInward(port), 1) << "its owner has not closed it yet";

    // The server reads what had arrived, and then comes the end; answers go out.
    EXPECT_EQ(served.Receive(), "before");
    EXPECT_EQ(served.Receive(), "");
    served.Send("answer");
    EXPECT_EQ(client.Receive(), "answer");
    EXPECT_EQ(late.Connect(port), ECONNREFUSED);
    EXPECT_EQ(other_served.Receive(), "other");
    Socket other_late(family);
    EXPECT_EQ(other_late.Connect(other_listener.port()), 0);

    served.Close();
    EXPECT_EQ(CloseInward(port), 0) << "the listener is no connection";
    EXPECT_EQ(client.Receive(), "");
  }
}

TEST(ConnectionsTest, FindsNothingOnAPortWithoutSockets) {
  int port = 0;
  {
    Socket listener(AF_INET);
    ASSERT_TRUE(listener.Listen());
    port = listener.port();
  }
  EXPECT_EQ(CloseInward(port), 0);
}

}  // namespace
}  // namespace resnetd::server
