#include "server/process/memory.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/sanitized.h"

namespace resnetd::server {
namespace {

// Bytes of this process's memory that no file is behind.
size_t Anonymous() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string line; std::getline(rollup, line);) {
    size_t kilobytes = 0;
    if (std::sscanf(line.c_str(), "Anonymous: %zu kB", &kilobytes) == 1) return kilobytes << 10;
  }
  ADD_FAILURE() << "no line \"Anonymous\" in /proc/self/smaps_rollup";
  return 0;
}

using Block = std::unique_ptr<char[]>;

Block Touched(size_t bytes) {
  Block block(new char[bytes]);
  std::memset(block.get(), 1, bytes);
  return block;
}

// Memory is freed between blocks that stay, as it is when calls have come and gone. In the first heap and in another.
TEST(ReleaseFreedMemory, HandsBackWhatLiesBetweenBlocksInUse) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers' allocator keeps what is freed";
  constexpr size_t kBlocks = 1000, kLarge = 60'000, kSmall = 64;
  const auto come_and_go = [] {
    std::vector<Block> large, small;
    for (size_t i = 0; i < kBlocks; ++i) {
      large.push_back(Touched(kLarge));
      small.push_back(Touched(kSmall));
    }
    return small;
  };
  const size_t before = Anonymous();
  std::vector<Block> here = come_and_go(), elsewhere;
  std::thread([&] { elsewhere = come_and_go(); }).join();
  EXPECT_GT(Anonymous(), before + 2 * kBlocks * kLarge * 3 / 4) << "the allocator itself hands it back";

  ReleaseFreedMemory();
  EXPECT_LT(Anonymous(), before + 2 * kBlocks * kLarge / 4);
  for (const std::vector<Block>& stayed : {std::cref(here), std::cref(elsewhere)}) {
    for (const Block& block : stayed) EXPECT_EQ(std::string(block.get(), kSmall), std::string(kSmall, 1));
  }
}

}  // namespace
}  // namespace resnetd::server
