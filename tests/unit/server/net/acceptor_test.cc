#include "server/net/acceptor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace resnetd::server {
namespace {

using ::testing::HasSubstr;

// Asks once a millisecond, so that the acceptor has the processor in between.
template <typename Condition>
void Await(Condition condition) {
  while (!condition()) absl::SleepFor(absl::Milliseconds(1));
}

// Holds what it is given, as gRPC does.
class Owner {
 public:
  void Take(Descriptor fd) {
    MutexLock lock(&mu_);
    held_.push_back(std::move(fd));
  }
  size_t count() {
    MutexLock lock(&mu_);
    return held_.size();
  }
  int Last() {
    MutexLock lock(&mu_);
    return held_.back().get();
  }
  // Closes the first one as gRPC does.
  void CloseFirst() {
    MutexLock lock(&mu_);
    shutdown(held_.front().get(), SHUT_RDWR);
    held_.erase(held_.begin());
  }

 private:
  Mutex mu_;
  std::vector<Descriptor> held_ ABSL_GUARDED_BY(mu_);
};

class AcceptorTest : public ::testing::Test {
 protected:
  void Start(int max_connections, const std::string& address = "127.0.0.1") {
    absl::StatusOr<Listening> listening = Listen(address, 0);
    ASSERT_TRUE(listening.ok()) << listening.status();
    port_ = listening->port;
    absl::StatusOr<std::unique_ptr<Acceptor>> acceptor =
        Acceptor::Create(*std::move(listening), {.max_connections = max_connections,
                                                 .take = [this](Descriptor fd) { owner_.Take(std::move(fd)); },
                                                 .refused = [this] { ++refused_; }});
    ASSERT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
    acceptor_->Begin();
  }

  Descriptor Connect() const {
    Descriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port_));
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.Close();
    return fd;
  }

  // Waits for the end of what the server sends.
  static bool IsClosed(const Descriptor& client) {
    char byte = 0;
    return recv(client.get(), &byte, 1, 0) <= 0;
  }

  Owner owner_;
  std::atomic<int> refused_{0};
  int port_ = 0;
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(AcceptorTest, HandsOnAndKeepsAccount) {
  Start(4);
  const Descriptor client = Connect();
  Await([&] { return owner_.count() == 1; });
  EXPECT_EQ(acceptor_->connections().count(), 1);
  const std::optional<std::string> peer = PeerOf(owner_.Last());
  ASSERT_TRUE(peer.has_value());
  EXPECT_THAT(*peer, HasSubstr("ipv4:127.0.0.1:"));
  const std::shared_ptr<Connection> connection = acceptor_->connections().Find(*peer);
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(connection->peer(), *peer);
  EXPECT_EQ(acceptor_->connections().Find("ipv4:127.0.0.1:1"), nullptr);

  owner_.CloseFirst();
  Await([&] { return acceptor_->connections().count() == 0; });
  EXPECT_EQ(acceptor_->connections().Find(*peer), nullptr);
  EXPECT_TRUE(IsClosed(client)) << "the duplicate holds nothing open";
  connection->Cut();  // of one that is gone: nothing
}

TEST_F(AcceptorTest, AClientThatLeavesCountsUntilItsOwnerHasClosed) {
  Start(4);
  Connect();
  Await([&] { return owner_.count() == 1; });
  char byte = 0;
  pollfd readable{owner_.Last(), POLLIN, 0};
  ASSERT_EQ(poll(&readable, 1, -1), 1);
  EXPECT_EQ(recv(owner_.Last(), &byte, 1, 0), 0);
  EXPECT_EQ(acceptor_->connections().count(), 1);
  owner_.CloseFirst();
  Await([&] { return acceptor_->connections().count() == 0; });
}

TEST_F(AcceptorTest, BeyondTheLimitConnectionsAreClosedAndCounted) {
  Start(2);
  const Descriptor first = Connect(), second = Connect();
  Await([&] { return owner_.count() == 2; });
  EXPECT_EQ(acceptor_->WhyClosed(), "") << "nobody has been refused";
  for (int i = 1; i <= 3; ++i) {
    EXPECT_TRUE(IsClosed(Connect()));
    EXPECT_EQ(refused_, i);
  }
  EXPECT_EQ(owner_.count(), 2);
  EXPECT_EQ(acceptor_->WhyClosed(), "there are as many connections as may be: 2 (--max-connections)");
  owner_.CloseFirst();
  Await([&] { return acceptor_->WhyClosed().empty(); });
  const Descriptor third = Connect();
  Await([&] { return owner_.count() == 2; });
  EXPECT_EQ(refused_, 3);
}

TEST_F(AcceptorTest, ALackOfDescriptorsPassesByItself) {
  Start(100);
  const Descriptor before = Connect();
  Await([&] { return owner_.count() == 1; });
  std::vector<Descriptor> waiting;
  for (int i = 0; i < 8; ++i) waiting.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{.rlim_cur = 3, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port_));
  for (const Descriptor& fd : waiting) {
    ASSERT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  Await([&] { return !acceptor_->WhyClosed().empty(); });
  EXPECT_EQ(acceptor_->WhyClosed(), "no new connection can be accepted: Too many open files (ulimit -n)");
  EXPECT_EQ(owner_.count(), 1);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  // The acceptor takes those that waited, and those that come.
  Await([&] { return owner_.count() == 9; });
  const Descriptor after = Connect();
  Await([&] { return owner_.count() == 10; });
  EXPECT_EQ(acceptor_->WhyClosed(), "");
  EXPECT_EQ(refused_, 0);
}

