#include "server/net/http_probes.h"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"

namespace resnetd::server {
namespace {

constexpr char kPrometheus[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr char kIndex[] =
    "resnetd\n/metrics  for Prometheus\n/livez    200 while the process answers\n"
    "/readyz   200 while calls are welcome\n";

constexpr std::pair<absl::string_view, HttpPage> kPages[] = {{"/", HttpPage::kIndex},
                                                             {"/livez", HttpPage::kLive},
                                                             {"/readyz", HttpPage::kReady},
                                                             {"/metrics", HttpPage::kMetrics}};

// "/metrics" of "/metrics?name=x" and of "http://host/metrics".
absl::string_view PathOf(absl::string_view target) {
  target = target.substr(0, target.find('?'));
  if (const size_t scheme = target.find("://"); scheme != absl::string_view::npos && target[0] != '/') {
    const size_t path = target.find('/', scheme + 3);
    target = path == absl::string_view::npos ? "/" : target.substr(path);
  }
  return target;
}

HttpAnswer Failed() {
  return TextAnswer(500, "the page could not be made\n");
}

}  // namespace

std::variant<HttpPage, HttpAnswer> Route(const HttpRequest& request) {
  const absl::string_view path = PathOf(request.target);
  const auto found =
      std::find_if(std::begin(kPages), std::end(kPages), [&](const auto& entry) { return entry.first == path; });
  if (found == std::end(kPages)) return TextAnswer(404, "there is no such page; / lists them\n");
  if (request.method == "GET" || request.method == "HEAD") return found->second;
  HttpAnswer answer = TextAnswer(405, "expected GET or HEAD\n");
  answer.allow = "GET, HEAD";
  return answer;
}

struct RenderThread::State {
  struct Waiter {
    const char* type;
    std::weak_ptr<HttpReply> reply;
  };

  std::function<std::string()> render;
  std::function<void(std::function<void()>)> post;
  Mutex mu;
  CondVar changed;
  bool over ABSL_GUARDED_BY(mu) = false;
  std::vector<Waiter> waiters ABSL_GUARDED_BY(mu);
  std::thread thread;

  // Returns those who wait, as soon as there are any; none when it is over.
  std::vector<Waiter> AwaitWaiters() {
    MutexLock lock(&mu);
    while (!over && waiters.empty()) changed.Wait(&mu);
    return over ? std::vector<Waiter>() : std::exchange(waiters, {});
  }

  // Returns the page; null if making it threw.
  std::shared_ptr<const std::string> Render() {
    try {
      return std::make_shared<const std::string>(render());
    } catch (const std::exception&) {
      return nullptr;
    }
  }

  void Run() {
    pthread_setname_np(pthread_self(), "http-scrape");  // for top and gdb
    while (true) {
      std::vector<Waiter> batch = AwaitWaiters();
      if (batch.empty()) return;
      const std::shared_ptr<const std::string> page = Render();
      try {
        post([batch = std::move(batch), page] {
          for (const Waiter& waiter : batch) {
            const std::shared_ptr<HttpReply> reply = waiter.reply.lock();
            if (reply == nullptr) continue;
            reply->Send(page == nullptr ? Failed() : HttpAnswer{.type = waiter.type, .body = page});
          }
        });
      } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): nothing is left to be done
        // The clients get no answer without memory for so little, and are closed in time.
      }
    }
  }
};

RenderThread::RenderThread(std::function<std::string()> render, std::function<void(std::function<void()>)> post)
    : state_(std::make_unique<State>()) {
  state_->render = std::move(render);
  state_->post = std::move(post);
  state_->thread = std::thread([state = state_.get()] { state->Run(); });
}

RenderThread::~RenderThread() {
  {
    MutexLock lock(&state_->mu);
    state_->over = true;
    state_->changed.SignalAll();
  }
  state_->thread.join();
}

void RenderThread::Answer(const char* type, std::weak_ptr<HttpReply> reply) {
  MutexLock lock(&state_->mu);
  // Clients that came and went while a page is being made leave nothing behind.
  std::erase_if(state_->waiters, [](const State::Waiter& waiter) { return waiter.reply.expired(); });
  state_->waiters.push_back({type, std::move(reply)});
  state_->changed.Signal();
}

HttpProbes::HttpProbes(const HttpPages& pages, std::function<void(std::function<void()>)> post)
    : why_not_ready_(pages.why_not_ready), metrics_(pages.metrics, std::move(post)) {}

void HttpProbes::Answer(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
  const std::variant<HttpPage, HttpAnswer> route = Route(request);
  if (const HttpAnswer* answer = std::get_if<HttpAnswer>(&route)) return reply->Send(*answer);
  switch (std::get<HttpPage>(route)) {
    case HttpPage::kIndex:
      return reply->Send(TextAnswer(200, kIndex));
    case HttpPage::kLive:
      return reply->Send(TextAnswer(200, "ok\n"));
    case HttpPage::kReady: {
      const std::string why = why_not_ready_();
      return reply->Send(why.empty() ? TextAnswer(200, "ok\n") : TextAnswer(503, absl::StrCat(why, "\n")));
    }
    case HttpPage::kMetrics:
      return metrics_.Answer(kPrometheus, reply);
  }
}

}  // namespace resnetd::server
