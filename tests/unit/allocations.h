#ifndef RESNETD_TESTS_UNIT_ALLOCATIONS_H_
#define RESNETD_TESTS_UNIT_ALLOCATIONS_H_

#include <cstddef>

namespace resnetd {

// How often this program has called operator new. Linking allocations.cc replaces the operator.
size_t Allocations();

}  // namespace resnetd

#endif  // RESNETD_TESTS_UNIT_ALLOCATIONS_H_
