// Each recording function against the page that Prometheus reads, parsed here line by line.
#include "server/observe/metrics.h"

#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/allocations.h"
#include "tests/support/fake_model.h"

namespace resnetd::server {
namespace {

using scheduling::Why;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Series, as they are written, to values.
using Page = std::map<std::string, double>;

Page Parse(const std::string& text) {
  Page page;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n', absl::SkipEmpty()))) {
    if (line[0] == '#') continue;
    const size_t space = line.rfind(' ');
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(line.substr(space + 1), &value)) << line;
    EXPECT_TRUE(page.emplace(line.substr(0, space), value).second) << "twice: " << line;
  }
  return page;
}

Page Scrape(Metrics& metrics) {
  return Parse(metrics.Scrape());
}

// Returns the figures that became different, but for the process's own.
Page Changed(const Page& before, const Page& after) {
  Page changed;
  for (const auto& [series, value] : after) {
    const auto it = before.find(series);
    if (!absl::StartsWith(series, "process_") && (it == before.end() || it->second != value)) changed[series] = value;
  }
  return changed;
}

template <typename Record>
Page ChangedBy(Metrics& metrics, Record record) {
  const Page before = Scrape(metrics);
  record();
  return Changed(before, Scrape(metrics));
}

Page WithoutBuckets(Page page) {
  std::erase_if(page, [](const auto& series) { return absl::StrContains(series.first, "_bucket{"); });
  return page;
}

TEST(Metrics, LinesOfLibrariesAreReadAtEveryScrape) {
  Metrics metrics;
  int64_t lines = 7;
  metrics.SetLibraryLines([&] { return std::vector<LibraryLineCount>{{"grpc", "error", lines}, {"grpc", "info", 1}}; });
  const Page page = Scrape(metrics);
  EXPECT_EQ(page.at("resnetd_library_log_lines_total{library=\"grpc\",severity=\"error\"}"), 7);
  EXPECT_EQ(page.at("resnetd_library_log_lines_total{library=\"grpc\",severity=\"info\"}"), 1);
  EXPECT_EQ(ChangedBy(metrics, [&] { lines = 9; }),
            (Page{{"resnetd_library_log_lines_total{library=\"grpc\",severity=\"error\"}", 9}}));
}

// ---- names

TEST(Metrics, FieldConventions) {
  Metrics metrics;
  metrics.SetSnapshot([] { return scheduling::Snapshot(); });
  metrics.SetCallsInFlight([] { return 0; });
  metrics.SetHttp([] { return HttpFigures(); });
  metrics.SetLibraryLines([] { return std::vector<LibraryLineCount>{{"grpc", "error", 0}}; });
  metrics.ModelLoaded(*FakeModel(), seconds(1));
  metrics.Method("Classify").Ended(0, milliseconds(1));
  metrics.Rejections("queue_time");
  std::map<std::string, std::string> types;
  std::set<std::string> helped;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(metrics.Scrape(), '\n', absl::SkipEmpty()))) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 3));
    if (words[1] == "HELP") helped.insert(words[2]);
    if (words[1] == "TYPE") types[words[2]] = words[3];
  }
  EXPECT_GE(types.size(), 20u);
  const std::regex name_rule("(resnetd|process)_[a-z0-9_]+");
  for (const auto& [name, type] : types) {
    EXPECT_TRUE(std::regex_match(name, name_rule)) << name;
    EXPECT_TRUE(helped.count(name)) << name;
    EXPECT_EQ(type == "counter", absl::EndsWith(name, "_total")) << name << " is a " << type;
    EXPECT_FALSE(std::regex_search(name, std::regex("_(ms|us|milliseconds|mb|kb|percent)(_|$)"))) << name;
  }
}

TEST(Metrics, AHandleAName) {
  Metrics metrics;
  EXPECT_EQ(&metrics.Method("Classify"), &metrics.Method("Classify"));
  EXPECT_NE(&metrics.Method("Classify"), &metrics.Method("Embed"));
  EXPECT_EQ(&metrics.Rejections("deadline"), &metrics.Rejections("deadline"));
  EXPECT_NE(&metrics.Rejections("deadline"), &metrics.Rejections("draining"));
}

