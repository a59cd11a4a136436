// Sends calls to a server on this machine, whatever it does with them, and says what became of each. In one thread:
//
//   due times (Poisson) -> a connection that is ready -> HEADERS, DATA -> answered, refused, expired
//                      \-> none within the slack: not sent
//
// A call's deadline counts from when it was due, and what is left of it when it is sent is its grpc-timeout. In closed
// loop a call is due when another has ended.
#include <poll.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "bench/overload/http2.h"
#include "resnetd/v1/inference.pb.h"

namespace resnetd::bench {
namespace {

struct Phase {
  double rate = 0;  // calls a second; closed loop: not used
  double seconds = 0;
};

struct Options {
  int port = 0;
  int connections = 8;
  int send_buffer = 16 << 10;
  std::vector<int> shape = {28, 28, 1};
  double deadline = 0.017;  // seconds
  double slack = 0.001;     // seconds
  bool tell_deadline = true, cancel = false;
  int concurrency = 0;
  std::vector<Phase> phases;
  double window = 0.1;  // seconds
};

struct Call {
  double due = 0;
  double sent = -1, answered = -1, ended = -1;  // -1: never
  uint32_t stream = 0;
  uint16_t connection = 0;
  uint8_t phase = 0;
  End how = End::kTrailers;
};

// An image of this shape, [height, width, channels].
std::string Request(const std::vector<int>& shape) {
  v1::ClassifyRequest request;
  v1::Tensor* tensor = request.add_images()->mutable_tensor();
  tensor->set_type(v1::Tensor::UINT8);
  size_t size = 1;
  for (int n : shape) {
    tensor->add_shape(n);
    size *= static_cast<size_t>(n);
  }
  std::mt19937 random(1);
  for (size_t i = 0; i < size; ++i) tensor->mutable_data()->push_back(static_cast<char>(random()));
  return request.SerializeAsString();
}

class Loader {
 public:
  explicit Loader(const Options& options)
      : options_(options),
        call_("/resnetd.v1.InferenceService/Classify", "127.0.0.1", Request(options.shape)),
        events_{.answered =
                    [this](size_t n) {
                      if (calls_[n].answered < 0) calls_[n].answered = Now();
                    },
                .ended = [this](size_t n, End how) { Ended(n, how); }} {
    for (int i = 0; i < options.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>(options.port, options.send_buffer, call_, events_));
    }
    double total = 0;
    for (const Phase& phase : options.phases) total += phase.rate * phase.seconds;
    calls_.reserve(static_cast<size_t>(total * 1.1) + 1000);
  }

  void Run() {
    Serve(
        [this] { return std::all_of(connections_.begin(), connections_.end(), [](auto& c) { return c->settled(); }); });
    begin_ = std::chrono::steady_clock::now();
    if (options_.concurrency > 0) {
      RunClosed();
    } else {
      RunOpen();
    }
    const double until = Now() + std::max(1.0, 2 * options_.deadline);
    Serve([&] { return open_ == 0 || Now() > until; });
  }

  nlohmann::ordered_json Report() const {
    nlohmann::ordered_json phases = nlohmann::json::array();
    double from = 0;
    for (size_t i = 0; i < options_.phases.size(); ++i) {
      phases.push_back(ReportPhase(i, from));
      from += options_.phases[i].seconds;
    }
    return {{"phases", phases}};
  }

 private:
  double Now() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

  // Moves bytes until `done`; Step() is called in between.
  template <typename Done>
  void Serve(Done done) {
    while (!done()) Step();
  }
  void Step() {
    for (const auto& connection : connections_) {
      connection->Read();
      connection->Flush();
      if (connection->closed()) {
        std::fprintf(stderr, "loader: the server closed a connection\n");
        std::exit(1);
      }
    }
    if (options_.cancel) CancelLate();
  }

  void RunClosed() {
    const double end = options_.phases[0].seconds;
    while (Now() < end) {
      while (open_ < static_cast<size_t>(options_.concurrency) && Send(Now(), 0)) {
      }
      Step();
    }
  }

  void RunOpen() {
    std::deque<double> waiting;
    std::mt19937_64 random(1);
    double begin = 0;
    for (size_t phase = 0; phase < options_.phases.size(); ++phase) {
      const double end = begin + options_.phases[phase].seconds;
      std::exponential_distribution<double> gap(options_.phases[phase].rate);
      double next = begin + gap(random);
      while (next < end || !waiting.empty()) {
        const double now = Now();
        for (; next < end && next <= now; next += gap(random)) waiting.push_back(next);
        while (!waiting.empty()) {
          if (Send(waiting.front(), phase)) {
            waiting.pop_front();
          } else if (now - waiting.front() > options_.slack) {
            calls_.push_back({.due = waiting.front(), .phase = static_cast<uint8_t>(phase)});
            waiting.pop_front();
          } else {
            break;
          }
        }
        Step();
      }
      begin = end;
    }
  }

