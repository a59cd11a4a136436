// Image files under libFuzzer; FUZZED_FORMAT says which. A file of another format is no use to the corpus.
#include <cstdint>

#include "tests/fuzz/image_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using resnetd::fuzz::CheckFile, resnetd::fuzz::Outcome;
  const auto format = resnetd::image::Format::FUZZED_FORMAT;
  return CheckFile({reinterpret_cast<const std::byte*>(data), size}, format) == Outcome::kOfAnotherFormat ? -1 : 0;
}
