// gRPC answers in JSON, of which a few numbers are wanted. They are looked for by their names: nothing that a client
// sends can contain one.
#include "server/edge/stream_counts.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <chrono>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace resnetd::server {
namespace {

constexpr int64_t kSocketsAtOnce = 500;
constexpr std::chrono::milliseconds kBetweenSearches(1);

std::string Taken(char* text) {
  const std::unique_ptr<char, void (*)(void*)> owned(text, gpr_free);
  return owned == nullptr ? "" : owned.get();
}

// Returns the value of the first `"name":"..."` at or after `*at`, which moves behind it; empty if there is none.
absl::string_view NextValue(absl::string_view json, absl::string_view name, size_t* at) {
  const std::string key = absl::StrCat("\"", name, "\":\"");
  const size_t begin = json.find(key, *at);
  if (begin == json.npos) return "";
  const size_t end = json.find('"', begin + key.size());
  if (end == json.npos) return "";
  *at = end;
  return json.substr(begin + key.size(), end - begin - key.size());
}

// gRPC leaves out what is 0.
int64_t Number(absl::string_view json, absl::string_view name) {
  size_t at = 0;
  int64_t value = 0;
  return absl::SimpleAtoi(NextValue(json, name, &at), &value) ? value : 0;
}

int64_t NewestServer() {
  int64_t newest = 0;
  for (bool end = false; !end;) {
    const std::string json = Taken(grpc_channelz_get_servers(newest + 1));
    int64_t id = 0, before = newest;
    for (size_t at = 0; absl::SimpleAtoi(NextValue(json, "serverId", &at), &id);) newest = id;
    end = newest == before;
  }
  return newest;
}

}  // namespace

StreamCounts::StreamCounts() : server_(NewestServer()) {}

// Reads the list from its beginning each time: gRPC numbers connections when it makes them, and lists them a little
// later, in another order.
void StreamCounts::FindSockets() {
  sockets_.clear();
  for (int64_t next = 0, before = -1; before != next;) {
    before = next;
    const std::string json = Taken(grpc_channelz_get_server_sockets(server_, next, kSocketsAtOnce));
    for (size_t at = 0; at < json.size();) {
      // The members of an object come in the order of their names.
      std::string name = absl::StrReplaceAll(NextValue(json, "name", &at), {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}});
      int64_t id = 0;
      if (!absl::SimpleAtoi(NextValue(json, "socketId", &at), &id)) break;
      const size_t space = name.find(' ');  // behind the kind of transport
      sockets_[space == name.npos ? name : name.substr(space + 1)] = id;
      next = id + 1;
    }
  }
  found_at_ = Now();
}

std::optional<StreamCount> StreamCounts::Of(const std::string& peer) {
  for (int i = 0; i < 2; ++i) {
    // The list is read once for several connections in a row that are not in it.
    if (i > 0 && Now() - found_at_ > kBetweenSearches) FindSockets();
    const auto found = sockets_.find(peer);
    if (found == sockets_.end()) continue;
    const std::string json = Taken(grpc_channelz_get_socket(found->second));
    if (!absl::StrContains(json, "\"socket\"")) {
      sockets_.erase(found);
      continue;
    }
    return StreamCount{.begun = Number(json, "streamsStarted"),
                       .ended = Number(json, "streamsSucceeded") + Number(json, "streamsFailed"),
                       .messages = Number(json, "messagesReceived")};
  }
  return std::nullopt;
}

}  // namespace resnetd::server
