// Tests how classify, embed and evaluate get on with a server that is busy, restarted, strict or gone.
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/inputs.h"
#include "cli/print/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/cli_fake_server.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Not;
using Code = grpc::StatusCode;

constexpr int kImages = 40;

// Returns when the client has ended the call. gRPC tells a synchronous handler of that only when it is asked.
void WaitUntilGone(const grpc::ServerContext& call) {
  while (!call.IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

class BulkTest : public CommandsTest {
 protected:
  BulkTest() {
    fs::create_directories(images());
    std::string list;
    for (int i = 0; i < kImages; ++i) {
      File(absl::StrCat("images/", 100 + i, ".png"), absl::StrCat("ok ", i));
      absl::StrAppend(&list, "images/", 100 + i, ".png ", i % 10, "\n");
    }
    list_ = File("list.txt", list);
  }

  std::string images() const { return (folder_ / "images").string(); }
  std::string npy() const { return (folder_ / "out.npy").string(); }

  // Image i's embedding begins with i.
  void ExpectAllRows() {
    const std::string bytes = ReadImageFile(npy()).value();
    const std::string header = NpyHeader({kImages, 3});
    ASSERT_EQ(bytes.substr(0, header.size()), header);
    for (size_t i = 0; i < kImages; ++i) {
      float first = 0;
      bytes.copy(reinterpret_cast<char*>(&first), sizeof(first), header.size() + i * 3 * sizeof(float));
      EXPECT_EQ(first, i);
    }
  }
  // These bytes are neither the file nor the beginning of one.
  void ExpectNoNpy() {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("npy")));
    }
  }

  std::string list_;
  std::atomic<int> calls_{0};
};

// The first calls fail, and so does one of three afterwards.
TEST_F(BulkTest, WhatMaySucceedLaterIsTriedAgain) {
  struct Case {
    Code code;
    const char *reason, *pushback;
  };
  for (const Case& c : {Case{Code::RESOURCE_EXHAUSTED, "QUEUE_TIME", "20"}, Case{Code::RESOURCE_EXHAUSTED, "", ""},
                        Case{Code::RESOURCE_EXHAUSTED, "QUEUE_BYTES", "3"}, Case{Code::UNAVAILABLE, "DRAINING", ""},
                        Case{Code::DEADLINE_EXCEEDED, "", ""}, Case{Code::CANCELLED, "", ""},
                        Case{Code::ABORTED, "", ""}, Case{Code::UNKNOWN, "", ""}}) {
    SCOPED_TRACE(absl::StrCat(c.code, " ", c.reason));
    calls_ = 0;
    inference_.set_gate([&](grpc::ServerContext& call, int) {
      const int n = calls_++;
      return n < 4 || n % 3 == 0 ? FakeRefusal(call, c.code, c.reason, c.pushback) : grpc::Status::OK;
    });
    EXPECT_EQ(Ctl({"embed", "--npy", npy(), images()}), 0) << err();
    EXPECT_EQ(err(), "");
    ExpectAllRows();

    EXPECT_EQ(Ctl({"classify", "--json", "--top-k=1", images()}), 0) << err();
    ASSERT_EQ(Json().size(), kImages);
    for (int i = 0; i < kImages; ++i) EXPECT_EQ(Json()[i]["classes"][0]["index"], i);

    EXPECT_EQ(Ctl({"evaluate", "--head=digit", "--data", list_}), 0) << err();
    EXPECT_THAT(out(), HasSubstr(absl::StrCat(kImages, " answered, 0 failed\n")));
  }
}

// A call that is not answered in its time is sent again; the others are not disturbed.
TEST_F(BulkTest, ATimedOutCallIsTriedAgain) {
  inference_.set_gate([&](grpc::ServerContext& call, int images) {
    if (images > 0 && calls_++ == 0) {
      WaitUntilGone(call);
    }
    return grpc::Status::OK;
  });
  EXPECT_EQ(Ctl({"embed", "--timeout=1", "--npy", npy(), images()}), 0) << err();
  ExpectAllRows();
}

