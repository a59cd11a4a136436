// The life of the process:
//
//   listen -> load the models -> SERVING ... Stop() -> NOT_SERVING, but serving on for the lame-duck time -> new calls
//   are refused -> calls in flight finish -> end
//
// A Stop() while models load is the end at once. A second Stop() ends both waits: new calls are refused, and those in
// flight are cancelled.
//
// It listens before it loads, so that a port in use is found at once and liveness probes pass while large models
// compile; until then health says NOT_SERVING and calls get UNAVAILABLE.
#include "server/server.h"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/address.h"
#include "base/cpu_budget.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "base/time.h"
#include "models/loader.h"
#include "server/edge/native/codec.h"
#include "server/library_log.h"
#include "server/process/memory.h"

namespace resnetd::server {
namespace {

// Nobody else has the time to see that a window of the libraries' log is over.
constexpr std::chrono::seconds kBetweenLooks(1);
// Once a minute nobody notices: it takes half a millisecond after mixed traffic, 12 ms where a burst has freed 60 MB.
constexpr std::chrono::seconds kBetweenReleases(60);

constexpr size_t kMostPassedOver = 64;

int WorkersOf(const ServerOptions& options) {
  return options.workers > 0 ? options.workers : std::max(1, ReadCpuBudget() / options.threads);
}

// gRPC's: timers, events, executors, and the one of reflection; and ours: deadlines, refusals, signals,
// connections, slow clients, the guard.
constexpr int kThreadsBeside = 17;

HttpFigures FiguresOf(const HttpCounts& counts) {
  return {.connections = counts.connections,
          .made_room = counts.made_room,
          .timed_out = counts.timed_out,
          .failed = counts.failed,
          .accept_failures = counts.accept_failures};
}

scheduling::Limits LimitsOf(const ServerOptions& options, int workers) {
  scheduling::Limits limits = options.scheduling;
  limits.workers = workers;
  return limits;
}

// One connection keeps each worker busy with a batch of eight and has another one waiting; more of its calls would only
// wait longer.
constexpr int kCallsAWorker = 16;

EdgeOptions EdgeOptionsOf(const ServerOptions& options, int workers) {
  EdgeOptions edge = options.edge;
  if (edge.max_calls_per_connection == 0) edge.max_calls_per_connection = kCallsAWorker * workers;
  edge.refusals.interval /= workers;
  edge.refusals.crowd *= static_cast<size_t>(workers);
  edge.refusals.backlog = edge.max_calls_per_connection;
  return edge;
}

// Shown by top and gdb.
void NameThread(int worker) {
  pthread_setname_np(pthread_self(), absl::StrCat("worker-", worker).c_str());
}

// Says what a folder holds and is not served; of a folder that was given by mistake not all of it.
void LogPassedOver(const std::vector<std::string>& passed_over) {
  for (size_t i = 0; i < std::min(passed_over.size(), kMostPassedOver); ++i)
    spdlog::warn("--models: {}", passed_over[i]);
  if (passed_over.size() > kMostPassedOver) {
    spdlog::warn("--models: {} more folders are not served", passed_over.size() - kMostPassedOver);
  }
}

absl::StatusOr<std::vector<ModelSource>> SourcesOf(const ServerOptions& options) {
  if (!options.models_folder.empty()) {
    RESNETD_ASSIGN_OR_RETURN(FolderContents contents, FolderSources(options.models_folder, options.model_root));
    LogPassedOver(contents.passed_over);
    return std::move(contents.sources);
  }
  return std::vector<ModelSource>{options.model_file.empty() ? EmbeddedSource()
                                                             : FileSource(options.model_file, options.model_root)};
}

std::vector<scheduling::BatchCost> CostsOf(const LoadedModel& loaded) {
  std::vector<scheduling::BatchCost> costs;
  for (const MeasuredBatch& measured : loaded.costs) costs.push_back({measured.batch, measured.cost});
  return costs;
}

// Clients are told why a model could not be loaded, and not where its files lie: beside the origin no message has a
// path.
absl::Status WithoutPaths(const ModelSource& source, const absl::Status& why) {
  return absl::Status(why.code(),
                      absl::StrReplaceAll(why.message(), {{absl::StrCat(" (", EchoPath(source.origin), ")"), ""}}));
}

void LogModel(const LoadedModel& loaded, Duration took) {
  const Model& model = *loaded.model;
  const ModelInfo& info = model.engine->info();
  spdlog::info(
      "model {} version {}: {}x{}x{} -> {} classes, {} features; {} parameters, {} multiply-adds; {} on {}; {} MB of "
      "weights, "
      "{:.1f} MB of arena a worker, {:.3f} of the least possible; loaded in {:.2f} s",
      Echo(model.name), Echo(model.version), info.channels, info.height, info.width, model.classes(), info.features,
      info.parameters, info.multiply_adds, info.precision, info.isa, info.packed_weight_bytes >> 20,
      static_cast<double>(model.engine->arena_bytes()) / (1 << 20),
      static_cast<double>(model.engine->arena_bytes()) / static_cast<double>(info.arena_lower_bound),
      std::chrono::duration<double>(took).count());
  for (const MeasuredBatch& cost : loaded.costs) {
    spdlog::debug("model {}: a batch of {} takes {:.3f} ms", Echo(model.name), cost.batch,
                  std::chrono::duration<double, std::milli>(cost.cost).count());
  }
  for (const std::string& output : loaded.outputs) spdlog::info("model {}: {}", Echo(model.name), output);
  for (const std::string& note : loaded.notes) spdlog::info("model {}: {}", Echo(model.name), note);
}

}  // namespace

int ThreadsOf(const ServerOptions& options) {
  const int grpc_pollers = std::clamp(static_cast<int>(sysconf(_SC_NPROCESSORS_CONF)) / 2, 2, 16);
  return WorkersOf(options) * options.threads + HttpServer::kThreads + grpc_pollers + kThreadsBeside;
}

Server::Server(const ServerOptions& options, const ConnectionShares& connections)
    : options_(options),
      connections_(connections),
      workers_count_(WorkersOf(options)),
      workers_(workers_count_, options.edge.image_limits, metrics_),
      scheduler_(LimitsOf(options, workers_count_), std::bind_front(&Workers::Run, &workers_), NameThread) {}

absl::Status Server::Run() {
  RESNETD_ASSIGN_OR_RETURN(const std::vector<ModelSource> sources, SourcesOf(options_));
  for (const ModelSource& source : sources) repository_.SetLoading(source.name, source.version);
  RESNETD_RETURN_IF_ERROR(Listen());
  {
    MutexLock lock(&mu_);
    if (stops_ > 0) LeaveWhileLoading();
    loading_ = true;
  }
  RESNETD_RETURN_IF_ERROR(Load(sources));
  RESNETD_RETURN_IF_ERROR(workers_.Prepare(models_));
  ReleaseLoadingMemory();
  Publish();
  for (Time released = Now(); !Stopped(1, Now() + kBetweenLooks);) {
    TellLinesLeftOut();
    if (Now() - released < kBetweenReleases) continue;
    ReleaseFreedMemory();
    released = Now();
  }
  Announce();
  Drain();
  return absl::OkStatus();
}

void Server::Stop() {
  MutexLock lock(&mu_);
  ++stops_;
  stopped_.SignalAll();
  if (loading_) LeaveWhileLoading();
}

bool Server::Stopped(int times, Time until) {
  MutexLock lock(&mu_);
  while (stops_ < times && Now() < until) stopped_.WaitUntil(&mu_, until);
  return stops_ >= times;
}

// Neither joins the thread that loads nor runs destructors that it may need. Nothing is lost by that: no call has been
// admitted, nothing is being written, and what the process holds goes back to the system. Clients that watch health see
// an end in place of a connection that breaks.
void Server::LeaveWhileLoading() {
  spdlog::info("asked to stop while models are loading: nothing is served yet, and loading is not waited for");
  edge_->Shutdown(Now());
  spdlog::info("stopped");
  spdlog::default_logger()->flush();
  std::_Exit(EXIT_SUCCESS);
}

absl::Status Server::Listen() {
  RESNETD_ASSIGN_OR_RETURN(http_,
                           HttpServer::Start(options_.metrics_address, options_.metrics_port, connections_.http,
                                             {.metrics = [this] { return metrics_.Scrape(); },
                                              .why_not_ready = [this] { return WhyNotReady(); },
                                              .warn = [](const std::string& line) { spdlog::warn("{}", line); }}));
  metrics_.SetHttp([http = http_.get()] { return FiguresOf(http->counts()); });
  std::vector<Protocol> protocols;
  protocols.push_back(NativeProtocol(repository_, options_.edge));
  EdgeOptions edge = EdgeOptionsOf(options_, workers_count_);
  edge.max_connections = connections_.grpc;
  RESNETD_ASSIGN_OR_RETURN(edge_, Edge::Start(edge, std::move(protocols), repository_, scheduler_, metrics_));
  metrics_.SetWorkers(workers_count_);
  metrics_.SetSnapshot([this] { return scheduler_.snapshot(); });
  metrics_.SetLibraryLines(LibraryLineCounts);
  metrics_.SetCallsInFlight([edge = edge_.get()] { return edge->calls_in_flight(); });
  metrics_.SetConnections([edge = edge_.get()] { return edge->connections(); });
  spdlog::info("gRPC on {}, metrics and probes on {}; workers: {}, threads of each: {}",
               HostPort(options_.edge.address, edge_->port()), HostPort(options_.metrics_address, http_->port()),
               workers_count_, options_.threads);
  return absl::OkStatus();
}

absl::Status Server::Load(const std::vector<ModelSource>& sources) {
  const LoadOptions load = {.threads = options_.threads,
                            .batch_sizes = options_.batch_sizes,
                            .default_deadline = options_.default_deadline,
                            .recipe = options_.recipe,
                            .input_size = options_.input_size,
                            .labels_file = options_.labels_file};
  absl::Status first_failure;
  for (const ModelSource& source : sources) {
    const Time start = Now();
    const absl::StatusOr<LoadedModel> loaded = LoadModel(source, load);
    if (!loaded.ok()) {
      if (!options_.keep_going) return loaded.status();
      spdlog::error("{}", std::string(loaded.status().message()));
      repository_.SetFailed(source.name, source.version, WithoutPaths(source, loaded.status()));
      first_failure.Update(loaded.status());
      continue;
    }
    const Duration took = Now() - start;
    LogModel(*loaded, took);
    models_.push_back({.model = loaded->model,
                       .key = scheduling::ModelKey(static_cast<uint32_t>(models_.size())),
                       .metrics = &metrics_.ModelLoaded(*loaded->model, took)});
    costs_.push_back(CostsOf(*loaded));
  }
  if (models_.empty()) {
    return absl::Status(first_failure.code(),
                        absl::StrCat("no model could be loaded; the first: ", first_failure.message()));
  }
  if (!first_failure.ok()) {
    spdlog::warn("{} of {} models could not be loaded: serving the others (--keep-going)",
                 sources.size() - models_.size(), sources.size());
  }
  return absl::OkStatus();
}

void Server::Publish() {
  {
    MutexLock lock(&mu_);
    loading_ = false;  // first: from here on there may be calls
  }
  for (size_t i = 0; i < models_.size(); ++i) {
    scheduler_.AddModel(models_[i].key, costs_[i]);
    repository_.Add(models_[i]);
  }
  MutexLock lock(&mu_);
  published_ = true;
  ShowReadiness();
  spdlog::info("serving");
}

void Server::Announce() {
  spdlog::info("asked to stop: not ready from now on, serving on for {} ms", options_.lame_duck.count());
  {
    MutexLock lock(&mu_);
    ShowReadiness();
  }
  Stopped(2, Now() + options_.lame_duck);
}

void Server::Drain() {
  edge_->RefuseNewCalls();
  spdlog::info("refusing new calls, {} in flight", edge_->calls_in_flight());
  const Time deadline = Now() + options_.drain;
  while (edge_->calls_in_flight() > 0 && Now() < deadline && !Stopped(2, Now() + std::chrono::milliseconds(10))) {
  }
  if (const int left = edge_->calls_in_flight(); left > 0) spdlog::warn("cancelling {} calls that did not end", left);
  edge_->Shutdown(Now());
  TellLinesLeftOut(Time::max());
  spdlog::info("stopped");
}

void Server::ShowReadiness() {
  if (!published_) return;  // as it has been from the start, and `models_` is being written
  const bool ready = WhyNotReadyLocked().empty();
  for (const ServedModel& served : models_) edge_->SetServing(served.model->name, ready);
  edge_->SetServing("", ready);
}

// Whoever asks here looks for a server for new connections. Health is asked over one that there is.
std::string Server::WhyNotReady() const {
  MutexLock lock(&mu_);
  const std::string why = WhyNotReadyLocked();
  return why.empty() ? edge_->WhyClosed() : why;
}

std::string Server::WhyNotReadyLocked() const {
  if (stops_ > 0) return "the server is stopping";
  return published_ ? "" : "models are loading";
}

}  // namespace resnetd::server
