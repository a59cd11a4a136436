#ifndef RESNETD_CLI_BENCH_LEDGER_H_
#define RESNETD_CLI_BENCH_LEDGER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "nlohmann/json.hpp"

namespace resnetd::cli {

// One call of a benchmark. Times are seconds from its start.
struct CallRecord {
  double intended = 0;  // when it was due; closed loop: when it was sent
  double sent = 0;
  double finished = 0;
  int code = 0;  // of gRPC
  int images_ok = 0, images_failed = 0;
  // Sums over the answered images, from their Execution. The sum of 1/batch_size counts batches, if nobody else calls.
  double inverse_batch_sizes = 0, batch_sizes = 0;
  double queue_seconds = 0, decode_seconds = 0, infer_seconds = 0, total_seconds = 0;
};

// The smallest value that at least q of all values do not exceed (nearest rank). `sorted` is ascending and not empty,
// q in (0, 1].
double Quantile(absl::Span<const double> sorted, double q);

// Adds up a benchmark's calls. A call is measured if it was due in [from, to); earlier ones are warm-up and only
// counted. Latencies are of OK calls, from the instant they were due, so that a late client cannot hide a slow server.
class Ledger {
 public:
  Ledger(double from, double to) : from_(from), to_(to) {}

  void Add(const CallRecord& call);

  // Images answered within [from, to), a second.
  double achieved_images_per_second() const { return static_cast<double>(images_in_window_) / (to_ - from_); }
  // The calls by code, warm-up and measured; the images; the latencies, batches and the server's stages. Keys hold
  // their units. Latency, batch and stages are absent if no measured call was OK.
  nlohmann::ordered_json ToJson() const;

 private:
  const double from_, to_;
  std::map<std::string, int64_t> warmup_calls_, calls_;  // by code
  int64_t images_in_window_ = 0;
  CallRecord sum_;  // of the measured calls; its times are not used
  std::vector<double> latencies_, send_delays_;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_BENCH_LEDGER_H_
