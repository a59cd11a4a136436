// Children of every family are looked up once, and recording goes straight to them. Codes are the exception: all
// methods times 17 codes would be mostly empty series, so a child is made when its code is first seen, and found
// through an atomic pointer from then on. Gauges that somebody else owns are read when they are scraped.
#include "server/observe/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/enum_table.h"
#include "base/mutex.h"
#include "base/time.h"
#include "server/observe/figures.h"
#include "server/observe/histograms.h"
#include "server/observe/process_metrics.h"
#include "server/observe/text_format.h"

namespace resnetd::server {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Histogram;
using prometheus::MetricFamily;

constexpr EnumTable<scheduling::Why, const char*> kWhys = {"all_waiting", "largest", "deadline", "no_gain", "shared"};

// The names are gRPC's, of its codes 0..16.
constexpr std::array kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};
static_assert(kCodes.size() == 17);
constexpr size_t kUnknownCode = 2;

// Five a decade: two neighbours differ by a factor of about 1.6, which is what a quantile may be off by.
const std::vector<double> kCallBuckets = {100e-6, 160e-6, 250e-6, 400e-6, 630e-6, 1e-3, 1.6e-3, 2.5e-3, 4e-3, 6.3e-3,
                                          10e-3,  16e-3,  25e-3,  40e-3,  63e-3,  0.1,  0.16,   0.25,   0.4,  0.63,
                                          1,      1.6,    2.5,    4,      6.3,    10,   16,     25,     40};
// Stages of small images start a decade lower.
const std::vector<double> kStageBuckets = [] {
  std::vector<double> buckets = {10e-6, 16e-6, 25e-6, 40e-6, 63e-6};
  buckets.insert(buckets.end(), kCallBuckets.begin(), kCallBuckets.end());
  return buckets;
}();
const std::vector<double> kBatchBuckets = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256};
// Closer where predictions should be, so that a median near 1 can be told from one beside it.
const std::vector<double> kRatioBuckets = {0.1,  0.2, 0.33, 0.5, 0.6, 0.7, 0.77, 0.85, 0.92, 1, 1.09,
                                           1.18, 1.3, 1.43, 1.6, 1.8, 2,   2.5,  3,    5,    10};
const std::vector<double> kConfidenceBuckets = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1};

// Bytes by which a page is expected to be longer than the last one at most.
constexpr size_t kMorePage = 4096;

std::string Str(absl::string_view s) {
  return std::string(s);
}

template <typename Builder>
auto& Build(Builder builder, const char* name, const char* help, prometheus::Registry& registry) {
  return builder.Name(name).Help(help).Register(registry);
}

std::string LabelsText(const prometheus::Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) AppendLabel(name, value, text);
  return text;
}

// A family of gauges, by their labels as they are written.
void AppendGauges(absl::string_view name, absl::string_view help, const std::map<std::string, double>& values,
                  std::string& page) {
  AppendHeading(name, help, "gauge", page);
  for (const auto& [labels, value] : values) {
    absl::StrAppend(&page, name, "{", labels, "} ");
    AppendNumber(value, page);
    page += '\n';
  }
}

}  // namespace

struct MethodMetrics::State {
  State(std::string method, Family<Counter>& by_method_and_code, Histogram& by_method)
      : name(std::move(method)), requests(by_method_and_code), duration(by_method) {}

  const std::string name;
  Family<Counter>& requests;
  Histogram& duration;
  std::array<std::atomic<Counter*>, kCodes.size()> by_code{};
};

struct Metrics::State {
  prometheus::Registry registry;
  Family<Counter>& request_family = Build(prometheus::BuildCounter(), "resnetd_requests_total",
                                          "Calls and streams that ended, by method and gRPC code", registry);
  HistogramFamily durations{"resnetd_request_duration_seconds", "From a call's headers to its status, by method"};
  HistogramFamily stages{"resnetd_stage_duration_seconds",
                         "What an image spent in the queue, being decoded, and in its batch's inference"};
  HistogramFamily batch_sizes{"resnetd_batch_size", "Images computed together"};
  HistogramFamily ratios{"resnetd_predicted_completion_ratio",
                         "Predicted over actual time from a request's admission to its last image"};
  HistogramFamily confidences{"resnetd_prediction_confidence", "Largest softmax probability of an answered image"};
  Family<Counter>& rejection_family = Build(prometheus::BuildCounter(), "resnetd_rejections_total",
                                            "Requests refused before anything was computed, by reason", registry);
  Family<Counter>& closed_family = Build(prometheus::BuildCounter(), "resnetd_connections_closed_total",
                                         "Connections to the gRPC port that the server closed, by reason", registry);

  EnumTable<scheduling::Why, Counter*> batches;
  Counter *images_ok, *images_failed, *not_finite, *not_taken, *pauses, *stray_bytes, *busy;
  Histogram *queue, *decode, *infer, *batch_size, *predicted_ratio;
  prometheus::Gauge* workers;

