#include "server/edge/exchange.h"

#include <google/protobuf/io/zero_copy_stream.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/edge/error.h"
#include "tests/support/fake_model.h"

namespace resnetd::server {
namespace {

class NoBytes final : public RequestBytes {
 public:
  size_t size() const override { return 1; }
  std::unique_ptr<google::protobuf::io::ZeroCopyInputStream> Open() override { return nullptr; }
};

constexpr scheduling::ModelKey kKey{1};

// Decodes everything to the same.
class FixedCodec final : public Codec {
 public:
  enum class As { kError, kAnswer, kImage, kTwoImages, kAnImageAndAnError };
  FixedCodec(As as, Metrics& metrics, bool images_fail_alone = true)
      : as_(as), metrics_(metrics), images_fail_alone_(images_fail_alone) {}

  absl::StatusOr<Decoded> Decode(RequestBytes&) const override {
    if (as_ == As::kError) return absl::InvalidArgumentError("malformed");
    if (as_ == As::kAnswer) return std::string("an answer");
    ImageRequest request;
    request.served.model = FakeModel();
    request.served.key = kKey;
    request.served.metrics = &metrics_.ModelLoaded(*request.served.model, std::chrono::seconds(1));
    request.classify = ClassifyOptions();
    request.images.push_back(CheckedImage());
    if (as_ == As::kTwoImages) request.images.push_back(CheckedImage());
    if (as_ == As::kAnImageAndAnError) request.images.push_back(absl::InvalidArgumentError("images[1]"));
    return request;
  }
  bool images_fail_alone() const override { return images_fail_alone_; }
  std::string Encode(const ImageRequest& request, absl::Span<const ImageAnswer> answers) const override {
    std::string text = "computed";
    if (request.principal != PrincipalId::kAnonymous)
      text += " for " + std::to_string(static_cast<int>(request.principal));
    for (const ImageAnswer& answer : answers) text += answer.status.ok() ? "" : ", but one";
    return text;
  }
  std::string FieldOf(SourceKind, size_t) const override { return "images[0]"; }
  std::string EncodeError(const absl::Status&) const override { return "error"; }

 private:
  const As as_;
  Metrics& metrics_;
  const bool images_fail_alone_;
};

// A call whose OnDone() comes while Answered() still runs: what held it is gone, but for the exchange.
class Owner final : public ExchangeOwner {
 public:
  struct Seen {
    std::atomic<int> answered = 0;
    std::atomic<bool> alive_when_told = false, gone = false;
    absl::StatusOr<std::string> reply;
  };
  explicit Owner(Seen& seen) : seen_(seen) {}
  ~Owner() override { seen_.gone = true; }

  void Hold(std::shared_ptr<Owner> self) { held_ = std::move(self); }
  void Answered(Exchange& exchange) override {
    std::thread([this] { std::exchange(held_, nullptr).reset(); }).join();
    seen_.alive_when_told = !seen_.gone;
    seen_.reply = exchange.reply();
    ++seen_.answered;
  }

