// A request is read in two steps. Our own search looks for the empty line that ends its header, byte by byte: that
// alone makes the limit exact, and the outcome the same in whatever pieces the bytes come. From there on Boost.Beast's
// parser reads the header at once and the body as it comes.
//
// The search refuses what cannot become a request line at its first such byte, so that a client that speaks TLS or
// another protocol learns so at once.
#include "server/net/http_conversation.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace resnetd::server {
namespace {

// The parser is given so much of a body at once, which is as much as may frame a chunk: it looks at all of a frame anew
// for each piece that comes.
constexpr size_t kWindow = 4096;

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;

// A body of which nothing is kept. The parser looks for its parts by these names.
// NOLINTBEGIN(readability-identifier-naming)
struct PassedOver {
  struct value_type {};
  class reader {
   public:
    template <bool is_request, class Fields>
    reader(http::header<is_request, Fields>& /*header*/, value_type& /*body*/) {}
    void init(const boost::optional<uint64_t>& /*length*/, error_code& error) { error = {}; }
    template <class Buffers>
    size_t put(const Buffers& buffers, error_code& error) {
      error = {};
      return asio::buffer_size(buffers);
    }
    void finish(error_code& error) { error = {}; }
  };
};
// NOLINTEND(readability-identifier-naming)

using Parser = http::request_parser<PassedOver>;

// The library's own views differ between its versions.
template <class View>
absl::string_view ToView(View view) {
  return {view.data(), view.size()};
}

// Says whether the parser would misread the length of the body. It takes a coding that does not end in "chunked" for
// none, and would read the body as the next request.
bool HasUnknownLength(const Parser& parser) {
  return parser.get().count(http::field::transfer_encoding) > 0 && !parser.chunked();
}

// Says whether the first line ends as a request line does, in some version of HTTP. The parser's error stands for both.
bool HasVersion(absl::string_view input) {
  constexpr absl::string_view kForm = " HTTP/d.d\r\n";
  const absl::string_view line = input.substr(0, input.find('\n') + 1);
  if (line.size() < kForm.size()) return false;
  const absl::string_view end = line.substr(line.size() - kForm.size());
  return std::equal(end.begin(), end.end(), kForm.begin(), [](char c, char form) {
    return form == 'd' ? absl::ascii_isdigit(static_cast<unsigned char>(c)) : c == form;
  });
}

bool AwaitsContinue(const Parser& parser) {
  return parser.get().version() >= 11 && !parser.is_done() &&
         absl::EqualsIgnoreCase(ToView(parser.get()[http::field::expect]), "100-continue");
}

}  // namespace

struct HttpConversation::State {
  explicit State(HttpLimits l) : limits(l) {}

  const HttpLimits limits;
  std::string input;  // what has been added and not been taken
  // How far the header in `input` was searched, and whether that is in the request line, and in an empty line.
  size_t searched = 0;
  bool in_request_line = true, in_empty_line = false;
  std::optional<Parser> parser;  // of a request whose header is whole
  size_t body_bytes = 0;         // that it was given
  HttpRequest request;
  std::optional<HttpAnswer> refusal;

  Step Refuse(int status, absl::string_view why) {
    refusal = TextAnswer(status, absl::StrCat(why, "\n"));
    return Step::kRefused;
  }
  Step RefuseBody() { return Refuse(413, absl::StrCat("the body is larger than ", limits.body_bytes, " bytes")); }
  Step RefuseHeader(const error_code& error) {
    if (error == http::error::bad_version && HasVersion(input)) return Refuse(505, "expected HTTP/1.0 or HTTP/1.1");
    return Refuse(400, absl::StrCat("no HTTP request: ", error.message()));
  }
  void Take(size_t bytes) { input.erase(0, bytes); }

  Step SearchHeader();
  Step ParseHeader();
  Step ParseBody();
};

HttpConversation::Step HttpConversation::State::SearchHeader() {
  if (searched == 0) {
    // Empty lines before a request count for nothing (RFC 9112, 2.2).
    size_t empty = 0;
    while (input.compare(empty, 2, "\r\n") == 0) empty += 2;
    Take(empty);
    if (input == "\r") return Step::kMore;
    request = {};
    in_request_line = true;
    in_empty_line = false;
  }
  for (; searched < input.size(); ++searched) {
    if (searched == limits.header_bytes) {
      return Refuse(431, absl::StrCat("the header is larger than ", limits.header_bytes, " bytes"));
    }
    const auto c = static_cast<unsigned char>(input[searched]);
    if (c == '\n') {
      if (in_empty_line) {
        ++searched;
        return ParseHeader();
      }
      in_empty_line = true;
      in_request_line = false;
    } else if (c != '\r') {
      in_empty_line = false;
      if (in_request_line && (c < ' ' || c > '~')) return Refuse(400, "no HTTP request: expected a request line");
    }
  }
  return Step::kMore;
}