TEST(Metrics, WhatCanBeCountedIsThereFromTheStart) {
  Metrics metrics;
  metrics.Method("Classify");
  metrics.Rejections("queue_time");
  const Page page = Scrape(metrics);
  for (const char* series :
       {"resnetd_rejections_total{reason=\"queue_time\"}", "resnetd_images_total{result=\"ok\"}",
        "resnetd_images_total{result=\"error\"}", "resnetd_worker_busy_seconds_total",
        "resnetd_image_stray_bytes_total", "resnetd_answers_not_taken_total", "resnetd_connection_pauses_total",
        "resnetd_not_finite_outputs_total", "resnetd_batch_size_count", "resnetd_predicted_completion_ratio_count",
        "resnetd_stage_duration_seconds_count{stage=\"infer\"}",
        "resnetd_request_duration_seconds_count{method=\"Classify\"}"}) {
    ASSERT_TRUE(page.count(series)) << series;
    EXPECT_EQ(page.at(series), 0) << series;
  }
  int build_info = 0;
  for (const auto& [series, value] : page) {
    if (absl::StartsWith(series, "resnetd_build_info{version=\"")) build_info += static_cast<int>(value);
    EXPECT_FALSE(absl::StartsWith(series, "resnetd_requests_total")) << "a code that was never seen: " << series;
  }
  EXPECT_EQ(build_info, 1);
}

// ---- counters

TEST(Metrics, CountsCallsByMethodAndCode) {
  struct Case {
    std::string method;
    int code;
    std::string labels;
  };
  for (const Case& c : {Case{"Classify", 0, "code=\"OK\",method=\"Classify\""},
                        Case{"Embed", 3, "code=\"INVALID_ARGUMENT\",method=\"Embed\""},
                        Case{"EmbedStream", 1, "code=\"CANCELLED\",method=\"EmbedStream\""},
                        Case{"GetModel", 14, "code=\"UNAVAILABLE\",method=\"GetModel\""},
                        Case{"unknown", 16, "code=\"UNAUTHENTICATED\",method=\"unknown\""},
                        Case{"Predict", 17, "code=\"UNKNOWN\",method=\"Predict\""},
                        Case{"Predict", -1, "code=\"UNKNOWN\",method=\"Predict\""}}) {
    Metrics metrics;
    MethodMetrics& method = metrics.Method(c.method);
    for (int n = 1; n <= 2; ++n) {
      const Page changed = WithoutBuckets(ChangedBy(metrics, [&] { method.Ended(c.code, seconds(2)); }));
      const Page expected = {{absl::StrCat("resnetd_requests_total{", c.labels, "}"), n},
                             {absl::StrCat("resnetd_request_duration_seconds_count{method=\"", c.method, "\"}"), n},
                             {absl::StrCat("resnetd_request_duration_seconds_sum{method=\"", c.method, "\"}"), 2 * n}};
      EXPECT_EQ(changed, expected) << c.labels;
    }
  }
}

TEST(Metrics, CountsTheRest) {
  Metrics metrics;
  struct Case {
    std::function<void()> record;
    Page changed;
  };
  const Case cases[] = {
      {[&] { metrics.Queued(milliseconds(500)); },
       {{"resnetd_stage_duration_seconds_count{stage=\"queue\"}", 1},
        {"resnetd_stage_duration_seconds_sum{stage=\"queue\"}", 0.5}}},
      {[&] { metrics.Decoded(seconds(2)); },
       {{"resnetd_stage_duration_seconds_count{stage=\"decode\"}", 1},
        {"resnetd_stage_duration_seconds_sum{stage=\"decode\"}", 2}}},
      {[&] { metrics.Inferred(seconds(3)); },
       {{"resnetd_stage_duration_seconds_count{stage=\"infer\"}", 1},
        {"resnetd_stage_duration_seconds_sum{stage=\"infer\"}", 3}}},
      {[&] { metrics.BatchRun(8, Why::kLargest); },
       {{"resnetd_batch_size_count", 1},
        {"resnetd_batch_size_sum", 8},
        {"resnetd_batches_total{reason=\"largest\"}", 1}}},
      {[&] { metrics.Answered(milliseconds(30), milliseconds(20)); },
       {{"resnetd_predicted_completion_ratio_count", 1}, {"resnetd_predicted_completion_ratio_sum", 1.5}}},
      {[&] { metrics.WorkerBusy(milliseconds(250)); }, {{"resnetd_worker_busy_seconds_total", 0.25}}},
      {[&] { metrics.WorkerBusy(milliseconds(500)); }, {{"resnetd_worker_busy_seconds_total", 0.75}}},
      {[&] { metrics.ImageEnded(true); }, {{"resnetd_images_total{result=\"ok\"}", 1}}},
      {[&] { metrics.ImageEnded(false); }, {{"resnetd_images_total{result=\"error\"}", 1}}},
      {[&] { metrics.StrayBytes(7); }, {{"resnetd_image_stray_bytes_total", 7}}},
      {[&] { metrics.NotFinite(); }, {{"resnetd_not_finite_outputs_total", 1}}},
      {[&] { metrics.AnswerNotTaken(); }, {{"resnetd_answers_not_taken_total", 1}}},
      {[&] { metrics.ConnectionPaused(); }, {{"resnetd_connection_pauses_total", 1}}},
      {[&] { metrics.SetWorkers(3); }, {{"resnetd_workers", 3}}},
      {[&] { metrics.SetWorkers(2); }, {{"resnetd_workers", 2}}},
  };
  for (size_t i = 0; i < std::size(cases); ++i) {
    EXPECT_EQ(WithoutBuckets(ChangedBy(metrics, cases[i].record)), cases[i].changed) << "case " << i;
  }
  EventCounter& rejections = metrics.Rejections("queue_time");
  const Page refused = {{"resnetd_rejections_total{reason=\"queue_time\"}", 1}};
  EXPECT_EQ(ChangedBy(metrics, [&] { rejections.Increment(); }), refused);
}