TEST_F(AcceptorTest, APausedConnectionTellsOfMuchAndOfItsEnd) {
  Start(10);
  Descriptor client = Connect();
  Await([&] { return owner_.count() == 1; });
  const std::shared_ptr<Connection> connection = acceptor_->connections().All().front();
  const auto readable = [&] {
    pollfd server{owner_.Last(), POLLIN, 0};
    return poll(&server, 1, 0) == 1;
  };
  const auto received = [&] { return connection->traffic()->received; };

  connection->Pause();
  const std::string some(1000, 'x');
  ASSERT_EQ(send(client.get(), some.data(), some.size(), 0), 1000);
  Await([&] { return received() == 1000; });
  EXPECT_FALSE(readable());
  connection->Resume();
  EXPECT_TRUE(readable());

  connection->Pause();
  EXPECT_FALSE(readable());
  const std::string much(256 << 10, 'x');
  ASSERT_EQ(send(client.get(), much.data(), much.size(), 0), static_cast<ssize_t>(much.size()));
  Await(readable);

  Descriptor another = Connect();
  Await([&] { return owner_.count() == 2; });
  for (const auto& each : acceptor_->connections().All()) each->Pause();
  EXPECT_FALSE(readable());
  another.Close();
  Await(readable);
}

TEST_F(AcceptorTest, StopsListeningAndLeavesConnections) {
  Start(4);
  const Descriptor client = Connect();
  Await([&] { return owner_.count() == 1; });
  acceptor_->StopListening();
  acceptor_->StopListening();
  EXPECT_FALSE(Connect().is_open());
  EXPECT_EQ(acceptor_->connections().count(), 1);
  // Inward, it is closed for good; what is sent goes out.
  acceptor_->connections().All().front()->CloseInward();
  char byte = 0;
  EXPECT_EQ(recv(owner_.Last(), &byte, 1, 0), 0);
  EXPECT_EQ(send(owner_.Last(), "a", 1, 0), 1);
  EXPECT_EQ(recv(client.get(), &byte, 1, 0), 1);
  owner_.CloseFirst();
  Await([&] { return acceptor_->connections().count() == 0; });
}

TEST_F(AcceptorTest, ItsEndCutsWhatThereIs) {
  Start(4);
  const Descriptor client = Connect();
  Await([&] { return owner_.count() == 1; });
  acceptor_.reset();
  EXPECT_TRUE(IsClosed(client));
}

TEST_F(AcceptorTest, PeersOfASocketThatTakesBothFamilies) {
  Start(4, "::");
  const Descriptor client = Connect();
  Await([&] { return owner_.count() == 1; });
  const std::optional<std::string> peer = PeerOf(owner_.Last());
  ASSERT_TRUE(peer.has_value());
  EXPECT_THAT(*peer, HasSubstr("ipv4:127.0.0.1:")) << "as gRPC calls an IPv4 client of an IPv6 socket";
}

TEST(ConnectionsTest, NamesComeBackPercentEncoded) {
  Connections connections;
  const auto v6 = std::make_shared<Connection>(Descriptor(), "ipv6:[::1]:40000", Time{});
  const auto scoped = std::make_shared<Connection>(Descriptor(), "ipv6:[fe80::1%2]:40000", Time{});
  const auto local = std::make_shared<Connection>(Descriptor(), "", Time{});
  for (const auto& one : {v6, scoped, local}) connections.Add(one);
  EXPECT_EQ(connections.count(), 3);
  EXPECT_EQ(connections.Find("ipv6:%5B::1%5D:40000"), v6);
  EXPECT_EQ(connections.Find("ipv6:%5Bfe80::1%252%5D:40000"), scoped);
  EXPECT_EQ(connections.Find("unix:"), nullptr);
  EXPECT_EQ(connections.Find(""), nullptr);
  for (const auto& one : {v6, scoped, local}) connections.Remove(*one);
  EXPECT_EQ(connections.count(), 0);
}

TEST(ConnectionsTest, TheLaterOfTwoWithOneNameIsFound) {
  Connections connections;
  const auto first = std::make_shared<Connection>(Descriptor(), "ipv4:10.0.0.1:1", Time{});
  const auto second = std::make_shared<Connection>(Descriptor(), "ipv4:10.0.0.1:1", Time{});
  connections.Add(first);
  connections.Add(second);
  EXPECT_EQ(connections.count(), 2);
  EXPECT_EQ(connections.Find("ipv4:10.0.0.1:1"), second);
  connections.Remove(*first);
  EXPECT_EQ(connections.Find("ipv4:10.0.0.1:1"), second);
  connections.Remove(*second);
  EXPECT_EQ(connections.Find("ipv4:10.0.0.1:1"), nullptr);
}

}  // namespace
}  // namespace resnetd::server
