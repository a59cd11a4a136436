#include "tests/fuzz/inflow_twin.h"

#include <algorithm>
#include <chrono>

namespace resnetd::fuzz {
namespace {

using server::Account;
using server::Excess;
using Cut = server::Inflow::Cut;

constexpr int64_t kKb = 1 << 10, kMb = 1 << 20;

int64_t Calls(const Account& account) {
  return std::max<int64_t>(0, account.streams_begun - account.streams_ended);
}

int64_t Done(const Account& account) {
  return account.messages + account.streams_ended;
}

}  // namespace

std::vector<Cut> InflowTwin::Look(Time now, int64_t resident, int64_t grown, absl::Span<const Account> all) {
  looks_.push_back({.now = now, .resident = resident, .grown = grown, .named = {}, .more_read = {}, .cut = {}});
  std::map<std::string, std::vector<Account>> by_address;
  std::vector<Cut> cuts;
  for (const Account& account : all) {
    looks_.back().named[account.id] = account;
    by_address[account.address].push_back(account);
  }
  const size_t present = looks_.size() - 1;
  for (const Account& account : all) {
    const bool is_new = FirstLook(present, account.id) == present;
    const int64_t before = is_new ? 0 : ReadBy(present - 1, account.id);
    looks_.back().more_read[account.id] = ReadBy(present, account.id) - before;
  }
  for (auto& [address, left] : by_address) {
    std::stable_sort(left.begin(), left.end(), [](const Account& a, const Account& b) { return Calls(a) > Calls(b); });
    // One at a time, and from the largest on again.
    for (size_t i = 0; i < left.size();) {
      const std::optional<Cut> cut = Judge(left[i], left);
      if (cut) {
        cuts.push_back(*cut);
        looks_.back().cut.insert(cut->id);
        last_cuts_[address] = now;
        left.erase(left.begin() + static_cast<std::ptrdiff_t>(i));
        i = 0;
      } else {
        ++i;
      }
    }
  }
  return cuts;
}

bool InflowTwin::Offends(const std::string& address) const {
  const auto last = last_cuts_.find(address);
  return !address.empty() && last != last_cuts_.end() && looks_.back().now < last->second + std::chrono::minutes(1);
}

size_t InflowTwin::offenders() const {
  size_t count = 0;
  for (const auto& [address, time] : last_cuts_) {
    if (!address.empty() && looks_.back().now < time + std::chrono::minutes(1)) ++count;
  }
  return count;
}

size_t InflowTwin::FirstLook(size_t look, uint64_t id) const {
  while (look > 0 && looks_[look - 1].named.contains(id) && !looks_[look - 1].cut.contains(id)) --look;
  return look;
}

int64_t InflowTwin::ReadBy(size_t look, uint64_t id) const {
  int64_t most = 0;
  for (size_t i = FirstLook(look, id); i <= look; ++i) most = std::max(most, looks_[i].named.at(id).read);
  return most;
}

std::optional<size_t> InflowTwin::LastAnswer(uint64_t id) const {
  const size_t present = looks_.size() - 1;
  const size_t first = FirstLook(present, id);
  std::optional<size_t> last;
  for (size_t i = first; i <= present; ++i) {
    const int64_t before = i == first ? 0 : looks_[i - 1].named.at(id).sent;
    const int64_t sent = looks_[i].named.at(id).sent;
    const int64_t done_before = i == first ? 0 : Done(looks_[i - 1].named.at(id));
    const bool is_done = Done(looks_[i].named.at(id)) != done_before;
    if (is_done || (sent != before && sent > 48)) last = i;  // up to 48 bytes are what whoever connects is sent
  }
  return last;
}

int64_t InflowTwin::ReadOfOthersAfter(size_t looks, uint64_t id) const {
  int64_t sum = 0;
  for (size_t i = looks; i < looks_.size(); ++i) {
    for (const auto& [other, bytes] : looks_[i].more_read) sum += other == id ? 0 : bytes;
  }
  return sum;
}

std::optional<Cut> InflowTwin::Judge(const Account& account, absl::Span<const Account> of_address) const {
  const int64_t divisor = Offends(account.address) ? 4 : 1;
  if (Calls(account) > limits_.streams / divisor) {
    return Cut{account.id, Excess::kStreams, Calls(account), limits_.streams / divisor};
  }
  if (!account.address.empty()) {
    int64_t calls = 0;
    for (const Account& one : of_address) calls += Calls(one);
    const int64_t limit = limits_.streams_of_address / divisor;
    if (calls > limit) return Cut{account.id, Excess::kStreams, calls, limit};
  }
  if (const std::optional<Cut> cut = JudgeHeaders(account, divisor)) return cut;
  return JudgeUnfinished(account);
}

std::optional<Cut> InflowTwin::JudgeHeaders(const Account& account, int64_t divisor) const {
  const size_t present = looks_.size() - 1;
  const std::optional<size_t> answer = LastAnswer(account.id);
  const size_t first = FirstLook(present, account.id);

  int64_t unanswered = ReadBy(present, account.id);
  if (answer) unanswered -= ReadBy(*answer, account.id);
  const int64_t limit = 64 * kKb / divisor + 32 * kKb * std::min<int64_t>(Calls(account), 16);
  if (unanswered <= limit) return std::nullopt;

  int64_t smallest = answer ? looks_[*answer].resident : looks_[first].resident - looks_[first].grown;
  for (size_t i = answer.value_or(first) + 1; i <= present; ++i) {
    smallest = std::min(smallest, looks_[i].resident - looks_[i].grown);
  }
  const int64_t others = std::min(ReadOfOthersAfter(answer ? *answer + 1 : first, account.id), 64 * kMb);
  const int64_t unexplained = looks_[present].resident - smallest - unanswered - others;
  const int64_t much = (Calls(account) > 16 ? 64 * kMb : 24 * kMb) / divisor;
  if (unexplained < much || unexplained < 8 * unanswered) return std::nullopt;
  return Cut{account.id, Excess::kHeaders, unanswered, limit};
}

std::optional<Cut> InflowTwin::JudgeUnfinished(const Account& account) const {
  const size_t present = looks_.size() - 1;
  const size_t first = FirstLook(present, account.id);
  size_t done = first;
  for (size_t i = first + 1; i <= present; ++i) {
    if (Done(looks_[i].named.at(account.id)) != Done(looks_[i - 1].named.at(account.id))) done = i;
  }
  const int64_t unfinished = ReadBy(present, account.id) - ReadBy(done, account.id);
  const int64_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(looks_[present].now - looks_[done].now).count();
  const int64_t limit = (limits_.message_bytes + kMb) * std::max<int64_t>(Calls(account), 1) + kKb * seconds;
  if (unfinished <= limit) return std::nullopt;
  return Cut{account.id, Excess::kUnfinished, unfinished, limit};
}

}  // namespace resnetd::fuzz
