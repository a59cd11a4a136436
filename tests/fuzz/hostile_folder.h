#ifndef RESNETD_TESTS_FUZZ_HOSTILE_FOLDER_H_
#define RESNETD_TESTS_FUZZ_HOSTILE_FOLDER_H_

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/folder.h"

namespace resnetd::fuzz {

// A model's folder as nobody should get one: files of weights, folders, links of every kind, good and bad, pipes, and
// all of it within reach of a file that must not be read. Laid out once for the process; its root is the folder above.
const Folder& HostileFolder();

// Whether these are the bytes of a file that lies out of the root.
bool IsOutOfRoot(absl::string_view bytes);

// A path for a tensor's location: names of that folder and of others, put together by chance. `below(n)` is a number
// from 0 to n - 1.
std::string SomeLocation(const std::function<int(int n)>& below);

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_HOSTILE_FOLDER_H_
