// The port's pages and manners over real sockets, one client or a few.
#include "server/net/http_server.h"

#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "tests/support/http_client.h"

namespace resnetd::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

HttpPages Pages() {
  return {
      .metrics = [] { return std::string("a_metric 1\n"); }, .why_not_ready = [] { return std::string(); }, .warn = {}};
}

std::unique_ptr<HttpServer> Start(HttpPages pages = Pages(), const std::string& address = "127.0.0.1") {
  auto server = HttpServer::Start(address, 0, 64, std::move(pages));
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

TEST(HttpServer, Pages) {
  std::string why;
  HttpPages pages = Pages();
  pages.why_not_ready = [&why] { return why; };
  const auto server = Start(pages);
  struct Case {
    const char* path;
    int status;
    const char *type, *text;
  };
  for (const char* unready : {"", "models are loading"}) {
    why = unready;
    const std::string ready = why.empty() ? "ok\n" : why + "\n";
    HttpClient kept(server->port());
    for (const Case& c :
         {Case{"/livez", 200, "text/plain; charset=utf-8", "ok\n"},
          Case{"/readyz", why.empty() ? 200 : 503, "text/plain; charset=utf-8", ready.c_str()},
          Case{"/metrics", 200, "text/plain; version=0.0.4; charset=utf-8", "a_metric 1\n"},
          Case{"/", 200, "text/plain; charset=utf-8",
               "resnetd\n/metrics  for Prometheus\n/livez    200 while the process answers\n"
               "/readyz   200 while calls are welcome\n"},
          Case{"/nothing", 404, "text/plain; charset=utf-8", "there is no such page; / lists them\n"}}) {
      SCOPED_TRACE(c.path);
      const auto answer = kept.Get(c.path);
      ASSERT_TRUE(answer.has_value());
      EXPECT_EQ(answer->status, c.status);
      EXPECT_EQ(answer->field("Content-Type"), c.type);
      EXPECT_EQ(answer->body, c.text);
      EXPECT_EQ(answer->field("Connection"), "");
      kept.Send(absl::StrCat("HEAD ", c.path, " HTTP/1.1\r\n\r\n"));
      const auto head = kept.Answer(true);
      ASSERT_TRUE(head.has_value());
      EXPECT_EQ(head->status, c.status);
      EXPECT_EQ(head->fields, answer->fields);
    }
  }
}

TEST(HttpServer, AskedForAPartItSendsTheWhole) {
  HttpPages pages = Pages();
  pages.metrics = [] { return std::string(100'000, 'a'); };
  const auto server = Start(pages);
  HttpClient client(server->port());
  std::string many = "Range: bytes=0-";
  for (int i = 0; i < 500; ++i) many += ",0-99999";
  for (const std::string& fields : {std::string("Range: bytes=0-9\r\n"), std::string("Range: bytes=200000-\r\n"),
                                    std::string("Range: bytes=-1\r\nIf-Range: x\r\n"), many + "\r\n",
                                    std::string("Accept-Encoding: gzip, br\r\n")}) {
    const auto answer = client.Get("/metrics", fields);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body.size(), 100'000u);
    for (const char* field : {"Content-Range", "Accept-Ranges", "Content-Encoding"})
      EXPECT_EQ(answer->field(field), "");
  }
}

TEST(HttpServer, PipelinedRequestsAreAnsweredInTheirOrder) {
  std::atomic<int> scrapes = 0;
  HttpPages pages = Pages();
  pages.metrics = [&] { return std::to_string(++scrapes); };
  const auto server = Start(pages);
  HttpClient client(server->port());
  constexpr int kRounds = 500;
  std::string requests;
  for (int i = 0; i < kRounds; ++i) {
    requests += "GET /livez HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx";
  }
  // More than the kernel holds, so that sending goes on while answers come.
  std::thread sender([&] { client.Send(requests); });
  for (int i = 1; i <= kRounds; ++i) {
    const auto live = client.Answer(), metrics = client.Answer(), post = client.Answer();
    ASSERT_TRUE(live.has_value() && metrics.has_value() && post.has_value()) << i;
    EXPECT_EQ(live->body, "ok\n");
    EXPECT_EQ(metrics->body, std::to_string(i)) << "a page is made after it was asked for";
    EXPECT_EQ(post->status, 405);
  }
  sender.join();
}

TEST(HttpServer, Http10) {
  const auto server = Start();
  HttpClient client(server->port());
  client.Send("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.Answer()->field("Connection"), "keep-alive");
  client.Send("GET /metrics HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.Answer()->body, "a_metric 1\n");
  EXPECT_TRUE(client.IsClosed());
}

TEST(HttpServer, AnswersAClientThatHasSentAllItWill) {
  const auto server = Start();
  HttpClient client(server->port());
  client.Send("GET /livez HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n");
  client.Finish();
  EXPECT_EQ(client.Answer()->status, 200);
  EXPECT_EQ(client.Answer()->body, "a_metric 1\n");
  EXPECT_TRUE(client.IsClosed());
}

TEST(HttpServer, GarbageIsRefusedAndNobodyElseDisturbed) {
  const auto server = Start();
  HttpClient other(server->port());
  const std::string long_line = "GET / HTTP/1.1\r\nA: " + std::string(70'000, 'a');
  const std::string large_body = "POST / HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n" + std::string(1'000'000, 'a');
  for (const auto& [bytes, status] :
       {std::pair(std::string("\x16\x03\x01\x02"), 400), std::pair(std::string(5000, '\0'), 400),
        std::pair(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505), std::pair(long_line, 431),
        std::pair(large_body, 413)}) {
    HttpClient client(server->port());
    client.Send(bytes);
    // The server takes what is sent after the refusal off the wire, or the answer would be lost with the connection.
    const auto answer = client.Answer();
    ASSERT_TRUE(answer.has_value()) << status;
    EXPECT_EQ(answer->status, status);
    EXPECT_EQ(answer->field("Connection"), "close");
    EXPECT_TRUE(client.IsClosed());
    EXPECT_EQ(other.Get("/livez")->status, 200);
  }
}

TEST(HttpServer, TellsAClientThatWaitsToGoOn) {
  const auto server = Start();
  HttpClient client(server->port());
  client.Send("GET /livez HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.Answer()->status, 100);
  client.Send("{}");
  EXPECT_EQ(client.Answer()->status, 200);
}

TEST(HttpServer, APageThatThrowsEndsOneSession) {
  HttpPages pages = Pages();
  pages.metrics = []() -> std::string { throw std::runtime_error("a fault"); };
  pages.why_not_ready = []() -> std::string { throw std::bad_alloc(); };
  const auto server = Start(pages);
  HttpClient other(server->port());
  EXPECT_EQ(other.Get("/livez")->status, 200);
  EXPECT_EQ(HttpClient(server->port()).Get("/metrics")->status, 500);
  EXPECT_FALSE(HttpClient(server->port()).Get("/readyz").has_value());
  while (server->counts().failed != 1) std::this_thread::yield();
  EXPECT_EQ(other.Get("/livez")->status, 200);
}

// A page that is made when it may be.
class HeldPage {
 public:
  std::string Make() {
    MutexLock lock(&mu_);
    ++begun_;
    changed_.SignalAll();
    while (begun_ > allowed_) changed_.Wait(&mu_);
    return std::to_string(begun_);
  }
  void Allow(int pages) {
    MutexLock lock(&mu_);
    allowed_ = pages;
    changed_.SignalAll();
  }
  void AwaitBegun(int pages) {
    MutexLock lock(&mu_);
    while (begun_ < pages) changed_.Wait(&mu_);
  }
  int begun() {
    MutexLock lock(&mu_);
    return begun_;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  int begun_ = 0, allowed_ = 0;
};

TEST(HttpServer, ProbesDoNotWaitForAScrapeAndScrapesShareOne) {
  HeldPage page;
  HttpPages pages = Pages();
  pages.metrics = [&] { return page.Make(); };
  const auto server = Start(pages);
  HttpClient first(server->port());
  first.Send("GET /metrics HTTP/1.1\r\n\r\n");
  page.AwaitBegun(1);
  std::vector<HttpClient> others;
  for (int i = 0; i < 10; ++i) {
    others.emplace_back(server->port());
    others.back().Send("GET /metrics HTTP/1.1\r\n\r\n");
    EXPECT_EQ(HttpClient(server->port()).Get("/livez")->status, 200) << "after all that came before it was read";
    EXPECT_EQ(HttpClient(server->port()).Get("/readyz")->status, 200);
  }
  page.Allow(2);
  EXPECT_EQ(first.Answer()->body, "1");
  for (HttpClient& other : others) EXPECT_EQ(other.Answer()->body, "2");
  EXPECT_EQ(page.begun(), 2);
}

TEST(HttpServer, ItEndsAtOnceWhateverClientsDoAndCallsNoPageAfterwards) {
  std::atomic<bool> over = false;
  HttpPages pages = Pages();
  pages.metrics = [&] {
    EXPECT_FALSE(over);
    return std::string(16 << 20, 'a');
  };
  for (int i = 0; i < 5; ++i) {
    over = false;
    auto server = Start(pages);
    HttpClient silent(server->port()), slow(server->port()), kept(server->port()), reader(server->port()),
        closing(server->port());
    slow.Send("GET /metr");
    EXPECT_EQ(kept.Get("/livez")->status, 200);
    reader.Send("GET /metrics HTTP/1.1\r\n\r\n");
    closing.Send("GET /livez HTTP/1.0\r\n\r\n");
    EXPECT_EQ(closing.Answer()->status, 200);
    // The times they wait for would take longer.
    const auto start = std::chrono::steady_clock::now();
    server.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - start, HttpPatience().request);
    over = true;
    for (HttpClient* client : {&silent, &slow, &kept, &closing}) EXPECT_TRUE(client->IsClosed());
  }
}

std::multiset<std::string> ThreadNames() {
  std::multiset<std::string> names;
  DIR* folder = opendir("/proc/self/task");
  while (const dirent* entry = readdir(folder)) {
    std::string name;
    if (entry->d_name[0] != '.')
      std::getline(std::ifstream(absl::StrCat("/proc/self/task/", entry->d_name, "/comm")) >> std::ws, name);
    if (!name.empty()) names.insert(name);
  }
  closedir(folder);
  return names;
}

TEST(HttpServer, ItsThreadsAreKnownByNumberAndName) {
  const size_t before = ThreadNames().size();
  const auto server = Start();
  EXPECT_EQ(HttpClient(server->port()).Get("/metrics")->status, 200);  // they have begun
  EXPECT_EQ(ThreadNames().size(), before + HttpServer::kThreads);
  EXPECT_THAT(ThreadNames(), IsSupersetOf({std::string("http"), std::string("http-scrape")}));
}

// ---- addresses

TEST(HttpServer, APortInUse) {
  const auto first = Start();
  const auto second = HttpServer::Start("127.0.0.1", first->port(), 64, Pages());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(second.status().message(), absl::StrCat("cannot listen on 127.0.0.1:", first->port(),
                                                    ": the port is in use (--metrics-address, --metrics-port)"));
}

TEST(HttpServer, APortIsFreeAtOnceAfterwards) {
  auto server = Start();
  const int port = server->port();
  HttpClient client(port);
  EXPECT_EQ(client.Get("/livez")->status, 200);
  server.reset();
  const auto next = HttpServer::Start("127.0.0.1", port, 64, Pages());
  EXPECT_TRUE(next.ok()) << next.status();
}

TEST(HttpServer, AddressesThatAreNone) {
  for (const char* address : {"no such address", "192.0.2.1"}) {
    const auto server = HttpServer::Start(address, 0, 64, Pages());
    EXPECT_EQ(server.status().code(), absl::StatusCode::kUnavailable) << address;
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("cannot listen on")) << address;
  }
  const auto server = HttpServer::Start("127.1", 0, 64, Pages());
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("--metrics-address"));
}

TEST(HttpServer, EveryAddressOfAName) {
  const bool has_v6 = HttpServer::Start("::1", 0, 64, Pages()).ok();
  for (const char* address : {"localhost", "0.0.0.0", "::", "[::]", "::1", "[::1]"}) {
    const std::string name = address;
    const bool is_v6 = name.find(':') != std::string::npos;
    if (is_v6 && !has_v6) continue;
    SCOPED_TRACE(name);
    const auto server = Start(Pages(), name);
    std::vector<int> families;
    if (is_v6) families.push_back(AF_INET6);
    if (name.find("::1") == std::string::npos) families.push_back(AF_INET);
    for (const int family : families)
      EXPECT_EQ(HttpClient(server->port(), family).Get("/livez")->status, 200) << family;
  }
}

}  // namespace
}  // namespace resnetd::server
