#ifndef RESNETD_TESTS_SUPPORT_HTTP2_CLIENT_H_
#define RESNETD_TESTS_SUPPORT_HTTP2_CLIENT_H_

#include <cstdint>
#include <optional>
#include <string>

// A client of few words: frames of HTTP/2 on a plain socket, as a client that means no good writes them.
namespace resnetd::server {

class Http2Client {
 public:
  // Connects to a port on loopback. `window`: bytes of each answer that it takes unasked; the protocol's 65,535
  // without.
  explicit Http2Client(int port, std::optional<uint32_t> window = std::nullopt);
  ~Http2Client() { Close(); }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  // The headers of a call of this method, "Classify" or with its service "/a.b.C/Say". Returns its stream.
  uint32_t Call(const std::string& method);
  // Bytes of a call's messages; `last`: no more will come.
  void Send(uint32_t stream, const std::string& bytes, bool last = false);
  // Lets the server send so many bytes more of a call's answer, or of all answers together for stream 0.
  void Grant(uint32_t stream, uint32_t bytes);
  // Reads what the server sends until it has sent so much, or closes.
  size_t Receive(size_t bytes);
  // Waits until the server has sent anything, and reads what there is of it.
  void ReceiveSome();
  void Close();

 private:
  void Frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload);
  void Write(const std::string& bytes);

  int fd_ = -1;
  uint32_t next_stream_ = 1;
};

// A message as gRPC frames it.
std::string Framed(const std::string& message);

}  // namespace resnetd::server

#endif  // RESNETD_TESTS_SUPPORT_HTTP2_CLIENT_H_
