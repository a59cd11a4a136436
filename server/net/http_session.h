#ifndef RESNETD_SERVER_NET_HTTP_SESSION_H_
#define RESNETD_SERVER_NET_HTTP_SESSION_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "base/time.h"
#include "server/net/http_conversation.h"
#include "server/net/http_message.h"
#include "server/net/http_server.h"

namespace resnetd::server {

// One client's connection, from its first byte until either side has enough of it. Reads a request, has it answered,
// sends the answer, and only then reads on. All of it happens on the port's thread; what is thrown meanwhile ends this
// session and no other.
class HttpSession final : public HttpReply, public std::enable_shared_from_this<HttpSession> {
 public:
  // The phases: it waits for a whole request, or the request has come and is answered.
  enum class Phase { kReceives, kAnswers };
  enum class Why { kClientLeft, kMadeRoom, kTimedOut, kFailed };

  // Somebody who holds the sessions.
  class Owner {
   public:
    virtual void Ended(HttpSession& session, Why why) = 0;  // it is let go
    virtual void Answer(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) = 0;

   protected:
    ~Owner() = default;
  };

  // `owner` and `patience` live longer.
  HttpSession(boost::asio::ip::tcp::socket socket, const HttpPatience& patience, Owner& owner);

  void Start();
  // Closes the connection and tells the owner, once.
  void End(Why why) noexcept;
  void Send(HttpAnswer answer) override;

  Phase phase() const { return phase_; }
  Time since() const { return since_; }  // when it came into this phase

 private:
  // Calls the function; what it throws is the end.
  template <typename Function>
  void Guard(Function function) noexcept;
  void Enter(Phase phase, Duration patience);
  void Expire(Duration patience);
  void Read();
  void Received(size_t bytes);
  void Advance();
  void Continue();
  void Write(HttpAnswer answer);
  void Written();
  void Close();

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  const HttpPatience& patience_;
  Owner& owner_;
  HttpConversation conversation_;
  Phase phase_ = Phase::kReceives;
  Time since_, deadline_;
  bool ended_ = false;
  bool awaits_answer_ = false;  // the owner's
  bool between_ = false;        // requests: one was answered, and no byte of the next has come
  bool keep_alive_ = false;     // after the answer that is being sent
  bool closing_ = false;        // all has been said, and what comes is passed over
  char input_[4096];
  std::string header_;                       // that is being sent
  std::shared_ptr<const std::string> body_;  // likewise
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_HTTP_SESSION_H_