// The server works for calls that are over, and between them says that it is busy.
TEST_F(BulkTest, ATimeoutThatNoAnswerKeepsEndsTheRun) {
  for (const auto& command :
       {std::vector<std::string>{"embed", images(), "--npy", npy()}, std::vector<std::string>{"classify", images()},
        std::vector<std::string>{"evaluate", "--head=digit", "--data", list_}}) {
    inference_.set_gate([&](grpc::ServerContext& call, int images) {
      if (images == 0) return grpc::Status::OK;
      if (calls_++ % 2 == 0) return FakeRefusal(call, Code::RESOURCE_EXHAUSTED, "QUEUE_TIME", "5");
      WaitUntilGone(call);
      return grpc::Status::OK;
    });
    std::vector<std::string> args = command;
    args.insert(args.end(), {"--timeout=0.1", "--patience=1"});
    EXPECT_EQ(Ctl(args), 1);
    EXPECT_THAT(err(), HasSubstr("0 of 40 images done: nothing was answered for 1 s (--patience); a call had 0.1 s: "
                                 "raise --timeout if the server needs longer; the last error: DEADLINE_EXCEEDED"));
  }
  ExpectNoNpy();
}

// The limits of a server need not be known.
TEST_F(BulkTest, RequestsShrinkToWhatTheServerTakes) {
  struct Case {
    Code code;
    const char *reason, *pushback;
    int most_refused;  // what was under way when the limit was met, and its halves; 0: any
  };
  for (const Case& c :
       {Case{Code::INVALID_ARGUMENT, "INVALID_FIELD", "", 12}, Case{Code::RESOURCE_EXHAUSTED, "MESSAGE_SIZE", "", 12},
        Case{Code::RESOURCE_EXHAUSTED, "REQUEST_SIZE", "", 12}, Case{Code::RESOURCE_EXHAUSTED, "DEADLINE", "5", 0}}) {
    SCOPED_TRACE(c.reason);
    std::atomic<int> refused{0};
    inference_.set_gate([&](grpc::ServerContext& call, int images) {
      if (images <= 3) return grpc::Status::OK;
      ++refused;
      return FakeRefusal(call, c.code, c.reason, c.pushback);
    });
    EXPECT_EQ(Ctl({"embed", "--npy", npy(), images()}), 0) << err();
    ExpectAllRows();
    EXPECT_THAT(inference_.request_sizes(), Each(Le(3)));
    EXPECT_GT(refused, 0);
    if (c.most_refused > 0) {
      EXPECT_LE(refused, c.most_refused);
    }
  }
}

// Larger than the server takes alone: this image's fault.
TEST_F(BulkTest, AnImageLargerThanAMessageFailsAlone) {
  for (const char* reason : {"MESSAGE_SIZE", "REQUEST_SIZE"}) {
    inference_.set_gate([&](grpc::ServerContext& call, int images) {
      return images > 0 ? FakeRefusal(call, Code::RESOURCE_EXHAUSTED, reason) : grpc::Status::OK;
    });
    EXPECT_EQ(Ctl({"classify", "--json", images()}), 1);
    for (const auto& row : Json()) EXPECT_EQ(row["error"]["reason"], reason);
  }
}

TEST_F(BulkTest, WhatCannotSucceedEndsTheRunAtOnce) {
  for (const Code code : {Code::NOT_FOUND, Code::FAILED_PRECONDITION, Code::UNIMPLEMENTED, Code::PERMISSION_DENIED,
                          Code::UNAUTHENTICATED, Code::INVALID_ARGUMENT}) {
    SCOPED_TRACE(code);
    calls_ = 0;
    inference_.set_gate([&](grpc::ServerContext& call, int images) {
      return images > 0 && calls_++ >= 2 ? FakeRefusal(call, code, "NO") : grpc::Status::OK;
    });
    EXPECT_EQ(Ctl({"embed", "--npy", npy(), images()}), 1);
    EXPECT_THAT(err(), AllOf(HasSubstr(" of 40 images done: "), HasSubstr(": refused\n  reason: NO\n"),
                             HasSubstr("out.npy: not written\n")));
    ExpectNoNpy();
    // INVALID_ARGUMENT is asked again of fewer images, down to one.
    EXPECT_LE(calls_, 30);

    calls_ = 0;
    EXPECT_EQ(Ctl({"classify", "--json", images()}), 1);
    ASSERT_EQ(Json().size(), kImages) << "an image without an answer has its row too";
    EXPECT_EQ(Json()[kImages - 1]["error"]["reason"], "NO");

    calls_ = 0;
    EXPECT_EQ(Ctl({"evaluate", "--json", "--head=digit", "--data", list_}), 1);
    EXPECT_EQ(Json()["images"].get<int>() + Json()["failed"].get<int>(), kImages);
    EXPECT_GT(Json()["failed"], 0);
  }
}

