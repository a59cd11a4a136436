#ifndef RESNETD_TESTS_FUZZ_INFLOW_CHECKS_H_
#define RESNETD_TESTS_FUZZ_INFLOW_CHECKS_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "base/enum_table.h"
#include "server/net/inflow.h"

namespace resnetd::fuzz {

// An event of connections or of the process. A script is a byte (of its bits, the last two choose limits, the first
// whether connections that are cut are named at the next look, the second whether crowds come) and events of three
// bytes each: what (% the number of events), of whom (% the connections that there are), and how much (the last five
// bits, times eight to the power of the first three).
enum class InflowEvent : uint8_t {
  kConnect,   // of address `whom` % 4, of which 0 is nobody in particular; so much is read of it
  kRead,      // bytes
  kSend,      // bytes
  kBegin,     // streams
  kEnd,       // streams
  kMessages,  // received whole
  kBack,      // counter `whom` / 16 % 5 goes back
  kGo,
  kHide,    // is not named at the next look
  kPass,    // milliseconds
  kGrow,    // bytes
  kShrink,  // bytes
  kLook,
  kCrowd,  // `whom` connections of an address each, with so many streams, which are gone after the next look
};

// Counts the events of a script.
struct InflowOutcome {
  int looks = 0;
  EnumTable<server::Excess, int> cuts{0, 0, 0};
  int back = 0;                     // counters that went back
  int cuts_again = 0;               // of connections that were cut before
  bool too_many_offenders = false;  // with which a script ends
};

// Plays the bytes as a script to server::Inflow and to InflowTwin. What must not happen: other cuts than the twin's, be
// it in amount or limit, one that is within its limit, another number of offenders, or more than are allowed, and what
// a sanitizer sees. Aborts where that is broken. The script ends after 40 looks.
InflowOutcome CheckInflow(absl::Span<const std::byte> bytes);

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_INFLOW_CHECKS_H_
