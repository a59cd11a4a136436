// Models parsed without copying their initializers, against what protobuf makes of the same bytes.
#include "engine/onnx/parse.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/onnx_file.h"

namespace resnetd::onnx {
namespace {

absl::Span<const std::byte> AsBytes(const std::string& file) {
  return {reinterpret_cast<const std::byte*>(file.data()), file.size()};
}

std::optional<std::string> ByProtobuf(const std::string& file) {
  ModelProto model;
  if (!model.ParseFromString(file) || !model.has_graph()) return std::nullopt;
  return model.SerializeAsString();
}

// Parsed in parts and put together again.
std::optional<std::string> ByUs(const std::string& file) {
  absl::StatusOr<ParsedModel> parsed = ParseModel(AsBytes(file));
  if (!parsed.ok()) return std::nullopt;
  EXPECT_EQ(parsed->model.graph().initializer_size(), 0);
  for (const absl::string_view initializer : parsed->initializers) {
    absl::StatusOr<ParsedTensor> from = ParseInitializer(initializer);
    if (!from.ok()) return std::nullopt;
    EXPECT_FALSE(from->tensor.has_raw_data());
    TensorProto& tensor = *parsed->model.mutable_graph()->add_initializer();
    tensor = from->tensor;
    if (from->raw_data.data() != nullptr) tensor.set_raw_data(std::string(from->raw_data));
  }
  return parsed->model.SerializeAsString();
}

OnnxFile Example() {
  OnnxFile f;
  f.model.set_producer_name("somebody");
  f.Floats("weights", {10, 3, 8, 8}, 0.5f);
  f.Floats("typed", {2}).clear_raw_data();
  f.graph().mutable_initializer(1)->add_float_data(1), f.graph().mutable_initializer(1)->add_float_data(2);
  f.Floats("empty", {1}).set_raw_data("");
  f.Node("Conv", {"x", "weights"}, "y");
  return f;
}

TEST(ParseModel, IsProtobufs) {
  const std::string file = Example().Bytes();
  ASSERT_TRUE(ByProtobuf(file).has_value());
  EXPECT_EQ(ByUs(file), ByProtobuf(file));
}

TEST(ParseModel, LeavesElementsWhereTheyAre) {
  const std::string file = Example().Bytes();
  const auto parsed = ParseModel(AsBytes(file));
  ASSERT_TRUE(parsed.ok() && parsed->initializers.size() == 3);
  const auto weights = ParseInitializer(parsed->initializers[0]);
  ASSERT_TRUE(weights.ok());
  EXPECT_EQ(weights->raw_data.size(), 10 * 3 * 8 * 8 * sizeof(float));
  EXPECT_GE(weights->raw_data.data(), file.data());
  EXPECT_LE(weights->raw_data.data() + weights->raw_data.size(), file.data() + file.size());
}

TEST(ParseModel, MergesAGraphInParts) {
  OnnxFile first, second;
  first.Floats("a", {1}), second.Floats("b", {2});
  second.Node("Relu", {"x"}, "y");
  const std::string file = first.Bytes() + second.Bytes();
  EXPECT_EQ(ParseModel(AsBytes(file))->initializers.size(), 2);
  EXPECT_EQ(ByUs(file), ByProtobuf(file));
}

// Protobuf makes an unknown field of bytes that are no message where the schema has one.
TEST(ParseModel, LeavesWhatIsNoMessage) {
  const std::string number_for_graph = "\x38\x01", number_for_initializer = "\x3a\x02\x28\x01",
                    empty_graph = {"\x3a\0", 2};
  for (const std::string& more : {number_for_graph, number_for_initializer, empty_graph}) {
    EXPECT_EQ(ByUs(Example().Bytes() + more), ByProtobuf(Example().Bytes() + more));
    EXPECT_EQ(ByUs(more), ByProtobuf(more));
  }
}

TEST(ParseModel, TakesTheLastElementsOfATensor) {
  TensorProto first, last;
  first.set_raw_data("first"), last.set_raw_data("last");
  const std::string both = first.SerializeAsString() + last.SerializeAsString();
  EXPECT_EQ(ParseInitializer(both)->raw_data, "last");
}

TEST(ParseModel, IsProtobufsWhereverTheFileEnds) {
  const std::string file = Example().Bytes();
  int damaged = 0;
  for (size_t size = 1; size < file.size(); ++size) {
    const std::string part = file.substr(0, size);
    EXPECT_EQ(ByUs(part), ByProtobuf(part)) << size;
    damaged += ByUs(part).has_value() ? 0 : 1;
  }
  EXPECT_GT(damaged, 7000);
}

TEST(ParseModel, IsProtobufsWhateverByteIsWrong) {
  const std::string file = Example().Bytes();
  int both = 0;
  for (size_t i = 0; i < file.size(); ++i) {
    for (const int bit : {0, 1, 3, 7}) {
      std::string wrong = file;
      wrong[i] = static_cast<char>(wrong[i] ^ (1 << bit));
      if (!CheckWire(AsBytes(wrong)).ok()) continue;  // the limits refuse more than protobuf does
      EXPECT_EQ(ByUs(wrong), ByProtobuf(wrong)) << i << " bit " << bit;
      ++both;
    }
  }
  EXPECT_GT(both, 10000);
}

}  // namespace
}  // namespace resnetd::onnx
