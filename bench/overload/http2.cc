// A frame (RFC 9113): length 24, type 8, flags 8, stream 32, payload. A call is HEADERS, DATA...; its answer HEADERS,
// DATA..., HEADERS with END_STREAM, and a refusal has no DATA. Header blocks are literals without indexing, so that
// they are the same for every call and change no table.
#include "bench/overload/http2.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace resnetd::bench {
namespace {

enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8
};
constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4;
constexpr size_t kFrameHeader = 9;
constexpr size_t kMostAtOnce = 64 << 10;  // bytes of bodies that wait in out_
constexpr size_t kGrantAfter = 16 << 10;
constexpr uint32_t kCancel = 8;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "loader: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

void Append32(uint32_t value, std::string& out) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

void AppendFrameHeader(size_t length, uint8_t type, uint8_t flags, uint32_t stream, std::string& out) {
  out.push_back(static_cast<char>(length >> 16));
  out.push_back(static_cast<char>(length >> 8));
  out.push_back(static_cast<char>(length));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  Append32(stream, out);
}

uint32_t Read32(absl::string_view bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

// A literal without indexing; strings shorter than 127 bytes, not Huffman coded.
void AppendLiteral(absl::string_view name, absl::string_view value, std::string& out) {
  out.push_back(0);
  for (absl::string_view text : {name, value}) {
    out.push_back(static_cast<char>(text.size()));
    out.append(text.data(), text.size());
  }
}

int Connect(int port, int send_buffer) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) Fail("socket");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Fail("connect");
  return fd;
}

}  // namespace

CallTemplate::CallTemplate(absl::string_view path, absl::string_view authority, absl::string_view message) {
  std::string block;
  AppendLiteral(":method", "POST", block);
  AppendLiteral(":scheme", "http", block);
  AppendLiteral(":path", path, block);
  AppendLiteral(":authority", authority, block);
  AppendLiteral("te", "trailers", block);
  AppendLiteral("grpc-timeout", "00000000u", block);
  timeout_at_ = kFrameHeader + block.size() - 9;
  AppendLiteral("content-type", "application/grpc", block);
  AppendLiteral("user-agent", "resnetd-overload", block);
  AppendFrameHeader(block.size(), kHeaders, kEndHeaders, 0, headers_);
  headers_ += block;
  body_.push_back(0);
  Append32(static_cast<uint32_t>(message.size()), body_);
  body_.append(message.data(), message.size());
}

void CallTemplate::AppendHeaders(uint32_t stream, int64_t timeout_us, std::string& out) const {
  const size_t begin = out.size();
  out += headers_;
  const uint32_t wire = htonl(stream);
  std::memcpy(&out[begin + 5], &wire, sizeof wire);
  int64_t rest = std::clamp<int64_t>(timeout_us, 1, 99'999'999);
  for (int digit = 7; digit >= 0; --digit, rest /= 10) {
    out[begin + timeout_at_ + digit] = static_cast<char>('0' + rest % 10);
  }
}

Connection::Connection(int port, int send_buffer, const CallTemplate& call, const Events& events)
    : fd_(Connect(port, send_buffer)), call_(call), events_(events) {
  out_ = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  AppendFrameHeader(0, kSettings, 0, 0, out_);
  Flush();
}

Connection::~Connection() {
  close(fd_);
}

void Connection::Start(size_t call, int64_t timeout_us) {
  const uint32_t stream = std::exchange(next_stream_, next_stream_ + 2);
  streams_.emplace(stream, Stream{.call = call, .window = initial_window_});
  call_.AppendHeaders(stream, timeout_us, out_);
  sending_.push_back(stream);
  AddBody();
}

void Connection::Cancel(uint32_t stream) {
  if (streams_.find(stream) == streams_.end()) return;
  AppendFrameHeader(4, kReset, 0, stream, out_);
  Append32(kCancel, out_);
  streams_.erase(stream);
}

