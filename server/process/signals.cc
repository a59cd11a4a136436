// Three kinds of signals, of those whose default is to end the process:
//
//   stop:    SIGTERM, SIGINT, SIGQUIT            blocked everywhere, waited for
//   noted:   SIGHUP, SIGUSR1, SIGUSR2            blocked everywhere, waited for, logged
//   ignored: SIGPIPE, timers, real-time signals  nobody means the server by them
//
// Signals of a fault in the program (SIGSEGV, SIGABRT, ...) or of the system's patience (SIGXCPU) end it.
#include "server/process/signals.h"

#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace resnetd::server {
namespace {

constexpr int kStop[] = {SIGTERM, SIGINT, SIGQUIT};
constexpr int kNoted[] = {SIGHUP, SIGUSR1, SIGUSR2};
// SIGPIPE and SIGXFSZ come of a log that cannot be written: the write fails, and that is all.
constexpr int kIgnored[] = {SIGPIPE, SIGXFSZ, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT};

sigset_t Waited() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : kStop) sigaddset(&signals, signal);
  for (const int signal : kNoted) sigaddset(&signals, signal);
  return signals;
}

void SetDisposition(int signal, void (*disposition)(int)) {
  struct sigaction action {};
  action.sa_handler = disposition;
  sigaction(signal, &action, nullptr);
}

// A profiler that was loaded with the program keeps its handler.
void IgnoreUnlessHandled(int signal) {
  struct sigaction action {};
  if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) SetDisposition(signal, SIG_IGN);
}

}  // namespace

void BlockSignals() {
  const sigset_t waited = Waited();
  pthread_sigmask(SIG_BLOCK, &waited, nullptr);
}

void PrepareSignals() {
  const sigset_t waited = Waited();
  pthread_sigmask(SIG_SETMASK, &waited, nullptr);
  // POSIX leaves open whether a signal that is ignored can be waited for.
  for (const int signal : kStop) SetDisposition(signal, SIG_DFL);
  for (const int signal : kNoted) SetDisposition(signal, SIG_DFL);
  for (const int signal : kIgnored) IgnoreUnlessHandled(signal);
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) IgnoreUnlessHandled(signal);
}

SignalThread::SignalThread(std::function<void()> stop) : stop_(std::move(stop)), thread_([this] { Run(); }) {}

SignalThread::~SignalThread() {
  over_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);  // any that it waits for
  thread_.join();
}

void SignalThread::Run() {
  const sigset_t waited = Waited();
  for (int signal = 0; sigwait(&waited, &signal) == 0 && !over_;) {
    if (std::find(std::begin(kStop), std::end(kStop), signal) != std::end(kStop)) {
      stop_();
    } else {
      spdlog::info("SIG{}: nothing to do", sigabbrev_np(signal));
    }
  }
}

}  // namespace resnetd::server
