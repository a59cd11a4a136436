#include "server/process/room.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "tests/support/sanitized.h"

namespace resnetd::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kMb = size_t{1} << 20;

int Threads() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    int threads = 0;
    if (std::sscanf(line.c_str(), "Threads: %d", &threads) == 1) return threads;
  }
  return -1;
}

size_t AddressBytes() {
  std::ifstream statm("/proc/self/statm");
  size_t pages = 0;
  statm >> pages;
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Sets the limit on addresses to so many bytes above what is in use, for as long as it lives.
class AddressLimit {
 public:
  explicit AddressLimit(size_t more) {
    getrlimit(RLIMIT_AS, &before_);
    const rlimit limit{AddressBytes() + more, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  }
  ~AddressLimit() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

TEST(RoomTest, ThereIsRoomAndNothingStays) {
  EXPECT_EQ(CheckRoom(30, 100 * kMb), absl::OkStatus());
  EXPECT_EQ(CheckRoom(0, kMb), absl::OkStatus());
  if (!kSanitized) {
    EXPECT_EQ(Threads(), 1);
  }
}

TEST(RoomTest, StacksMustFit) {
  if (kSanitized) GTEST_SKIP() << "AddressSanitizer's own addresses are many";
  const AddressLimit limit(100 * kMb);
  EXPECT_THAT(std::string(CheckRoom(1000, kMb).message()),
              AllOf(HasSubstr("(ulimit -v) is too little"), HasSubstr("1000 threads with stacks of "),
                    HasSubstr(" KiB (ulimit -s) and 1 MiB of memory")));
  EXPECT_EQ(CheckRoom(1, kMb), absl::OkStatus());
}

TEST(RoomTest, MemoryMustFitBesideThem) {
  if (kSanitized) GTEST_SKIP() << "AddressSanitizer's own addresses are many";
  const AddressLimit limit(100 * kMb);
  EXPECT_EQ(CheckRoom(1, 20 * kMb), absl::OkStatus());
  EXPECT_THAT(std::string(CheckRoom(1, 120 * kMb).message()), HasSubstr("and 120 MiB of memory"));
}

}  // namespace
}  // namespace resnetd::server
