// The budgets of a connection, of which an offender has a quarter:
//
//   streams      begun - ended                                    <= limits.streams
//                the same of all connections of an address        <= limits.streams_of_address; the largest is cut
//   headers      read since the server last sent anything         <= kHeaderBytes + kWindow * streams, of at most 16,
//                                                                    unless the process has not grown meanwhile
//   unfinished   read since a message or a stream was last done   <= (limits.message_bytes + kSlack) * streams, and a
//                                                                    little more each second, for pings
//
// The second holds for whoever keeps to flow control on a link that is slower than the processor: gRPC announces new
// room for each message after half a window. On faster links the server is now and then later than that, and much is
// read in between; so the growth must be many times what was read, by this connection and by the others, which may hold
// messages. What remains is an image being decoded just then; it takes longer than such a link is silent.
#include "server/net/inflow.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/enum_table.h"

namespace resnetd::server {
namespace {

constexpr EnumTable<Excess, absl::string_view> kNames = {"streams", "headers", "unfinished"};

constexpr int64_t kOffendersDivisor = 4;
constexpr std::chrono::minutes kPenalty(1);

constexpr int64_t kHeaderBytes = 64 << 10;
constexpr int64_t kWindow = 32 << 10;  // half of what a stream may send unasked
constexpr int64_t kMostWindows = 16;
// The settings and that the client's are known, which whoever connects is sent: 42 bytes. One frame more is an answer.
constexpr int64_t kGreetingBytes = 48;
// Growth that nothing read accounts for. With many calls open, more of it: their headers may be what it is.
constexpr int64_t kGrowth = 16 << 20, kGrowthOfMany = 64 << 20;
constexpr int64_t kGrowthPerByte = 3;
// Others' bytes account for no more growth than this, or whoever sends much would hide an attack.
constexpr int64_t kMostOfOthers = 64 << 20;
constexpr int64_t kSlack = 1 << 20;
// A client that only pings, for months, is not to be cut.
constexpr int64_t kBytesPerSecond = 1 << 10;

int64_t Streams(const Traffic& traffic) {
  return std::max<int64_t>(traffic.streams_begun - traffic.streams_ended, 0);
}

}  // namespace

absl::string_view ExcessName(Excess excess) {
  return kNames[excess];
}

std::vector<Inflow::Cut> Inflow::Look(Time now, int64_t resident, int64_t grown, absl::Span<const Traffic> all) {
  absl::erase_if(offenders_, [now](const auto& offender) { return offender.second <= now; });
  Update(now, resident, grown, all);

  // The largest first: once it is cut, the others of its address have less, and all are judged again.
  std::vector<const Traffic*> left;
  absl::flat_hash_map<std::string, int64_t> streams;
  for (const Traffic& traffic : all) {
    left.push_back(&traffic);
    streams[traffic.address] += Streams(traffic);
  }
  std::stable_sort(left.begin(), left.end(),
                   [](const Traffic* a, const Traffic* b) { return Streams(*a) > Streams(*b); });
  std::vector<Cut> cuts;
  size_t cuts_before = 0;
  do {
    cuts_before = cuts.size();
    std::erase_if(left, [&](const Traffic* traffic) {
      const std::optional<Cut> cut = Judge(*traffic, streams[traffic->address], now, resident);
      if (!cut) return false;
      cuts.push_back(*cut);
      streams[traffic->address] -= Streams(*traffic);
      Remember(traffic->address, now);
      seen_.erase(traffic->id);
      return true;
    });
  } while (cuts.size() > cuts_before);
  return cuts;
}

void Inflow::Update(Time now, int64_t resident, int64_t grown, absl::Span<const Traffic> all) {
  const int64_t all_then = all_read_;
  for (const Traffic& traffic : all) {
    const auto [entry, is_new] = seen_.try_emplace(traffic.id);
    Seen& seen = entry->second;
    if (is_new) seen.all_then = all_then;
    seen.resident_then = is_new ? resident - grown : std::min(seen.resident_then, resident - grown);
    all_read_ += std::max<int64_t>(traffic.read - seen.read, 0);
    seen.read = std::max(seen.read, traffic.read);
    seen.looked_at = true;
  }
  for (const Traffic& traffic : all) {
    Seen& seen = seen_[traffic.id];
    const int64_t done = traffic.messages + traffic.streams_ended;
    if (std::exchange(seen.sent, traffic.sent) != traffic.sent && traffic.sent > kGreetingBytes) {
      seen.answered_at = seen.read;
      seen.all_then = all_read_;
      seen.resident_then = resident;
    }
    if (std::exchange(seen.done, done) != done || seen.done_time == Time()) {
      seen.done_at = seen.read;
      seen.done_time = now;
    }
  }
  absl::erase_if(seen_, [](auto& entry) { return !std::exchange(entry.second.looked_at, false); });
}

std::optional<Inflow::Cut> Inflow::Judge(const Traffic& traffic, int64_t of_address, Time now,
                                         int64_t resident) const {
  const Seen& seen = seen_.at(traffic.id);
  const int64_t divisor = DivisorOf(traffic.address);
  const int64_t streams = Streams(traffic);
  if (const int64_t limit = limits_.streams / divisor; streams > limit) {
    return Cut{traffic.id, Excess::kStreams, streams, limit};
  }
  if (const int64_t limit = limits_.streams_of_address / divisor; !traffic.address.empty() && of_address > limit) {
    return Cut{traffic.id, Excess::kStreams, of_address, limit};
  }

  const int64_t unanswered = seen.read - seen.answered_at;
  const int64_t others = std::min(all_read_ - seen.all_then - unanswered, kMostOfOthers);
  const int64_t grown = resident - seen.resident_then - unanswered - others;
  const int64_t much = (streams > kMostWindows ? kGrowthOfMany : kGrowth) / divisor;
  const int64_t headers = kHeaderBytes / divisor + kWindow * std::min(streams, kMostWindows);
  if (unanswered > headers && grown >= std::max(much, kGrowthPerByte * unanswered)) {
    return Cut{traffic.id, Excess::kHeaders, unanswered, headers};
  }

  const int64_t unfinished = seen.read - seen.done_at;
  const int64_t seconds = std::chrono::floor<std::chrono::seconds>(now - seen.done_time).count();
  const int64_t messages = (limits_.message_bytes + kSlack) * std::max<int64_t>(streams, 1);
  if (const int64_t limit = messages + kBytesPerSecond * seconds; unfinished > limit) {
    return Cut{traffic.id, Excess::kUnfinished, unfinished, limit};
  }
  return std::nullopt;
}

int64_t Inflow::DivisorOf(const std::string& address) const {
  return offenders_.contains(address) ? kOffendersDivisor : 1;
}

void Inflow::Remember(const std::string& address, Time now) {
  if (address.empty()) return;
  offenders_[address] = now + kPenalty;
  if (offenders_.size() <= kMostOffenders) return;
  offenders_.erase(std::min_element(offenders_.begin(), offenders_.end(),
                                    [](const auto& a, const auto& b) { return a.second < b.second; }));
}

}  // namespace resnetd::server
