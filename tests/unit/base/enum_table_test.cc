#include "base/enum_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <type_traits>

namespace resnetd {
namespace named {

enum class Colour : uint8_t { kRed, kGreen, kBlue };

}  // namespace named

namespace {

enum class Level : uint8_t { kL1, kL2 };  // in a namespace without a name; digits at the end
enum class One { kOnly };
enum class Alias : uint8_t { kFirst, kSecond, kLast = kSecond };

using named::Colour;
using Names = EnumTable<Colour, const char*>;

static_assert(EnumSize<Colour>() == 3);
static_assert(EnumSize<Level>() == 2);
static_assert(EnumSize<One>() == 1);
static_assert(EnumSize<Alias>() == 2);

static_assert(std::is_constructible_v<Names, const char*, const char*, const char*>);
static_assert(!std::is_constructible_v<Names, const char*, const char*>, "a name is missing");
static_assert(!std::is_constructible_v<Names, const char*, const char*, const char*, const char*>, "one too many");
static_assert(!std::is_constructible_v<Names, const char*, const char*, int>);

TEST(EnumTableTest, HoldsAnEntryForEachValue) {
  static constexpr Names kNames = {"red", "green", "blue"};
  static_assert(kNames[Colour::kBlue][0] == 'b');
  std::string all;
  for (const Colour colour : EnumValues<Colour>()) all += std::string(kNames[colour]) + " ";
  EXPECT_EQ(all, "red green blue ");
}

TEST(EnumTableTest, StartsWithDefaults) {
  EnumTable<Level, int> counts;
  ++counts[Level::kL2];
  EXPECT_EQ(counts[Level::kL1], 0);
  EXPECT_EQ(counts[Level::kL2], 1);
}

}  // namespace
}  // namespace resnetd
