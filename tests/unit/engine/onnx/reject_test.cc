// ONNX files that are refused, and what the message says.
#include <functional>
#include <random>

#include "absl/strings/str_cat.h"
#include "engine/onnx/onnx.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_file.h"
#include "tests/support/onnx_refusal.h"

namespace resnetd::onnx {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ReadOnnx, RefusesWhatIsNoOnnxFile) {
  std::mt19937 rng(1);
  std::string noise(1 << 20, '\0');
  for (char& c : noise) c = static_cast<char>(rng());
  for (const std::string& bytes : {std::string("a"), std::string("plain text\n"), noise, std::string(1000, '\0')}) {
    EXPECT_EQ(
        ReadBytes(bytes).status(),
        absl::InvalidArgumentError("model 'tested': the file is not an ONNX model, or it is damaged or truncated"));
  }
  EXPECT_EQ(ReadBytes("").status(), absl::InvalidArgumentError("model 'tested': the file is empty"));
}

TEST(ReadOnnx, RefusesEveryBeginningOfAFile) {
  OnnxFile file;
  Network(file);
  const std::string bytes = file.Bytes();
  ASSERT_TRUE(ReadBytes(bytes).ok()) << ReadBytes(bytes).status();
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_EQ(ReadBytes(bytes.substr(0, size)).status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

// Whatever it holds, a damaged file is read or refused, and nothing else happens (the sanitizers watch).
TEST(ReadOnnx, SurvivesDamage) {
  OnnxFile file;
  Network(file);
  const std::string bytes = file.Bytes();
  std::mt19937 rng(2);
  int read = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = bytes;
    for (uint32_t i = 0; i <= rng() % 4; ++i) {
      const size_t at = rng() % damaged.size();
      switch (rng() % 4) {
        case 0:
          damaged[at] = static_cast<char>(rng());
          break;
        case 1:
          damaged[at] = static_cast<char>(damaged[at] ^ (1 << rng() % 8));
          break;
        case 2:
          damaged.erase(at, 1 + rng() % 8);
          break;
        case 3:
          damaged.insert(at, damaged.substr(rng() % damaged.size(), rng() % 16));
          break;
      }
    }
    const auto graph = ReadBytes(damaged);
    if (graph.ok()) ++read;
    ASSERT_TRUE(graph.ok() || absl::IsInvalidArgument(graph.status())) << graph.status();
  }
  EXPECT_GT(read, 0);  // some damage does not matter: a bit of a weight
}

TEST(ReadOnnx, NamesUnsupportedOperators) {
  OnnxFile file;
  Network(file);
  file.Node("Softsign", {"c"}, "z");
  file.Node("Conv", {"c"}, "z2").set_domain("com.example");
  file.Node("LSTM", {"c"}, "z3").clear_name();
  EXPECT_EQ(
      ReadBytes(file.Bytes()).status(),
      absl::InvalidArgumentError(
          "model 'tested': operators that are not supported: Softsign (1 node), com.example.Conv (1 node), LSTM (1 "
          "node); the first is node 'node4' at opset 17; an export without them is served"));
  for (int i = 0; i < 48; ++i) file.Node("Loop", {"c"}, absl::StrCat("l", i));
  EXPECT_THAT(std::string(ReadBytes(file.Bytes()).status().message()), HasSubstr("LSTM (1 node), Loop (48 nodes);"));
  for (int i = 0; i < 60; ++i) file.Node(absl::StrCat("Op", i), {"c"}, absl::StrCat("o", i));
  EXPECT_THAT(std::string(ReadBytes(file.Bytes()).status().message()),
              AllOf(HasSubstr("Op45 (1 node) and 14 more operators"), Not(HasSubstr("Op46"))));
}

TEST(ReadOnnx, NamesNetworksOfEightBits) {
  OnnxFile file;
  Network(file);
  file.Node("QuantizeLinear", {"c"}, "q");
  file.Node("Softsign", {"q"}, "s");
  file.Node("DequantizeLinear", {"q"}, "d");
  file.Node("QLinearAdd", {"q"}, "a").set_domain("com.microsoft");
  file.Node("DequantizeLinear", {"q"}, "e");
  const absl::Status refused = ReadBytes(file.Bytes()).status();
  EXPECT_EQ(refused, absl::InvalidArgumentError(
                         "model 'tested': an int8 network: serve the float one that it was made from (it computes in "
                         "QuantizeLinear (1 node), DequantizeLinear (2 nodes), com.microsoft.QLinearAdd (1 node))"));
  const std::string bytes = file.Bytes();
  EXPECT_THAT(std::string(CheckOperators(bytes).status().message()), testing::StartsWith("an int8 network: "));
}

TEST(CheckOperators, ListsAllUnsupportedOnes) {
  OnnxFile file;
  Network(file);
  const int nodes = file.graph().node_size();
  const auto check = [&] {
    const std::string bytes = file.Bytes();
    return CheckOperators(bytes);
  };
  auto checked = check();
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->opset, 17);
  EXPECT_EQ(checked->nodes, nodes);
  EXPECT_TRUE(checked->unsupported.empty());

  for (int i = 0; i < 60; ++i) file.Node("Loop", {"c"}, absl::StrCat("l", i));
  file.Node("Conv", {"c"}, "z").set_domain("com.example");
  checked = check();
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->nodes, nodes + 61);
  ASSERT_EQ(checked->unsupported.size(), 61u);
  EXPECT_EQ(checked->unsupported[59].name, absl::StrCat("node", nodes + 59));
  EXPECT_EQ(checked->unsupported[59].op, "Loop");
  EXPECT_EQ(checked->unsupported[60].op, "com.example.Conv");

  file.model.mutable_opset_import(0)->set_version(kNewestOpset + 1);
  EXPECT_EQ(check().status(),
            absl::InvalidArgumentError("expected opset 7 to 28, got 29; onnx.version_converter changes it"));
}

