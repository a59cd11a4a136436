#ifndef RESNETD_TESTS_SUPPORT_ALLOCATIONS_H_
#define RESNETD_TESTS_SUPPORT_ALLOCATIONS_H_

#include <cstddef>

namespace resnetd {

// Counts how often this program has called operator new, which linking allocations.cc replaces. Libraries in C do not.
size_t Allocations();

// The bytes of that memory that the program holds.
size_t AllocatedBytes();

}  // namespace resnetd

#endif  // RESNETD_TESTS_SUPPORT_ALLOCATIONS_H_
