// What a serialized model may hold, counted before anything is parsed.
#include "engine/onnx/wire_limits.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace resnetd::onnx {
namespace {

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

TEST(CheckWire, CountsFieldsWhereverTheyAre) {
  // A path of field numbers from the model to the message that holds the many empty ones.
  const std::vector<std::pair<const char*, std::vector<int>>> places = {
      {"nodes", {7, 1}},
      {"initializers", {7, 5}},
      {"attributes", {7, 1, 5}},
      {"tensors of an attribute", {7, 1, 5, 10}},
      {"nodes of a function", {25, 7}},
      {"nodes of a training graph", {20, 1, 1}},
      {"dims of an input", {7, 11, 2, 1, 2, 1}},
      {"dims of an inner value's element", {7, 13, 2, 4, 1, 1, 2, 1}},
      {"external data", {7, 5, 13}},
      {"annotations", {7, 14, 2}},
      {"metadata", {14}},
      {"fields nobody knows", {7, 999}},
  };
  for (const auto& [what, path] : places) {
    for (const bool over : {false, true}) {
      std::string bytes;
      const int count = kMaxFields - static_cast<int>(path.size()) + 1 + (over ? 1 : 0);
      for (int i = 0; i < count; ++i) bytes += Field(path.back(), "");
      for (size_t i = path.size() - 1; i-- > 0;) bytes = Field(path[i], bytes);
      const absl::Status expected =
          over ? absl::InvalidArgumentError("the file has more than 250000 fields") : absl::OkStatus();
      EXPECT_EQ(CheckBytes(bytes), expected) << what;
    }
  }
}

TEST(CheckWire, CountsDepth) {
  const auto nested = [](int graphs, const std::string& innermost) {
    std::string bytes = innermost;
    for (int i = 1; i < graphs; ++i) bytes = Field(1, Field(5, Field(6, bytes)));  // graph in attribute in node
    return Field(7, bytes);
  };
  // The model is 1 deep, its graph 2, the seventh graph 20.
  EXPECT_EQ(CheckBytes(nested(7, "")), absl::OkStatus());
  EXPECT_EQ(CheckBytes(nested(7, Field(1, ""))),
            absl::InvalidArgumentError("the file has messages nested deeper than 20"));
  std::string types;
  for (int i = 0; i < 100'000; ++i) types = i % 100 == 0 ? Field(4, Field(1, types)) : types;
  EXPECT_EQ(CheckBytes(Field(7, Field(11, Field(2, types)))).code(), absl::StatusCode::kInvalidArgument);
}

TEST(CheckWire, RefusesWhatIsNoMessage) {
  for (const std::string& bytes :
       {std::string("\x3a"), std::string("\x3a\x05xx"), std::string("\x3a\xff\xff\xff\xff\x7f"),
        std::string("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), std::string("\x07"), std::string("\x0b"),
        std::string("\x0c"), std::string("\x08\xff"), Field(7, "\x0a\x05")}) {
    EXPECT_EQ(CheckBytes(bytes).code(), absl::StatusCode::kInvalidArgument) << testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace resnetd::onnx
