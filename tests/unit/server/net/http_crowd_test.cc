// Many clients, slow and silent ones, and a process without descriptors: probes are answered beside all of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "server/net/http_server.h"
#include "tests/support/http_client.h"

namespace resnetd::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using ::testing::HasSubstr;

constexpr milliseconds kShort(50), kLong = minutes(10);
constexpr HttpPatience kForever = {
    .request = kLong, .next_request = kLong, .page = kLong, .answer = kLong, .close = kLong};

HttpPages Pages(size_t metrics_bytes = 10) {
  return {.metrics = [=] { return std::string(metrics_bytes, 'a'); },
          .why_not_ready = [] { return std::string(); },
          .warn = {}};
}

std::unique_ptr<HttpServer> Start(int max_connections, HttpPages pages = Pages(),
                                  const HttpPatience& patience = kForever) {
  auto server = HttpServer::Start("127.0.0.1", 0, max_connections, std::move(pages), patience);
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

// Waits for a minute at most, and asks once a millisecond, so that the server has the processor in between.
bool Eventually(const std::function<bool()>& condition) {
  const Time until = Now() + minutes(1);
  while (!condition()) {
    if (Now() > until) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

void ExpectProbesAnswered(int port) {
  for (const char* page : {"/livez", "/readyz"}) {
    HttpClient probe(port);
    const auto answer = probe.Get(page, "Connection: close\r\n");
    ASSERT_TRUE(answer.has_value()) << page;
    EXPECT_EQ(answer->status, 200);
  }
}

std::vector<HttpClient> Crowd(int port, int size, const std::string& bytes) {
  std::vector<HttpClient> crowd;
  for (int i = 0; i < size; ++i) {
    crowd.emplace_back(port);
    EXPECT_TRUE(crowd.back().connected());
    crowd.back().Send(bytes);
  }
  return crowd;
}

TEST(HttpCrowd, ProbesAreAnsweredBesideSlowClients) {
  // The bounds lie above the clients and probes, at them, and below.
  for (const int bound : {300, 202, 64, 1}) {
    SCOPED_TRACE(bound);
    const auto server = Start(bound);
    for (const char* bytes : {"", "G", "GET /livez HTTP/1.1\r\nA: ", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"}) {
      const auto crowd = Crowd(server->port(), 200, bytes);
      for (int i = 0; i < 5; ++i) ExpectProbesAnswered(server->port());
      EXPECT_LE(server->counts().connections, bound);
      EXPECT_EQ(server->counts().made_room > 0, bound < 200);
    }
    // Clients that have left are forgotten.
    EXPECT_TRUE(Eventually([&] { return server->counts().connections == 0; }));
  }
}

TEST(HttpCrowd, ProbesAreAnsweredBesideClientsThatReadNothing) {
  const auto server = Start(64, Pages(8 << 20));
  const auto crowd = Crowd(server->port(), 100, "GET /metrics HTTP/1.1\r\n\r\n");
  for (int i = 0; i < 10; ++i) ExpectProbesAnswered(server->port());
  EXPECT_GT(server->counts().made_room, 0);
  HttpClient reader(server->port());
  EXPECT_EQ(reader.Get("/metrics")->body.size(), size_t{8 << 20});
}

TEST(HttpCrowd, BothSidesOfTheBound) {
  const auto server = Start(3);
  std::vector<HttpClient> kept;
  for (int i = 0; i < 3; ++i) {
    kept.emplace_back(server->port());
    EXPECT_EQ(kept.back().Get("/livez")->status, 200);
  }
  EXPECT_EQ(server->counts().made_room, 0);
  EXPECT_EQ(server->counts().connections, 3);
  // The first has just been answered once more, so that the second has waited longest.
  EXPECT_EQ(kept[0].Get("/livez")->status, 200);
  HttpClient fourth(server->port());
  EXPECT_EQ(fourth.Get("/livez")->status, 200);
  EXPECT_TRUE(kept[1].IsClosed());
  EXPECT_EQ(server->counts().made_room, 1);
  EXPECT_EQ(server->counts().connections, 3);
  for (HttpClient* other : {&kept[0], &kept[2], &fourth}) EXPECT_EQ(other->Get("/livez")->status, 200);
  // Bytes that are no whole request are no reason to stay.
  kept[0].Send("GET /livez HTTP/1.1\r\n");
  HttpClient fifth(server->port());
  EXPECT_EQ(fifth.Get("/livez")->status, 200);
  EXPECT_TRUE(kept[0].IsClosed());
}

TEST(HttpCrowd, WhoHasAskedIsClosedLast) {
  Mutex mu;
  mu.Lock();  // held: no page is made
  HttpPages pages = Pages();
  std::atomic<int> begun = 0;
  pages.metrics = [&] {
    ++begun;
    MutexLock lock(&mu);
    return std::string("page");
  };
  auto server = Start(2, pages);
  HttpClient oldest(server->port());
  oldest.Send("GET /metrics HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return begun == 1; }));
  HttpClient idle(server->port());
  EXPECT_EQ(idle.Get("/livez")->status, 200);
  HttpClient second(server->port());
  EXPECT_TRUE(idle.IsClosed()) << "it waits for less long, and has asked for nothing";
  second.Send("GET /metrics HTTP/1.1\r\n\r\nGET ");
  // Every client has asked now, or will have when the next one comes.
  EXPECT_TRUE(Eventually([&] {
    HttpClient next(server->port());
    return next.Get("/livez").has_value() && server->counts().made_room >= 2;
  }));
  mu.Unlock();
  server.reset();
}

// ---- times

TEST(HttpCrowd, WhoSendsNoWholeRequestInTimeIsClosed) {
  HttpPatience patience = kForever;
  patience.request = kShort;
  const auto server = Start(64, Pages(), patience);
  HttpClient kept(server->port());
  EXPECT_EQ(kept.Get("/livez")->status, 200);
  for (const char* bytes : {"", "GET /", "\r\n", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"}) {
    HttpClient client(server->port());
    client.Send(bytes);
    EXPECT_TRUE(client.IsClosed()) << bytes;
  }
  HttpClient dripping(server->port());  // a byte now and then does not prolong it
  EXPECT_TRUE(Eventually([&] { return !dripping.Send("a"); }));
  EXPECT_EQ(server->counts().timed_out, 5);
  EXPECT_EQ(kept.Get("/livez")->status, 200) << "a connection between requests has longer";
  kept.Send("G");
  EXPECT_TRUE(kept.IsClosed()) << "until one begins";
}

TEST(HttpCrowd, WhoAsksForNothingMoreInTimeIsClosed) {
  HttpPatience patience = kForever;
  patience.next_request = kShort;
  const auto server = Start(64, Pages(), patience);
  HttpClient fresh(server->port()), slow(server->port()), kept(server->port());
  slow.Send("GET /livez HTTP/1.1\r\n");
  EXPECT_EQ(kept.Get("/livez")->status, 200);
  EXPECT_TRUE(kept.IsClosed());
  EXPECT_EQ(fresh.Get("/livez")->status, 200);
  slow.Send("\r\n");
  EXPECT_EQ(slow.Answer()->status, 200);
}

TEST(HttpCrowd, WhoDoesNotTakeTheAnswerInTimeIsClosed) {
  HttpPatience patience = kForever;
  patience.answer = kShort;
  const auto server = Start(64, Pages(16 << 20), patience);
  HttpClient reader(server->port());
  reader.Send("GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(Eventually([&] { return server->counts().timed_out == 1; }));
  EXPECT_FALSE(reader.Answer().has_value());
}

TEST(HttpCrowd, WhoDoesNotCloseInTimeIsClosed) {
  HttpPatience patience = kForever;
  patience.close = kShort;
  const auto server = Start(64, Pages(), patience);
  HttpClient client(server->port());
  EXPECT_EQ(client.Get("/livez", "Connection: close\r\n")->status, 200);
  EXPECT_TRUE(Eventually([&] { return server->counts().connections == 0; }));
  EXPECT_EQ(server->counts().timed_out, 1);
}

TEST(HttpCrowd, WhoWaitsForAPageForTooLongIsClosed) {
  HttpPatience patience = kForever;
  patience.page = kShort;
  HttpPages pages = Pages();
  std::atomic<bool> go_on = false;
  pages.metrics = [&] {
    while (!go_on) std::this_thread::sleep_for(milliseconds(1));  // the page takes longer than its time
    return std::string("page");
  };
  auto server = Start(64, pages, patience);
  HttpClient client(server->port());
  EXPECT_FALSE(client.Get("/metrics").has_value());
  go_on = true;
  ExpectProbesAnswered(server->port());
}

TEST(HttpCrowd, ClientsThatLeave) {
  const auto server = Start(64, Pages(8 << 20));
  for (const char* bytes : {"", "G", "GET /metrics HTTP/1.1\r\n\r\n", "GET /livez HTTP/1.0\r\n\r\n"}) {
    for (const bool resets : {false, true}) {
      for (int i = 0; i < 20; ++i) {
        HttpClient client(server->port());
        client.Send(bytes);
        if (resets) client.Reset();
      }
      EXPECT_TRUE(Eventually([&] { return server->counts().connections == 0; })) << bytes << resets;
      ExpectProbesAnswered(server->port());
    }
  }
  EXPECT_EQ(server->counts().failed, 0);
}

// ---- no descriptors

// The things that went well, a bit each, as the exit status of a process that has used up its descriptors.
constexpr int kKeptIsAnswered = 1, kMadeRoom = 2, kTold = 4, kRecovered = 8, kToldOnce = 16;

[[noreturn]] void UseUpDescriptors() {
  Mutex mu;
  std::vector<std::string> lines;
  const auto told = [&] {
    MutexLock lock(&mu);
    return lines;
  };
  HttpPages pages = Pages();
  pages.warn = [&](const std::string& line) {
    MutexLock lock(&mu);
    lines.push_back(line);
  };
  auto server = HttpServer::Start("127.0.0.1", 0, 64, pages, kForever);
  int went_well = 0;
  std::vector<HttpClient> clients;
  for (int i = 0; i < 10; ++i) clients.emplace_back((*server)->port());
  HttpClient kept((*server)->port());
  if (kept.Get("/livez").has_value()) went_well |= kKeptIsAnswered;  // all are taken
  // UBSan opens a pipe when it first sees an object's virtual functions called: the end of a session has to be seen.
  HttpClient((*server)->port()).Get("/livez");
  Eventually([&] { return (*server)->counts().connections == 11; });
  // The rest is for the clients' own ends.
  const rlimit few{100, 100};
  setrlimit(RLIMIT_NOFILE, &few);
  std::vector<int> taken;
  for (int fd = dup(STDERR_FILENO); fd >= 0; fd = dup(STDERR_FILENO)) taken.push_back(fd);
  const auto connect = [&] {
    close(taken.back());
    taken.pop_back();
    return HttpClient((*server)->port());
  };
  // One that has waited for long makes room for a probe.
  HttpClient probe = connect();
  if (probe.Get("/livez").has_value() && (*server)->counts().made_room == 1) went_well |= kMadeRoom;
  // No client is left that could make room, and still it tries.
  clients.clear();
  kept.Close();
  probe.Close();
  Eventually([&] { return (*server)->counts().connections == 0; });
  for (int fd = dup(STDERR_FILENO); fd >= 0; fd = dup(STDERR_FILENO)) taken.push_back(fd);
  HttpClient patient = connect();
  patient.Send("GET /livez HTTP/1.1\r\n\r\n");
  const int64_t failures = (*server)->counts().accept_failures;
  Eventually([&] { return (*server)->counts().accept_failures >= failures + 3; });
  if (!told().empty() && told()[0].find("ulimit -n") != std::string::npos &&
      told()[0].find("--max-connections") != std::string::npos &&
      told()[0].find("Too many open files") != std::string::npos) {
    went_well |= kTold;
  }
  for (const int fd : taken) close(fd);
  if (patient.Answer().has_value() && HttpClient((*server)->port()).connected()) went_well |= kRecovered;
  if (told().size() == 1) went_well |= kToldOnce;
  _exit(went_well);
}

TEST(HttpCrowdDeathTest, WithoutDescriptorsItMakesRoomTriesOnAndSaysSo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(UseUpDescriptors(),
              ::testing::ExitedWithCode(kKeptIsAnswered | kMadeRoom | kTold | kRecovered | kToldOnce), "");
}

}  // namespace
}  // namespace resnetd::server
