#ifndef RESNETD_SERVER_NET_HTTP_CONVERSATION_H_
#define RESNETD_SERVER_NET_HTTP_CONVERSATION_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "server/net/http_message.h"

namespace resnetd::server {

// Limits the size of one request; more is answered by 431 or 413 and ends the conversation.
struct HttpLimits {
  // The request line and all fields. A probe's are 200 bytes; browsers send what cookies they have for a host's other
  // ports.
  size_t header_bytes = 16 << 10;
  // The body with the bytes that frame it. No page wants one, but some clients send {} with every request.
  size_t body_bytes = 64 << 10;
};

// The server's side of HTTP/1.0 and 1.1 on one connection, apart from sockets and time: bytes come in, and requests and
// headers of answers come out. The requests depend on the bytes alone, and not on the pieces in which they come. Holds
// at most a header and a piece of input while Next() is called until it says kMore. Not thread-safe.
class HttpConversation {
 public:
  enum class Step {
    kMore,      // more bytes are needed
    kContinue,  // the client waits for kHttpContinue before it sends the request's body
    kRequest,   // request() has come as a whole
    kRefused,   // refusal() is the last answer: nothing that comes after it can be understood
  };

  explicit HttpConversation(HttpLimits limits = {});
  ~HttpConversation();

  void Add(absl::string_view bytes);
  // Returns the next thing in the bytes that were added. After kRefused it stays so.
  Step Next();
  // Says whether a part of a request is here.
  bool has_begun() const;

  const HttpRequest& request() const;  // of the last kRequest
  const HttpAnswer& refusal() const;   // of kRefused
  // Returns the status line and fields of an answer to the last request, or of the refusal. `keep_alive`: the
  // connection stays.
  std::string Header(const HttpAnswer& answer, bool keep_alive) const;
  // Returns the body that follows it; null if the request was a HEAD.
  std::shared_ptr<const std::string> Body(const HttpAnswer& answer) const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

inline constexpr char kHttpContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_HTTP_CONVERSATION_H_
