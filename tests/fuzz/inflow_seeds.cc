#include "tests/fuzz/inflow_seeds.h"

#include <initializer_list>
#include <string>
#include <vector>

namespace resnetd::fuzz {
namespace {

using enum InflowEvent;

struct Event {
  InflowEvent what;
  int whom = 0;
  int amount = 0;  // as a script has it: Halves(), ...; up to 31 is the number itself
};

// 0 to 31 of 8, of 512 (a half of a kilobyte), of 4096, of 32,768, of 256 Ki and of 2 Mi.
constexpr int Eights(int n) {
  return n | 1 << 5;
}
constexpr int Halves(int n) {
  return n | 3 << 5;
}
constexpr int Pages(int n) {
  return n | 4 << 5;
}
constexpr int Windows(int n) {
  return n | 5 << 5;
}
constexpr int Quarters(int n) {
  return n | 6 << 5;
}
constexpr int Doubles(int n) {
  return n | 7 << 5;
}

constexpr int kLimitsOfServer = 0, kLimitOf20 = 1, kNameCutOnes = 0x80, kCrowds = 0x40;

std::string Script(int first, std::initializer_list<Event> events, int times = 1,
                   std::initializer_list<Event> repeated = {}) {
  std::string bytes(1, static_cast<char>(first));
  const auto add = [&](const Event& event) {
    for (const int byte : {static_cast<int>(event.what), event.whom, event.amount}) {
      bytes += static_cast<char>(byte);
    }
  };
  for (const Event& event : events) add(event);
  for (int i = 0; i < times; ++i) {
    for (const Event& event : repeated) add(event);
  }
  return bytes;
}

// Bytes that are read, with messages and without.
std::vector<InflowSeed> SeedsOfBytes() {
  return {
      {{"upload", Script(kLimitsOfServer, {{kConnect, 1}, {kBegin, 0, 1}}, 30,
                         {{kRead, 0, Windows(1)}, {kSend, 0, 26}, {kGrow, 0, Doubles(4)}, {kLook}, {kMessages, 0, 1}})},
       {0, 0, 0}},
      {{"pings", Script(kLimitOf20, {{kConnect, 1}}, 20,
                        {{kRead, 0, Halves(17)}, {kSend, 0, Halves(17)}, {kPass, 0, Windows(1)}, {kLook}})},
       {0, 0, 0}},
      {{"large-message", Script(kLimitsOfServer, {{kConnect, 1},
                                                  {kBegin, 0, 1},
                                                  {kLook},
                                                  {kRead, 0, Doubles(8)},
                                                  {kSend, 0, Halves(8)},
                                                  {kRead, 0, Quarters(4)},
                                                  {kLook},
                                                  {kRead, 0, 1},
                                                  {kLook}})},
       {0, 0, 1}},
      {{"headers", Script(kLimitsOfServer, {{kConnect, 1}, {kBegin, 0, 1}, {kSend, 0, 17}}, 15,
                          {{kRead, 0, Windows(1)}, {kGrow, 0, Doubles(2)}, {kLook}})},
       {0, 1, 0}},
      {{"headers-of-many-calls", Script(kLimitsOfServer, {{kConnect, 1}, {kBegin, 0, Halves(2)}}, 20,
                                        {{kRead, 0, Windows(2)}, {kGrow, 0, Doubles(4)}, {kLook}})},
       {0, 1, 0}},
      {{"headers-beside-an-upload",
        Script(kLimitsOfServer, {{kConnect, 1}, {kConnect, 2}, {kBegin, 0, 1}, {kBegin, 1, 1}}, 20,
               {{kRead, 0, Windows(1)},
                {kRead, 1, Quarters(4)},
                {kSend, 1, 26},
                {kMessages, 1, 1},
                {kGrow, 0, Doubles(3)},
                {kLook}})},
       {0, 1, 0}},
      {{"headers-beside-more-than-counts",
        Script(kLimitsOfServer, {{kConnect, 1, Windows(4)}, {kConnect, 2}, {kBegin, 0, 1}, {kBegin, 1, 1}, {kLook}}, 3,
               {{kRead, 1, Doubles(15)}, {kSend, 1, 26}, {kMessages, 1, 1}, {kGrow, 0, Doubles(16)}, {kLook}})},
       {0, 1, 0}},
      {{"memory-given-back", Script(kLimitsOfServer, {{kConnect, 2},
                                                      {kGrow, 0, Doubles(30)},
                                                      {kLook},
                                                      {kShrink, 0, Doubles(30)},
                                                      {kConnect, 1, Windows(9)},
                                                      {kBegin, 1, 1},
                                                      {kGrow, 0, Doubles(15)},
                                                      {kLook}})},
       {0, 1, 0}},
      {{"greeting-to-the-byte",
        Script(kLimitOf20,
               {{kConnect, 1, Windows(3)}, {kSend, 0, Eights(6)}, {kLook}, {kGrow, 0, Doubles(15)}, {kLook}})},
       {0, 1, 0}},
  };
}

// Calls, of connections and of addresses.
std::vector<InflowSeed> SeedsOfCalls() {
  return {
      {{"calls", Script(kLimitOf20, {{kConnect, 1},
                                     {kConnect, 0},
                                     {kBegin, 0, 20},
                                     {kBegin, 1, 20},
                                     {kLook},
                                     {kBegin, 0, 1},
                                     {kBegin, 1, 1},
                                     {kEnd, 1, 1},
                                     {kLook}})},
       {1, 0, 0}},
      {{"calls-of-an-address", Script(kLimitOf20, {{kConnect, 1},
                                                   {kConnect, 1},
                                                   {kConnect, 1},
                                                   {kConnect, 2},
                                                   {kBegin, 0, 2},
                                                   {kBegin, 1, 15},
                                                   {kBegin, 2, 14},
                                                   {kBegin, 3, 20},
                                                   {kLook}})},
       {2, 0, 0}},
      // One is cut for something else. Then the calls are too many for an offender, and it is the largest that is cut.
      {{"calls-of-an-offender", Script(kLimitOf20, {{kConnect, 1},
                                                    {kConnect, 1},
                                                    {kConnect, 1},
                                                    {kConnect, 1},
                                                    {kBegin, 0, 4},
                                                    {kBegin, 1, 3},
                                                    {kBegin, 2, 2},
                                                    {kBegin, 3, 2},
                                                    {kLook},
                                                    {kRead, 1, Doubles(4)},
                                                    {kLook},
                                                    {kLook}})},
       {1, 0, 1}},
      {{"minute", Script(kLimitOf20, {{kConnect, 1},
                                      {kConnect, 1},
                                      {kBegin, 0, 21},
                                      {kBegin, 1, 5},
                                      {kLook},
                                      {kBegin, 0, 1},
                                      {kLook},
                                      {kConnect, 1},
                                      {kBegin, 0, 20},
                                      {kPass, 0, Windows(2)},
                                      {kLook}})},
       {2, 0, 0}},
      {{"minute-but-a-little", Script(kLimitOf20, {{kConnect, 1},
                                                   {kBegin, 0, 21},
                                                   {kLook},
                                                   {kConnect, 1},
                                                   {kBegin, 0, 20},
                                                   {kPass, 0, Windows(1)},
                                                   {kLook}})},
       {2, 0, 0}},
      {{"minute-to-the-millisecond", Script(kLimitOf20, {{kConnect, 1},
                                                         {kBegin, 0, 21},
                                                         {kLook},
                                                         {kConnect, 1},
                                                         {kBegin, 0, 20},
                                                         {kPass, 0, Pages(14)},
                                                         {kPass, 0, Halves(5)},
                                                         {kPass, 0, Eights(12)},
                                                         {kLook}})},
       {1, 0, 0}},
      {{"crowd", Script(kLimitOf20 | kCrowds, {{kConnect, 1}}, 6, {{kCrowd, 255, 31}, {kLook}})}, {1020, 0, 0}},
  };
}

// Books that are not what they should be.
std::vector<InflowSeed> SeedsOfBooks() {
  return {
      {{"named-though-cut", Script(kLimitOf20 | kNameCutOnes, {{kConnect, 1}, {kBegin, 0, 21}}, 3, {{kLook}})},
       {3, 0, 0}},
      {{"hidden",
        Script(kLimitOf20, {{kConnect, 1, Windows(31)}, {kLook}, {kHide}, {kLook}, {kGrow, 0, Doubles(2)}, {kLook}})},
       {0, 0, 0}},
      {{"back", Script(kLimitOf20, {{kConnect, 1, Windows(3)},
                                    {kBegin, 0, 20},
                                    {kMessages, 0, 3},
                                    {kSend, 0, Halves(1)},
                                    {kLook},
                                    {kBack, 0, Windows(2)},
                                    {kBack, 16, 31},
                                    {kBack, 32, 9},
                                    {kBack, 64, 2},
                                    {kLook},
                                    {kEnd, 0, 31},
                                    {kLook},
                                    {kBack, 48, 31},
                                    {kRead, 0, Windows(1)},
                                    {kLook},
                                    {kBegin, 0, 31},
                                    {kLook}})},
       {1, 0, 0}},
  };
}

}  // namespace

std::vector<InflowSeed> InflowSeeds() {
  std::vector<InflowSeed> seeds;
  for (const auto& some : {SeedsOfBytes(), SeedsOfCalls(), SeedsOfBooks()}) {
    seeds.insert(seeds.end(), some.begin(), some.end());
  }
  return seeds;
}

}  // namespace resnetd::fuzz
