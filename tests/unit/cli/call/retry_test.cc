// Tests what a failure means and when there is another try, at times of the tests' own.
#include "cli/call/retry.h"

#include <chrono>
#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace resnetd::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using Code = grpc::StatusCode;

CallError Error(Code code, const std::string& reason = "", const std::string& field = "") {
  CallError error;
  error.code = code;
  error.reason = reason;
  if (!field.empty()) error.violations.push_back({field, "expected something else"});
  return error;
}

TEST(RemedyTest, OfACall) {
  struct Case {
    CallError error;
    Remedy of_one, of_several;
  };
  for (const Case& c : {
           Case{Error(Code::RESOURCE_EXHAUSTED, "QUEUE_TIME"), Remedy::kRetry, Remedy::kRetry},
           Case{Error(Code::RESOURCE_EXHAUSTED), Remedy::kRetry, Remedy::kRetry},
           Case{Error(Code::RESOURCE_EXHAUSTED, "QUEUE_BYTES"), Remedy::kRetry, Remedy::kSplitLater},
           Case{Error(Code::RESOURCE_EXHAUSTED, "DEADLINE"), Remedy::kRetry, Remedy::kSplitLater},
           Case{Error(Code::RESOURCE_EXHAUSTED, "MESSAGE_SIZE"), Remedy::kImage, Remedy::kSplit},
           Case{Error(Code::RESOURCE_EXHAUSTED, "REQUEST_SIZE"), Remedy::kImage, Remedy::kSplit},
           Case{Error(Code::UNAVAILABLE, "DRAINING"), Remedy::kRetry, Remedy::kRetry},
           Case{Error(Code::UNAVAILABLE), Remedy::kRetry, Remedy::kRetry},
           Case{Error(Code::CANCELLED), Remedy::kRetry, Remedy::kRetry},
           Case{Error(Code::ABORTED), Remedy::kRetry, Remedy::kRetry},
           Case{Error(Code::UNKNOWN), Remedy::kRetry, Remedy::kRetry},
           Case{Error(Code::DEADLINE_EXCEEDED), Remedy::kRetry, Remedy::kSplitLater},
           Case{Error(Code::INTERNAL), Remedy::kRetry, Remedy::kRetry},
           Case{Error(Code::INTERNAL, "ENGINE"), Remedy::kImage, Remedy::kSplit},
           Case{Error(Code::INVALID_ARGUMENT, "BAD_IMAGE"), Remedy::kImage, Remedy::kSplit},
           Case{Error(Code::INVALID_ARGUMENT, "INVALID_FIELD", "images[0].encoded"), Remedy::kImage, Remedy::kSplit},
           Case{Error(Code::INVALID_ARGUMENT, "INVALID_FIELD", "options.head"), Remedy::kGiveUp, Remedy::kSplit},
           Case{Error(Code::NOT_FOUND), Remedy::kGiveUp, Remedy::kGiveUp},
           Case{Error(Code::FAILED_PRECONDITION), Remedy::kGiveUp, Remedy::kGiveUp},
           Case{Error(Code::UNIMPLEMENTED), Remedy::kGiveUp, Remedy::kGiveUp},
           Case{Error(Code::PERMISSION_DENIED), Remedy::kGiveUp, Remedy::kGiveUp},
           Case{Error(Code::UNAUTHENTICATED), Remedy::kGiveUp, Remedy::kGiveUp},
       }) {
    SCOPED_TRACE(CodeName(c.error.code) + " " + c.error.reason);
    EXPECT_EQ(RemedyOf(c.error, 1), c.of_one);
    EXPECT_EQ(RemedyOf(c.error, 8), c.of_several);
  }
}

TEST(RemedyTest, OfAnImage) {
  for (const Code code : {Code::UNAVAILABLE, Code::DEADLINE_EXCEEDED, Code::CANCELLED, Code::RESOURCE_EXHAUSTED}) {
    EXPECT_EQ(RemedyOfImage(Error(code)), Remedy::kRetry) << code;
  }
  EXPECT_EQ(RemedyOfImage(Error(Code::INVALID_ARGUMENT)), Remedy::kImage);
  EXPECT_EQ(RemedyOfImage(Error(Code::INTERNAL)), Remedy::kImage);
}

