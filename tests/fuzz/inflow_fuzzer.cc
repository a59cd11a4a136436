#include <cstdint>

#include "tests/fuzz/inflow_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  resnetd::fuzz::CheckInflow({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
