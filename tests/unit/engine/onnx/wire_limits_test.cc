// Tests what a serialized model may hold, counted before anything is parsed.
#include "engine/onnx/parse.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace resnetd::onnx {
namespace {

using ::testing::HasSubstr;

// Bytes of a field of wire type 2.
std::string Field(int number, const std::string& content) {
  std::string s;
  const auto varint = [&s](size_t v) {
    for (; v > 127; v >>= 7) s += static_cast<char>(v | 128);
    s += static_cast<char>(v);
  };
  varint(static_cast<size_t>(number) << 3 | 2);
  varint(content.size());
  return s + content;
}

absl::Status CheckBytes(const std::string& s) {
  return CheckWire({reinterpret_cast<const std::byte*>(s.data()), s.size()});
}

// `innermost` within messages that are within one another: `path` holds the fields' numbers, outermost first.
std::string Within(const std::vector<int>& path, std::string innermost) {
  for (size_t i = path.size(); i-- > 0;) innermost = Field(path[i], innermost);
  return innermost;
}

std::string Repeated(int count, const std::string& field) {
  std::string s;
  for (int i = 0; i < count; ++i) s += field;
  return s;
}

absl::Status Refusal(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the file has ", what));
}

TEST(CheckWire, CountsFieldsWhereverTheyAre) {
  struct Case {
    const char* what;
    std::vector<int> path;  // from the model to the message that holds the many empty ones
    const char* where = "";
  };
  const std::vector<Case> cases = {
      {"initializers", {7, 5}},
      {"inputs of a node", {7, 1, 1}, " at node number 1"},
      {"attributes", {7, 1, 5}, " at node number 1"},
      {"tensors of an attribute", {7, 1, 5, 10}, " at node number 1"},
      {"attributes of a function's node", {25, 7, 5}, " at node number 1"},
      {"initializers of a training graph", {20, 1, 5}},
      {"dims of an input", {7, 11, 2, 1, 2, 1}},
      {"dims of an inner value's element", {7, 13, 2, 4, 1, 1, 2, 1}},
      {"external data", {7, 5, 13}},
      {"annotations", {7, 14, 2}},
      {"metadata", {14}},
      {"fields nobody knows", {7, 999}},
  };
  for (const Case& c : cases) {
    const std::vector<int> around(c.path.begin(), c.path.end() - 1);
    const int most = kMaxFields - static_cast<int>(around.size());
    const std::string field = Field(c.path.back(), "");
    EXPECT_EQ(CheckBytes(Within(around, Repeated(most, field))), absl::OkStatus()) << c.what;
    EXPECT_EQ(CheckBytes(Within(around, Repeated(most + 1, field))),
              Refusal(absl::StrCat("more than 250000 fields", c.where)))
        << c.what;
  }
}

TEST(CheckWire, CountsNodesAtAllDepths) {
  const std::string node = Field(1, ""), named = Field(1, Field(3, "last"));
  for (const std::vector<int>& path : {std::vector<int>{7}, std::vector<int>{20, 2}}) {
    EXPECT_EQ(CheckBytes(Within(path, Repeated(kMaxNodes, node))), absl::OkStatus());
    EXPECT_EQ(CheckBytes(Within(path, Repeated(kMaxNodes + 1, node))),
              Refusal("more than 20000 nodes at node number 20001"));
    EXPECT_EQ(CheckBytes(Within(path, Repeated(kMaxNodes, node) + named)),
              Refusal("more than 20000 nodes at node 'last'"));
  }
  const std::string function_node = Field(7, "");
  EXPECT_EQ(CheckBytes(Within({25}, Repeated(kMaxNodes, function_node))), absl::OkStatus());
  EXPECT_EQ(CheckBytes(Within({25}, Repeated(kMaxNodes + 1, function_node))),
            Refusal("more than 20000 nodes at node number 20001"));
  // A body's nodes and the one that holds it.
  const auto with_body = [&](int nodes) {
    return Field(7, Field(1, Field(3, "loop") + Field(5, Field(6, Repeated(nodes, node)))));
  };
  EXPECT_EQ(CheckBytes(with_body(kMaxNodes - 1)), absl::OkStatus());
  EXPECT_EQ(CheckBytes(with_body(kMaxNodes)), Refusal("more than 20000 nodes at node 'loop'"));
}

TEST(CheckWire, CountsDepth) {
  const auto nested = [](int graphs, const std::string& innermost) {
    std::string bytes = innermost;
    for (int i = 1; i < graphs; ++i) {  // graph in attribute in node
      bytes = Field(1, Field(3, absl::StrCat("loop", graphs - i)) + Field(5, Field(6, bytes)));
    }
    return Field(7, bytes);
  };
  // The model is 1 deep, its graph 2, the seventh graph 20.
  EXPECT_EQ(CheckBytes(nested(7, "")), absl::OkStatus());
  EXPECT_EQ(CheckBytes(nested(7, Field(1, ""))), Refusal("messages nested deeper than 20 at node 'loop1'"));
  EXPECT_EQ(CheckBytes(nested(100, "")), Refusal("messages nested deeper than 20 at node 'loop1'"));
  std::string types;
  for (int i = 0; i < 1000; ++i) types = Field(4, Field(1, types));
  EXPECT_EQ(CheckBytes(Within({7, 11, 2}, types)), Refusal("messages nested deeper than 20"));
}

TEST(CheckWire, MeasuresAndReadsNames) {
  struct Case {
    const char* what;
    std::vector<int> path;  // from the model to the name
    const char* where = "";
  };
  const std::vector<Case> cases = {
      {"a graph", {7, 2}},
      {"an input of a node", {7, 1, 1}, " at node number 1"},
      {"an output of a node", {7, 1, 2}, " at node number 1"},
      {"a node", {7, 1, 3}, " at node number 1"},
      {"an operator", {7, 1, 4}, " at node number 1"},
      {"a domain", {7, 1, 7}, " at node number 1"},
      {"an attribute", {7, 1, 5, 1}, " at node number 1"},
      {"an attribute's string", {7, 1, 5, 4}, " at node number 1"},
      {"a tensor", {7, 5, 8}},
      {"an input", {7, 11, 1}},
      {"a key of external data", {7, 5, 13, 1}},
      {"where external data lies", {7, 5, 13, 2}},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(CheckBytes(Within(c.path, std::string(kMaxName, 'n'))), absl::OkStatus()) << c.what;
    EXPECT_EQ(CheckBytes(Within(c.path, std::string(kMaxName + 1, 'n'))),
              Refusal(absl::StrCat("a name or value of 4097 bytes, expected at most 4096", c.where)))
        << c.what;
    for (const char* name : {"a\nb", "\x1b[31m", "\x7f", "\t"}) {
      EXPECT_EQ(CheckBytes(Within(c.path, name)),
                Refusal(absl::StrCat("a name or value with control characters", c.where)))
          << c.what;
    }
    EXPECT_EQ(CheckBytes(Within(c.path, "r\xc3\xa9seau/conv 1:0")), absl::OkStatus()) << c.what;
  }
  EXPECT_EQ(CheckBytes(Within({7, 10}, std::string(1 << 20, '\n'))), absl::OkStatus()) << "a text for people";
}

TEST(CheckWire, MeasuresIntegers) {
  for (const std::vector<int>& path : {std::vector<int>{7, 1, 5, 8}, {7, 5, 1}, {7, 5, 5}, {7, 5, 7}, {7, 5, 11}}) {
    const std::string most(kMaxIntegerBytes, '\x01');
    const std::vector<int> around(path.begin(), path.end() - 1);
    const absl::Status whole = CheckBytes(Within(path, most + '\x01'));
    EXPECT_EQ(CheckBytes(Within(path, most)), absl::OkStatus());
    EXPECT_THAT(std::string(whole.message()), HasSubstr("more than 1048576 bytes of integers outside raw data"));
    EXPECT_EQ(CheckBytes(Within(around, Field(path.back(), most) + Field(path.back(), "\x01"))), whole)
        << "in two parts";
  }
  EXPECT_EQ(CheckBytes(Within({7, 5, 9}, std::string(kMaxIntegerBytes + 1, '\x01'))), absl::OkStatus()) << "raw data";
  EXPECT_EQ(CheckBytes(Within({7, 5, 4}, std::string(kMaxIntegerBytes + 4, '\x01'))), absl::OkStatus()) << "floats";
}

TEST(CheckWire, RefusesWhatIsNoMessage) {
  for (const std::string& bytes :
       {std::string("\x3a"), std::string("\x3a\x05xx"), std::string("\x3a\xff\xff\xff\xff\x7f"),
        std::string("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), std::string("\x07"), std::string("\x0b"),
        std::string("\x0c"), std::string("\x08\xff"), Field(7, "\x0a\x05"), std::string("\x0b\x0c")}) {
    EXPECT_EQ(CheckBytes(bytes).code(), absl::StatusCode::kInvalidArgument) << testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace resnetd::onnx