TEST(RemedyTest, AnImageIsBadOnlyByItself) {
  EXPECT_TRUE(ImageIsBad(Error(Code::INVALID_ARGUMENT)));
  EXPECT_TRUE(ImageIsBad(Error(Code::NOT_FOUND)));  // the file
  EXPECT_TRUE(ImageIsBad(Error(Code::RESOURCE_EXHAUSTED, "MESSAGE_SIZE")));
  EXPECT_TRUE(ImageIsBad(Error(Code::RESOURCE_EXHAUSTED, "REQUEST_SIZE")));
  EXPECT_FALSE(ImageIsBad(Error(Code::INTERNAL, "ENGINE")));
  EXPECT_FALSE(ImageIsBad(Error(Code::RESOURCE_EXHAUSTED, "QUEUE_TIME")));
}

class PatienceTest : public testing::Test {
 protected:
  static constexpr Time kStart{std::chrono::hours(1)};

  // A server answered once.
  static Patience Begun(double patience_seconds, double deadline_seconds = 0) {
    Patience patience({.deadline_seconds = deadline_seconds, .patience_seconds = patience_seconds}, kStart);
    patience.Answered(kStart);
    return patience;
  }
  static Failure Gone() { return {Error(Code::UNAVAILABLE), std::nullopt}; }
  static Failure Busy(milliseconds pushback) { return {Error(Code::RESOURCE_EXHAUSTED), pushback}; }
};

TEST_F(PatienceTest, WaitsAsLongAsTheServerAsksAndALittleMore) {
  Patience patience = Begun(1);
  for (const milliseconds pushback : {milliseconds(100), milliseconds(3000)}) {
    const auto next = patience.NextTry(Busy(pushback), 0, kStart);
    ASSERT_TRUE(next);
    EXPECT_THAT(*next - kStart, AllOf(Ge(pushback), Le(pushback + pushback / 4))) << pushback.count();
  }
}

// A caller that is asked back soon, and is refused again, comes back later.
TEST_F(PatienceTest, DelaysGrowUpToTwoSeconds) {
  Patience patience = Begun(1);
  const auto delay = [&](const Failure& failure, int tries) {
    return *patience.NextTry(failure, tries, kStart) - kStart;
  };
  EXPECT_THAT(delay(Gone(), 0), AllOf(Ge(milliseconds(20)), Le(milliseconds(25))));
  EXPECT_THAT(delay(Busy(milliseconds(5)), 3), AllOf(Ge(milliseconds(160)), Le(milliseconds(200))));
  EXPECT_THAT(delay(Gone(), 1000), AllOf(Ge(seconds(2)), Le(milliseconds(2500))));
}

TEST_F(PatienceTest, ABusyServerIsWaitedForWithoutEnd) {
  Patience patience({.patience_seconds = 1}, kStart);
  for (int s = 0; s < 10000; ++s) ASSERT_TRUE(patience.NextTry(Busy(seconds(1)), s, kStart + seconds(s)));
  EXPECT_FALSE(patience.interrupted());
}

TEST_F(PatienceTest, OneThatIsAwayForAWhileFromTheFirstFailureSinceAnAnswer) {
  Patience patience = Begun(60);
  // Nothing failed for long: that is not counted.
  EXPECT_TRUE(patience.NextTry(Gone(), 0, kStart + seconds(1000)));
  EXPECT_TRUE(patience.interrupted());
  EXPECT_TRUE(patience.NextTry(Gone(), 1, kStart + seconds(1059)));
  patience.Answered(kStart + seconds(1059));
  EXPECT_TRUE(patience.NextTry(Gone(), 0, kStart + seconds(1060)));
  EXPECT_TRUE(patience.NextTry(Gone(), 1, kStart + seconds(1119)));
  EXPECT_FALSE(patience.NextTry(Gone(), 2, kStart + seconds(1120)));
  EXPECT_EQ(patience.why(), "nothing was answered for 60 s (--patience)");
}

