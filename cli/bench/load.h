#ifndef RESNETD_CLI_BENCH_LOAD_H_
#define RESNETD_CLI_BENCH_LOAD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "cli/bench/arrivals.h"
#include "cli/bench/ledger.h"
#include "cli/print/progress.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/byte_buffer.h"

namespace resnetd::cli {

// The calls that a benchmark sends, and their times.
struct Load {
  std::string method;                      // "/package.Service/Method", unary
  std::vector<grpc::ByteBuffer> requests;  // serialised once, sent in turn
  int images_per_request = 1;
  // Fills in the images and executions of an OK answer; false if it cannot be read.
  std::function<bool(grpc::ByteBuffer& answer, CallRecord& call)> read_answer;

  // Closed loop: so many calls are always under way. 0: open loop, calls are sent when they are due, whatever the
  // server does.
  int concurrency = 0;
  double calls_per_second = 0;  // open loop
  ArrivalKind arrivals = ArrivalKind::kPoisson;
  uint64_t seed = 1;

  double warmup_seconds = 2;
  double duration_seconds = 10;  // after the warm-up
  double timeout_seconds = 30;   // of one call
};

struct LoadResult {
  Ledger ledger;
  double client_cpu_seconds = 0;  // of this whole process, during the measured time
};

// Sends the load over the channels in turn and waits for the last answer. One thread reads all answers, and in open
// loop a second one sends, so that the client takes little from a server on the same machine.
LoadResult RunLoad(const Load& load, absl::Span<const std::shared_ptr<grpc::Channel>> channels, Progress& progress);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_BENCH_LOAD_H_
