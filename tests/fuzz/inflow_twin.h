#ifndef RESNETD_TESTS_FUZZ_INFLOW_TWIN_H_
#define RESNETD_TESTS_FUZZ_INFLOW_TWIN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "base/time.h"
#include "server/net/inflow.h"

namespace resnetd::fuzz {

// Does what server::Inflow is to do, from nothing but what it was ever asked: each judgement goes through all former
// looks again. Slow, and without a bound on its memory. Addresses that were cut are never too many for it, see
// offenders().
class InflowTwin {
 public:
  explicit InflowTwin(const server::Inflow::Limits& limits) : limits_(limits) {}

  // Judges as Inflow::Look() does, whose arguments it takes; the answer has another order.
  std::vector<server::Inflow::Cut> Look(Time now, int64_t resident, int64_t grown,
                                        absl::Span<const server::Account> all);

  // Addresses that were cut within the minute before the last look. With more than Inflow::kMostOffenders it is not
  // said which Inflow still knows.
  size_t offenders() const;

 private:
  struct Past {
    Time now;
    int64_t resident, grown;
    std::map<uint64_t, server::Account> named;
    std::map<uint64_t, int64_t> more_read;  // of each that it named, since the look before
    std::set<uint64_t> cut;
  };

  // The first of the looks up to this one that named it all the time and did not cut it before.
  size_t FirstLook(size_t look, uint64_t id) const;
  // The most that was read of it, in any of these looks.
  int64_t ReadBy(size_t look, uint64_t id) const;
  // The last look, up to the present one, that found an answer to it, or something of it done.
  std::optional<size_t> LastAnswer(uint64_t id) const;
  // Sums what was read of all others in the looks after the first `looks` ones.
  int64_t ReadOfOthersAfter(size_t looks, uint64_t id) const;
  bool Offends(const std::string& address) const;

  std::optional<server::Inflow::Cut> Judge(const server::Account& account,
                                           absl::Span<const server::Account> of_address) const;
  std::optional<server::Inflow::Cut> JudgeHeaders(const server::Account& account, int64_t divisor) const;
  std::optional<server::Inflow::Cut> JudgeUnfinished(const server::Account& account) const;

  const server::Inflow::Limits limits_;
  std::vector<Past> looks_;                // the last is the present one
  std::map<std::string, Time> last_cuts_;  // of each address ever
};

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_INFLOW_TWIN_H_
