#ifndef RESNETD_TESTS_SUPPORT_ONNX_FILE_H_
#define RESNETD_TESTS_SUPPORT_ONNX_FILE_H_

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/onnx/onnx.h"
#include "engine/onnx/parse.h"

namespace resnetd::onnx {

// An ONNX file in the making, a line a node. Weights are ones; names of nodes are "node0", "node1", ...
class OnnxFile {
 public:
  // Reads float32 images of 3x8x8 called "x", yields "y". A batch of 0 is dynamic.
  explicit OnnxFile(int opset = 17, int64_t batch = 0) {
    model.set_ir_version(8);
    model.add_opset_import()->set_version(opset);
    Describe(*graph().add_input(), "x", {batch, 3, 8, 8});
    Describe(*graph().add_output(), "y", {batch, 10});
  }

  GraphProto& graph() { return *model.mutable_graph(); }

  static void Describe(ValueInfoProto& info, const std::string& name, const std::vector<int64_t>& dims) {
    info.set_name(name);
    auto* type = info.mutable_type()->mutable_tensor_type();
    type->set_elem_type(TensorProto::FLOAT);
    type->clear_shape();
    for (const int64_t d : dims) {
      auto* dim = type->mutable_shape()->add_dim();
      d > 0 ? dim->set_dim_value(d) : dim->set_dim_param("batch");
    }
  }

  TensorProto& Floats(const std::string& name, const std::vector<int64_t>& dims, float value = 1) {
    TensorProto& tensor = Tensor(name, TensorProto::FLOAT, dims);
    int64_t size = 1;
    for (const int64_t d : dims) size *= d;
    const std::vector<float> data(static_cast<size_t>(size), value);
    tensor.set_raw_data(data.data(), data.size() * sizeof(float));
    return tensor;
  }

  TensorProto& Ints(const std::string& name, const std::vector<int64_t>& values) {
    TensorProto& tensor = Tensor(name, TensorProto::INT64, {static_cast<int64_t>(values.size())});
    tensor.set_raw_data(values.data(), values.size() * sizeof(int64_t));
    return tensor;
  }

  TensorProto& Int(const std::string& name, int64_t value) {
    TensorProto& tensor = Ints(name, {value});
    tensor.clear_dims();
    return tensor;
  }

  NodeProto& Node(const std::string& op, std::initializer_list<const char*> inputs, const std::string& output) {
    NodeProto& node = *graph().add_node();
    node.set_name(absl::StrCat("node", graph().node_size() - 1));
    node.set_op_type(op);
    for (const char* input : inputs) node.add_input(input);
    node.add_output(output);
    return node;
  }

  std::string Bytes() const { return model.SerializeAsString(); }

  ModelProto model;

 private:
  TensorProto& Tensor(const std::string& name, TensorProto::DataType type, const std::vector<int64_t>& dims) {
    TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const int64_t d : dims) tensor.add_dims(d);
    return tensor;
  }
};

inline AttributeProto& Attribute(NodeProto& node, const std::string& name, AttributeProto::AttributeType type) {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

inline NodeProto& SetInt(NodeProto& node, const std::string& name, int64_t value) {
  Attribute(node, name, AttributeProto::INT).set_i(value);
  return node;
}

inline NodeProto& SetInts(NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  AttributeProto& attribute = Attribute(node, name, AttributeProto::INTS);
  for (const int64_t v : values) attribute.add_ints(v);
  return node;
}

inline NodeProto& SetString(NodeProto& node, const std::string& name, const std::string& value) {
  Attribute(node, name, AttributeProto::STRING).set_s(value);
  return node;
}

inline NodeProto& SetFloat(NodeProto& node, const std::string& name, float value) {
  Attribute(node, name, AttributeProto::FLOAT).set_f(value);
  return node;
}

inline absl::StatusOr<graph::Graph> ReadBytes(std::string bytes, const OutputHints& hints = {}) {
  absl::StatusOr<OnnxModel> model = ReadOnnx(std::move(bytes), "tested", {.hints = hints});
  if (!model.ok()) return model.status();
  return std::move(model->graph);
}

}  // namespace resnetd::onnx

#endif  // RESNETD_TESTS_SUPPORT_ONNX_FILE_H_
