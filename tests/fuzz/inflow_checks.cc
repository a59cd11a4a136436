#include "tests/fuzz/inflow_checks.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/inflow_twin.h"

namespace resnetd::fuzz {
namespace {

using server::Account;
using server::Inflow;

constexpr int64_t kKb = 1 << 10, kMb = 1 << 20;
// The server's, and small ones, so that a few events come to both sides of them.
constexpr Inflow::Limits kLimits[] = {
    {.streams = 1600, .streams_of_address = 2400, .message_bytes = 16 * kMb},
    {.streams = 20, .streams_of_address = 30, .message_bytes = 64 * kKb},
    {.streams = 8, .streams_of_address = 40, .message_bytes = 0},
    {.streams = 3, .streams_of_address = 3, .message_bytes = kMb},
};
constexpr size_t kMostConnections = 12;
constexpr size_t kMostInCrowd = 1500;
constexpr int kMostLooks = 40;
constexpr size_t kEventBytes = 3;

std::string Text(const std::vector<Inflow::Cut>& cuts) {
  std::string text;
  for (const Inflow::Cut& cut : cuts) {
    absl::StrAppend(&text, cut.id, " ", ExcessName(cut.excess), " ", cut.amount, " of ", cut.limit, "\n");
  }
  return text;
}

class Stage {
 public:
  Stage(const Inflow::Limits& limits, bool name_cut_ones, bool crowds)
      : name_cut_ones_(name_cut_ones), crowds_(crowds), inflow_(limits), twin_(limits) {}

  void Play(InflowEvent event, uint8_t whom, int64_t amount);
  bool over() const { return outcome_.too_many_offenders || outcome_.looks == kMostLooks; }
  const InflowOutcome& outcome() const { return outcome_; }

 private:
  void Connect(std::string address, int64_t read, int64_t streams);
  void PlayOn(Account& account, InflowEvent event, uint8_t whom, int64_t amount);
  void Look();
  void Count(const std::vector<Inflow::Cut>& cuts);
  static void Require(bool condition, const char* what, const std::vector<Inflow::Cut>& cuts,
                      const std::vector<Inflow::Cut>& expected);

