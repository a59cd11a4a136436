// The budgets of a connection:
//
//   streams      begun - ended                                    <= limits.streams
//                the same of all connections of an address        <= limits.streams_of_address; the largest is cut
//   headers      read since it last sent, or had a message whole  <= kHeaderBytes + kWindow * streams, of at most 16,
//                                                                    unless the process has not grown meanwhile
//   unfinished   read since a message or a stream was last done   <= (limits.message_bytes + kSlack) * streams, of one
//                or, before any, since the first look               at least, and a little more each second, for pings
//
// An offender has a quarter of the streams, of kHeaderBytes and of the growth. Polite clients may share its address, so
// what flow control and the size of a message let them send stays theirs.
//
// A client that keeps to flow control on a link that is slower than the processor stays within the second: gRPC
// announces new room for each message after half a window. On faster links the server is now and then later than that,
// and much is read in between; so the growth must be many times what was read, by this connection and by the others,
// which may hold messages. An image may still be decoded just then; but that takes longer than such a link is silent.
#include "server/net/inflow.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/enum_table.h"

namespace resnetd::server {
namespace {

constexpr EnumTable<Excess, absl::string_view> kNames = {"streams", "headers", "unfinished"};

constexpr int64_t kOffendersDivisor = 4;
constexpr std::chrono::minutes kPenalty(1);

constexpr int64_t kHeaderBytes = 64 << 10;
constexpr int64_t kWindow = 32 << 10;  // half of what a stream may send unasked
constexpr int64_t kMostWindows = 16;
// The server sends 42 bytes to every client that connects: its settings, and that the client's are known. One frame
// more is an answer.
constexpr int64_t kGreetingBytes = 48;
// Growth that nothing read accounts for. With many calls open, more of it: their headers may be what it is.
constexpr int64_t kGrowth = 24 << 20, kGrowthOfMany = 64 << 20;
constexpr int64_t kGrowthPerByte = 8;
// Others' bytes account for no more growth than this, or a client that sends much would hide an attack.
constexpr int64_t kMostOfOthers = 64 << 20;
constexpr int64_t kSlack = 1 << 20;
// A client that only pings, for months, is not to be cut.
constexpr int64_t kBytesPerSecond = 1 << 10;

int64_t Streams(const Account& account) {
  return std::max<int64_t>(account.streams_begun - account.streams_ended, 0);
}

}  // namespace

absl::string_view ExcessName(Excess excess) {
  return kNames[excess];
}

std::vector<Inflow::Cut> Inflow::Look(Time now, int64_t resident, int64_t grown, absl::Span<const Account> all) {
  absl::erase_if(offenders_, [now](const auto& offender) { return offender.second <= now; });
  Update(now, resident, grown, all);

  // The largest first: once it is cut, the others of its address have less, and all are judged again.
  std::vector<const Account*> left;
  absl::flat_hash_map<std::string, int64_t> streams;
  for (const Account& account : all) {
    left.push_back(&account);
    streams[account.address] += Streams(account);
  }
  std::stable_sort(left.begin(), left.end(),
                   [](const Account* a, const Account* b) { return Streams(*a) > Streams(*b); });
  std::vector<Cut> cuts;
  size_t cuts_before = 0;
  do {
    cuts_before = cuts.size();
    // Addresses that have smaller budgets from now on. The largest of each, which comes first, has to be judged by them
    // before the others.
    absl::flat_hash_set<std::string> next_time;
    std::erase_if(left, [&](const Account* account) {
      if (next_time.contains(account->address)) return false;
      const std::optional<Cut> cut = Judge(*account, streams[account->address], now, resident);
      if (!cut) return false;
      cuts.push_back(*cut);
      streams[account->address] -= Streams(*account);
      if (Remember(account->address, now)) next_time.insert(account->address);
      seen_.erase(account->id);
      return true;
    });
  } while (cuts.size() > cuts_before);
  return cuts;
}

void Inflow::Update(Time now, int64_t resident, int64_t grown, absl::Span<const Account> all) {
  const int64_t all_then = all_read_;
  for (const Account& account : all) {
    const auto [entry, is_new] = seen_.try_emplace(account.id);
    Seen& seen = entry->second;
    if (is_new) seen.all_then = all_then;
    seen.resident_then = is_new ? resident - grown : std::min(seen.resident_then, resident - grown);
    all_read_ += std::max<int64_t>(account.read - seen.read, 0);
    seen.read = std::max(seen.read, account.read);
    seen.looked_at = true;
  }
  for (const Account& account : all) {
    Seen& seen = seen_[account.id];
    const int64_t done = account.messages + account.streams_ended;
    const bool is_done = std::exchange(seen.done, done) != done;
    const bool is_answered = std::exchange(seen.sent, account.sent) != account.sent && account.sent > kGreetingBytes;
    // A whole message is answered when it has been computed, and its image may be what grows by then.
    if (is_answered || is_done) {
      seen.answered_at = seen.read;
      seen.all_then = all_read_;
      seen.resident_then = resident;
    }
    if (is_done || seen.done_time == Time()) {
      seen.done_at = seen.read;
      seen.done_time = now;
    }
  }
  absl::erase_if(seen_, [](auto& entry) { return !std::exchange(entry.second.looked_at, false); });
}

std::optional<Inflow::Cut> Inflow::Judge(const Account& account, int64_t of_address, Time now, int64_t resident) const {
  const Seen& seen = seen_.at(account.id);
  const int64_t divisor = DivisorOf(account.address);
  const int64_t streams = Streams(account);
  if (const int64_t limit = limits_.streams / divisor; streams > limit) {
    return Cut{account.id, Excess::kStreams, streams, limit};
  }
  if (const int64_t limit = limits_.streams_of_address / divisor; !account.address.empty() && of_address > limit) {
    return Cut{account.id, Excess::kStreams, of_address, limit};
  }

  const int64_t unanswered = seen.read - seen.answered_at;
  const int64_t others = std::min(all_read_ - seen.all_then - unanswered, kMostOfOthers);
  const int64_t grown = resident - seen.resident_then - unanswered - others;
  const int64_t much = (streams > kMostWindows ? kGrowthOfMany : kGrowth) / divisor;
  const int64_t headers = kHeaderBytes / divisor + kWindow * std::min(streams, kMostWindows);
  if (unanswered > headers && grown >= std::max(much, kGrowthPerByte * unanswered)) {
    return Cut{account.id, Excess::kHeaders, unanswered, headers};
  }

  const int64_t unfinished = seen.read - seen.done_at;
  const int64_t seconds = std::chrono::floor<std::chrono::seconds>(now - seen.done_time).count();
  const int64_t messages = (limits_.message_bytes + kSlack) * std::max<int64_t>(streams, 1);
  if (const int64_t limit = messages + kBytesPerSecond * seconds; unfinished > limit) {
    return Cut{account.id, Excess::kUnfinished, unfinished, limit};
  }
  return std::nullopt;
}

int64_t Inflow::DivisorOf(const std::string& address) const {
  return offenders_.contains(address) ? kOffendersDivisor : 1;
}

bool Inflow::Remember(const std::string& address, Time now) {
  if (address.empty()) return false;
  const bool is_new = offenders_.insert_or_assign(address, now + kPenalty).second;
  if (offenders_.size() > kMostOffenders) {
    offenders_.erase(std::min_element(offenders_.begin(), offenders_.end(),
                                      [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  return is_new;
}

}  // namespace resnetd::server