  // By the next connection that is ready. False: none is.
  bool Send(double due, size_t phase) {
    for (size_t i = 0; i < connections_.size(); ++i) {
      turn_ = (turn_ + 1) % connections_.size();
      Connection& connection = *connections_[turn_];
      if (!connection.Ready()) continue;
      const double now = Now();
      const double left = options_.tell_deadline ? due + options_.deadline - now : 90;
      calls_.push_back(
          {.due = due, .sent = now, .connection = static_cast<uint16_t>(turn_), .phase = static_cast<uint8_t>(phase)});
      ++open_;
      connection.Start(calls_.size() - 1, static_cast<int64_t>(left * 1e6));
      calls_.back().stream = connection.last_stream();
      connection.Flush();
      return true;
    }
    return false;
  }

  void Ended(size_t n, End how) {
    calls_[n].ended = Now();
    calls_[n].how = how;
    --open_;
  }

  // As gRPC's clients do. Calls pass their deadlines in the order in which they were due.
  void CancelLate() {
    const double now = Now();
    for (; cancelled_ < calls_.size() && calls_[cancelled_].due + options_.deadline < now; ++cancelled_) {
      const Call& call = calls_[cancelled_];
      if (call.sent < 0 || call.ended >= 0) continue;
      connections_[call.connection]->Cancel(call.stream);
      Ended(cancelled_, End::kReset);
    }
  }

  nlohmann::ordered_json ReportPhase(size_t phase, double from) const {
    int offered = 0, sent = 0, in_time = 0, late = 0, refused = 0, expired = 0, unanswered = 0;
    const double seconds = options_.phases[phase].seconds;
    std::vector<int> windows(static_cast<size_t>(seconds / options_.window + 0.5)), due(windows.size());
    std::vector<double> latencies;
    for (const Call& call : calls_) {
      if (call.phase != phase) continue;
      ++offered;
      const size_t window = std::min(static_cast<size_t>((call.due - from) / options_.window), windows.size() - 1);
      ++due[window];
      if (call.sent < 0) continue;
      ++sent;
      const double deadline = call.due + options_.deadline;
      if (call.answered >= 0) {
        latencies.push_back(call.answered - call.due);
        const bool good = call.answered <= deadline;
        ++(good ? in_time : late);
        windows[window] += good;
      } else if (call.ended < 0) {
        ++unanswered;
      } else {
        ++(call.ended < deadline && call.how == End::kTrailers ? refused : expired);
      }
    }
    std::sort(latencies.begin(), latencies.end());
    const auto quantile = [&](double q) {
      return latencies.empty() ? 0.0 : latencies[static_cast<size_t>(q * static_cast<double>(latencies.size() - 1))];
    };
    return {{"rate", options_.phases[phase].rate},
            {"seconds", seconds},
            {"offered", offered},
            {"sent", sent},
            {"not_sent", offered - sent},
            {"in_time", in_time},
            {"late", late},
            {"refused", refused},
            {"expired", expired},
            {"unanswered", unanswered},
            {"p50", quantile(0.5)},
            {"p99", quantile(0.99)},
            {"goodput", in_time / seconds},
            {"windows", windows},
            {"windows_offered", due}};
  }

  const Options options_;
  const CallTemplate call_;
  const Events events_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::chrono::steady_clock::time_point begin_;
  std::vector<Call> calls_;
  size_t open_ = 0, turn_ = 0, cancelled_ = 0;
};

int Main(int argc, char** argv) {
  Options options;
  std::vector<std::string> phases;
  CLI::App app("Offers a server on this machine a load, and prints what became of the calls as JSON");
  app.add_option("--port", options.port, "Its gRPC port")->required();
  app.add_option("--connections", options.connections, "Connections")->check(CLI::Range(1, 10000));
  app.add_option("--send-buffer", options.send_buffer, "Of each connection's socket, in bytes");
  app.add_option("--shape", options.shape, "Of the image: height, width, channels")->delimiter(',')->expected(3);
  app.add_option("--deadline", options.deadline, "Of a call from when it is due, in seconds");
  app.add_option("--slack", options.slack,
                 "A call that could not be sent so many seconds after it was due is not sent");
  app.add_flag("!--hide-deadline", options.tell_deadline, "Do not send the deadline along");
  app.add_flag("--cancel", options.cancel, "Cancel calls at their deadline, as gRPC's clients do");
  app.add_option("--concurrency", options.concurrency, "Closed loop: so many calls are always under way");
  app.add_option("--phase", phases, "RATE:SECONDS, calls a second for so long; may be repeated")->required();
  CLI11_PARSE(app, argc, argv);
  for (const std::string& text : phases) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, ':');
    Phase phase;
    if (!absl::SimpleAtod(parts.first, &phase.rate) || !absl::SimpleAtod(parts.second, &phase.seconds) ||
        !(phase.rate > 0) || !(phase.seconds > 0)) {
      std::fprintf(stderr, "loader: --phase: expected RATE:SECONDS, both above 0, got %s\n", text.c_str());
      return 1;
    }
    options.phases.push_back(phase);
  }
  Loader loader(options);
  loader.Run();
  std::printf("%s\n", loader.Report().dump().c_str());
  return 0;
}

}  // namespace
}  // namespace resnetd::bench

int main(int argc, char** argv) {
  return resnetd::bench::Main(argc, argv);
}
