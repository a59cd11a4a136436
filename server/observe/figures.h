#ifndef RESNETD_SERVER_OBSERVE_FIGURES_H_
#define RESNETD_SERVER_OBSERVE_FIGURES_H_

#include <vector>

#include "server/observe/metrics.h"
#include "server/observe/process_metrics.h"
#include "server/scheduling/scheduler.h"

namespace prometheus {
struct MetricFamily;
}  // namespace prometheus

// Figures that others own and that are read at each scrape, as families of counters and gauges. Each function appends
// those of one owner to `out`.
namespace resnetd::server {

void AppendFigures(const ProcessFigures& process, std::vector<prometheus::MetricFamily>& out);
void AppendFigures(const scheduling::Snapshot& queue, std::vector<prometheus::MetricFamily>& out);
void AppendFigures(const HttpFigures& http, std::vector<prometheus::MetricFamily>& out);
void AppendFigures(const std::vector<LibraryLineCount>& counts, std::vector<prometheus::MetricFamily>& out);
void AppendCallsInFlight(int calls, std::vector<prometheus::MetricFamily>& out);
void AppendConnections(int connections, std::vector<prometheus::MetricFamily>& out);  // to the gRPC port

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_OBSERVE_FIGURES_H_
