// Bytes to requests and answers, each in one piece, byte by byte, and in between.
#include "server/net/http_conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/http_answers.h"
#include "tests/support/http_dialogue.h"

namespace resnetd::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr HttpLimits kSmall = {.header_bytes = 100, .body_bytes = 50};

// Tells what the bytes lead to, which must be the same in pieces of any size.
Dialogue Say(std::string_view bytes, HttpLimits limits = {}) {
  const Dialogue whole = Converse(bytes, bytes.size(), limits);
  for (const size_t piece : {1, 2, 3, 7, 64}) {
    const Dialogue other = Converse(bytes, piece, limits);
    EXPECT_EQ(other.output, whole.output) << "in pieces of " << piece;
    EXPECT_EQ(other.closed, whole.closed) << "in pieces of " << piece;
  }
  return whole;
}

// The answers, which are all there is.
std::vector<ParsedAnswer> Answers(const Dialogue& dialogue) {
  std::vector<ParsedAnswer> answers;
  std::string_view rest = dialogue.output;
  size_t request = 0;
  while (!rest.empty()) {
    const bool to_head = request < dialogue.requests.size() && dialogue.requests[request].method == "HEAD";
    const auto answer = TakeAnswer(rest, to_head);
    EXPECT_TRUE(answer.has_value()) << dialogue.output;
    if (!answer.has_value()) break;
    if (answer->status != 100) ++request;
    answers.push_back(*answer);
  }
  return answers;
}

std::vector<int> Statuses(const Dialogue& dialogue) {
  std::vector<int> statuses;
  for (const ParsedAnswer& answer : Answers(dialogue)) statuses.push_back(answer.status);
  return statuses;
}

