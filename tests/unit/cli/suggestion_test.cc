// The nearest name for what nobody knows.
#include "cli/suggestion.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace resnetd::cli {
namespace {

TEST(NearestNameTest, FewLettersMayDiffer) {
  const std::vector<std::string> names = {"--top-k", "--threshold", "--timeout", "--concurrency", "embed", "evaluate"};
  const struct {
    const char *typed, *nearest;
  } kCases[] = {
      {"--topk", "--top-k"},
      {"--top_k", "--top-k"},
      {"--tresholds", "--threshold"},
      {"--conc", "--concurrency"},
      {"--concurency", "--concurrency"},
      {"embedd", "embed"},
      {"evaluation", "evaluate"},
      {"serve", ""},
      {"--frobnicate", ""},
      {"e", ""},
      {"", ""},
  };
  for (const auto& [typed, nearest] : kCases) EXPECT_EQ(NearestName(typed, names), nearest) << typed;
  EXPECT_EQ(NearestName(std::string(1 << 20, 'x'), names), "");
}

}  // namespace
}  // namespace resnetd::cli
