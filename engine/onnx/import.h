#ifndef RESNETD_ENGINE_ONNX_IMPORT_H_
#define RESNETD_ENGINE_ONNX_IMPORT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/graph/graph.h"
#include "engine/onnx/external_data.h"
#include "engine/onnx/node_reader.h"

namespace resnetd::onnx {

// A small integer tensor: shapes, axes, slice bounds. In a shape, the batch axis is 0, which Reshape reads as "as it
// is".
struct Ints {
  std::vector<int64_t> values;
  bool scalar = false;
  int64_t columns = 0;  // of a matrix, row by row; 0: a list or a scalar
};

// What an ONNX name stands for: a value that flows, learnt or constant floats, or integers known at load.
using Operand = std::variant<graph::ValueId, graph::WeightsRef, Ints>;

// A graph while it is being read. One thread.
class Import {
 public:
  explicit Import(ExternalData files) : external(std::move(files)) {}

  graph::Graph graph;
  int64_t file_batch = 0;  // the batch size fixed in the file, 0 if dynamic
  ExternalData external;

  absl::Status Define(const std::string& name, Operand operand);
  void CountUses(const GraphProto& proto);
  // Nodes and graph outputs that read the name.
  int uses(const std::string& name) const;
  // Whether the name is an output of the file and no node reads it.
  bool only_output(const std::string& name) const { return outputs_.contains(name) && uses(name) == 1; }
  // What the file applied to an output that the graph holds without it.
  void SetHead(const std::string& name, graph::HeadActivation activation) { outputs_[name] = activation; }
  graph::HeadActivation head(const std::string& name) const { return outputs_.at(name); }

  // Input `i` of the node as what it must be; the message names the input and what it is instead.
  absl::StatusOr<graph::ValueId> Activation(const NodeReader& n, int i) const;
  absl::StatusOr<graph::WeightsRef> Floats(const NodeReader& n, int i) const;
  absl::StatusOr<Ints> Integers(const NodeReader& n, int i) const;  // no matrix
  absl::StatusOr<Ints> IntegersOrMatrix(const NodeReader& n, int i) const;
  bool HasInput(const NodeReader& n, int i) const;
  bool IsActivation(const NodeReader& n, int i) const;
  bool IsInteger(const NodeReader& n, int i) const;
  const graph::Dims& dims(graph::ValueId id) const { return graph.value(id).dims; }

  // Appends a node that yields the ONNX node's first output, and infers its dims.
  absl::Status Add(const NodeReader& n, graph::Op op, absl::InlinedVector<graph::ValueId, 2> inputs);
  // A further node of ours that the ONNX node needs; returns the value it yields.
  absl::StatusOr<graph::ValueId> AddInner(const NodeReader& n, graph::Op op, graph::ValueId input);
  // The ONNX node's first output is another name for what exists.
  absl::Status Alias(const NodeReader& n, Operand operand);

 private:
  absl::StatusOr<const Operand*> Find(const NodeReader& n, int i) const;

  absl::flat_hash_map<std::string, Operand> operands_;
  absl::flat_hash_map<std::string, int> uses_;
  absl::flat_hash_map<std::string, graph::HeadActivation> outputs_;
};

using Importer = absl::Status (*)(NodeReader& n, Import& into);

// The importer of an ONNX operator of the default domain; null if there is none.
Importer FindImporter(absl::string_view op_type);

// Importers by theme; the table is in importers.cc.
absl::Status ImportConv(NodeReader& n, Import& into);
absl::Status ImportBatchNormalization(NodeReader& n, Import& into);
absl::Status ImportRelu(NodeReader& n, Import& into);
absl::Status ImportAdd(NodeReader& n, Import& into);
absl::Status ImportGemm(NodeReader& n, Import& into);
absl::Status ImportMatMul(NodeReader& n, Import& into);
absl::Status ImportSame(NodeReader& n, Import& into);
absl::Status ImportSoftmax(NodeReader& n, Import& into);

absl::Status ImportMaxPool(NodeReader& n, Import& into);
absl::Status ImportAveragePool(NodeReader& n, Import& into);
absl::Status ImportGlobalAveragePool(NodeReader& n, Import& into);
absl::Status ImportReduceMean(NodeReader& n, Import& into);

absl::Status ImportCast(NodeReader& n, Import& into);
absl::Status ImportConcat(NodeReader& n, Import& into);
absl::Status ImportConstant(NodeReader& n, Import& into);
absl::Status ImportConstantOfShape(NodeReader& n, Import& into);
absl::Status ImportGather(NodeReader& n, Import& into);
absl::Status ImportShape(NodeReader& n, Import& into);
absl::Status ImportTranspose(NodeReader& n, Import& into);
absl::Status ImportUnsqueeze(NodeReader& n, Import& into);
// Of integers; what moves activations has the plain names.
absl::Status ImportIntegerReshape(NodeReader& n, Import& into);
absl::Status ImportIntegerSlice(NodeReader& n, Import& into);

absl::Status ImportFlatten(NodeReader& n, Import& into);
absl::Status ImportReshape(NodeReader& n, Import& into);
absl::Status ImportSqueeze(NodeReader& n, Import& into);
absl::Status ImportSlice(NodeReader& n, Import& into);
absl::Status ImportPad(NodeReader& n, Import& into);

// Attributes that convolutions and pools share. `src` is CxHxW; sets pads from auto_pad too.
absl::Status ReadWindow(NodeReader& n, const graph::Dims& src, graph::Size2 kernel, graph::Size2& strides,
                        graph::Size2& dilations, graph::Pads2& pads);
absl::StatusOr<graph::Size2> ReadPair(NodeReader& n, absl::string_view attribute, graph::Size2 fallback);

// The node's integers from input `i` (newer opsets) or attribute `name` (older ones).
absl::StatusOr<Ints> InputOrAttribute(NodeReader& n, const Import& into, int i, absl::string_view name);

// A tensor's contents, its size checked against its dims; from `external` if they lie outside the model's file.
absl::StatusOr<Operand> ReadTensor(const TensorProto& tensor, ExternalData& external);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_IMPORT_H_
