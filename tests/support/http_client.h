#ifndef RESNETD_TESTS_SUPPORT_HTTP_CLIENT_H_
#define RESNETD_TESTS_SUPPORT_HTTP_CLIENT_H_

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/http_answers.h"

namespace resnetd {

// A connection to a port of 127.0.0.1, or of ::1. It waits a minute for bytes, and then takes them for missing.
class HttpClient {
 public:
  explicit HttpClient(int port, int family = AF_INET) : fd_(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience = {60, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const auto number = htons(static_cast<in_port_t>(port));
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = number;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = number;
    v6.sin6_addr = in6addr_loopback;
    connected_ = (family == AF_INET6 ? connect(fd_, reinterpret_cast<sockaddr*>(&v6), sizeof v6)
                                     : connect(fd_, reinterpret_cast<sockaddr*>(&v4), sizeof v4)) == 0;
  }
  ~HttpClient() { Close(); }
  HttpClient(HttpClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_), input_(std::move(other.input_)) {}
  HttpClient& operator=(HttpClient&&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  // Closes in a way that throws away what is under way.
  void Reset() {
    const linger at_once = {1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    Close();
  }

  // False: the other side has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void Finish() { shutdown(fd_, SHUT_WR); }

  // The next answer; nullopt if the connection ends before its end.
  std::optional<ParsedAnswer> Answer(bool to_head = false) {
    while (true) {
      std::string_view view = input_;
      if (auto answer = TakeAnswer(view, to_head)) {
        input_.erase(0, input_.size() - view.size());
        return answer;
      }
      if (!Receive()) return std::nullopt;
    }
  }
  std::optional<ParsedAnswer> Get(const std::string& path, const std::string& fields = "") {
    if (!Send("GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n")) return std::nullopt;
    return Answer();
  }
  // Waits for the end: true if there is one, and nothing before it.
  bool IsClosed() { return input_.empty() && !Receive() && errno != EAGAIN; }

 private:
  bool Receive() {
    char bytes[64 << 10];
    errno = 0;
    const ssize_t received = recv(fd_, bytes, sizeof bytes, 0);
    if (received <= 0) return false;
    input_.append(bytes, static_cast<size_t>(received));
    return true;
  }

  int fd_;
  bool connected_ = false;
  std::string input_;  // and not taken
};

}  // namespace resnetd

#endif  // RESNETD_TESTS_SUPPORT_HTTP_CLIENT_H_
