#ifndef RESNETD_BENCH_OVERLOAD_HTTP2_H_
#define RESNETD_BENCH_OVERLOAD_HTTP2_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>

#include "absl/strings/string_view.h"

// As much of an HTTP/2 client as a load needs, with next to nothing done for a call: its frames are built beforehand,
// and headers that come are not decoded.
namespace resnetd::bench {

// A unary call of gRPC: its header block, and its message with gRPC's prefix.
class CallTemplate {
 public:
  CallTemplate(absl::string_view path, absl::string_view authority, absl::string_view message);

  // Appends the HEADERS frame of a call.
  void AppendHeaders(uint32_t stream, int64_t timeout_us, std::string& out) const;
  absl::string_view body() const { return body_; }

 private:
  std::string headers_;  // the frame
  size_t timeout_at_;    // where in it eight digits of microseconds stand
  std::string body_;
};

enum class End : uint8_t { kTrailers, kReset };

// Tells what becomes of calls, by the numbers that Start() gave them.
struct Events {
  std::function<void(size_t call)> answered;        // the first bytes of a message came
  std::function<void(size_t call, End how)> ended;  // after answered(), or without it
};

// One connection over TCP, never blocking. It keeps to the rules for clients: settings and pings are acknowledged,
// windows and the peer's MAX_CONCURRENT_STREAMS are kept, what comes is granted back. Not thread-safe.
class Connection {
 public:
  // Connects to the loopback, blocking. `send_buffer`: of the socket, in bytes, so that what is sent is on its way.
  // Exits the program where that fails. `call` and `events` outlive it.
  Connection(int port, int send_buffer, const CallTemplate& call, const Events& events);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // A call may begin: a stream is free, and the socket has taken all there was to send.
  bool Ready() const {
    return !closed_ && settled_ && out_.empty() && sending_.empty() && streams_.size() < max_streams_;
  }
  bool settled() const { return settled_; }
  bool closed() const { return closed_; }
  size_t open_streams() const { return streams_.size(); }
  // Begins a call. Flush() sends it.
  void Start(size_t call, int64_t timeout_us);
  // Ends a call of which nothing more is wanted, if it is still under way.
  void Cancel(uint32_t stream);
  uint32_t last_stream() const { return next_stream_ - 2; }  // of the last Start()
  // Sends what the socket and the windows take.
  void Flush();
  // Reads what is there.
  void Read();

 private:
  struct Stream {
    size_t call;
    size_t sent = 0;  // of the body
    int64_t window;
  };

  void AddBody();
  void Frame(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload);
  void Settings(absl::string_view payload);
  void End(uint32_t stream, bench::End how);
  bool Write();

  const int fd_;
  const CallTemplate& call_;
  const Events& events_;
  std::string out_, in_;
  size_t written_ = 0;  // of out_
  std::unordered_map<uint32_t, Stream> streams_;
  std::deque<uint32_t> sending_;  // those whose body is not all in out_ yet
  uint32_t next_stream_ = 1;
  size_t max_streams_ = 0;
  int64_t window_ = 65535, initial_window_ = 65535;
  size_t max_frame_ = 16384;
  size_t ungranted_ = 0;  // bytes of DATA that came
  bool settled_ = false;  // the peer's settings are here
  bool closed_ = false;
};

}  // namespace resnetd::bench

#endif  // RESNETD_BENCH_OVERLOAD_HTTP2_H_