  const bool name_cut_ones_, crowds_;
  Inflow inflow_;
  InflowTwin twin_;
  InflowOutcome outcome_;
  Time now_{std::chrono::seconds(1000)};
  int64_t resident_ = 40 * kMb, smallest_ = resident_;
  uint64_t last_id_ = 0;
  std::vector<Account> connections_, crowd_;
  size_t crowd_addresses_ = 0;
  std::set<uint64_t> hidden_, were_cut_;
};

void Stage::Connect(std::string address, int64_t read, int64_t streams) {
  std::vector<Account>& to = streams > 0 ? crowd_ : connections_;
  to.push_back({.id = ++last_id_, .address = std::move(address), .read = read, .streams_begun = streams});
}

void Stage::Play(InflowEvent event, uint8_t whom, int64_t amount) {
  switch (event) {
    case InflowEvent::kConnect:
      if (connections_.size() == kMostConnections) return;
      return Connect(whom % 4 == 0 ? "" : absl::StrCat("192.0.2.", whom % 4), amount, 0);
    case InflowEvent::kPass:
      now_ += std::chrono::milliseconds(amount);
      return;
    case InflowEvent::kGrow:
      resident_ += amount;
      return;
    case InflowEvent::kShrink:
      resident_ = std::max<int64_t>(0, resident_ - amount);
      smallest_ = std::min(smallest_, resident_);
      return;
    case InflowEvent::kLook:
      return Look();
    case InflowEvent::kCrowd:
      for (int i = 0; crowds_ && i < whom && crowd_addresses_ < kMostInCrowd; ++i) {
        Connect(absl::StrCat("crowd ", ++crowd_addresses_), 0, amount + 1);
      }
      return;
    default:
      if (!connections_.empty()) PlayOn(connections_[whom % connections_.size()], event, whom, amount);
  }
}

void Stage::PlayOn(Account& account, InflowEvent event, uint8_t whom, int64_t amount) {
  int64_t* const counters[] = {&account.read, &account.sent, &account.streams_begun, &account.streams_ended,
                               &account.messages};
  switch (event) {
    case InflowEvent::kBack: {
      int64_t& counter = *counters[whom / 16 % std::size(counters)];
      if (counter > 0 && amount > 0) ++outcome_.back;
      counter = std::max<int64_t>(0, counter - amount);
      return;
    }
    case InflowEvent::kGo:
      std::erase_if(connections_, [id = account.id](const Account& one) { return one.id == id; });
      return;
    case InflowEvent::kHide:
      hidden_.insert(account.id);
      return;
    default:
      *counters[static_cast<size_t>(event) - static_cast<size_t>(InflowEvent::kRead)] += amount;
  }
}

void Stage::Look() {
  std::vector<Account> all;
  for (const Account& account : connections_) {
    if (!hidden_.contains(account.id)) all.push_back(account);
  }
  all.insert(all.end(), crowd_.begin(), crowd_.end());
  hidden_.clear();
  crowd_.clear();
  const int64_t grown = resident_ - std::exchange(smallest_, resident_);

  ++outcome_.looks;
  std::vector<Inflow::Cut> cuts = inflow_.Look(now_, resident_, grown, all);
  std::vector<Inflow::Cut> expected = twin_.Look(now_, resident_, grown, all);
  const auto by_id = [](const Inflow::Cut& a, const Inflow::Cut& b) { return a.id < b.id; };
  std::sort(cuts.begin(), cuts.end(), by_id);
  std::sort(expected.begin(), expected.end(), by_id);

  Require(inflow_.offenders() == std::min(twin_.offenders(), Inflow::kMostOffenders), "the offenders are as many", cuts,
          expected);
  for (const Inflow::Cut& cut : cuts) {
    Require(cut.limit >= 0 && cut.amount > cut.limit, "what is cut is past a limit", cuts, expected);
  }
  // It is nowhere said which offenders are forgotten first, on which the rest depends.
  outcome_.too_many_offenders = twin_.offenders() > Inflow::kMostOffenders;
  if (outcome_.too_many_offenders) return;
  Require(Text(cuts) == Text(expected), "the same are cut", cuts, expected);
  Count(cuts);
}

void Stage::Count(const std::vector<Inflow::Cut>& cuts) {
  for (const Inflow::Cut& cut : cuts) {
    ++outcome_.cuts[cut.excess];
    if (!were_cut_.insert(cut.id).second) ++outcome_.cuts_again;
    if (!name_cut_ones_) std::erase_if(connections_, [&](const Account& one) { return one.id == cut.id; });
  }
}

void Stage::Require(bool condition, const char* what, const std::vector<Inflow::Cut>& cuts,
                    const std::vector<Inflow::Cut>& expected) {
  if (condition) return;
  std::cerr << "not so: " << what << ":\n" << Text(cuts) << "but by the twin:\n" << Text(expected);
  std::abort();
}

}  // namespace

InflowOutcome CheckInflow(absl::Span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  const auto at = [&](size_t i) { return std::to_integer<uint8_t>(bytes[i]); };
  Stage stage(kLimits[at(0) % std::size(kLimits)], (at(0) & 0x80) != 0, (at(0) & 0x40) != 0);
  for (size_t i = 1; i + kEventBytes <= bytes.size() && !stage.over(); i += kEventBytes) {
    const auto event = static_cast<InflowEvent>(at(i) % EnumSize<InflowEvent>());
    const int64_t amount = int64_t{at(i + 2) & 31} << (3 * (at(i + 2) >> 5));
    stage.Play(event, at(i + 1), amount);
  }
  return stage.outcome();
}

}  // namespace resnetd::fuzz