TEST(HttpConversation, RequestsThatAreUnderstood) {
  struct Case {
    const char* bytes;
    std::vector<int> statuses;
    bool closed = false;
  };
  for (const Case& c : {
           Case{"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", {200}},
           Case{"GET /livez HTTP/1.1\r\n\r\n", {200}},
           Case{"GET /livez?a=b HTTP/1.1\r\n\r\n", {200}},
           Case{"GET http://a:1/livez HTTP/1.1\r\n\r\n", {200}},
           Case{"GET http://a HTTP/1.1\r\n\r\n", {200}},
           Case{"GET /livez/ HTTP/1.1\r\n\r\n", {404}},
           Case{"GET /%6civez HTTP/1.1\r\n\r\n", {404}},
           Case{"GET * HTTP/1.1\r\n\r\n", {404}},
           Case{"CONNECT a:1 HTTP/1.1\r\n\r\n", {404}},
           Case{"POST /livez HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", {405}},
           Case{"BREW /metrics HTTP/1.1\r\n\r\n", {405}},
           Case{"get /livez HTTP/1.1\r\n\r\n", {405}},
           Case{"HEAD /livez HTTP/1.1\r\n\r\n", {200}},
           Case{"HEAD /nothing HTTP/1.1\r\n\r\n", {404}},
           Case{"\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n", {200}},
           Case{"GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n", {200}, true},
           Case{"GET / HTTP/1.0\r\n\r\n", {200}, true},
           Case{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", {200, 200}, true},
           // Bodies are passed over, whatever they look like.
           Case{"GET / HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET GET / HTTP/1.1\r\n\r\n", {200, 200}},
           Case{"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n", {200, 200}},
           Case{"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n1;a=b\r\nx\r\n0\r\n\r\nGET / "
                "HTTP/1.1\r\n\r\n",
                {200, 200}},
           Case{"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n\r\n",
                {200, 200}},
           Case{"GET / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", {100, 200}},
           Case{"GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", {200}},
           Case{"GET / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", {200}, true},
           Case{"GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", {200}},
           // Halves.
           Case{"GET / HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET", {}},
           Case{"GET / HTTP/1.1\r\n", {}},
           Case{"\r", {}},
       }) {
    SCOPED_TRACE(c.bytes);
    const Dialogue dialogue = Say(c.bytes);
    EXPECT_EQ(Statuses(dialogue), c.statuses);
    EXPECT_EQ(dialogue.closed, c.closed);
    EXPECT_FALSE(dialogue.refused);
  }
}

TEST(HttpConversation, WhatIsRefused) {
  struct Case {
    std::string bytes;
    int status;
  };
  for (const Case& c : {
           Case{"\x16\x03\x01", 400},  // TLS, at its first byte
           Case{std::string("\0", 1), 400},
           Case{"GET /\xff", 400},
           Case{"GET / HTTP/1.1\nHost: a\n\n", 400},
           Case{"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
           Case{"GET /\r\n\r\n", 400},
           Case{"GET  / HTTP/1.1\r\n\r\n", 400},
           Case{"/livez\r\n\r\n", 400},
           Case{"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
           Case{"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400},
           Case{std::string("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24), 400},
           Case{"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
           Case{"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
           Case{"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
           // A body whose end nobody knows would be read as the next request.
           Case{"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400},
           Case{"GET / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400},
           Case{"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400},
           Case{"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400},
           Case{"GET / HTTP/1.2\r\n\r\n", 505},
           Case{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
           Case{"GET / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413},
           Case{"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
           Case{"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + std::string(64 << 10, 'a'),
                413},
           Case{"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a=" + std::string(4096, 'a'), 413},
       }) {
    SCOPED_TRACE(c.bytes);
    const Dialogue dialogue = Say(c.bytes);
    const std::vector<ParsedAnswer> answers = Answers(dialogue);
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].status, c.status);
    EXPECT_EQ(answers[0].field("Connection"), "close");
    EXPECT_TRUE(dialogue.closed && dialogue.refused);
    EXPECT_THAT(dialogue.requests, IsEmpty());
  }
}

TEST(HttpConversation, NothingIsUnderstoodAfterARefusal) {
  HttpConversation conversation;
  conversation.Add("\x16");
  EXPECT_EQ(conversation.Next(), HttpConversation::Step::kRefused);
  conversation.Add("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(conversation.Next(), HttpConversation::Step::kRefused);
  EXPECT_EQ(conversation.refusal().status, 400);
}

TEST(HttpConversation, BothSidesOfTheHeadersLimit) {
  const auto request = [](size_t size) {
    const std::string line = "GET / HTTP/1.1\r\nA: ", end = "\r\n\r\n";
    return line + std::string(size - line.size() - end.size(), 'a') + end;
  };
  for (const auto& [limits, size] :
       {std::pair(kSmall, kSmall.header_bytes), std::pair(HttpLimits(), size_t{16 << 10})}) {
    EXPECT_THAT(Statuses(Say(request(size), limits)), ElementsAre(200)) << size;
    const std::vector<ParsedAnswer> answers = Answers(Say(request(size + 1), limits));
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].status, 431);
    EXPECT_THAT(answers[0].body, HasSubstr(absl::StrCat(size, " bytes")));
  }
  // One that has no end is refused at the limit, and a long target alike.
  EXPECT_THAT(Statuses(Say(std::string(kSmall.header_bytes, 'a'), kSmall)), IsEmpty());
  EXPECT_THAT(Statuses(Say(std::string(kSmall.header_bytes + 1, 'a'), kSmall)), ElementsAre(431));
  EXPECT_THAT(Statuses(Say("GET /" + std::string(200, 'a') + " HTTP/1.1\r\n\r\n", kSmall)), ElementsAre(431));
  // Each request has a limit of its own.
  EXPECT_THAT(Statuses(Say(request(100) + request(100) + request(101), kSmall)), ElementsAre(200, 200, 431));
}

TEST(HttpConversation, BothSidesOfTheBodysLimit) {
  const auto plain = [](size_t size) {
    return absl::StrCat("POST / HTTP/1.1\r\nContent-Length: ", size, "\r\n\r\n", std::string(size, 'a'));
  };
  EXPECT_THAT(Statuses(Say(plain(50) + plain(50), kSmall)), ElementsAre(405, 405));
  EXPECT_THAT(Statuses(Say(plain(50) + plain(51), kSmall)), ElementsAre(405, 413));
  EXPECT_THAT(Statuses(Say(plain(64 << 10))), ElementsAre(405));
  EXPECT_THAT(Statuses(Say(plain((64 << 10) + 1))), ElementsAre(413));
  // The chunks count with what frames them: 8 bytes a chunk of two, and the last one's 5.
  const auto chunked = [](int chunks) {
    std::string bytes = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < chunks; ++i) bytes += "2\r\n{}\r\n";
    return bytes + "0\r\n\r\n";
  };
  EXPECT_THAT(Statuses(Say(chunked(6), kSmall)), ElementsAre(405));  // 47 bytes
  EXPECT_THAT(Statuses(Say(chunked(7), kSmall)), ElementsAre(413));  // 54
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_THAT(Statuses(Say(head + std::string(60, '0'), kSmall)), ElementsAre(413)) << "a chunk's size without an end";
  EXPECT_THAT(Statuses(Say(head + "0\r\n" + std::string(60, 'a'), kSmall)), ElementsAre(413))
      << "a field without an end";
}

TEST(HttpConversation, WhatAnAnswerSaysOfTheConnection) {
  struct Case {
    const char* request;
    const char* connection;
  };
  for (const Case& c :
       {Case{"GET / HTTP/1.1\r\n\r\n", ""}, Case{"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "close"},
        Case{"GET / HTTP/1.0\r\n\r\n", "close"},
        Case{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"}}) {
    EXPECT_EQ(Answers(Say(c.request)).at(0).field("Connection"), c.connection) << c.request;
  }
}

TEST(HttpConversation, AHeadHasTheLengthAndNoBody) {
  const std::vector<ParsedAnswer> answers =
      Answers(Say("HEAD /livez HTTP/1.1\r\n\r\nHEAD /nothing HTTP/1.1\r\n\r\nGET /livez HTTP/1.1\r\n\r\n"));
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].field("Content-Length"), "6");
  EXPECT_EQ(answers[2].body, "/livez");
}

TEST(HttpConversation, A405NamesTheMethods) {
  EXPECT_EQ(Answers(Say("DELETE / HTTP/1.1\r\n\r\n")).at(0).field("Allow"), "GET, HEAD");
}

TEST(HttpConversation, TellsWhetherARequestHasBegun) {
  HttpConversation conversation;
  EXPECT_FALSE(conversation.has_begun());
  conversation.Add("G");
  EXPECT_TRUE(conversation.has_begun());
  conversation.Add("ET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n");
  EXPECT_EQ(conversation.Next(), HttpConversation::Step::kMore);
  EXPECT_TRUE(conversation.has_begun());
  conversation.Add("xG");
  EXPECT_EQ(conversation.Next(), HttpConversation::Step::kRequest);
  EXPECT_TRUE(conversation.has_begun());
  conversation.Add("ET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(conversation.Next(), HttpConversation::Step::kRequest);
  EXPECT_FALSE(conversation.has_begun());
}

}  // namespace
}  // namespace resnetd::server
