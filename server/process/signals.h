#ifndef RESNETD_SERVER_PROCESS_SIGNALS_H_
#define RESNETD_SERVER_PROCESS_SIGNALS_H_

#include <atomic>
#include <functional>
#include <thread>

// Decides what signals do to the server; the table is in docs/operations.md.
namespace resnetd::server {

// Blocks what a SignalThread will wait for. Needs nothing that an initialiser has made.
void BlockSignals();

// To be called first of all in main(), before any thread starts: all inherit what is blocked. Whatever the parent has
// blocked or ignored, SIGTERM, SIGINT and SIGQUIT wait from then on for a SignalThread.
void PrepareSignals();

// Calls `stop` on each SIGTERM, SIGINT and SIGQUIT, from a thread of its own: what ends a server is nothing for a
// signal handler to do. SIGHUP, SIGUSR1 and SIGUSR2 are logged and do nothing.
class SignalThread {
 public:
  explicit SignalThread(std::function<void()> stop);
  ~SignalThread();

 private:
  void Run();

  const std::function<void()> stop_;
  std::atomic<bool> over_{false};
  std::thread thread_;  // last: it uses the above
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_PROCESS_SIGNALS_H_
