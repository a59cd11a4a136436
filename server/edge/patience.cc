// A wait comes up twice in its time, after each half: first to note how far its connection was, then to see how far it
// is. One that moves goes to the end of its queue again and comes up after half of the time more.
//
// A wait that is looked at is in no queue. Its waiter is held, the lock is not, and an end that comes meanwhile is
// seen.
#include "server/edge/patience.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/edge/gate.h"

namespace resnetd::server {
namespace {

// Looking more often than this gains nothing.
constexpr Duration kLongestBetweenLooks = std::chrono::milliseconds(500);
constexpr Duration kShortestBetweenLooks = std::chrono::milliseconds(1);

Duration BetweenLooks(const EnumTable<Awaited, Duration>& times) {
  Duration between = kLongestBetweenLooks;
  for (const Awaited what : EnumValues<Awaited>()) {
    if (times[what] > Duration::zero()) between = std::min(between, times[what] / 16);
  }
  return std::max(between, kShortestBetweenLooks);
}

}  // namespace

Patience::Patience(EnumTable<Awaited, Duration> times, TrafficSource traffic)
    : times_(times), traffic_(std::move(traffic)), between_looks_(BetweenLooks(times)) {}

void Patience::Begin(Wait& wait, Awaited what, Time now) {
  if (times_[what] <= Duration::zero()) return;
  wait.load_.waits[what].fetch_add(1, std::memory_order_relaxed);
  MutexLock lock(&mu_);
  wait.waiting_ = true;
  wait.what_ = what;
  wait.since_ = now;
  wait.looked_at_ = false;
  wait.seen_.reset();
  Enqueue(wait, now + times_[what] / 2);
  if (std::exchange(asleep_, false)) changed_.Signal();
}

void Patience::End(Wait& wait, Awaited what) {
  MutexLock lock(&mu_);
  if (wait.waiting_ && wait.what_ == what) EndLocked(wait);
}

void Patience::Enqueue(Wait& wait, Time due) {
  wait.due_ = due;
  Queue& queue = queues_[wait.what_];
  queue.splice(queue.end(), wait.node_);
}

void Patience::EndLocked(Wait& wait) {
  wait.waiting_ = false;
  wait.load_.waits[wait.what_].fetch_sub(1, std::memory_order_relaxed);
  if (wait.node_.empty()) wait.node_.splice(wait.node_.end(), queues_[wait.what_], wait.at_);
}

bool Patience::Nobody() const {
  const auto kinds = EnumValues<Awaited>();
  return std::all_of(kinds.begin(), kinds.end(),
                     [&](Awaited what) ABSL_NO_THREAD_SAFETY_ANALYSIS { return queues_[what].empty(); });
}

std::vector<Patience::Due> Patience::TakeDue(Time now) {
  std::vector<Due> due;
  MutexLock lock(&mu_);
  for (const Awaited what : EnumValues<Awaited>()) {
    Queue& queue = queues_[what];
    while (!queue.empty() && queue.front()->due_ <= now) {
      Wait* const wait = queue.front();
      wait->node_.splice(wait->node_.end(), queue, queue.begin());
      if (std::shared_ptr<Waiter> who = wait->who_.Self()) due.push_back({std::move(who), wait});
    }
  }
  return due;
}

bool Patience::MayGoOn(Wait& wait, const std::optional<Traffic>& traffic, Time now) const {
  std::optional<uint64_t> bytes;
  if (traffic) bytes = wait.what_ == Awaited::kMessage ? traffic->received : traffic->acknowledged;
  const std::optional<uint64_t> before = std::exchange(wait.seen_, bytes);
  if (!std::exchange(wait.looked_at_, true)) return true;
  if (now - wait.since_ >= times_[wait.what_] * kMostTimes) return false;
  const auto waits = static_cast<uint64_t>(wait.load_.waits[wait.what_].load(std::memory_order_relaxed));
  return before && bytes && *bytes - *before >= kLeastBytes * waits;
}

void Patience::Look(Time now) {
  std::map<const ConnectionLoad*, std::optional<Traffic>> seen;  // each connection once
  for (const Due& due : TakeDue(now)) {
    Wait& wait = *due.wait;
    const auto [at, first] = seen.try_emplace(&wait.load_);
    if (first) at->second = traffic_(wait.load_.peer);
    Awaited what{};
    {
      MutexLock lock(&mu_);
      if (!wait.waiting_) continue;
      if (MayGoOn(wait, at->second, now)) {
        Enqueue(wait, now + times_[wait.what_] / 2);
        continue;
      }
      what = wait.what_;
      EndLocked(wait);
    }
    due.who->Overdue(what);
  }
}

void Patience::Run() {
  for (;;) {
    {
      MutexLock lock(&mu_);
      // It sleeps only after this, so that it is woken once in that time at most, however calls come and go.
      const Time next = Now() + between_looks_;
      while (!stopped_ && Now() < next) changed_.WaitUntil(&mu_, next);
      while (!stopped_ && Nobody()) {
        asleep_ = true;  // the wait that woke it may have ended by now, and the next one must wake it again
        changed_.Wait(&mu_);
      }
      asleep_ = false;
      if (stopped_) return;
    }
    Look(Now());
  }
}

void Patience::Stop() {
  MutexLock lock(&mu_);
  stopped_ = true;
  changed_.Signal();
}

absl::Status Patience::MessageOverdue() const {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(times_[Awaited::kMessage]).count();
  return Refused(Rejection::kMessageTime,
                 absl::StrCat("the request did not arrive within ", ms,
                              " ms of its headers, and its connection moved too little to wait for it longer "
                              "(--message-timeout-ms)"),
                 RefusedBy{"limit_ms", ms});
}

}  // namespace resnetd::server
