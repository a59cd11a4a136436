// Every latency is kept and sorted at the end: eight bytes a call buy exact quantiles.
#include "cli/bench/ledger.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "cli/error.h"

namespace resnetd::cli {

double Quantile(absl::Span<const double> sorted, double q) {
  const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

void Ledger::Add(const CallRecord& call) {
  if (call.finished >= from_ && call.finished < to_) images_in_window_ += call.images_ok;
  if (call.intended < from_) {
    ++warmup_calls_[CodeName(call.code)];
    return;
  }
  ++calls_[CodeName(call.code)];
  send_delays_.push_back(call.sent - call.intended);
  if (call.code == 0) latencies_.push_back(call.finished - call.intended);
  sum_.images_ok += call.images_ok;
  sum_.images_failed += call.images_failed;
  sum_.inverse_batch_sizes += call.inverse_batch_sizes;
  sum_.batch_sizes += call.batch_sizes;
  sum_.queue_seconds += call.queue_seconds;
  sum_.decode_seconds += call.decode_seconds;
  sum_.infer_seconds += call.infer_seconds;
  sum_.total_seconds += call.total_seconds;
}

nlohmann::ordered_json Ledger::ToJson() const {
  nlohmann::ordered_json json = {{"achieved_images_per_second", achieved_images_per_second()},
                                 {"calls", calls_},
                                 {"warmup_calls", warmup_calls_},
                                 {"images", {{"ok", sum_.images_ok}, {"failed", sum_.images_failed}}}};
  if (!latencies_.empty()) {
    std::vector<double> sorted = latencies_;
    std::sort(sorted.begin(), sorted.end());
    json["latency_seconds"] = {
        {"mean", std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(sorted.size())},
        {"p50", Quantile(sorted, 0.5)},
        {"p90", Quantile(sorted, 0.9)},
        {"p99", Quantile(sorted, 0.99)},
        {"p99.9", Quantile(sorted, 0.999)},
        {"max", sorted.back()}};
  }
  if (sum_.images_ok > 0 && sum_.inverse_batch_sizes > 0) {
    const double images = sum_.images_ok;
    json["batch_size"] = {{"mean", images / sum_.inverse_batch_sizes},
                          {"mean_seen_by_images", sum_.batch_sizes / images}};
    json["server_mean_seconds"] = {{"queue", sum_.queue_seconds / images},
                                   {"decode", sum_.decode_seconds / images},
                                   {"infer", sum_.infer_seconds / images},
                                   {"total", sum_.total_seconds / images}};
  }
  if (!send_delays_.empty()) {
    std::vector<double> sorted = send_delays_;
    std::sort(sorted.begin(), sorted.end());
    json["send_delay_seconds"] = {{"p99", Quantile(sorted, 0.99)}, {"max", sorted.back()}};
  }
  return json;
}

}  // namespace resnetd::cli