  std::atomic<size_t> page_bytes = 0;  // of the last page

  Mutex mu;
  std::map<std::string, std::unique_ptr<MethodMetrics>, std::less<>> methods ABSL_GUARDED_BY(mu);
  std::map<std::string, std::unique_ptr<EventCounter>, std::less<>> rejections ABSL_GUARDED_BY(mu);
  std::map<std::string, std::unique_ptr<EventCounter>, std::less<>> closed ABSL_GUARDED_BY(mu);
  std::map<std::string, std::unique_ptr<ModelMetrics>> models ABSL_GUARDED_BY(mu);
  // Values by labels, as they are written; and their part of the page, which only a load changes.
  std::map<std::string, double> model_infos ABSL_GUARDED_BY(mu), model_loads ABSL_GUARDED_BY(mu);
  std::string models_text ABSL_GUARDED_BY(mu);
  std::function<scheduling::Snapshot()> snapshot ABSL_GUARDED_BY(mu);
  std::function<int()> calls_in_flight ABSL_GUARDED_BY(mu), connections ABSL_GUARDED_BY(mu);
  std::function<HttpFigures()> http ABSL_GUARDED_BY(mu);
  std::function<std::vector<LibraryLineCount>()> library_lines ABSL_GUARDED_BY(mu);

  State();
};

Metrics::State::State() {
  queue = &stages.Add({{"stage", "queue"}}, kStageBuckets);
  decode = &stages.Add({{"stage", "decode"}}, kStageBuckets);
  infer = &stages.Add({{"stage", "infer"}}, kStageBuckets);
  auto& images = Build(prometheus::BuildCounter(), "resnetd_images_total", "Images answered, by result", registry);
  images_ok = &images.Add({{"result", "ok"}});
  images_failed = &images.Add({{"result", "error"}});
  not_finite = &Build(prometheus::BuildCounter(), "resnetd_not_finite_outputs_total",
                      "Images of finite values for which the network's output was not finite", registry)
                    .Add({});
  not_taken = &Build(prometheus::BuildCounter(), "resnetd_answers_not_taken_total",
                     "Calls ended because their clients did not take the answer", registry)
                   .Add({});
  pauses =
      &Build(prometheus::BuildCounter(), "resnetd_connection_pauses_total",
             "Times that a connection to the gRPC port was not read for a while, as its calls were refused", registry)
           .Add({});
  stray_bytes = &Build(prometheus::BuildCounter(), "resnetd_image_stray_bytes_total",
                       "Bytes of JPEG files that belong to no segment; they are passed over", registry)
                     .Add({});
  batch_size = &batch_sizes.Add({}, kBatchBuckets);
  auto& batch_family = Build(prometheus::BuildCounter(), "resnetd_batches_total",
                             "Batches computed, by what kept them from being larger", registry);
  for (const scheduling::Why why : EnumValues<scheduling::Why>()) {
    batches[why] = &batch_family.Add({{"reason", kWhys[why]}});
  }
  predicted_ratio = &ratios.Add({}, kRatioBuckets);
  busy = &Build(prometheus::BuildCounter(), "resnetd_worker_busy_seconds_total",
                "Time workers spent on batches, summed over workers", registry)
              .Add({});
  workers = &Build(prometheus::BuildGauge(), "resnetd_workers", "Threads that compute batches", registry).Add({});
  Build(prometheus::BuildGauge(), "resnetd_build_info", "Always 1; the labels describe the program", registry)
      .Add({{"version", RESNETD_VERSION}})
      .Set(1);
}

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

MethodMetrics::MethodMetrics(std::unique_ptr<State> state) : state_(std::move(state)) {}
MethodMetrics::~MethodMetrics() = default;

void MethodMetrics::Ended(int grpc_code, Duration latency) {
  const size_t code =
      grpc_code >= 0 && static_cast<size_t>(grpc_code) < kCodes.size() ? static_cast<size_t>(grpc_code) : kUnknownCode;
  Counter* counter = state_->by_code[code].load(std::memory_order_acquire);
  if (counter == nullptr) {  // two threads may come here at once: Add() gives both the same child
    counter = &state_->requests.Add({{"method", state_->name}, {"code", kCodes[code]}});
    state_->by_code[code].store(counter, std::memory_order_release);
  }
  counter->Increment();
  state_->duration.Observe(Seconds(latency));
}

void EventCounter::Increment() {
  counter_.Increment();
}

MethodMetrics& Metrics::Method(absl::string_view name) {
  MutexLock lock(&state_->mu);
  std::unique_ptr<MethodMetrics>& metrics = state_->methods[Str(name)];
  if (metrics == nullptr) {
    auto state = std::make_unique<MethodMetrics::State>(Str(name), state_->request_family,
                                                        state_->durations.Add({{"method", Str(name)}}, kCallBuckets));
    metrics.reset(new MethodMetrics(std::move(state)));
  }
  return *metrics;
}