// ---- buckets

// The bounds of the buckets that count one observation, the smallest first.
std::vector<std::string> Bounds(const Page& changed, const std::string& prefix) {
  std::map<double, std::string> bounds;
  for (const auto& [series, value] : changed) {
    const size_t le = series.find("le=\"");
    if (!absl::StartsWith(series, prefix + "_bucket{") || le == std::string::npos) continue;
    const std::string bound = series.substr(le + 4, series.find('"', le + 4) - le - 4);
    double number = 0;
    EXPECT_TRUE(absl::SimpleAtod(bound, &number)) << series;
    bounds[number] = bound;
  }
  std::vector<std::string> ordered;
  for (const auto& [number, bound] : bounds) ordered.push_back(bound);
  return ordered;
}

TEST(Metrics, BucketsHoldTheirUpperBound) {
  struct Case {
    Duration took;
    double call, stage;  // the smallest bucket that counts it, in seconds; infinity: none but +Inf
  };
  const double kInf = std::numeric_limits<double>::infinity();
  for (const Case& c :
       {Case{Duration(0), 100e-6, 10e-6}, Case{microseconds(9), 100e-6, 10e-6}, Case{microseconds(11), 100e-6, 16e-6},
        Case{microseconds(99), 100e-6, 100e-6}, Case{microseconds(101), 160e-6, 160e-6},
        Case{milliseconds(7), 10e-3, 10e-3}, Case{seconds(1), 1, 1}, Case{seconds(1) + Duration(1000), 1.6, 1.6},
        Case{seconds(40), 40, 40}, Case{seconds(41), kInf, kInf}}) {
    Metrics metrics;
    MethodMetrics& classify = metrics.Method("Classify");
    const Page changed = ChangedBy(metrics, [&] {
      classify.Ended(0, c.took);
      metrics.Inferred(c.took);
    });
    for (const auto& [prefix, bound] : {std::pair("resnetd_request_duration_seconds", c.call),
                                        std::pair("resnetd_stage_duration_seconds", c.stage)}) {
      const std::vector<std::string> bounds = Bounds(changed, prefix);
      ASSERT_FALSE(bounds.empty());
      double smallest = 0;
      EXPECT_TRUE(absl::SimpleAtod(bounds.front(), &smallest));
      EXPECT_DOUBLE_EQ(smallest, bound) << prefix << " of " << c.took.count() << " ns";
      EXPECT_EQ(bounds.back(), "+Inf");
    }
  }
}

TEST(Metrics, NeighbouringBucketsAreCloseEnoughForAQuantile) {
  Metrics metrics;
  MethodMetrics& classify = metrics.Method("Classify");
  const Page changed = ChangedBy(metrics, [&] { classify.Ended(0, Duration(0)); });
  const std::vector<std::string> bounds = Bounds(changed, "resnetd_request_duration_seconds");
  ASSERT_GT(bounds.size(), 20u);
  EXPECT_EQ(bounds.front(), "0.0001");
  for (size_t i = 1; i + 1 < bounds.size(); ++i) {
    const double ratio = std::stod(bounds[i]) / std::stod(bounds[i - 1]);
    EXPECT_GT(ratio, 1.4) << bounds[i];
    EXPECT_LT(ratio, 1.7) << bounds[i];
  }
}

