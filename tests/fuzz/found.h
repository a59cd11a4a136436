#ifndef RESNETD_TESTS_FUZZ_FOUND_H_
#define RESNETD_TESTS_FUZZ_FOUND_H_

#include <functional>
#include <string>

namespace resnetd::fuzz {

// Calls `check` with the bytes of each file in found/, in the order of their names. A file there is what a fault was
// found with, by any of the fuzzers; its name says which. A test fails if there is none.
void CheckWhatWasFound(const std::function<void(const std::string& bytes)>& check);

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_FOUND_H_