 private:
  Seen& seen_;
  std::shared_ptr<Owner> held_;
};

struct Case {
  const char* what;
  FixedCodec::As as;
  bool refuse;
  absl::StatusCode code;
  const char* reply;
};

TEST(ExchangeTest, HoldsItsOwnerUntilItHasToldIt) {
  for (const Case& c :
       {Case{"refused", FixedCodec::As::kAnswer, true, absl::StatusCode::kUnavailable, ""},
        Case{"malformed", FixedCodec::As::kError, false, absl::StatusCode::kInvalidArgument, ""},
        Case{"nothing to compute", FixedCodec::As::kAnswer, false, absl::StatusCode::kOk, "an answer"},
        Case{"computed by a worker", FixedCodec::As::kImage, false, absl::StatusCode::kOk, "computed"}}) {
    SCOPED_TRACE(c.what);
    Gate gate(1, 1);
    Metrics metrics;
    const FixedCodec codec(c.as, metrics);
    scheduling::Scheduler scheduler(
        {}, [](int, const scheduling::Dispatch&, std::vector<std::unique_ptr<scheduling::Job>> jobs) {
          const std::vector<float> logits(10, 0.5f);
          for (const auto& job : jobs) {
            static_cast<ImageJob&>(*job).OnComputed([&](OutputId) -> absl::Span<const float> { return logits; }, {});
          }
        });
    scheduler.AddModel(kKey, FakeCosts());

    Owner::Seen seen;
    auto owner = std::make_shared<Owner>(seen);
    owner->Hold(owner);
    const RejectionCounters rejections(metrics);
    Patience patience({Duration(0), Duration(0)}, nullptr);
    auto exchange = std::make_shared<Exchange>(Services{gate, scheduler, metrics, rejections, 1, patience}, codec,
                                               Arrival{.at = Now()}, std::move(owner));
    NoBytes bytes;
    if (c.refuse) {
      exchange->Refuse(absl::UnavailableError("closed"));
    } else if (exchange->Start(bytes)) {
      EXPECT_TRUE(exchange->Submit(true));
    }
    while (!seen.gone) absl::SleepFor(absl::Milliseconds(1));  // a worker ends it
    EXPECT_EQ(seen.answered, 1);
    EXPECT_TRUE(seen.alive_when_told);
    EXPECT_EQ(seen.reply.status().code(), c.code);
    EXPECT_EQ(seen.reply.value_or(""), c.reply);
    EXPECT_GT(gate.bytes(), 0u) << "of the answer, which the call has not sent";
    exchange.reset();
    while (gate.bytes() > 0) absl::SleepFor(absl::Milliseconds(1));  // a worker may still hold the job
  }
}

// Runs a request of the codec's to its end on a worker that fails every second image it computes.
absl::StatusOr<std::string> AnswerOf(const FixedCodec& codec, Metrics& metrics, const Arrival& arrival, int* computed,
                                     const absl::Status& failure = absl::InvalidArgumentError("bad")) {
  Gate gate(1, 1);
  const RejectionCounters rejections(metrics);
  Patience patience({Duration(0), Duration(0)}, nullptr);
  std::atomic<int> images{0};
  scheduling::Scheduler scheduler(
      {}, [&](int, const scheduling::Dispatch&, std::vector<std::unique_ptr<scheduling::Job>> jobs) {
        const std::vector<float> logits(10, 0.5f);
        for (const auto& job : jobs) {
          if (images++ % 2 == 0) {
            static_cast<ImageJob&>(*job).OnComputed([&](OutputId) -> absl::Span<const float> { return logits; }, {});
          } else {
            static_cast<ImageJob&>(*job).OnFailed(failure, {});
          }
        }
      });
  scheduler.AddModel(kKey, FakeCosts());
  Owner::Seen seen;
  auto owner = std::make_shared<Owner>(seen);
  owner->Hold(owner);
  auto exchange = std::make_shared<Exchange>(Services{gate, scheduler, metrics, rejections, 1, patience}, codec,
                                             arrival, std::move(owner));
  NoBytes bytes;
  if (exchange->Start(bytes)) exchange->Submit(true);
  while (!seen.gone) absl::SleepFor(absl::Milliseconds(1));  // a worker ends it
  *computed = images;
  return seen.reply;
}

TEST(ExchangeTest, ImagesFailAloneWhereTheProtocolHasAPlaceForTheirErrors) {
  Metrics metrics;
  int computed = 0;
  const auto run = [&](FixedCodec::As as, bool alone) {
    return AnswerOf(FixedCodec(as, metrics, alone), metrics, {.at = Now()}, &computed);
  };
  EXPECT_EQ(run(FixedCodec::As::kTwoImages, true).value(), "computed, but one");
  EXPECT_EQ(run(FixedCodec::As::kAnImageAndAnError, true).value(), "computed, but one");
  EXPECT_EQ(computed, 1);

  const absl::Status bad = run(FixedCodec::As::kTwoImages, false).status();
  EXPECT_EQ(bad.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(bad.message(), "images[0]: bad") << "the codec's path of the image";
  EXPECT_EQ(run(FixedCodec::As::kAnImageAndAnError, false).status().message(), "images[1]");
  EXPECT_EQ(computed, 0) << "the other image would have been computed in vain";
}

TEST(ExchangeTest, WantOfMemoryIsNoDefectOfTheEngine) {
  Metrics metrics;
  int computed = 0;
  const auto reason_of = [&](const absl::Status& failure) {
    const FixedCodec codec(FixedCodec::As::kTwoImages, metrics, false);
    const absl::Status status = AnswerOf(codec, metrics, {.at = Now()}, &computed, failure).status();
    EXPECT_EQ(status.code(), failure.code());
    google::rpc::Status proto;
    ToProto(status, proto);
    google::rpc::ErrorInfo info;
    EXPECT_TRUE(proto.details_size() == 1 && proto.details(0).UnpackTo(&info));
    return info.reason();
  };
  EXPECT_EQ(reason_of(absl::ResourceExhaustedError("not enough memory to decode the image")), "OUT_OF_MEMORY");
  EXPECT_EQ(reason_of(absl::InternalError("broken")), "ENGINE");
}

TEST(ExchangeTest, ThePrincipalTravelsWithTheRequest) {
  Metrics metrics;
  int computed = 0;
  const FixedCodec codec(FixedCodec::As::kImage, metrics);
  EXPECT_EQ(AnswerOf(codec, metrics, {.at = Now(), .principal = PrincipalId{7}}, &computed).value(), "computed for 7");
}

}  // namespace
}  // namespace resnetd::server
