#ifndef RESNETD_TESTS_FUZZ_HTTP_SEEDS_H_
#define RESNETD_TESTS_FUZZ_HTTP_SEEDS_H_

#include <string>
#include <vector>

#include "tests/fuzz/http_checks.h"
#include "tests/fuzz/seeds.h"

namespace resnetd::fuzz {

// Bytes that clients of the HTTP port send, each kind of request and of framing, and how far it gets.
struct HttpSeed {
  Seed seed;
  HttpOutcome outcome;
};
std::vector<HttpSeed> HttpSeeds();

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_HTTP_SEEDS_H_
