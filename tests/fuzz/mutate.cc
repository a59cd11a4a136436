// The fuzzer's own changes to bytes rarely leave a protobuf message that is a network. Half of the time this one parses
// it, changes a few things that matter to the loader, and writes it again.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/onnx/parse.h"
#include "tests/fuzz/hostile_folder.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace resnetd::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Rng = std::minstd_rand;

int64_t InterestingNumber(Rng& rng, int64_t before) {
  static constexpr int64_t kNumbers[] = {-1,
                                         0,
                                         1,
                                         2,
                                         3,
                                         4,
                                         7,
                                         8,
                                         64,
                                         1 << 12,
                                         1 << 24,
                                         (1 << 24) + 1,
                                         INT32_MAX,
                                         int64_t{1} << 31,
                                         int64_t{1} << 62,
                                         INT64_MAX,
                                         INT64_MIN,
                                         INT64_MIN + 1};
  if (rng() % 4 == 0) return static_cast<int64_t>(static_cast<uint64_t>(before) + rng() % 3 - 1);  // a neighbour
  return kNumbers[rng() % std::size(kNumbers)];
}

class Mutator {
 public:
  Mutator(onnx::ModelProto& model, uint32_t seed) : model_(model), rng_(seed) {}

  void Run() {
    const int rounds = 1 + static_cast<int>(rng_() % 4);
    for (int i = 0; i < rounds; ++i) {
      switch (rng_() % 6) {
        case 0:
          Rewire();
          break;
        case 1:
          Rename();
          break;
        case 2:
          Repeat();
          break;
        case 3:
          Relocate();
          break;
        default:
          Change(model_);
          break;
      }
    }
  }

 private:
  int Below(int size) { return static_cast<int>(rng_() % static_cast<uint32_t>(size)); }
  onnx::GraphProto& graph() { return *model_.mutable_graph(); }
  onnx::NodeProto* SomeNode() {
    return graph().node_size() == 0 ? nullptr : graph().mutable_node(Below(graph().node_size()));
  }

  // A name that the graph knows, of any kind of thing.
  std::string SomeName() {
    const onnx::NodeProto* node = SomeNode();
    if (rng_() % 3 == 0 && graph().initializer_size() > 0) {
      return graph().initializer(Below(graph().initializer_size())).name();
    }
    if (node != nullptr && node->output_size() > 0) return node->output(Below(node->output_size()));
    return "x";
  }

  void Rewire() {
    onnx::NodeProto* node = SomeNode();
    if (node == nullptr) return;
    if (node->input_size() == 0 || rng_() % 4 == 0) {
      node->add_input(SomeName());
    } else {
      node->set_input(Below(node->input_size()), SomeName());
    }
  }

  // Another operator, or another node's attributes.
  void Rename() {
    onnx::NodeProto* node = SomeNode();
    const onnx::NodeProto* other = SomeNode();
    if (node == nullptr) return;
    static constexpr const char* kOperators[] = {"Abs",
                                                 "Add",
                                                 "ArgMax",
                                                 "AveragePool",
                                                 "BatchNormalization",
                                                 "Cast",
                                                 "CastLike",
                                                 "Celu",
                                                 "Clip",
                                                 "Concat",
                                                 "Constant",
                                                 "ConstantOfShape",
                                                 "Conv",
                                                 "Div",
                                                 "Dropout",
                                                 "Elu",
                                                 "Erf",
                                                 "Exp",
                                                 "Expand",
                                                 "Flatten",
                                                 "Floor",
                                                 "Gather",
                                                 "Gelu",
                                                 "Gemm",
                                                 "GlobalAveragePool",
                                                 "GlobalMaxPool",
                                                 "GroupNormalization",
                                                 "HardSigmoid",
                                                 "HardSwish",
                                                 "Identity",
                                                 "InstanceNormalization",
                                                 "LRN",
                                                 "LayerNormalization",
                                                 "LeakyRelu",
                                                 "Log",
                                                 "LogSoftmax",
                                                 "LpNormalization",
                                                 "MatMul",
                                                 "Max",
                                                 "MaxPool",
                                                 "Mean",
                                                 "Min",
                                                 "Mish",
                                                 "Mul",
                                                 "Neg",
                                                 "PRelu",
                                                 "Pad",
                                                 "Pow",
                                                 "Reciprocal",
                                                 "ReduceL2",
                                                 "ReduceMean",
                                                 "ReduceSum",
                                                 "ReduceSumSquare",
                                                 "Relu",
                                                 "Reshape",
                                                 "Resize",
                                                 "Selu",
                                                 "Shape",
                                                 "Sigmoid",
                                                 "Slice",
                                                 "Softmax",
                                                 "Softplus",
                                                 "Split",
                                                 "Sqrt",
                                                 "Squeeze",
                                                 "Sub",
                                                 "Sum",
                                                 "Swish",
                                                 "Tanh",
                                                 "TopK",
                                                 "Transpose",
                                                 "Unsqueeze"};
    if (rng_() % 2 == 0) {
      node->set_op_type(kOperators[rng_() % std::size(kOperators)]);
    } else {
      *node->mutable_attribute() = onnx::NodeProto(*other).attribute();
    }
  }

