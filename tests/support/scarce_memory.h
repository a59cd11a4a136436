#ifndef RESNETD_TESTS_SUPPORT_SCARCE_MEMORY_H_
#define RESNETD_TESTS_SUPPORT_SCARCE_MEMORY_H_

// Lets operator new, which linking scarce_memory.cc replaces, fail once for a program's other threads.
namespace resnetd {

// The calling thread's allocations succeed from now on.
void SpareThisThread();

// The allocation after the next `others` throws. < 0: none does.
void FailAfter(int others);

// How many have thrown.
int FailedAllocations();

}  // namespace resnetd

#endif  // RESNETD_TESTS_SUPPORT_SCARCE_MEMORY_H_
