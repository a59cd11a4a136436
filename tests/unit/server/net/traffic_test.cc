#include "server/net/traffic.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>

namespace resnetd::server {
namespace {

// The two ends of a connection on loopback; `accepted` is the server's.
struct Pair {
  explicit Pair(int family) {
    const int listener = socket(family, SOCK_STREAM, 0);
    sockaddr_storage address{};
    address.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET6) {
      reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
    } else {
      reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    EXPECT_EQ(bind(listener, any, size), 0);
    EXPECT_EQ(listen(listener, 1), 0);
    EXPECT_EQ(getsockname(listener, any, &size), 0);
    client = socket(family, SOCK_STREAM, 0);
    EXPECT_EQ(connect(client, any, size), 0);
    accepted = accept(listener, nullptr, nullptr);
    EXPECT_EQ(getsockname(client, any, &size), 0);
    port = ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);  // at the same place in both
    close(listener);
  }
  ~Pair() {
    close(client);
    close(accepted);
  }
  int client, accepted, port;
};

void Await(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::yield();
}

TEST(TrafficTest, CountsWhatAConnectionCarries) {
  for (int family : {AF_INET, AF_INET6}) {
    const Pair pair(family);
    const std::string bytes(10'000, 'x');
    const Traffic before = *TrafficOf(pair.accepted);
    ASSERT_EQ(send(pair.client, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    Await([&] { return TrafficOf(pair.accepted)->received >= before.received + bytes.size(); });
    EXPECT_EQ(TrafficOf(pair.accepted)->received, before.received + bytes.size());
    EXPECT_EQ(TrafficOf(pair.accepted)->read, before.read);
    char some[1000];
    ASSERT_EQ(recv(pair.accepted, some, sizeof some, MSG_WAITALL), static_cast<ssize_t>(sizeof some));
    EXPECT_EQ(TrafficOf(pair.accepted)->read, before.read + sizeof some);
    ASSERT_EQ(send(pair.accepted, bytes.data(), 100, 0), 100);
    EXPECT_EQ(TrafficOf(pair.accepted)->sent, before.sent + 100);
    Await([&] { return TrafficOf(pair.accepted)->acknowledged >= before.acknowledged + 100; });
  }
}

TEST(TrafficTest, WhatIsNoConnectionHasNone) {
  EXPECT_EQ(TrafficOf(-1).has_value(), false);
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  EXPECT_EQ(TrafficOf(pipes[0]).has_value(), false);
  for (int fd : pipes) close(fd);
}

}  // namespace
}  // namespace resnetd::server