TEST(Metrics, CountsBatchesByWhatKeptThemFromBeingLarger) {
  const std::pair<Why, const char*> reasons[] = {{Why::kAllWaiting, "all_waiting"},
                                                 {Why::kLargest, "largest"},
                                                 {Why::kDeadline, "deadline"},
                                                 {Why::kNoGain, "no_gain"},
                                                 {Why::kShared, "shared"}};
  for (const auto& [why, reason] : reasons) {
    Metrics metrics;
    const std::string series = absl::StrCat("resnetd_batches_total{reason=\"", reason, "\"}");
    EXPECT_EQ(Scrape(metrics).at(series), 0) << "there from the start";
    const Page changed = WithoutBuckets(ChangedBy(metrics, [&, w = why] { metrics.BatchRun(3, w); }));
    const Page expected = {{series, 1}, {"resnetd_batch_size_count", 1}, {"resnetd_batch_size_sum", 3}};
    EXPECT_EQ(changed, expected);
  }
}

TEST(Metrics, EachServedBatchSizeHasItsBucket) {
  for (const int size : {1, 2, 4, 8, 16, 32, 64, 128, 256}) {
    Metrics metrics;
    const Page changed = ChangedBy(metrics, [&] { metrics.BatchRun(size, Why::kAllWaiting); });
    EXPECT_EQ(Bounds(changed, "resnetd_batch_size").front(), absl::StrCat(size));
  }
}

// A median between 1/1.3 and 1.3 can be told from one outside.
TEST(Metrics, PredictionsNearTheTruthAreToldApart) {
  for (const auto& [predicted, bound] : {std::pair(9, "0.1"),
                                         {76, "0.77"},
                                         {78, "0.85"},
                                         {99, "1"},
                                         {101, "1.09"},
                                         {129, "1.3"},
                                         {131, "1.43"},
                                         {999, "10"},
                                         {1001, "+Inf"}}) {
    Metrics metrics;
    const Page changed = ChangedBy(metrics, [&] { metrics.Answered(milliseconds(predicted), milliseconds(100)); });
    EXPECT_EQ(Bounds(changed, "resnetd_predicted_completion_ratio").front(), bound) << predicted;
  }
}

// ---- models

TEST(Metrics, DescribesModels) {
  Metrics metrics;
  auto model = FakeModel("net");
  model->sha256 = "abc";
  const Page changed = WithoutBuckets(ChangedBy(metrics, [&] { metrics.ModelLoaded(*model, milliseconds(1500)); }));
  const Page expected = {
      {"resnetd_model_info{isa=\"avx2\",model=\"net\",precision=\"f32\",sha256=\"abc\",version=\"1\"}", 1},
      {"resnetd_model_load_seconds{model=\"net\",version=\"1\"}", 1.5},
      {"resnetd_prediction_confidence_count{model=\"net\"}", 0},
      {"resnetd_prediction_confidence_sum{model=\"net\"}", 0}};
  EXPECT_EQ(changed, expected);
}

TEST(Metrics, ConfidenceOfAModelIsKeptWhenItIsLoadedAgain) {
  Metrics metrics;
  const auto model = FakeModel("net");
  ModelMetrics& before = metrics.ModelLoaded(*model, seconds(1));
  for (int load = 1; load <= 2; ++load) {
    const Page changed = ChangedBy(metrics, [&] { before.Confidence(0.75); });
    EXPECT_EQ(changed.at("resnetd_prediction_confidence_count{model=\"net\"}"), load) << load;
    EXPECT_EQ(changed.at("resnetd_prediction_confidence_sum{model=\"net\"}"), 0.75 * load) << load;
    EXPECT_EQ(Bounds(changed, "resnetd_prediction_confidence").front(), "0.8") << load;
    EXPECT_EQ(&metrics.ModelLoaded(*model, seconds(1)), &before);
  }
}

TEST(Metrics, ModelsDoNotShareConfidence) {
  Metrics metrics;
  auto a = FakeModel("a"), b = FakeModel("b");
  metrics.ModelLoaded(*a, seconds(1));
  ModelMetrics& of_b = metrics.ModelLoaded(*b, seconds(1));
  const Page changed = WithoutBuckets(ChangedBy(metrics, [&] { of_b.Confidence(0.5); }));
  const Page expected = {{"resnetd_prediction_confidence_count{model=\"b\"}", 1},
                         {"resnetd_prediction_confidence_sum{model=\"b\"}", 0.5}};
  EXPECT_EQ(changed, expected);
}

// ---- what is read at a scrape

