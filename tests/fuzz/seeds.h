#ifndef RESNETD_TESTS_FUZZ_SEEDS_H_
#define RESNETD_TESTS_FUZZ_SEEDS_H_

#include <string>
#include <vector>

namespace resnetd::fuzz {

struct Seed {
  std::string name;  // of a file: "conv-groups"
  std::string bytes;
};

// Small networks that load, from which the fuzzer starts: each operator, each way of writing it that takes another way
// through the loader.
std::vector<Seed> Seeds();

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_SEEDS_H_