EventCounter& Metrics::Rejections(absl::string_view reason) {
  MutexLock lock(&state_->mu);
  std::unique_ptr<EventCounter>& counter = state_->rejections[Str(reason)];
  if (counter == nullptr) counter.reset(new EventCounter(state_->rejection_family.Add({{"reason", Str(reason)}})));
  return *counter;
}

EventCounter& Metrics::ClosedConnections(absl::string_view reason) {
  MutexLock lock(&state_->mu);
  std::unique_ptr<EventCounter>& counter = state_->closed[Str(reason)];
  if (counter == nullptr) counter.reset(new EventCounter(state_->closed_family.Add({{"reason", Str(reason)}})));
  return *counter;
}

void Metrics::Queued(Duration took) {
  state_->queue->Observe(Seconds(took));
}
void Metrics::Decoded(Duration took) {
  state_->decode->Observe(Seconds(took));
}
void Metrics::Inferred(Duration took) {
  state_->infer->Observe(Seconds(took));
}

void Metrics::BatchRun(int images, scheduling::Why why) {
  state_->batch_size->Observe(images);
  state_->batches[why]->Increment();
}

void Metrics::WorkerBusy(Duration took) {
  state_->busy->Increment(Seconds(took));
}

void Metrics::Answered(Duration predicted, Duration actual) {
  state_->predicted_ratio->Observe(Seconds(predicted) / Seconds(actual));
}

void Metrics::ImageEnded(bool ok) {
  (ok ? state_->images_ok : state_->images_failed)->Increment();
}

void Metrics::NotFinite() {
  state_->not_finite->Increment();
}
void Metrics::AnswerNotTaken() {
  state_->not_taken->Increment();
}
void Metrics::ConnectionPaused() {
  state_->pauses->Increment();
}
void Metrics::StrayBytes(int64_t bytes) {
  state_->stray_bytes->Increment(static_cast<double>(bytes));
}

void ModelMetrics::Confidence(double top1) {
  confidence_.Observe(top1);
}

ModelMetrics& Metrics::ModelLoaded(const Model& model, Duration load_time) {
  const ModelInfo& info = model.engine->info();
  const std::string all = LabelsText({{"isa", info.isa},
                                      {"model", model.name},
                                      {"precision", info.precision},
                                      {"sha256", model.sha256},
                                      {"version", model.version}});
  MutexLock lock(&state_->mu);
  state_->model_infos[all] = 1;
  state_->model_loads[LabelsText({{"model", model.name}, {"version", model.version}})] = Seconds(load_time);
  state_->models_text.clear();
  AppendGauges("resnetd_model_info", "Always 1; the labels describe the model", state_->model_infos,
               state_->models_text);
  AppendGauges("resnetd_model_load_seconds", "From reading the model's file to its golden answers and costs",
               state_->model_loads, state_->models_text);
  std::unique_ptr<ModelMetrics>& metrics = state_->models[model.name];
  if (metrics == nullptr) {
    metrics.reset(new ModelMetrics(state_->confidences.Add({{"model", model.name}}, kConfidenceBuckets)));
  }
  return *metrics;
}

void Metrics::SetSnapshot(std::function<scheduling::Snapshot()> snapshot) {
  MutexLock lock(&state_->mu);
  state_->snapshot = std::move(snapshot);
}

void Metrics::SetCallsInFlight(std::function<int()> calls) {
  MutexLock lock(&state_->mu);
  state_->calls_in_flight = std::move(calls);
}

void Metrics::SetConnections(std::function<int()> connections) {
  MutexLock lock(&state_->mu);
  state_->connections = std::move(connections);
}

void Metrics::SetHttp(std::function<HttpFigures()> http) {
  MutexLock lock(&state_->mu);
  state_->http = std::move(http);
}

void Metrics::SetLibraryLines(std::function<std::vector<LibraryLineCount>()> lines) {
  MutexLock lock(&state_->mu);
  state_->library_lines = std::move(lines);
}

void Metrics::SetWorkers(int workers) {
  state_->workers->Set(workers);
}

std::string Metrics::Scrape() {
  std::string page;
  page.reserve(state_->page_bytes + kMorePage);
  std::vector<MetricFamily> families = state_->registry.Collect();
  {
    MutexLock lock(&state_->mu);
    if (state_->snapshot) AppendFigures(state_->snapshot(), families);
    if (state_->calls_in_flight) AppendCallsInFlight(state_->calls_in_flight(), families);
    if (state_->connections) AppendConnections(state_->connections(), families);
    page += state_->models_text;
    if (state_->http) AppendFigures(state_->http(), families);
    if (state_->library_lines) AppendFigures(state_->library_lines(), families);
  }
  AppendFigures(ReadProcessFigures(), families);
  AppendText(families, page);
  for (const HistogramFamily* histograms :
       {&state_->durations, &state_->stages, &state_->batch_sizes, &state_->ratios, &state_->confidences}) {
    histograms->AppendText(page);
  }
  state_->page_bytes = page.size();
  return page;
}

}  // namespace resnetd::server