  // Another file for some weights.
  void Relocate() {
    if (graph().initializer_size() == 0) return;
    onnx::TensorProto& tensor = *graph().mutable_initializer(Below(graph().initializer_size()));
    for (auto& entry : *tensor.mutable_external_data()) {
      if (entry.key() == "location") entry.set_value(SomeLocation([this](int n) { return Below(n); }));
    }
  }

  // One more node, which reads what another yields and is read in its place.
  void Repeat() {
    if (graph().node_size() == 0 || graph().node_size() > 40) return;
    const int at = Below(graph().node_size());
    onnx::NodeProto copy = graph().node(at);
    if (copy.output_size() == 0) return;
    const std::string from = copy.output(0), to = from + "_";
    for (onnx::NodeProto& reader : *graph().mutable_node()) {
      for (std::string& input : *reader.mutable_input()) {
        if (input == from) input = to;
      }
    }
    if (copy.input_size() > 0) copy.set_input(0, from);
    copy.set_output(0, to);
    *graph().add_node() = std::move(copy);
    for (int i = graph().node_size() - 1; i > at + 1; --i) graph().mutable_node()->SwapElements(i, i - 1);
  }

  // Walks down to some field that is set and changes it.
  void Change(Message& message) {
    std::vector<const FieldDescriptor*> fields;
    const Reflection& r = *message.GetReflection();
    r.ListFields(message, &fields);
    if (fields.empty()) return;
    const FieldDescriptor* field = fields[rng_() % fields.size()];
    if (field->is_repeated()) {
      ChangeElement(message, *field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      rng_() % 32 == 0 ? r.ClearField(&message, field) : Change(*r.MutableMessage(&message, field));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      r.SetInt64(&message, field, InterestingNumber(rng_, r.GetInt64(message, field)));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
      r.SetInt32(&message, field, static_cast<int32_t>(rng_() % 24));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) {
      static constexpr float kFloats[] = {0, -1, 1e-30f, 1e30f, INFINITY, -INFINITY, NAN};
      r.SetFloat(&message, field, kFloats[rng_() % std::size(kFloats)]);
    } else if (rng_() % 4 == 0) {
      r.ClearField(&message, field);
    }
  }

  void ChangeElement(Message& message, const FieldDescriptor& field) {
    const Reflection& r = *message.GetReflection();
    const int size = r.FieldSize(message, &field), i = Below(size);
    if (rng_() % 16 == 0) return r.RemoveLast(&message, &field);
    if (rng_() % 16 == 0) return r.SwapElements(&message, &field, i, Below(size));
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
      return Change(*r.MutableRepeatedMessage(&message, &field, i));
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_INT64) return;
    if (rng_() % 8 == 0) return r.AddInt64(&message, &field, InterestingNumber(rng_, 0));
    r.SetRepeatedInt64(&message, &field, i, InterestingNumber(rng_, r.GetRepeatedInt64(message, &field, i)));
  }

  onnx::ModelProto& model_;
  Rng rng_;
};

}  // namespace
}  // namespace resnetd::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  onnx::ModelProto model;
  if (seed % 2 == 0 && model.ParseFromArray(data, static_cast<int>(size))) {
    resnetd::fuzz::Mutator(model, seed).Run();
    const std::string bytes = model.SerializeAsString();
    if (!bytes.empty() && bytes.size() <= max_size) return bytes.copy(reinterpret_cast<char*>(data), bytes.size());
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