TEST(ReadOnnx, RefusesWrongGraphs) {
  Check({
      Spoilt(
          "no opset", [](OnnxFile& f) { f.model.clear_opset_import(); }, "names no opset of the default domain"),
      Spoilt(
          "only another domain's", [](OnnxFile& f) { f.model.mutable_opset_import(0)->set_domain("com.example"); },
          "names no opset of the default domain"),
      {"no graph", [](OnnxFile& f) { f.model.clear_graph(); }, "not an ONNX model"},
      {"no nodes", [](OnnxFile&) {}, "input 0 'y' is yielded by no earlier node"},
      Spoilt(
          "a cycle", [](OnnxFile& f) { f.graph().mutable_node(0)->set_input(0, "p"); },
          "node 'node0' (Conv, opset 17): input 0 'p' is yielded by no earlier node"),
      Spoilt(
          "reads itself", [](OnnxFile& f) { f.graph().mutable_node(1)->set_input(0, "p"); },
          "node 'node1' (GlobalAveragePool, opset 17): input 0 'p' is yielded by no earlier node"),
      Spoilt(
          "dangling", [](OnnxFile& f) { f.graph().mutable_node(2)->set_input(0, "nowhere"); },
          "input 0 'nowhere' is yielded by no earlier node"),
      Spoilt(
          "not in order", [](OnnxFile& f) { f.graph().mutable_node()->SwapElements(0, 1); },
          "node 'node1' (GlobalAveragePool, opset 17): input 0 'c' is yielded by no earlier node"),
      Spoilt(
          "yielded twice", [](OnnxFile& f) { f.graph().mutable_node(1)->set_output(0, "c"); }, "'c' is defined twice"),
      Spoilt(
          "an initializer's name", [](OnnxFile& f) { f.graph().mutable_node(0)->set_output(0, "w"); },
          "'w' is defined twice"),
      Spoilt(
          "two initializers of a name", [](OnnxFile& f) { f.Floats("w", {1}); }, "'w' is defined twice"),
      Spoilt(
          "no name", [](OnnxFile& f) { f.graph().mutable_node(0)->set_output(0, ""); }, "a tensor without a name"),
      Spoilt(
          "no output", [](OnnxFile& f) { f.graph().mutable_node(0)->clear_output(); }, "expected an output, got none"),
      Spoilt(
          "no input", [](OnnxFile& f) { f.graph().mutable_node(0)->clear_input(); },
          "expected at least 1 inputs, got 0"),
      Spoilt(
          "seventeen outputs",
          [](OnnxFile& f) {
            while (f.graph().output_size() < 17) f.Describe(*f.graph().add_output(), "c", {0, 4, 6, 6});
          },
          "expected at most 16 outputs, got 17"),
      Spoilt(
          "no outputs", [](OnnxFile& f) { f.graph().clear_output(); }, "expected an output, got none"),
      Spoilt(
          "an output nobody yields", [](OnnxFile& f) { f.graph().mutable_output(0)->set_name("q"); },
          "input 0 'q' is yielded by no earlier node"),
      Spoilt(
          "the output is a matrix",
          [](OnnxFile& f) {
            f.Ints("to", {-1, 4, 36});
            f.Node("Reshape", {"c", "to"}, "m");
            f.graph().mutable_output(0)->set_name("m");
          },
          "output 'm': expected a vector or a map an image, got 4x36"),
      Spoilt(
          "the output is a constant", [](OnnxFile& f) { f.graph().mutable_output(0)->set_name("w"); },
          "expected an activation, got a float constant"),
      Spoilt(
          "two inputs",
          [](OnnxFile& f) {
            f.Describe(*f.graph().add_input(), "x2", {0, 3, 8, 8});
          },
          "expected one input, got also 'x2'"),
      Spoilt(
          "no inputs", [](OnnxFile& f) { f.graph().clear_input(); }, "expected one input, got none"),
      Spoilt(
          "three axes",
          [](OnnxFile& f) {
            f.Describe(*f.graph().mutable_input(0), "x", {3, 8, 8});
          },
          "input 'x': expected images of float32, float16, bfloat16, double or uint8, batch x channels x height x "
          "width or batch x height x width x channels; got 3 axes"),
      Spoilt(
          "a dynamic height",
          [](OnnxFile& f) {
            f.Describe(*f.graph().mutable_input(0), "x", {0, 3, 0, 8});
          },
          "input 'x': expected a size of the images, as the file leaves height free: --input-size HEIGHTxWIDTH"),
      Spoilt(
          "integers",
          [](OnnxFile& f) {
            f.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(TensorProto::INT32);
          },
          "got elements of INT32"),
      Spoilt(
          "a type that is newer than the schema",
          [](OnnxFile& f) { f.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(17); },
          "got elements of FLOAT8E4M3FN"),
      Spoilt(
          "bytes without a Cast",
          [](OnnxFile& f) {
            f.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(TensorProto::UINT8);
          },
          "node 'node0' (Conv): input 'x': expected floats, got uint8; expected a Cast in front"),
      Spoilt(
          "no type", [](OnnxFile& f) { f.graph().mutable_input(0)->clear_type(); }, "got no tensor"),
      Spoilt(
          "a huge image",
          [](OnnxFile& f) {
            f.Describe(*f.graph().mutable_input(0), "x", {0, 3, 1 << 16, 1 << 16});
          },
          "expected at most 2147483647 elements"),
      {"an image whose size overflows, before any node that would say so",
       [](OnnxFile& f) {
         f.Describe(*f.graph().mutable_input(0), "x", {0, int64_t{1} << 62, 8, 8});
         f.Ints("shape", {0, -1});
         f.Node("Reshape", {"x", "shape"}, "y");
       },
       "input 'x': output: expected 1..16777216, got 4611686018427387904"},
      Spoilt(
          "sparse weights", [](OnnxFile& f) { f.graph().add_sparse_initializer(); }, "sparse initializers are not"),
  });
}