TEST(Metrics, ReadsTheMetricsPortWhenScraped) {
  Metrics metrics;
  HttpFigures figures{.connections = 1, .made_room = 2, .timed_out = 3, .failed = 4, .accept_failures = 5};
  const Page expected = {{"resnetd_http_connections", 1},
                         {"resnetd_http_closed_total{reason=\"made_room\"}", 2},
                         {"resnetd_http_closed_total{reason=\"timed_out\"}", 3},
                         {"resnetd_http_closed_total{reason=\"failed\"}", 4},
                         {"resnetd_http_accept_failures_total", 5}};
  EXPECT_EQ(ChangedBy(metrics, [&] { metrics.SetHttp([&] { return figures; }); }), expected);
  figures.made_room = 7;
  EXPECT_EQ(Scrape(metrics).at("resnetd_http_closed_total{reason=\"made_room\"}"), 7);
}

TEST(Metrics, ReadsGaugesWhenScraped) {
  Metrics metrics;
  const Page without = Scrape(metrics);
  int calls = 7;
  scheduling::Snapshot snapshot{3, 1000, milliseconds(1500), 2};
  metrics.SetSnapshot([&] { return snapshot; });
  metrics.SetCallsInFlight([&] { return calls; });
  const Page expected = {{"resnetd_queue_depth", 3},
                         {"resnetd_queue_bytes", 1000},
                         {"resnetd_queue_oldest_age_seconds", 1.5},
                         {"resnetd_workers_busy", 2},
                         {"resnetd_calls_in_flight", 7}};
  EXPECT_EQ(Changed(without, Scrape(metrics)), expected);
  snapshot.waiting = 4;
  calls = 8;
  EXPECT_EQ(Scrape(metrics).at("resnetd_queue_depth"), 4);
  EXPECT_EQ(Scrape(metrics).at("resnetd_calls_in_flight"), 8);
  metrics.SetSnapshot({});
  metrics.SetCallsInFlight({});
  EXPECT_THAT(Changed(without, Scrape(metrics)), IsEmpty());
  EXPECT_FALSE(Scrape(metrics).count("resnetd_queue_depth"));
}

// The work of a scrape, counted: memory is what most of it goes through.
size_t AllocationsOfAScrape(int models) {
  Metrics metrics;
  for (const char* method :
       {"Classify", "Embed", "Predict", "ClassifyStream", "EmbedStream", "ListModels", "GetModel"}) {
    metrics.Method(method).Ended(0, milliseconds(1));
  }
  metrics.SetSnapshot([] { return scheduling::Snapshot(); });
  for (int i = 0; i < models; ++i) {
    auto model = FakeModel(absl::StrCat("a-model-with-a-name-of-its-own-", i));
    model->sha256 = std::string(64, 'a');
    metrics.ModelLoaded(*model, seconds(1)).Confidence(0.7);
  }
  metrics.Scrape();  // the next page is as long
  const size_t before = Allocations();
  metrics.Scrape();
  return Allocations() - before;
}

TEST(Metrics, AScrapeOfTwentyModelsIsAtMostTwiceTheWorkOfOne) {
  const size_t one = AllocationsOfAScrape(1), twenty = AllocationsOfAScrape(20);
  EXPECT_LE(twenty, 2 * one);
  EXPECT_LE(one, 500u) << "a page is made of hundreds of lines, and not of as many pieces";
}

TEST(Metrics, TellsOfTheProcess) {
  Metrics metrics;
  metrics.Method("Classify");
  metrics.Rejections("queue_time");
  const Page page = Scrape(metrics);
  for (const char* series :
       {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
        "process_open_fds", "process_max_fds", "process_start_time_seconds"}) {
    ASSERT_TRUE(page.count(series)) << series;
  }
  EXPECT_GT(page.at("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GE(page.at("process_open_fds"), 3);
  EXPECT_GT(page.at("process_start_time_seconds"), 1.6e9) << "seconds since the epoch";
}

// ---- many threads

TEST(Metrics, LosesNothingUnderContention) {
  constexpr int kThreads = 4, kCalls = 5000;
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) {
        metrics.Method(absl::StrCat("Method", i % 8)).Ended(i % 17, milliseconds(1));
        metrics.ImageEnded(i % 2 == 0);
        if (i % 1000 == 0) metrics.Scrape();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  double requests = 0, durations = 0;
  const Page page = Scrape(metrics);
  for (const auto& [series, value] : page) {
    if (absl::StartsWith(series, "resnetd_requests_total{")) requests += value;
    if (absl::StartsWith(series, "resnetd_request_duration_seconds_count{")) durations += value;
  }
  EXPECT_EQ(requests, kThreads * kCalls);
  EXPECT_EQ(durations, kThreads * kCalls);
  EXPECT_EQ(page.at("resnetd_images_total{result=\"ok\"}"), kThreads * kCalls / 2);
}

}  // namespace
}  // namespace resnetd::server
