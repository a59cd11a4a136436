#include "tests/fuzz/http_checks.h"

#include <cstdlib>
#include <iostream>
#include <set>
#include <string_view>

#include "absl/strings/escaping.h"
#include "tests/support/http_answers.h"
#include "tests/support/http_dialogue.h"

namespace resnetd::fuzz {
namespace {

using server::Converse;
using server::Dialogue;
using server::HttpLimits;

// So that inputs of a few hundred bytes come to both sides of them.
constexpr HttpLimits kSmall = {.header_bytes = 64, .body_bytes = 24};

void Require(bool condition, const char* what, const Dialogue& dialogue) {
  if (condition) return;
  std::cerr << "not so: " << what << ":\n" << dialogue.output << "\n";
  std::abort();
}

void CheckOutput(const Dialogue& dialogue) {
  static const std::set<int> kStatuses = {200, 400, 404, 405, 413, 431, 505};
  std::string_view rest = dialogue.output;
  const size_t answers = dialogue.requests.size() + (dialogue.refused ? 1 : 0);
  bool closed = false;
  for (size_t i = 0; i < answers; ++i) {
    const bool of_request = i < dialogue.requests.size();
    Require(!closed, "nothing follows the last answer", dialogue);
    auto answer = TakeAnswer(rest, of_request && dialogue.requests[i].method == "HEAD");
    if (answer.has_value() && answer->status == 100)
      answer = TakeAnswer(rest, of_request && dialogue.requests[i].method == "HEAD");
    if (!answer.has_value() && !of_request) answer = TakeAnswer(rest, true);  // the refusal of a HEAD's body
    Require(answer.has_value(), "an answer is valid", dialogue);
    Require(kStatuses.count(answer->status) == 1, "a status that there is", dialogue);
    Require((answer->status == 405) == !answer->field("Allow").empty(), "a 405 names the methods", dialogue);
    Require(of_request || answer->status >= 400, "a refusal is an error", dialogue);
    closed = answer->field("Connection") == "close";
  }
  Require(closed == dialogue.closed, "the last answer says that it is", dialogue);
  // A client may have been told to go on with a request that did not come.
  while (TakeAnswer(rest).has_value()) Require(!closed, "nothing follows the last answer", dialogue);
  Require(rest.empty(), "answers are all there is", dialogue);
}

void RequireSame(std::string_view input, const Dialogue& a, const Dialogue& b) {
  const bool same = a.output == b.output && a.closed == b.closed && a.requests.size() == b.requests.size();
  if (!same) std::cerr << absl::CHexEscape({input.data(), input.size()}) << "\nin one piece:\n" << a.output << "\n";
  Require(same, "the pieces do not matter", b);
}

}  // namespace

HttpOutcome CheckHttp(absl::Span<const std::byte> bytes) {
  const std::string_view input(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t piece = 2 + bytes.size() % 61;
  HttpOutcome outcome = HttpOutcome::kUnanswered;
  for (const HttpLimits& limits : {HttpLimits(), kSmall}) {
    const Dialogue whole = Converse(input, input.size() + 1, limits);
    CheckOutput(whole);
    RequireSame(input, whole, Converse(input, 1, limits));
    RequireSame(input, whole, Converse(input, piece, limits));
    if (whole.refused && outcome == HttpOutcome::kUnanswered) outcome = HttpOutcome::kRefused;
    if (!whole.requests.empty()) outcome = HttpOutcome::kAnswered;
  }
  return outcome;
}

}  // namespace resnetd::fuzz
