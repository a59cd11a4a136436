#include "cli/project/append_projection.h"

#include <onnx/onnx_pb.h>

#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::cli {
namespace {

constexpr int kOldestIrOfPlainInitializers = 4;  // before, an initializer is an input of the graph too

std::set<std::string> NamesIn(const onnx::GraphProto& graph) {
  std::set<std::string> names;
  for (const auto& input : graph.input()) names.insert(input.name());
  for (const auto& tensor : graph.initializer()) names.insert(tensor.name());
  for (const auto& node : graph.node()) names.insert(node.output().begin(), node.output().end());
  return names;
}

// Row-major floats; little-endian, as this machine is.
void AddInitializer(onnx::ModelProto& model, const std::string& name, const Eigen::MatrixXd& values, bool vector) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const RowMajor floats = values.cast<float>();
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(floats.rows());
  if (!vector) tensor.add_dims(floats.cols());
  tensor.set_raw_data(floats.data(), static_cast<size_t>(floats.size()) * sizeof(float));
  if (model.ir_version() >= kOldestIrOfPlainInitializers) return;
  onnx::ValueInfoProto& input = *model.mutable_graph()->add_input();
  input.set_name(name);
  auto& type = *input.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  for (const int64_t size : tensor.dims()) type.mutable_shape()->add_dim()->set_dim_value(size);
}

onnx::NodeProto& AddNode(onnx::GraphProto& graph, const char* op, const std::vector<std::string>& inputs,
                         const std::string& output) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(op);
  node.set_name(output);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

void SetAttribute(onnx::NodeProto& node, const char* name, int64_t value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

std::vector<std::string> ExternalFiles(const onnx::GraphProto& graph) {
  std::set<std::string> files;
  const auto add = [&files](const onnx::TensorProto& tensor) {
    for (const auto& entry : tensor.external_data()) {
      if (entry.key() == "location") files.insert(entry.value());
    }
  };
  for (const auto& tensor : graph.initializer()) add(tensor);
  for (const auto& node : graph.node()) {
    for (const auto& attribute : node.attribute()) add(attribute.t());
  }
  return {files.begin(), files.end()};
}

}  // namespace

absl::StatusOr<ProjectedModel> AppendProjection(const std::string& onnx_file, const std::string& tensor,
                                                const std::string& name, const Projection& projection) {
  onnx::ModelProto model;
  if (!model.ParseFromString(onnx_file)) return absl::InvalidArgumentError("expected an ONNX model, got other bytes");
  onnx::GraphProto& graph = *model.mutable_graph();
  const std::string flat = absl::StrCat(name, ".flat"), weights = absl::StrCat(name, ".weight"),
                    bias = absl::StrCat(name, ".bias");
  const std::set<std::string> taken = NamesIn(graph);
  if (!taken.contains(tensor)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected the embedding to be a tensor of the file, got ", Quoted(tensor)));
  }
  for (const std::string& added : {name, flat, weights, bias}) {
    if (taken.contains(added)) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected a name that the model's tensors leave free, got ", Quoted(added)));
    }
  }
  AddInitializer(model, weights, projection.components, false);
  AddInitializer(model, bias, -projection.components * projection.mean, true);
  SetAttribute(AddNode(graph, "Flatten", {tensor}, flat), "axis", 1);
  SetAttribute(AddNode(graph, "Gemm", {flat, weights, bias}, name), "transB", 1);

  ProjectedModel projected;
  projected.external_files = ExternalFiles(graph);
  if (!model.SerializeToString(&projected.onnx)) {
    return absl::InvalidArgumentError("expected a model of less than 2 GiB with the projection, got more");
  }
  return projected;
}

}  // namespace resnetd::cli
