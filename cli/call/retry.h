#ifndef RESNETD_CLI_CALL_RETRY_H_
#define RESNETD_CLI_CALL_RETRY_H_

#include <chrono>
#include <optional>
#include <random>
#include <string>

#include "base/time.h"
#include "cli/error.h"
#include "grpcpp/client_context.h"

// The meaning of a failed call of a bulk command, and the time of the next try.
namespace resnetd::cli {

// A call's error, or an image's, with what the server says of another try.
struct Failure {
  CallError error;
  // The trailer grpc-retry-pushback-ms: how long to wait. Negative, as gRPC has it: not to try again.
  std::optional<std::chrono::milliseconds> pushback;
};

// Reads the failure of a call that has ended.
Failure FailureOf(const grpc::Status& status, const grpc::ClientContext& context);

enum class Remedy {
  kRetry,       // the same again later
  kSplitLater,  // later, in smaller requests: it may be the size that the server has no room or no time for
  kSplit,       // at once in smaller requests: of this size never
  kImage,       // it is the outcome of the image
  kGiveUp,      // whatever is sent, it will fail like this
};

// Decides about a call of so many images that failed. There is nothing to split in one image.
Remedy RemedyOf(const CallError& error, int images);
// Decides about an image that failed in a call that did not: kRetry or kImage.
Remedy RemedyOfImage(const CallError& error);
// Whether the image alone is to blame: the file cannot be read, is no image, or is more than the server takes.
bool ImageIsBad(const CallError& error);

// How long a command goes on. Refusals with a pushback come from a server that is there and busy: they are waited for
// until the deadline. Other failures are put up with for a while, counted from the first since an answer or such a
// refusal. Calls whose time was too short are counted from the first since an answer, whatever is refused in between:
// the server may be busy with such calls and nothing else. Where nobody has ever answered the address is most likely
// wrong, and nothing is waited for. One thread.
class Patience {
 public:
  struct Limits {
    double timeout_seconds = 30;   // of a call
    double deadline_seconds = 0;   // of the whole command, from `start`; 0: none
    double patience_seconds = 60;  // without an answer
  };

  explicit Patience(const Limits& limits, Time start = Now());

  // Gives a call that starts now its deadline.
  void SetDeadlineOf(grpc::ClientContext& call, Time now = Now()) const;
  void Answered(Time now = Now());
  // When to send again what has failed `tries` times in a row, last with `failure`; nullopt: no more, see why().
  std::optional<Time> NextTry(const Failure& failure, int tries, Time now = Now());
  // Why NextTry() said no: "nothing was answered for 60 s (--patience)".
  const std::string& why() const { return why_; }
  // Whether the server has answered anything, were it a refusal.
  bool heard() const { return heard_; }
  // Whether it is time to tell a person that something is tried again and again. Saying yes, it is not for a while.
  bool NoteIsDue(Time now = Now());
  // A failure so far may have been the end of a server, in whose place there may be another.
  bool interrupted() const { return interrupted_; }

 private:
  const Limits limits_;
  const Time end_;                                               // max(): never
  Time failing_since_ = Time::max(), late_since_ = Time::max();  // max(): not so
  Time last_answer_, last_note_;
  bool heard_ = false;  // anything from the server
  bool interrupted_ = false;
  std::string why_;
  std::minstd_rand random_;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_CALL_RETRY_H_