// The header is the first `searched` bytes.
HttpConversation::Step HttpConversation::State::ParseHeader() {
  const size_t size = std::exchange(searched, 0);
  Parser& p = parser.emplace();
  p.eager(false);
  p.header_limit(static_cast<uint32_t>(size + 1));     // never reached
  p.body_limit(std::numeric_limits<uint64_t>::max());  // ours is exact
  size_t taken = 0;
  error_code error;
  // Without eager() the parser stops between a header's parts.
  while (!error && !p.is_header_done() && taken < size) {
    const size_t n = p.put(asio::const_buffer(input.data() + taken, size - taken), error);
    if (n == 0) break;
    taken += n;
  }
  request.method = std::string(ToView(p.get().method_string()));
  // A line that looks like a header's end to the search and not to the parser is a line that ends in the wrong way.
  if (error && error != http::error::need_more) return RefuseHeader(error);
  if (!p.is_header_done() || taken != size) return Refuse(400, "no HTTP request: expected lines that end in CR LF");
  if (HasUnknownLength(p)) return Refuse(400, "Transfer-Encoding: expected chunked");
  if (p.content_length().value_or(0) > limits.body_bytes) return RefuseBody();
  request.target = std::string(ToView(p.get().target()));
  request.is_http10 = p.get().version() < 11;
  request.keep_alive = p.keep_alive();
  Take(size);
  body_bytes = 0;
  p.eager(true);
  p.body_limit(boost::none);  // the parser would count a chunk once for each piece that its header comes in
  return AwaitsContinue(p) ? Step::kContinue : ParseBody();
}

HttpConversation::Step HttpConversation::State::ParseBody() {
  while (!parser->is_done()) {
    const size_t window = std::min({input.size(), limits.body_bytes - body_bytes, kWindow});
    error_code error = http::error::need_more;
    const size_t taken = window == 0 ? 0 : parser->put(asio::const_buffer(input.data(), window), error);
    if (error && error != http::error::need_more) return Refuse(400, absl::StrCat("the body: ", error.message()));
    if (taken == 0) return window < input.size() ? RefuseBody() : Step::kMore;
    Take(taken);
    body_bytes += taken;
  }
  parser.reset();
  return Step::kRequest;
}

HttpConversation::HttpConversation(HttpLimits limits) : state_(std::make_unique<State>(limits)) {}
HttpConversation::~HttpConversation() = default;

void HttpConversation::Add(absl::string_view bytes) {
  state_->input.append(bytes.data(), bytes.size());
}

HttpConversation::Step HttpConversation::Next() {
  if (state_->refusal.has_value()) return Step::kRefused;
  return state_->parser.has_value() ? state_->ParseBody() : state_->SearchHeader();
}

bool HttpConversation::has_begun() const {
  return state_->parser.has_value() || !state_->input.empty();
}

const HttpRequest& HttpConversation::request() const {
  return state_->request;
}

const HttpAnswer& HttpConversation::refusal() const {
  return *state_->refusal;
}

std::string HttpConversation::Header(const HttpAnswer& answer, bool keep_alive) const {
  const auto reason = ToView(http::obsolete_reason(static_cast<http::status>(answer.status)));
  std::string header = absl::StrCat("HTTP/1.1 ", answer.status, " ", reason, "\r\nContent-Type: ", answer.type,
                                    "\r\nContent-Length: ", answer.body == nullptr ? 0 : answer.body->size(), "\r\n");
  if (answer.allow != nullptr) absl::StrAppend(&header, "Allow: ", answer.allow, "\r\n");
  if (!keep_alive) absl::StrAppend(&header, "Connection: close\r\n");
  if (keep_alive && state_->request.is_http10) absl::StrAppend(&header, "Connection: keep-alive\r\n");
  header += "\r\n";
  return header;
}

std::shared_ptr<const std::string> HttpConversation::Body(const HttpAnswer& answer) const {
  return state_->request.method == "HEAD" ? nullptr : answer.body;
}

}  // namespace resnetd::server
