// Its state is never destroyed: threads of gRPC's may have something to say until the process has ended.
#include "server/library_log.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "base/echo.h"
#include "base/enum_table.h"
#include "base/mutex.h"
#include "base/time.h"
#include "server/edge/library_lines.h"
#include "server/process/line_limit.h"

namespace resnetd::server {
namespace {

// A few lines tell well enough what a client causes; the metric tells how much of it there is.
constexpr int kLines = 10;
constexpr std::chrono::seconds kWindow(10);
// gRPC's errors tell what lies under them, each within the next.
constexpr size_t kLineBytes = 512;

constexpr EnumTable<Library, const char*> kLibraries = {"grpc", "protobuf"};
constexpr EnumTable<Severity, const char*> kSeverities = {"debug", "info", "warning", "error"};

// An error in our log is one that the server itself makes known, such as why it ends. What a library calls an error is
// mostly a client's.
spdlog::level::level_enum LevelOf(const LibraryLine& line) {
  switch (line.severity) {
    case Severity::kDebug:
      return spdlog::level::debug;
    case Severity::kInfo:
      return spdlog::level::info;
    case Severity::kWarning:
    case Severity::kError:
      break;
  }
  return line.last ? spdlog::level::err : spdlog::level::warn;
}

struct Source {
  EnumTable<Severity, std::atomic<int64_t>> counts;
  Mutex mu;
  LineLimit limit ABSL_GUARDED_BY(mu){kLines, kWindow};
};

struct State {
  std::shared_ptr<spdlog::logger> log = spdlog::default_logger();
  EnumTable<Library, Source> sources;
};
State* state = nullptr;

void TellLeftOut(Library library, Time now) {
  Source& source = state->sources[library];
  int64_t left_out = 0;
  {
    MutexLock lock(&source.mu);
    left_out = source.limit.TakeLeftOut(now);
  }
  if (left_out == 0) return;
  state->log->warn("{}: {} more lines were left out: at most {} are written in {} s (resnetd_library_log_lines_total)",
                   kLibraries[library], left_out, kLines, kWindow.count());
}

// Lines that come unasked are limited. Of gRPC's information and tracing there is none unless GRPC_VERBOSITY asks for
// it, and then for all of it.
bool Admit(const LibraryLine& line) {
  if (line.last || line.severity < Severity::kWarning) return true;
  const Time now = Now();
  TellLeftOut(line.library, now);
  Source& source = state->sources[line.library];
  MutexLock lock(&source.mu);
  return source.limit.Admit(now);
}

void Take(const LibraryLine& line) {
  state->sources[line.library].counts[line.severity].fetch_add(1, std::memory_order_relaxed);
  const spdlog::level::level_enum level = LevelOf(line);
  if (!state->log->should_log(level) || !Admit(line)) return;
  state->log->log(level, "{}: {}:{}: {}", kLibraries[line.library],
                  std::string_view(line.file.data(), line.file.size()), line.line, Echo(line.message, kLineBytes));
}

}  // namespace

void StartLibraryLog() {
  state = new State;
  TakeLibraryLines(Take);
}

void TellLinesLeftOut(Time now) {
  for (const Library library : EnumValues<Library>()) TellLeftOut(library, now);
}

std::vector<LibraryLineCount> LibraryLineCounts() {
  std::vector<LibraryLineCount> counts;
  for (const Library library : EnumValues<Library>()) {
    for (const Severity severity : EnumValues<Severity>()) {
      const int64_t lines = state->sources[library].counts[severity].load(std::memory_order_relaxed);
      counts.push_back({kLibraries[library], kSeverities[severity], lines});
    }
  }
  return counts;
}

}  // namespace resnetd::server