TEST(ReadOnnx, RefusesWrongTensors) {
  const auto w = [](const std::function<void(TensorProto&)>& spoil) {
    return [spoil](OnnxFile& f) { spoil(*f.graph().mutable_initializer(0)); };
  };
  std::vector<Case> cases = {
      Spoilt("a byte too few", w([](TensorProto& t) { t.mutable_raw_data()->pop_back(); }),
             "tensor 'w': expected 432 bytes for its dims, got 431"),
      Spoilt("a byte too many", w([](TensorProto& t) { t.mutable_raw_data()->push_back('x'); }),
             "432 bytes for its dims, got 433"),
      Spoilt("no data", w([](TensorProto& t) { t.clear_raw_data(); }), "expected 432 bytes for its dims, got 0"),
      Spoilt("a value too few", w([](TensorProto& t) {
               t.clear_raw_data();
               for (int i = 0; i < 107; ++i) t.add_float_data(1);
             }),
             "expected 108 elements for its dims, got 107"),
      Spoilt("raw and typed", w([](TensorProto& t) { t.add_float_data(1); }),
             "holds its elements twice; expected one of raw data"),
      Spoilt("raw and typed of another type", w([](TensorProto& t) { t.add_double_data(1); }),
             "tensor 'w': holds its elements twice"),
      Spoilt("a negative axis", w([](TensorProto& t) { t.set_dims(0, -4); }), "expected dims of at least 0, got -4"),
      Spoilt("an empty axis", w([](TensorProto& t) { t.set_dims(0, 0), t.clear_raw_data(); }), "tensor 'w': is empty"),
      Spoilt("an empty list", w([](TensorProto& t) { t.clear_dims(), t.add_dims(0), t.clear_raw_data(); }),
             "input 1 'w': expected a float constant, got an empty constant"),
      Spoilt("dims that overflow", w([](TensorProto& t) { t.set_dims(0, int64_t{1} << 62), t.set_dims(1, 16); }),
             "its dims multiply to more than 2^31 elements"),
      Spoilt("just too many elements", w([](TensorProto& t) { t.set_dims(0, (int64_t{1} << 31) / 27 + 1); }),
             "its dims multiply to more than 2^31 elements"),
      Spoilt("too few doubles", w([](TensorProto& t) { t.set_data_type(TensorProto::DOUBLE); }),
             "expected 864 bytes for its dims, got 432"),
      Spoilt("too many halves", w([](TensorProto& t) { t.set_data_type(TensorProto::FLOAT16); }),
             "expected 216 bytes for its dims, got 432"),
      Spoilt("a list of too few halves", w([](TensorProto& t) {
               t.set_data_type(TensorProto::BFLOAT16), t.clear_raw_data(), t.add_int32_data(0x3F80);
             }),
             "expected 108 elements for its dims, got 1"),
      Spoilt("eight bits", w([](TensorProto& t) { t.set_data_type(TensorProto::INT8); }),
             "expected elements of FLOAT, FLOAT16, BFLOAT16, DOUBLE, INT64, INT32 or BOOL, got INT8"),
      Spoilt("integers of four axes", w([](TensorProto& t) { t.set_data_type(TensorProto::INT32); }),
             "expected integers along at most one axis"),
      Spoilt("too many integers", w([](TensorProto& t) {
               t.set_data_type(TensorProto::BOOL), t.clear_dims(), t.add_dims(257);
               t.set_raw_data(std::string(257, '\0'));
             }),
             "tensor 'w': expected at most 256 integers, got 257"),
  };
  // This model has no folder. What lies in one: external_data_test.cc.
  for (const auto& [location, message] :
       {std::pair("weights.bin", "tensor 'w': external data 'weights.bin': expected the data inside this model's file"),
        std::pair("../secret", "external data '../secret': expected the data inside this model's file"),
        std::pair("/etc/passwd", "external data '/etc/passwd': expected the data inside this model's file")}) {
    cases.push_back(Spoilt(location, w([location](TensorProto& t) {
                             t.set_data_location(TensorProto::EXTERNAL);
                             t.clear_raw_data();
                             auto* entry = t.add_external_data();
                             entry->set_key("location"), entry->set_value(location);
                           }),
                           message));
  }
  cases.push_back(Spoilt("external data without saying so", w([](TensorProto& t) { t.add_external_data(); }),
                         "tensor 'w': names external data, but data_location is not EXTERNAL"));
  cases.push_back(
      {"external data of a Constant",
       [](OnnxFile& f) {
         AttributeProto& value = Attribute(f.Node("Constant", {}, "k"), "value", AttributeProto::TENSOR);
         value.mutable_t()->set_data_type(TensorProto::INT64);
         value.mutable_t()->set_data_location(TensorProto::EXTERNAL);
       },
       "node 'node0' (Constant, opset 17): tensor '': external data '': expected the data inside this model's file"});
  Check(cases);
}

}  // namespace
}  // namespace resnetd::onnx
