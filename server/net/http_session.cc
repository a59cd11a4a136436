#include "server/net/http_session.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace resnetd::server {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

HttpSession::HttpSession(tcp::socket socket, const HttpPatience& patience, Owner& owner)
    : socket_(std::move(socket)), timer_(socket_.get_executor()), patience_(patience), owner_(owner) {}

template <typename Function>
void HttpSession::Guard(Function function) noexcept {
  try {
    if (!ended_) function();
  } catch (...) {
    End(Why::kFailed);
  }
}

void HttpSession::Start() {
  Guard([this] {
    error_code ignored;  // the client may have gone already
    socket_.set_option(tcp::no_delay(true), ignored);
    Enter(Phase::kReceives, patience_.request);
    Read();
  });
}

void HttpSession::End(Why why) noexcept {
  if (std::exchange(ended_, true)) return;
  const auto self = shared_from_this();
  owner_.Ended(*this, why);  // first: whoever sees the end finds it counted
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

void HttpSession::Enter(Phase phase, Duration patience) {
  phase_ = phase;
  since_ = Now();
  Expire(patience);
}

void HttpSession::Expire(Duration patience) {
  deadline_ = Now() + patience;
  timer_.expires_at(deadline_);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    // It may have been due, and be set anew before it was called.
    if (!error && Now() >= self->deadline_) self->End(Why::kTimedOut);
  });
}

void HttpSession::Read() {
  socket_.async_read_some(asio::buffer(input_), [self = shared_from_this()](const error_code& error, size_t bytes) {
    if (error) return self->End(Why::kClientLeft);
    self->Guard([&] { self->Received(bytes); });
  });
}

void HttpSession::Received(size_t bytes) {
  if (closing_) return Read();
  if (std::exchange(between_, false)) Expire(patience_.request);
  conversation_.Add({input_, bytes});
  Advance();
}

void HttpSession::Advance() {
  switch (conversation_.Next()) {
    case HttpConversation::Step::kMore:
      return Read();
    case HttpConversation::Step::kContinue:
      return Continue();
    case HttpConversation::Step::kRequest:
      Enter(Phase::kAnswers, patience_.page);
      awaits_answer_ = true;
      return owner_.Answer(conversation_.request(), shared_from_this());
    case HttpConversation::Step::kRefused:
      Enter(Phase::kAnswers, patience_.answer);
      return Write(conversation_.refusal());
  }
}

void HttpSession::Continue() {
  asio::async_write(socket_, asio::buffer(kHttpContinue, sizeof kHttpContinue - 1),
                    [self = shared_from_this()](const error_code& error, size_t /*bytes*/) {
                      if (error) return self->End(Why::kClientLeft);
                      self->Guard([&] { self->Advance(); });
                    });
}

void HttpSession::Send(HttpAnswer answer) {
  Guard([&] {
    if (!std::exchange(awaits_answer_, false)) return;
    keep_alive_ = conversation_.request().keep_alive;
    Expire(patience_.answer);
    Write(std::move(answer));
  });
}

void HttpSession::Write(HttpAnswer answer) {
  header_ = conversation_.Header(answer, keep_alive_);
  body_ = conversation_.Body(answer);
  const std::array<asio::const_buffer, 2> buffers = {asio::buffer(header_),
                                                     body_ == nullptr ? asio::const_buffer() : asio::buffer(*body_)};
  asio::async_write(socket_, buffers, [self = shared_from_this()](const error_code& error, size_t /*bytes*/) {
    if (error) return self->End(Why::kClientLeft);
    self->Guard([&] { self->Written(); });
  });
}

void HttpSession::Written() {
  body_.reset();
  if (!std::exchange(keep_alive_, false)) return Close();
  between_ = !conversation_.has_begun();
  Enter(Phase::kReceives, between_ ? patience_.next_request : patience_.request);
  Advance();
}

void HttpSession::Close() {
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  closing_ = true;
  Enter(Phase::kReceives, patience_.close);
  Read();
}

}  // namespace resnetd::server
