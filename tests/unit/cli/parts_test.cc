// The pieces of resnetctl that need no server.
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/bench/arrivals.h"
#include "cli/bench/ledger.h"
#include "cli/error.h"
#include "cli/inputs.h"
#include "cli/print/json.h"
#include "cli/print/npy.h"
#include "cli/print/progress.h"
#include "cli/print/row_table.h"
#include "cli/print/table.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

// A folder of the test's own that goes away with it.
class Folder {
 public:
  Folder() {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    path_ = fs::path(testing::TempDir()) / absl::StrCat(test.name(), "-", getpid());
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }

  std::string Write(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCellInCharacters) {
  Table table({"image", "label"});
  table.AddRow({"Größe.png", "a"});
  table.AddRow({"b", "bcd"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(),
            "image      label\n"
            "Größe.png  a\n"
            "b          bcd\n");
}

TEST(TableTest, LastCellOfAShortRowRunsOn) {
  Table table({"a", "b", "c"});
  table.AddRow({"1", "a long error message"});
  table.AddRow({"2", "x", "y"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(),
            "a  b  c\n"
            "1  a long error message\n"
            "2  x  y\n");
}

TEST(TableTest, ControlCharactersAreNotPrinted) {
  EXPECT_EQ(Printable("a\x1b[2Jb\n\x7f"), "a?[2Jb??");
  EXPECT_EQ(Printable("\xC2\x9B"
                      "2J"),
            "?2J");                // CSI as one character
  EXPECT_EQ(Printable("é"), "é");  // C3 A9
}

TEST(NpyTest, HeaderIsTheFormatsVersionOne) {
  struct Case {
    std::vector<size_t> shape;
    const char* text;
  };
  for (const Case& c :
       {Case{{0, 1}, "(0, 1)"}, Case{{3, 64}, "(3, 64)"}, Case{{7}, "(7,)"}, Case{{}, "()"},
        Case{{1, 3, 224, 224}, "(1, 3, 224, 224)"}, Case{{1234567890123, 2048}, "(1234567890123, 2048)"}}) {
    const std::string header = NpyHeader(c.shape);
    SCOPED_TRACE(header);
    EXPECT_EQ(header.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
    EXPECT_EQ(header.size() % 64, 0u);
    const size_t length = static_cast<unsigned char>(header[8]) + 256 * static_cast<unsigned char>(header[9]);
    EXPECT_EQ(length, header.size() - 10);
    EXPECT_EQ(header.back(), '\n');
    EXPECT_THAT(header.substr(10),
                HasSubstr(absl::StrCat("{'descr': '<f4', 'fortran_order': False, 'shape': ", c.text, ", }")));
  }
}

TEST(NpyTest, WritesValuesBehindTheHeader) {
  const Folder folder;
  const std::string path = folder.path() + "/a.npy";
  const std::vector<float> values = {1.0f, -2.5f, 3e-30f, 4, 5, 6};
  ASSERT_TRUE(WriteNpy(path, values, {2, 3}).ok());
  const std::string file = *ReadImageFile(path);
  const std::string header = NpyHeader({2, 3});
  ASSERT_EQ(file.size(), header.size() + 24);
  EXPECT_EQ(file.substr(0, header.size()), header);
  EXPECT_EQ(std::memcmp(file.data() + header.size(), values.data(), 24), 0);
}

TEST(NpyTest, RefusesAShapeThatDoesNotHoldTheValues) {
  const Folder folder;
  const std::vector<float> values(5);
  const absl::Status status = WriteNpy(folder.path() + "/a.npy", values, {2, 3});
  EXPECT_EQ(status.message(), "expected 6 values, got 5");
  EXPECT_FALSE(fs::exists(folder.path() + "/a.npy"));
}

TEST(NpyTest, SaysWhyAFileCannotBeWritten) {
  const absl::Status status = WriteNpy("/nonexistent/a.npy", {}, {0, 3});
  EXPECT_EQ(status.message(), "cannot write /nonexistent/a.npy: No such file or directory");
}

class ProgressTest : public testing::Test {
 protected:
  const Time start_{};
  std::ostringstream out_;
};

TEST_F(ProgressTest, KeepsQuietForTwoSeconds) {
  {
    Progress progress(out_, true, 100, "images", start_);
    progress.Update(50, start_ + std::chrono::milliseconds(1999));
  }
  EXPECT_EQ(out_.str(), "");
}

TEST_F(ProgressTest, DrawsFromTwoSecondsOnAndWipesItself) {
  {
    Progress progress(out_, true, 100, "images", start_);
    progress.Update(50, start_ + std::chrono::seconds(2));
    EXPECT_EQ(out_.str(), "\r\x1b[K[###############---------------]  50 %  50/100 images, 25 images/s, 2 s left");
    out_.str("");
    progress.Update(60, start_ + std::chrono::milliseconds(2099));
    EXPECT_EQ(out_.str(), "") << "redrawn too soon";
    progress.Update(150, start_ + std::chrono::milliseconds(2100));
    EXPECT_THAT(out_.str(), HasSubstr("[##############################] 100 %"));
    out_.str("");
  }
  EXPECT_EQ(out_.str(), "\r\x1b[K");
}

// Not the whole run's: after a pause, in which nothing was answered, the rate is soon what it is now.
TEST_F(ProgressTest, TellsTheLastSecondsRate) {
  Progress progress(out_, true, 10000, "images", start_);
  progress.Update(1000, start_ + std::chrono::seconds(5));
  EXPECT_THAT(out_.str(), HasSubstr("1000/10000 images, 200 images/s, 45 s left"));
  progress.Update(1000, start_ + std::chrono::seconds(100));
  progress.Update(1000, start_ + std::chrono::seconds(110));
  EXPECT_THAT(out_.str(), HasSubstr("1000/10000 images, 0.0 images/s\r"));
  progress.Update(1100, start_ + std::chrono::seconds(120));
  EXPECT_THAT(out_.str(), HasSubstr("1100/10000 images, 10 images/s, 15 min left"));
}

TEST_F(ProgressTest, TimeHasNoRate) {
  Progress progress(out_, true, 100, "s", start_);
  progress.Update(50, start_ + std::chrono::seconds(50));
  EXPECT_THAT(out_.str(), EndsWith("50/100 s"));
}

TEST_F(ProgressTest, DrawsOnATerminalOnly) {
  {
    Progress progress(out_, false, 100, "images", start_);
    progress.Update(50, start_ + std::chrono::seconds(9));
  }
  EXPECT_EQ(out_.str(), "");
}

TEST(InputsTest, FoldersStandForTheirImagesInOrder) {
  const Folder folder;
  const std::string b = folder.Write("b.PNG", ""), a = folder.Write("z/a.jpeg", ""), c = folder.Write("c.jpg", ""),
                    d = folder.Write("d.WebP", "");
  folder.Write("notes.txt", "");
  const std::string text = folder.Write("given.txt", "");
  const auto files = ExpandInputs({text, folder.path(), "missing.png"});
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(*files, ElementsAre(text, b, c, d, a, "missing.png"));
}

TEST(InputsTest, AFolderWithoutImagesIsAnError) {
  const Folder folder;
  folder.Write("notes.txt", "");
  EXPECT_EQ(ExpandInputs({folder.path()}).status().message(),
            absl::StrCat("no .jpg, .jpeg, .png or .webp file beneath folder ", folder.path()));
}

TEST(InputsTest, ReadsAFileWhole) {
  const Folder folder;
  const std::string bytes("\x00\xff\r\n", 4);
  EXPECT_EQ(*ReadImageFile(folder.Write("a", bytes)), bytes);
  EXPECT_EQ(*ReadImageFile(folder.Write("empty", "")), "");
  EXPECT_EQ(ReadImageFile(folder.path() + "/b").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadImageFile(folder.path()).status().message(),
            "'" + folder.path() + "': expected a regular file, got a folder");
}

TEST(InputsTest, ExpectedLabelsAreFoundByPath) {
  const Folder folder;
  const std::string list = folder.Write("labels.txt", "a.png Ankle boot\n\nsub/b c.png\tT-shirt/top\r\n/x/d.png 7\n");
  const auto expected = ExpectedLabels::Read(list);
  ASSERT_TRUE(expected.ok()) << expected.status();
  const auto label = [&](const std::string& path) {
    const std::string* found = expected->Find(path);
    return found == nullptr ? "(none)" : *found;
  };
  EXPECT_EQ(label("a.png"), "Ankle boot");
  EXPECT_EQ(label("./a.png"), "Ankle boot");
  EXPECT_EQ(label(folder.path() + "/a.png"), "Ankle boot");
  EXPECT_EQ(label(folder.path() + "/sub/../sub/b c.png"), "T-shirt/top");
  EXPECT_EQ(label("/x/d.png"), "7");
  EXPECT_EQ(label("d.png"), "(none)");
}

TEST(InputsTest, ALineWithoutLabelIsNamed) {
  const Folder folder;
  const std::string list = folder.Write("labels.txt", "a.png boot\nb.png\n");
  EXPECT_EQ(ExpectedLabels::Read(list).status().message(),
            absl::StrCat(list, " line 2: expected \"path label\", got \"b.png\""));
}

TEST(ArrivalsTest, ConstantGaps) {
  Arrivals arrivals(ArrivalKind::kConstant, 4, 1);
  EXPECT_DOUBLE_EQ(arrivals.Next(), 0.25);
  EXPECT_DOUBLE_EQ(arrivals.Next(), 0.5);
  EXPECT_DOUBLE_EQ(arrivals.Next(), 0.75);
}

// The gaps of a Poisson process have mean 1/rate, and as much standard deviation.
TEST(ArrivalsTest, PoissonGapsHaveTheRatesMeanAndDeviation) {
  constexpr int kCount = 100000;
  constexpr double kRate = 200;
  Arrivals arrivals(ArrivalKind::kPoisson, kRate, 7);
  double last = 0, sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double now = arrivals.Next();
    ASSERT_GE(now, last);
    sum += now - last;
    squares += (now - last) * (now - last);
    last = now;
  }
  const double mean = sum / kCount;
  EXPECT_NEAR(mean * kRate, 1, 0.02);
  EXPECT_NEAR(std::sqrt(squares / kCount - mean * mean) * kRate, 1, 0.02);
}

TEST(ArrivalsTest, TheSeedDecides) {
  Arrivals a(ArrivalKind::kPoisson, 10, 3), b(ArrivalKind::kPoisson, 10, 3), c(ArrivalKind::kPoisson, 10, 4);
  const double first = a.Next();
  EXPECT_EQ(first, b.Next());
  EXPECT_NE(first, c.Next());
}

TEST(QuantileTest, IsTheNearestRank) {
  const std::vector<double> ten = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const struct {
    double q, want;
  } kCases[] = {{0.001, 1}, {0.1, 1}, {0.1001, 2}, {0.5, 5}, {0.501, 6}, {0.9, 9}, {0.99, 10}, {1, 10}};
  for (const auto& [q, want] : kCases) EXPECT_EQ(Quantile(ten, q), want) << q;
  const std::vector<double> one = {42};
  EXPECT_EQ(Quantile(one, 0.5), 42);
}

CallRecord Answered(double intended, double sent, double finished, int batch_size) {
  CallRecord call;
  call.intended = intended;
  call.sent = sent;
  call.finished = finished;
  call.images_ok = 1;
  call.inverse_batch_sizes = 1.0 / batch_size;
  call.batch_sizes = batch_size;
  call.infer_seconds = 0.5;
  return call;
}

TEST(LedgerTest, CountsLatencyFromWhenACallWasDueAndOnlyMeasuredOkCalls) {
  Ledger ledger(2, 4);
  ledger.Add(Answered(1.99, 1.99, 2.5, 8));  // warm-up, but finished in the window
  ledger.Add(Answered(2, 2.2, 3, 1));        // late by 0.2
  ledger.Add(Answered(3, 3, 3.5, 3));
  ledger.Add(Answered(3, 3, 3.5, 3));
  ledger.Add(Answered(3, 3, 4, 3));  // measured, but finished after the window
  CallRecord refused;
  refused.intended = refused.sent = 3;
  refused.finished = 3.001;
  refused.code = 8;
  refused.images_failed = 1;
  ledger.Add(refused);

  const nlohmann::ordered_json json = ledger.ToJson();
  SCOPED_TRACE(json.dump(2));
  EXPECT_EQ(json["achieved_images_per_second"], 2.0);  // 4 images in 2 s
  EXPECT_EQ(json["calls"], nlohmann::ordered_json({{"OK", 4}, {"RESOURCE_EXHAUSTED", 1}}));
  EXPECT_EQ(json["warmup_calls"], nlohmann::ordered_json({{"OK", 1}}));
  EXPECT_EQ(json["images"]["ok"], 4);
  EXPECT_EQ(json["images"]["failed"], 1);
  EXPECT_DOUBLE_EQ(json["latency_seconds"]["mean"], 0.75);
  EXPECT_DOUBLE_EQ(json["latency_seconds"]["p50"], 0.5);
  EXPECT_DOUBLE_EQ(json["latency_seconds"]["max"], 1.0);
  EXPECT_DOUBLE_EQ(json["batch_size"]["mean"], 2.0);  // a batch of 1 and one of 3
  EXPECT_DOUBLE_EQ(json["batch_size"]["mean_seen_by_images"], 2.5);
  EXPECT_DOUBLE_EQ(json["server_mean_seconds"]["infer"], 0.5);
  EXPECT_NEAR(json["send_delay_seconds"]["max"], 0.2, 1e-12);
}

TEST(LedgerTest, SaysNothingOfLatencyWithoutAnOkCall) {
  const nlohmann::ordered_json json = Ledger(0, 1).ToJson();
  EXPECT_FALSE(json.contains("latency_seconds"));
  EXPECT_FALSE(json.contains("batch_size"));
  EXPECT_EQ(json["achieved_images_per_second"], 0.0);
}

google::rpc::Status DetailedStatus() {
  google::rpc::Status status;
  status.set_code(3);
  status.set_message("images[0].tensor.shape: expected [28, 28, 1], got [28]");
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field("images[0].tensor.shape");
  violation->set_description("expected [28, 28, 1], got [28]");
  status.add_details()->PackFrom(bad);
  google::rpc::ErrorInfo info;
  info.set_reason("INVALID_FIELD");
  info.set_domain("resnetd");
  (*info.mutable_metadata())["limit"] = "64";
  status.add_details()->PackFrom(info);
  return status;
}

TEST(ErrorTest, ReadsTheDetailsOfACallAndOfAnImage) {
  const google::rpc::Status proto = DetailedStatus();
  const grpc::Status call(grpc::StatusCode::INVALID_ARGUMENT, proto.message(), proto.SerializeAsString());
  for (const CallError& error : {ErrorFrom(call), ErrorFrom(proto)}) {
    EXPECT_EQ(Explain(error),
              "INVALID_ARGUMENT: images[0].tensor.shape: expected [28, 28, 1], got [28]\n"
              "  reason: INVALID_FIELD\n"
              "  limit: 64");
    EXPECT_EQ(ToJson(error).dump(),
              R"({"code":"INVALID_ARGUMENT","message":"images[0].tensor.shape: expected [28, 28, 1], got [28]",)"
              R"("reason":"INVALID_FIELD","field_violations":[{"field":"images[0].tensor.shape",)"
              R"("description":"expected [28, 28, 1], got [28]"}],"metadata":{"limit":"64"}})");
  }
}

TEST(ErrorTest, AFieldThatTheMessageLeavesOutIsNamed) {
  google::rpc::Status proto = DetailedStatus();
  proto.set_message("bad request");
  EXPECT_THAT(Explain(ErrorFrom(proto)), HasSubstr("\n  field images[0].tensor.shape: expected [28, 28, 1], got [28]"));
}

TEST(ErrorTest, TakesWhatOtherServersSend) {
  EXPECT_EQ(Explain(ErrorFrom(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone", "\xff not a message"))),
            "UNAVAILABLE: gone");
  // A code that has no name; beyond 31 it would be no value of the enumeration at all.
  EXPECT_EQ(Explain(ErrorFrom(grpc::Status(static_cast<grpc::StatusCode>(29), "\x1b[2J"))), "CODE_29: ?[2J");
}

TEST(ErrorTest, LocalErrorsNeedNoCode) {
  const CallError error = ErrorFrom(absl::NotFoundError("cannot open 'a.png': No such file or directory"));
  EXPECT_EQ(Explain(error), "cannot open 'a.png': No such file or directory");
  EXPECT_EQ(Explain("a.png", error), "cannot open 'a.png': No such file or directory") << "the name twice";
  EXPECT_EQ(Explain("b.png", error), "b.png: cannot open 'a.png': No such file or directory");
  EXPECT_EQ(ToJson(error)["code"], "NOT_FOUND") << "programs match it";
}

TEST(ErrorTest, AnImagesErrorDoesNotSayWhichOfTheRequestItWas) {
  const struct {
    const char *message, *of_image;
  } kCases[] = {
      {"images[12].encoded: expected a JPEG", "expected a JPEG"},
      {"images[0]: expected an image", "expected an image"},
      {"images[3].tensor.shape: expected 3 dims", "tensor.shape: expected 3 dims"},
      {"images: expected at most 8", "images: expected at most 8"},
      {"images[]: no index", "images[]: no index"},
      {"images[1]x", "images[1]x"},
  };
  for (const auto& [message, of_image] : kCases) {
    EXPECT_EQ(OfImage(ErrorFrom(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, message))).message, of_image);
  }
  const CallError error = OfImage(ErrorFrom(DetailedStatus()));
  EXPECT_EQ(
      Explain("a.png", error),
      "a.png: INVALID_ARGUMENT: tensor.shape: expected [28, 28, 1], got [28]\n  reason: INVALID_FIELD\n  limit: 64");
  EXPECT_EQ(ToJson(error)["field_violations"][0]["field"], "tensor.shape");
}

TEST(ErrorTest, KnowsWhenNobodyAnswers) {
  const auto error = [](grpc::StatusCode code, const char* message) { return ErrorFrom(grpc::Status(code, message)); };
  const CallError refused =
      error(grpc::StatusCode::UNAVAILABLE,
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to "
            "connect to remote host: Connection refused");
  EXPECT_TRUE(IsUnreachable(refused));
  EXPECT_EQ(WhyUnreachable(refused), "Connection refused");
  const CallError unknown = error(grpc::StatusCode::UNAVAILABLE,
                                  "DNS resolution failed for a:1: C-ares status is not "
                                  "ARES_SUCCESS qtype=A name=a: Domain name not found");
  EXPECT_TRUE(IsUnreachable(unknown));
  EXPECT_EQ(WhyUnreachable(unknown), "Domain name not found");
  EXPECT_FALSE(IsUnreachable(error(grpc::StatusCode::UNAVAILABLE, "Socket closed")));
  EXPECT_FALSE(IsUnreachable(error(grpc::StatusCode::INTERNAL, "failed to connect")));
}

TEST(RowTableTest, ValuesAreQuotedWhereTheyMustBe) {
  const std::vector<NamedRow> rows = {{"a b.png", "ok", "0f"}, {"c\t\"d\"\n.png", "expected a JPEG", ""}};
  EXPECT_EQ(RowTable(rows), "path\tstatus\tspace\na b.png\tok\t0f\n\"c\t\"\"d\"\"\n.png\"\texpected a JPEG\t\n");
}

TEST(RowTableTest, LiesBesideTheFile) {
  EXPECT_EQ(PathOfRowTable("/nonexistent/a.npy"), "/nonexistent/a.tsv");
  EXPECT_EQ(PathOfRowTable("rows"), "rows.tsv");
  EXPECT_EQ(PathOfRowTable("/dev/null"), "");
}

TEST(JsonTest, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(Dump({{"image", "a\xFF.png"}}, -1), "{\"image\":\"a\xEF\xBF\xBD.png\"}");
}

}  // namespace
}  // namespace resnetd::cli
