// One allocation after another fails on the server's threads. That may cost the connection it happens on, and nothing
// else.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "server/net/http_server.h"
#include "tests/support/http_client.h"
#include "tests/support/scarce_memory.h"

namespace resnetd::server {
namespace {

TEST(HttpMemory, AFailedAllocationCostsOneConnectionAtMost) {
  SpareThisThread();
  const HttpPages pages = {.metrics = [] { return std::string(1000, 'a'); },
                           .why_not_ready = [] { return std::string(200, 'b'); },
                           .warn = {}};
  // A client that waits for a page that cannot be sent is closed soon.
  const auto server = HttpServer::Start("127.0.0.1", 0, 64, pages, {.page = std::chrono::milliseconds(100)});
  ASSERT_TRUE(server.ok());
  const int port = (*server)->port();
  HttpClient bystander(port);
  ASSERT_EQ(bystander.Get("/livez")->status, 200);
  ASSERT_EQ(HttpClient(port).Get("/livez")->status, 200);  // so that the server has done with the other
  int nth = 0;
  for (bool failed = true; failed; ++nth) {
    ASSERT_LT(nth, 1000);
    const int before = FailedAllocations();
    FailAfter(nth);
    {
      HttpClient client(port);
      for (const char* page : {"/livez", "/readyz", "/metrics", "/nothing"}) {
        const auto answer = client.Get(page);
        if (!answer.has_value()) break;
        EXPECT_TRUE(answer->status == 200 || answer->status == 500 || answer->status == 503 || answer->status == 404);
      }
      HttpClient refused(port);
      refused.Send("\x16");
      refused.Answer();
    }
    FailAfter(-1);
    failed = FailedAllocations() > before;
    const auto answer = HttpClient(port).Get("/metrics");
    ASSERT_TRUE(answer.has_value()) << "deaf after allocation " << nth;
    EXPECT_EQ(answer->status, 200);
  }
  EXPECT_GT(nth, 10) << "all succeeded";
  EXPECT_GT((*server)->counts().failed, 5);
  EXPECT_EQ(bystander.Get("/livez")->status, 200);
}

}  // namespace
}  // namespace resnetd::server
