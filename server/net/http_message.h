#ifndef RESNETD_SERVER_NET_HTTP_MESSAGE_H_
#define RESNETD_SERVER_NET_HTTP_MESSAGE_H_

#include <memory>
#include <string>
#include <utility>

// Requests and answers, apart from the bytes that they travel as.
namespace resnetd::server {

inline constexpr char kHttpText[] = "text/plain; charset=utf-8";

// The parts of a client's request that somebody looks at. All other fields, Range and Accept-Encoding among them, ask
// for what is not offered here, and a body is passed over.
struct HttpRequest {
  std::string method;  // "GET"
  std::string target;  // as sent: "/metrics?name=x"
  bool is_http10 = false;
  bool keep_alive = false;  // the client wants to go on after the answer
};

struct HttpAnswer {
  int status = 200;
  const char* type = kHttpText;             // Content-Type; a constant
  std::shared_ptr<const std::string> body;  // shared by the answers that send it; null: none
  const char* allow = nullptr;              // the methods that there are, with a 405; a constant
};

inline HttpAnswer TextAnswer(int status, std::string text) {
  return {.status = status, .body = std::make_shared<const std::string>(std::move(text))};
}

// Somebody who waits for the answer to a request. The port's thread alone uses it.
class HttpReply {
 public:
  virtual ~HttpReply() = default;
  // Sends the answer, once a request; does nothing if the client has gone meanwhile.
  virtual void Send(HttpAnswer answer) = 0;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_HTTP_MESSAGE_H_
