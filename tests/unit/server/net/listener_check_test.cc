#include "server/net/listener_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"

namespace resnetd::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::chrono::milliseconds kSoon(20);
constexpr std::chrono::seconds kPatience(60);
// An empty SETTINGS frame.
const std::string kSettingsFrame("\0\0\0\4\0\0\0\0\0", 9);

int Bound(int family, int port = 0) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(static_cast<uint16_t>(port));
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  const bool is_v6 = family == AF_INET6;
  const int failed = is_v6 ? bind(fd, reinterpret_cast<const sockaddr*>(&v6), sizeof v6)
                           : bind(fd, reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  if (failed != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

int PortOf(int fd) {
  sockaddr_in6 address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);  // where an IPv4 address has it too
}

// A port that accepts connections and sends each one `answer`, while it is told to; else it listens and accepts
// nothing.
class Port {
 public:
  explicit Port(std::string answer, int family = AF_INET) : answer_(std::move(answer)), fd_(Bound(family)) {
    if (fd_ < 0) return;
    listen(fd_, 128);
    number_ = PortOf(fd_);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Port() {
    if (fd_ < 0) return;
    deaf(false);
    shutdown(fd_, SHUT_RDWR);  // ends accept()
    thread_.join();
    close(fd_);
  }

  bool usable() const { return fd_ >= 0; }
  int number() const { return number_; }
  void deaf(bool deaf) {
    MutexLock lock(&mu_);
    deaf_ = deaf;
    changed_.SignalAll();
  }
  void AwaitConnections(int count) {
    MutexLock lock(&mu_);
    const Time until = Now() + kPatience;
    while (connections_ < count && Now() < until) changed_.WaitUntil(&mu_, until);
    EXPECT_GE(connections_, count);
  }
  int connections() {
    MutexLock lock(&mu_);
    return connections_;
  }

 private:
  void Serve() {
    while (true) {
      const int fd = accept(fd_, nullptr, nullptr);
      if (fd < 0) return;
      {
        MutexLock lock(&mu_);
        while (deaf_) changed_.Wait(&mu_);
        ++connections_;
        changed_.SignalAll();
      }
      [[maybe_unused]] const ssize_t sent = send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      close(fd);
    }
  }

  const std::string answer_;
  const int fd_;
  int number_ = 0;
  Mutex mu_;
  CondVar changed_;
  bool deaf_ = false;
  int connections_ = 0;
  std::thread thread_;
};

// The words that a check has told.
class Told {
 public:
  void operator()(const std::string& why) {
    MutexLock lock(&mu_);
    all_.push_back(why);
    changed_.SignalAll();
  }
  std::string Await(size_t count) {  // the last of so many
    MutexLock lock(&mu_);
    const Time until = Now() + kPatience;
    while (all_.size() < count && Now() < until) changed_.WaitUntil(&mu_, until);
    EXPECT_EQ(all_.size(), count);
    return all_.empty() ? "nothing" : all_.back();
  }
  std::vector<std::string> all() {
    MutexLock lock(&mu_);
    return all_;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::vector<std::string> all_;
};

std::unique_ptr<ListenerCheck> Start(const std::string& address, int port, Told& told,
                                     std::chrono::milliseconds patience = kSoon) {
  auto check = ListenerCheck::Start(address, port, {.interval = kSoon, .retry = kSoon, .patience = patience},
                                    [&told](const std::string& why) { told(why); });
  EXPECT_TRUE(check.ok()) << check.status();
  return *std::move(check);
}

constexpr std::chrono::milliseconds kLong(60'000);

TEST(ListenerCheckTest, APortThatAnswersIsNeverSpokenOf) {
  Port port(kSettingsFrame);
  for (const char* address : {"127.0.0.1", "0.0.0.0", "::", "[::]", "localhost"}) {
    SCOPED_TRACE(address);
    Told told;
    const auto check = Start(address, port.number(), told, kLong);
    port.AwaitConnections(port.connections() + 5);
    EXPECT_THAT(told.all(), IsEmpty());
  }
}

TEST(ListenerCheckTest, Ipv6) {
  Port port(kSettingsFrame, AF_INET6);
  if (!port.usable()) GTEST_SKIP() << "no IPv6 here";
  for (const char* address : {"::1", "[::1]", "::", "[::]"}) {
    SCOPED_TRACE(address);
    Told told;
    const auto check = Start(address, port.number(), told, kLong);
    port.AwaitConnections(port.connections() + 5);
    EXPECT_THAT(told.all(), IsEmpty());
  }
}

TEST(ListenerCheckTest, AConnectionWithoutAnAnswerIsDeafness) {
  const int fd = Bound(AF_INET);
  ASSERT_EQ(listen(fd, 128), 0);  // the kernel completes handshakes
  Told told;
  {
    const auto check = Start("127.0.0.1", PortOf(fd), told);
    EXPECT_EQ(told.Await(1), "the gRPC port does not answer new connections (127.0.0.1:" + std::to_string(PortOf(fd)) +
                                 ": no answer)");
  }
  close(fd);
}

TEST(ListenerCheckTest, WhatElseIsNoAnswer) {
  struct Case {
    std::string answer, says;
  };
  for (const Case& c : {Case{"", "closed without an answer"}, Case{"HTTP/1.1 400 Bad Request\r\n\r\n", "no HTTP/2"},
                        Case{kSettingsFrame.substr(0, 8), "closed without an answer"}}) {
    SCOPED_TRACE(c.says);
    Port port(c.answer);
    Told told;
    const auto check = Start("127.0.0.1", port.number(), told, kLong);
    // Closing with unread bytes resets the connection, which may be seen before what was sent.
    EXPECT_THAT(told.Await(1), ::testing::AnyOf(HasSubstr(c.says), HasSubstr("reset"), HasSubstr("pipe")));
  }
  const int closed = Bound(AF_INET);
  Told told;
  const auto check = Start("127.0.0.1", PortOf(closed), told, kLong);
  EXPECT_THAT(told.Await(1), HasSubstr("connect: Connection refused"));
  close(closed);
}

TEST(ListenerCheckTest, ItIsToldOnceAndRecovers) {
  Port port(kSettingsFrame);
  Told told;
  const auto check = Start("0.0.0.0", port.number(), told, kSoon * 50);
  port.AwaitConnections(2);
  for (size_t turn = 0; turn < 2; ++turn) {
    port.deaf(true);
    EXPECT_THAT(told.Await(2 * turn + 1), HasSubstr("127.0.0.1"));
    port.deaf(false);
    EXPECT_EQ(told.Await(2 * turn + 2), "");
  }
}

TEST(ListenerCheckTest, EachAddressThatEverAnsweredMustAnswer) {
  Port v6(kSettingsFrame, AF_INET6);
  if (!v6.usable()) GTEST_SKIP() << "no IPv6 here";
  const int v4 = Bound(AF_INET, v6.number());
  if (v4 < 0) GTEST_SKIP() << "the port is in use";
  Told told;
  const auto check = Start("::", v6.number(), told, kSoon * 50);
  v6.AwaitConnections(4);
  EXPECT_THAT(told.all(), IsEmpty()) << "127.0.0.1 has never answered";
  v6.deaf(true);
  EXPECT_THAT(told.Await(1), HasSubstr("[::1]"));
  close(v4);
}

// Exits with 0 if a check tells the truth while descriptors are used up and afterwards.
[[noreturn]] void UseUpDescriptors() {
  Port port(kSettingsFrame);
  Told told;
  const auto check = Start("127.0.0.1", port.number(), told, kLong);
  port.AwaitConnections(2);
  const rlimit few{64, 64};
  setrlimit(RLIMIT_NOFILE, &few);
  std::vector<int> taken;
  const auto take_all = [&] {
    for (int fd = dup(STDERR_FILENO); fd >= 0; fd = dup(STDERR_FILENO)) taken.push_back(fd);
  };
  const auto free_all = [&] {
    for (const int fd : taken) close(fd);
    taken.clear();
  };
  take_all();
  const bool said = told.Await(1).find("no descriptor for a connection: Too many open files") != std::string::npos;
  free_all();
  const bool recovered = told.Await(2).empty();
  take_all();
  const auto second = ListenerCheck::Start("127.0.0.1", port.number(), {}, [](const std::string&) {});
  free_all();
  _exit(said && recovered && !second.ok() ? 0 : 1);
}

TEST(ListenerCheckDeathTest, WithoutDescriptorsItSaysSo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(UseUpDescriptors(), ::testing::ExitedWithCode(0), "");
}

TEST(ListenerCheckTest, ItEndsAtOnceWhateverItWaitsFor) {
  const int fd = Bound(AF_INET);
  ASSERT_EQ(listen(fd, 128), 0);
  Told told;
  for (int i = 0; i < 20; ++i) {
    const auto start = std::chrono::steady_clock::now();
    { const auto check = Start("127.0.0.1", PortOf(fd), told, kLong); }
    EXPECT_LT(std::chrono::steady_clock::now() - start, kLong / 2);
  }
  EXPECT_THAT(told.all(), IsEmpty());
  close(fd);
}

TEST(ListenerCheckTest, AnAddressThatIsNone) {
  const auto check = ListenerCheck::Start("no such address", 8500, {}, [](const std::string&) {});
  EXPECT_EQ(check.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace resnetd::server
