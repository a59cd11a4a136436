#ifndef RESNETD_SERVER_NET_HTTP_PROBES_H_
#define RESNETD_SERVER_NET_HTTP_PROBES_H_

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "server/net/http_message.h"
#include "server/net/http_server.h"

namespace resnetd::server {

enum class HttpPage { kIndex, kLive, kReady, kMetrics };

// Returns the page that a request asks for, or the answer to one that asks for none: 404, 405.
std::variant<HttpPage, HttpAnswer> Route(const HttpRequest& request);

// Calls `render` on a thread of its own, so that nobody waits behind it but those who want what it makes.
class RenderThread {
 public:
  // `post` has the port's thread call a function, soon.
  RenderThread(std::function<std::string()> render, std::function<void(std::function<void()>)> post);
  // Waits for a call of `render` under way; there are none afterwards.
  ~RenderThread();

  // Answers with what a call of `render` returns that begins after this call: all that come until it begins share it.
  // If it throws, the answer is a 500. The port's thread calls this.
  void Answer(const char* type, std::weak_ptr<HttpReply> reply);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

// Answers requests for the pages, those of the probes at once. Used by the port's thread.
class HttpProbes {
 public:
  HttpProbes(const HttpPages& pages, std::function<void(std::function<void()>)> post);

  void Answer(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply);

 private:
  const std::function<std::string()> why_not_ready_;
  RenderThread metrics_;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_HTTP_PROBES_H_