TEST_F(BulkTest, AServerThatStaysAwayIsGivenUp) {
  inference_.set_gate([&](grpc::ServerContext& call, int images) {
    return images > 0 && calls_++ >= 2 ? FakeRefusal(call, Code::UNAVAILABLE, "DRAINING") : grpc::Status::OK;
  });
  EXPECT_EQ(Ctl({"embed", "--patience=0.3", "--npy", npy(), images()}), 1);
  EXPECT_THAT(err(), AllOf(HasSubstr("of 40 images done: nothing was answered for 0.3 s (--patience); the last error: "
                                     "UNAVAILABLE: refused\n"),
                           HasSubstr("out.npy: not written\n")));
  ExpectNoNpy();
  EXPECT_GT(calls_, 2 + 4) << "not tried again";

  // Files of an earlier run stay.
  File("out.npy", "before");
  EXPECT_EQ(Ctl({"embed", "--patience=0.3", "--npy", npy(), images()}), 1);
  EXPECT_EQ(*ReadImageFile(npy()), "before");
}

TEST_F(BulkTest, TheDeadlineIsTheWholeRuns) {
  inference_.set_gate([&](grpc::ServerContext& call, int images) {
    return images > 0 ? FakeRefusal(call, Code::RESOURCE_EXHAUSTED, "QUEUE_TIME", "20") : grpc::Status::OK;
  });
  for (const auto& command :
       {std::vector<std::string>{"embed", images(), "--npy", npy()}, std::vector<std::string>{"classify", images()},
        std::vector<std::string>{"evaluate", "--head=digit", "--data", list_}}) {
    std::vector<std::string> args = command;
    args.push_back("--deadline=0.5");
    EXPECT_EQ(Ctl(args), 1);
    EXPECT_THAT(err(), HasSubstr("0 of 40 images done: the 0.5 s of --deadline are over"));
  }
  ExpectNoNpy();
  // Nor does a call outlast it.
  inference_.set_gate([&](grpc::ServerContext& call, int images) {
    if (images > 0) WaitUntilGone(call);
    return grpc::Status::OK;
  });
  EXPECT_EQ(Ctl({"embed", "--deadline=0.5", "--npy", npy(), images()}), 1);
  EXPECT_THAT(err(), AllOf(HasSubstr("of --deadline"), HasSubstr("DEADLINE_EXCEEDED")));
}

TEST_F(BulkTest, VectorsOfTwoSpacesAreNotMixed) {
  inference_.set_gate([&](grpc::ServerContext&, int images) {
    if (images > 0 && calls_++ == 3) inference_.set_weights("other weights");
    return grpc::Status::OK;
  });
  EXPECT_EQ(Ctl({"embed", "--requests-in-flight=1", "--npy", npy(), images()}), 1);
  EXPECT_THAT(err(), AllOf(HasSubstr("24 of 40 images done: the model changed while it was asked"),
                           HasSubstr("embedding space space of pool,"), HasSubstr("space of pool by other weights")));
  ExpectNoNpy();
}

// Classes do not name their weights: after a server was away they are asked for.
TEST_F(BulkTest, ClassesOfTwoModelsAreNotMixed) {
  const auto restart = [&](const std::string& weights) {
    calls_ = 0;
    inference_.set_weights("some weights");
    inference_.set_gate([this, weights](grpc::ServerContext& call, int images) {
      if (images == 0 || calls_++ != 3) return grpc::Status::OK;
      inference_.set_weights(weights);
      return FakeRefusal(call, Code::UNAVAILABLE, "");
    });
  };
  restart("other weights");
  EXPECT_EQ(Ctl({"classify", images()}), 1);
  EXPECT_EQ(out(), "");
  EXPECT_THAT(err(), HasSubstr("the model changed while it was asked: first its weights were some weights"));
  restart("other weights");
  EXPECT_EQ(Ctl({"evaluate", "--head=digit", "--data", list_}), 1);
  EXPECT_EQ(out(), "");
  restart("some weights");
  EXPECT_EQ(Ctl({"classify", images()}), 0) << err();
}

// The engine's failure is nobody's image: there is no row that says so.
TEST_F(BulkTest, AnEngineThatFailsLeavesNoNpy) {
  File("images/120.png", "broken");
  for (const char* per_request : {"1", "8"}) {
    EXPECT_EQ(Ctl({"embed", "--images-per-request", per_request, "--npy", npy(), images()}), 1);
    EXPECT_THAT(err(), AllOf(HasSubstr("120.png: INTERNAL: the engine broke\n"), HasSubstr("out.npy: not written\n")));
    ExpectNoNpy();
    EXPECT_EQ(Ctl({"classify", "--json", "--images-per-request", per_request, images()}), 1);
    for (int i = 0; i < kImages; ++i) EXPECT_EQ(Json()[i].contains("error"), i == 20) << i;
  }
}

}  // namespace
}  // namespace resnetd::cli