// One stream's body after the other: what was begun first is complete first.
void Connection::AddBody() {
  while (!sending_.empty() && out_.size() - written_ < kMostAtOnce && window_ > 0) {
    const auto found = streams_.find(sending_.front());
    if (found == streams_.end()) {
      sending_.pop_front();
      continue;
    }
    Stream& stream = found->second;
    const absl::string_view rest = call_.body().substr(stream.sent);
    const int64_t room = std::min({window_, stream.window, static_cast<int64_t>(max_frame_)});
    if (room <= 0) {  // the stream's window is used up: let the next one go ahead
      if (sending_.size() == 1) return;
      sending_.push_back(sending_.front());
      sending_.pop_front();
      bool all_wait = true;
      for (uint32_t id : sending_) {
        const auto other = streams_.find(id);
        all_wait = all_wait && other != streams_.end() && other->second.window <= 0;
      }
      if (all_wait) return;
      continue;
    }
    const size_t length = std::min(rest.size(), static_cast<size_t>(room));
    const bool last = length == rest.size();
    AppendFrameHeader(length, kData, last ? kEndStream : 0, sending_.front(), out_);
    out_.append(rest.data(), length);
    stream.sent += length;
    stream.window -= static_cast<int64_t>(length);
    window_ -= static_cast<int64_t>(length);
    if (last) sending_.pop_front();
  }
}

bool Connection::Write() {
  while (written_ < out_.size()) {
    const ssize_t n = send(fd_, out_.data() + written_, out_.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR) closed_ = true;
      return false;
    }
    written_ += static_cast<size_t>(n);
  }
  out_.clear();
  written_ = 0;
  return true;
}

void Connection::Flush() {
  do {
    AddBody();
    if (out_.empty() || closed_ || !Write()) return;
  } while (!sending_.empty() && window_ > 0 && streams_.count(sending_.front()) > 0 &&
           streams_.at(sending_.front()).window > 0);
}

void Connection::Read() {
  char buffer[64 << 10];
  const ssize_t n = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) closed_ = true;
  if (n <= 0) return;
  in_.append(buffer, static_cast<size_t>(n));
  size_t at = 0;
  while (in_.size() - at >= kFrameHeader) {
    const absl::string_view frame = absl::string_view(in_).substr(at);
    const size_t length = Read32(frame) >> 8;
    if (frame.size() < kFrameHeader + length) break;
    Frame(static_cast<uint8_t>(frame[3]), static_cast<uint8_t>(frame[4]), Read32(frame.substr(5)) & 0x7fffffff,
          frame.substr(kFrameHeader, length));
    at += kFrameHeader + length;
  }
  in_.erase(0, at);
  if (ungranted_ >= kGrantAfter) {
    AppendFrameHeader(4, kWindowUpdate, 0, 0, out_);
    Append32(static_cast<uint32_t>(ungranted_), out_);
    ungranted_ = 0;
  }
}

// Answers are smaller than a stream's window, which is never granted again.
void Connection::Frame(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  switch (type) {
    case kData:
      ungranted_ += payload.size();
      if (const auto found = streams_.find(stream); found != streams_.end() && !payload.empty()) {
        events_.answered(found->second.call);
      }
      if ((flags & kEndStream) != 0) End(stream, End::kTrailers);
      break;
    case kHeaders:
      if ((flags & kEndStream) != 0) End(stream, End::kTrailers);
      break;
    case kReset:
      End(stream, End::kReset);
      break;
    case kSettings:
      if ((flags & kAck) == 0) Settings(payload);
      break;
    case kPing:
      if ((flags & kAck) != 0) break;
      AppendFrameHeader(payload.size(), kPing, kAck, 0, out_);
      out_.append(payload.data(), payload.size());
      break;
    case kGoAway:
      closed_ = true;
      break;
    case kWindowUpdate:
      if (stream == 0) {
        window_ += Read32(payload);
      } else if (const auto found = streams_.find(stream); found != streams_.end()) {
        found->second.window += Read32(payload);
      }
      break;
    default:
      break;
  }
}

void Connection::Settings(absl::string_view payload) {
  if (!settled_) max_streams_ = SIZE_MAX;  // unless it says otherwise
  for (; payload.size() >= 6; payload.remove_prefix(6)) {
    const uint32_t id = Read32(payload) >> 16;
    const uint32_t value = Read32(payload.substr(2));
    if (id == 3) max_streams_ = value;
    if (id == 5) max_frame_ = std::min<size_t>(value, kMostAtOnce);
    if (id != 4) continue;
    for (auto& [stream, state] : streams_) state.window += static_cast<int64_t>(value) - initial_window_;
    initial_window_ = value;
  }
  settled_ = true;
  AppendFrameHeader(0, kSettings, kAck, 0, out_);
}

void Connection::End(uint32_t stream, bench::End how) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  const Stream ended = found->second;
  if (ended.sent < call_.body().size()) {  // the server wants no more of it
    AppendFrameHeader(4, kReset, 0, stream, out_);
    Append32(kCancel, out_);
  }
  streams_.erase(found);
  events_.ended(ended.call, how);
}

}  // namespace resnetd::bench
