// A frame is: length (3 bytes), type, flags, stream (4), payload. Headers are literals of HPACK, which need no table:
// 83 ":method: POST", 86 ":scheme: http", 04 ":path", 01 ":authority", 00 a name of its own.
#include "tests/support/http2_client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace resnetd::server {
namespace {

constexpr uint8_t kData = 0, kHeaders = 1, kSettings = 4, kWindowUpdate = 8, kEndStream = 1, kEndHeaders = 4,
                  kInitialWindowSize = 4;

// Big-endian.
std::string Bytes(uint32_t value, int count) {
  std::string bytes;
  for (int i = count - 1; i >= 0; --i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string Text(const std::string& s) {
  return std::string(1, static_cast<char>(s.size())) + s;
}

}  // namespace

Http2Client::Http2Client(int port, std::optional<uint32_t> window) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  Frame(kSettings, 0, 0, window ? Bytes(kInitialWindowSize, 2) + Bytes(*window, 4) : "");
}

uint32_t Http2Client::Call(const std::string& method) {
  const std::string path = method[0] == '/' ? method : "/resnetd.v1.InferenceService/" + method;
  const uint32_t stream = next_stream_;
  next_stream_ += 2;
  Frame(kHeaders, kEndHeaders, stream,
        "\x83\x86\x04" + Text(path) + "\x01" + Text("x") + std::string(1, 0) + Text("te") + Text("trailers") +
            std::string(1, 0) + Text("content-type") + Text("application/grpc"));
  return stream;
}

void Http2Client::Send(uint32_t stream, const std::string& bytes, bool last) {
  Frame(kData, last ? kEndStream : 0, stream, bytes);
}

void Http2Client::Grant(uint32_t stream, uint32_t bytes) {
  Frame(kWindowUpdate, 0, stream, Bytes(bytes, 4));
}

size_t Http2Client::Receive(size_t bytes) {
  size_t received = 0;
  std::string room(65536, 0);
  while (received < bytes) {
    const ssize_t count = recv(fd_, room.data(), std::min(room.size(), bytes - received), 0);
    if (count <= 0) break;
    received += static_cast<size_t>(count);
  }
  return received;
}

void Http2Client::ReceiveSome() {
  char room[65536];
  EXPECT_GT(recv(fd_, room, sizeof room, 0), 0);
}

void Http2Client::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void Http2Client::Frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
  Write(Bytes(static_cast<uint32_t>(payload.size()), 3) + Bytes(type, 1) + Bytes(flags, 1) + Bytes(stream, 4) +
        payload);
}

void Http2Client::Write(const std::string& bytes) {
  EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

std::string Framed(const std::string& message) {
  return std::string(1, 0) + Bytes(static_cast<uint32_t>(message.size()), 4) + message;
}

}  // namespace resnetd::server
