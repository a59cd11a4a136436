#ifndef RESNETD_TESTS_SUPPORT_HTTP_DIALOGUE_H_
#define RESNETD_TESTS_SUPPORT_HTTP_DIALOGUE_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/net/http_conversation.h"
#include "server/net/http_probes.h"

// A conversation as a session holds it, without socket and clock.
namespace resnetd::server {

struct Dialogue {
  std::vector<HttpRequest> requests;
  std::string output;
  bool refused = false;  // by the last answer
  bool closed = false;   // the last answer was the last
};

// Tells what is sent and what is understood if `bytes` come in pieces of `piece` bytes. A page's text is its path.
inline Dialogue Converse(std::string_view bytes, size_t piece, HttpLimits limits = {}) {
  using Step = HttpConversation::Step;
  HttpConversation conversation(limits);
  Dialogue dialogue;
  const auto send = [&](const HttpAnswer& answer, bool keep_alive) {
    dialogue.output += conversation.Header(answer, keep_alive);
    if (const auto body = conversation.Body(answer)) dialogue.output += *body;
    dialogue.closed = !keep_alive;
  };
  for (size_t at = 0; at < bytes.size() && !dialogue.closed; at += piece) {
    const std::string_view part = bytes.substr(at, piece);
    conversation.Add({part.data(), part.size()});
    while (!dialogue.closed) {
      const Step step = conversation.Next();
      if (step == Step::kMore) break;
      if (step == Step::kContinue) dialogue.output += kHttpContinue;
      if (step == Step::kRefused) {
        dialogue.refused = true;
        send(conversation.refusal(), false);
      }
      if (step != Step::kRequest) continue;
      const HttpRequest& request = conversation.request();
      dialogue.requests.push_back(request);
      const auto route = Route(request);
      const HttpAnswer* answer = std::get_if<HttpAnswer>(&route);
      send(answer != nullptr ? *answer : TextAnswer(200, request.target), request.keep_alive);
    }
  }
  return dialogue;
}

}  // namespace resnetd::server

#endif  // RESNETD_TESTS_SUPPORT_HTTP_DIALOGUE_H_
