#ifndef RESNETD_TESTS_FUZZ_INFLOW_SEEDS_H_
#define RESNETD_TESTS_FUZZ_INFLOW_SEEDS_H_

#include <vector>

#include "tests/fuzz/inflow_checks.h"
#include "tests/fuzz/seeds.h"

namespace resnetd::fuzz {

// Scripts of clients that keep to their budgets, and of those that do not, in each way.
struct InflowSeed {
  Seed seed;
  EnumTable<server::Excess, int> cuts;
};
std::vector<InflowSeed> InflowSeeds();

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_INFLOW_SEEDS_H_
