#include "server/observe/figures.h"

#include <prometheus/metric_family.h>

#include <cstdint>
#include <initializer_list>
#include <utility>

#include "base/time.h"

namespace resnetd::server {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr MetricType kCounter = MetricType::Counter, kGauge = MetricType::Gauge;

// A family of counters that differ in one label.
MetricFamily Counters(const char* name, const char* help, const char* label,
                      std::initializer_list<std::pair<const char*, int64_t>> counts) {
  MetricFamily family{name, help, kCounter, {}};
  for (const auto& [value, count] : counts) {
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    metric.label = {{label, value}};
    metric.counter.value = static_cast<double>(count);
  }
  return family;
}

// A family of one figure without labels.
MetricFamily Single(const char* name, const char* help, MetricType type, double value) {
  prometheus::ClientMetric metric;
  if (type == kCounter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return {name, help, type, {metric}};
}

}  // namespace

void AppendFigures(const ProcessFigures& process, std::vector<MetricFamily>& out) {
  out.push_back(Single("process_cpu_seconds_total", "User and system CPU time", kCounter, process.cpu_seconds));
  out.push_back(Single("process_resident_memory_bytes", "Resident memory", kGauge, process.resident_bytes));
  out.push_back(Single("process_virtual_memory_bytes", "Virtual memory", kGauge, process.virtual_bytes));
  out.push_back(Single("process_open_fds", "Open file descriptors", kGauge, process.open_fds));
  out.push_back(Single("process_max_fds", "Most file descriptors that may be open", kGauge, process.max_fds));
  out.push_back(
      Single("process_start_time_seconds", "Start of the process since the epoch", kGauge, process.start_time_seconds));
}

void AppendFigures(const scheduling::Snapshot& queue, std::vector<MetricFamily>& out) {
  out.push_back(Single("resnetd_queue_depth", "Images that wait", kGauge, static_cast<double>(queue.waiting)));
  out.push_back(Single("resnetd_queue_bytes", "Memory held by images that wait", kGauge,
                       static_cast<double>(queue.waiting_bytes)));
  out.push_back(Single("resnetd_queue_oldest_age_seconds", "How long the oldest of them has waited", kGauge,
                       Seconds(queue.oldest_age)));
  out.push_back(Single("resnetd_workers_busy", "Workers that compute a batch", kGauge, queue.busy_workers));
}

void AppendCallsInFlight(int calls, std::vector<MetricFamily>& out) {
  out.push_back(
      Single("resnetd_calls_in_flight", "Calls and streams between their headers and their status", kGauge, calls));
}

void AppendConnections(int connections, std::vector<MetricFamily>& out) {
  out.push_back(Single("resnetd_connections", "Connections to the gRPC port", kGauge, connections));
}

void AppendFigures(const HttpFigures& http, std::vector<MetricFamily>& out) {
  out.push_back(Single("resnetd_http_connections", "Connections to the metrics port", kGauge,
                       static_cast<double>(http.connections)));
  out.push_back(Counters("resnetd_http_closed_total", "Connections that the metrics port closed on its own, by reason",
                         "reason",
                         {{"made_room", http.made_room}, {"timed_out", http.timed_out}, {"failed", http.failed}}));
  out.push_back(Single("resnetd_http_accept_failures_total", "Connections that the metrics port could not take at once",
                       kCounter, static_cast<double>(http.accept_failures)));
}

void AppendFigures(const std::vector<LibraryLineCount>& counts, std::vector<MetricFamily>& out) {
  MetricFamily family{"resnetd_library_log_lines_total",
                      "Lines that libraries had for the log, written or left out, by severity",
                      kCounter,
                      {}};
  for (const LibraryLineCount& count : counts) {
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    metric.label = {{"library", count.library}, {"severity", count.severity}};
    metric.counter.value = static_cast<double>(count.lines);
  }
  out.push_back(std::move(family));
}

}  // namespace resnetd::server
