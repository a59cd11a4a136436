#include "server/net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/strip.h"
#include "base/echo.h"
#include "base/mutex.h"
#include "base/time.h"
#include "server/net/traffic.h"
#include "server/process/line_limit.h"
#include "server/process/memory.h"

namespace resnetd::server {
namespace {

// Calls and headers take 3 MB in a millisecond at most, on the two processors that this was measured with, so that a
// tenth of what may be lost comes between two looks. With more processors it is more.
constexpr std::chrono::milliseconds kInterval(5), kIntervalWhileGrowing(2), kIntervalAlone(20);
// Growth that is worth a look, in bytes.
constexpr int64_t kGrowth = 2 << 20;
// Freed memory goes back to the system at the end of each of these times after a cut, the next being twice as long.
constexpr std::chrono::milliseconds kFirstRelease(500), kLastRelease(20'000);
// Clients can make it speak.
constexpr int kLines = 4;
constexpr std::chrono::seconds kWindow(10);

class GrowthGuard final : public Guard {
 public:
  GrowthGuard(const Connections& connections, Settings settings)
      : connections_(connections), settings_(std::move(settings)), inflow_(settings_.limits) {
    thread_ = std::thread([this] { Run(); });
  }
  ~GrowthGuard() override {
    {
      MutexLock lock(&mu_);
      over_ = true;
    }
    ended_.SignalAll();
    thread_.join();
  }

 private:
  bool Wait(Time until) {
    MutexLock lock(&mu_);
    while (!over_ && Now() < until) ended_.WaitUntil(&mu_, until);
    return !over_;
  }

  void Run() {
    pthread_setname_np(pthread_self(), "guard");
    int64_t smallest = ResidentBytes();  // since the last look
    bool grown = false;
    for (Time next = Now(); Wait(next); next = Now() + Pause(grown)) {
      const int64_t resident = ResidentBytes();
      smallest = std::min(smallest, resident);
      grown = resident - smallest >= kGrowth;
      if (grown) Look(resident, resident - std::exchange(smallest, resident));
      ReleaseWhatIsFree();
      if (const int64_t left_out = lines_.TakeLeftOut(Now()); left_out > 0) {
        spdlog::warn("{} lines on connections that were cut were left out", left_out);
      }
    }
  }

  Duration Pause(bool grown) const {
    if (connections_.count() == 0) return kIntervalAlone;
    return grown ? kIntervalWhileGrowing : kInterval;
  }

  void Look(int64_t resident, int64_t grown) {
    std::vector<Account> all;
    absl::flat_hash_map<uint64_t, std::shared_ptr<Connection>> by_id;
    for (auto& connection : connections_.All()) {
      if (connection->peer().empty()) continue;
      const std::optional<Traffic> traffic = connection->traffic();
      if (!traffic) continue;
      const std::optional<StreamCount> streams = settings_.streams(connection->peer());
      if (!streams) continue;
      const bool trusted = settings_.trusted && settings_.trusted(connection->peer());
      all.push_back({.id = connection->id(),
                     .address = trusted ? "" : AddressOf(connection->peer()),
                     .read = static_cast<int64_t>(traffic->read),
                     .sent = static_cast<int64_t>(traffic->sent),
                     .streams_begun = streams->begun,
                     .streams_ended = streams->ended,
                     .messages = streams->messages});
      by_id[connection->id()] = std::move(connection);
    }
    for (const Inflow::Cut& cut : inflow_.Look(Now(), resident, grown, all)) {
      Connection& connection = *by_id.at(cut.id);
      connection.Cut();
      settings_.cut(cut.excess);
      release_after_ = kFirstRelease;
      release_at_ = Now() + release_after_;
      if (lines_.Admit(Now())) Tell(connection, cut);
    }
  }

  // Memory of what was cut is freed bit by bit, as gRPC's threads come to it.
  void ReleaseWhatIsFree() {
    if (Now() < release_at_) return;
    ReleaseFreedMemory();
    release_after_ *= 2;
    release_at_ = release_after_ > kLastRelease ? Time::max() : Now() + release_after_;
  }

  static void Tell(const Connection& connection, const Inflow::Cut& cut) {
    const std::string peer = Echo(connection.peer());
    switch (cut.excess) {
      case Excess::kStreams:
        return spdlog::warn("cut the connection of {}: {} calls were open, {} may be", peer, cut.amount, cut.limit);
      case Excess::kHeaders:
        return spdlog::warn(
            "cut the connection of {}: {} bytes were no call's or message's, {} may be, and memory grew", peer,
            cut.amount, cut.limit);
      case Excess::kUnfinished:
        return spdlog::warn("cut the connection of {}: {} bytes made no message whole, {} may (--max-message-bytes)",
                            peer, cut.amount, cut.limit);
    }
  }

  const Connections& connections_;
  const Settings settings_;
  Mutex mu_;
  CondVar ended_;
  bool over_ ABSL_GUARDED_BY(mu_) = false;

  // The thread's own.
  Inflow inflow_;
  Duration release_after_{};
  Time release_at_ = Time::max();
  LineLimit lines_{kLines, kWindow};
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Guard> Guard::Start(const Connections& connections, Settings settings) {
  return std::make_unique<GrowthGuard>(connections, std::move(settings));
}

std::string AddressOf(absl::string_view peer) {
  const bool v6 = absl::ConsumePrefix(&peer, "ipv6:[");
  if (!v6) absl::ConsumePrefix(&peer, "ipv4:");
  const std::string host(peer.substr(0, v6 ? peer.find_first_of("]%") : peer.rfind(':')));
  in6_addr address{};
  if (!v6 || inet_pton(AF_INET6, host.c_str(), &address) != 1) return host;
  constexpr size_t kNetworkBytes = 8;
  memset(&address.s6_addr[kNetworkBytes], 0, sizeof address - kNetworkBytes);
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(AF_INET6, &address, text, sizeof text);
  return text;
}

}  // namespace resnetd::server