// With a timeout that no answer keeps there is no progress, however busy the server says that it is in between.
TEST_F(PatienceTest, CallsThatHaveTooLittleTimeAreCountedThroughRefusals) {
  const Failure timed_out{Error(Code::DEADLINE_EXCEEDED), std::nullopt};
  const Failure refused{Error(Code::RESOURCE_EXHAUSTED, "DEADLINE"), milliseconds(100)};
  for (const Failure& late : {timed_out, refused}) {
    SCOPED_TRACE(late.error.code);
    Patience patience({.timeout_seconds = 0.02, .patience_seconds = 60}, kStart);
    patience.Answered(kStart);
    for (int s = 0; s < 60; ++s) {
      ASSERT_TRUE(patience.NextTry(late, s, kStart + seconds(s)));
      ASSERT_TRUE(patience.NextTry(Busy(seconds(1)), s, kStart + seconds(s)));
    }
    EXPECT_TRUE(patience.NextTry(Busy(seconds(1)), 0, kStart + seconds(100))) << "there, and busy with others";
    EXPECT_FALSE(patience.NextTry(late, 0, kStart + seconds(100)));
    EXPECT_EQ(
        patience.why(),
        "nothing was answered for 60 s (--patience); a call had 0.02 s: raise --timeout if the server needs longer");
    patience.Answered(kStart + seconds(100));
    EXPECT_TRUE(patience.NextTry(late, 0, kStart + seconds(101)));
  }
  // Beside other failures the first of all counts.
  Patience patience = Begun(60);
  EXPECT_TRUE(patience.NextTry(Gone(), 0, kStart));
  EXPECT_TRUE(patience.NextTry(timed_out, 1, kStart + seconds(59)));
  EXPECT_FALSE(patience.NextTry(timed_out, 2, kStart + seconds(60)));
}

TEST_F(PatienceTest, WithoutPatienceThereIsNoOtherTry) {
  EXPECT_FALSE(Begun(0).NextTry(Gone(), 0, kStart));
}

// Most likely a wrong address. A call that was sent and timed out is another matter, and so is a server that says no.
TEST_F(PatienceTest, WhereNobodyEverAnsweredNothingIsWaitedFor) {
  Patience patience({.patience_seconds = 60}, kStart);
  EXPECT_TRUE(patience.NextTry({Error(Code::DEADLINE_EXCEEDED), std::nullopt}, 0, kStart));
  EXPECT_FALSE(patience.NextTry(Gone(), 0, kStart));
  EXPECT_EQ(patience.why(), "no server has answered there");
  EXPECT_TRUE(patience.NextTry({Error(Code::UNAVAILABLE, "MODEL_NOT_READY"), std::nullopt}, 0, kStart));
  EXPECT_TRUE(patience.NextTry(Gone(), 0, kStart));
}

// A server that has nothing else to do first says this.
TEST_F(PatienceTest, ARefusalToComeBackAtOnceIsNoSignOfAWayOut) {
  Patience patience({.patience_seconds = 60}, kStart);
  EXPECT_TRUE(patience.NextTry(Busy(milliseconds(1)), 0, kStart));
  EXPECT_FALSE(patience.NextTry(Busy(milliseconds(1)), 1, kStart + seconds(60)));
}

TEST_F(PatienceTest, NothingIsTriedBehindTheDeadline) {
  Patience patience = Begun(60, 10);
  EXPECT_TRUE(patience.NextTry(Busy(seconds(1)), 0, kStart + seconds(8)));
  EXPECT_FALSE(patience.NextTry(Busy(seconds(1)), 0, kStart + seconds(9)));
  EXPECT_THAT(patience.why(), HasSubstr("the 10 s of --deadline are over"));
}

TEST_F(PatienceTest, ANegativePushbackIsObeyed) {
  Patience patience = Begun(60);
  EXPECT_FALSE(patience.NextTry(Busy(milliseconds(-1)), 0, kStart));
  EXPECT_THAT(patience.why(), HasSubstr("not to try again"));
}

TEST_F(PatienceTest, NotesAreFew) {
  Patience patience({}, kStart);
  EXPECT_FALSE(patience.NoteIsDue(kStart + seconds(4)));
  EXPECT_TRUE(patience.NoteIsDue(kStart + seconds(6)));
  EXPECT_FALSE(patience.NoteIsDue(kStart + seconds(30)));
  EXPECT_TRUE(patience.NoteIsDue(kStart + seconds(37)));
  patience.Answered(kStart + seconds(80));
  EXPECT_FALSE(patience.NoteIsDue(kStart + seconds(82)));
}

TEST_F(PatienceTest, ACallEndsWithTheRun) {
  const auto left = [](const Patience& patience, Time now) {
    grpc::ClientContext call;
    patience.SetDeadlineOf(call, now);
    return call.deadline() - std::chrono::system_clock::now();
  };
  EXPECT_THAT(left(Patience({.timeout_seconds = 300}, kStart), kStart), AllOf(Ge(seconds(200)), Le(seconds(300))));
  const Patience patience({.timeout_seconds = 300, .deadline_seconds = 400}, kStart);
  EXPECT_THAT(left(patience, kStart + seconds(50)), AllOf(Ge(seconds(200)), Le(seconds(300))));
  EXPECT_THAT(left(patience, kStart + seconds(350)), Le(seconds(50)));
}

}  // namespace
}  // namespace resnetd::cli
