#ifndef RESNETD_ENGINE_ONNX_OPERATORS_IMPORTERS_H_
#define RESNETD_ENGINE_ONNX_OPERATORS_IMPORTERS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/graph/graph.h"
#include "engine/onnx/import.h"
#include "engine/onnx/node_reader.h"

namespace resnetd::onnx {

// Reads one node into the graph. Semantics: the ONNX operator specification, opsets 7 to 28.
using Importer = absl::Status (*)(NodeReader& n, Import& into);

// The importer of an ONNX operator of the default domain; null if there is none.
Importer FindImporter(absl::string_view op_type);

// Importers by theme; the table is in importers.cc.
absl::Status ImportConv(NodeReader& n, Import& into);
absl::Status ImportGemm(NodeReader& n, Import& into);
absl::Status ImportMatMul(NodeReader& n, Import& into);

absl::Status ImportBatchNormalization(NodeReader& n, Import& into);
absl::Status ImportGroupNormalization(NodeReader& n, Import& into);
absl::Status ImportInstanceNormalization(NodeReader& n, Import& into);
absl::Status ImportLayerNormalization(NodeReader& n, Import& into);
absl::Status ImportLpNormalization(NodeReader& n, Import& into);
absl::Status ImportLrn(NodeReader& n, Import& into);

absl::Status ImportActivation(NodeReader& n, Import& into, graph::Activation op);
absl::Status ImportBinary(NodeReader& n, Import& into, graph::BinaryKind kind);
absl::Status ImportCelu(NodeReader& n, Import& into);
absl::Status ImportClip(NodeReader& n, Import& into);
absl::Status ImportGelu(NodeReader& n, Import& into);
absl::Status ImportPow(NodeReader& n, Import& into);
absl::Status ImportPRelu(NodeReader& n, Import& into);
absl::Status ImportSelu(NodeReader& n, Import& into);

absl::Status ImportMean(NodeReader& n, Import& into);
absl::Status ImportVariadic(NodeReader& n, Import& into, graph::BinaryKind kind);

absl::Status ImportLog(NodeReader& n, Import& into);
absl::Status ImportSoftmax(NodeReader& n, Import& into, bool log);

absl::Status ImportArgMax(NodeReader& n, Import& into);
absl::Status ImportTopK(NodeReader& n, Import& into);

absl::Status ImportMaxPool(NodeReader& n, Import& into);
absl::Status ImportAveragePool(NodeReader& n, Import& into);
absl::Status ImportGlobalPool(NodeReader& n, Import& into, graph::ReduceKind kind);
absl::Status ImportReduce(NodeReader& n, Import& into, graph::ReduceKind kind);
absl::Status ImportReduceSumSquare(NodeReader& n, Import& into);

absl::Status ImportConcat(NodeReader& n, Import& into);
absl::Status ImportExpand(NodeReader& n, Import& into);
absl::Status ImportFlatten(NodeReader& n, Import& into);
absl::Status ImportPad(NodeReader& n, Import& into);
absl::Status ImportRange(NodeReader& n, Import& into);
absl::Status ImportReshape(NodeReader& n, Import& into);
absl::Status ImportResize(NodeReader& n, Import& into);  // one that leaves the size as it is
absl::Status ImportSlice(NodeReader& n, Import& into);
absl::Status ImportSplit(NodeReader& n, Import& into);
absl::Status ImportSqueeze(NodeReader& n, Import& into);
absl::Status ImportTranspose(NodeReader& n, Import& into);
absl::Status ImportUnsqueeze(NodeReader& n, Import& into);

absl::Status ImportCast(NodeReader& n, Import& into);
absl::Status ImportCastLike(NodeReader& n, Import& into);
absl::Status ImportConstant(NodeReader& n, Import& into);
absl::Status ImportConstantOfShape(NodeReader& n, Import& into);
absl::Status ImportGather(NodeReader& n, Import& into);
absl::Status ImportRounded(NodeReader& n, Import& into, float (*round)(float));
absl::Status ImportSame(NodeReader& n, Import& into);
absl::Status ImportShape(NodeReader& n, Import& into);

// An operation on two operands of any kinds: an activation that a further node of ours yields, or a constant.
absl::StatusOr<Operand> Combine(NodeReader& n, Import& into, graph::BinaryKind kind, const Operand& a,
                                const Operand& b);
// Gather from an activation.
absl::Status GatherRows(NodeReader& n, Import& into);
// The node's output is those rows, sub-tensors along `axis` of one image's share of `src`, in their order: all exist.
absl::Status AddRows(NodeReader& n, Import& into, graph::ValueId src, int64_t axis, absl::Span<const int64_t> rows);

// Attributes that convolutions and pools share. `src` is CxHxW; sets pads from auto_pad too.
absl::Status ReadWindow(NodeReader& n, const graph::Dims& src, graph::Size2 kernel, graph::Size2& strides,
                        graph::Size2& dilations, graph::Pads2& pads);
absl::StatusOr<graph::Size2> ReadPair(NodeReader& n, absl::string_view attribute, graph::Size2 fallback);

// Whether the node reads places in a whole batch, or its elements; and what such a node yields.
bool IsOfPlaces(const NodeReader& n, const Import& into);
absl::Status ImportOfPlaces(NodeReader& n, Import& into);

// The node's integers from input `i` (newer opsets) or attribute `name` (older ones).
absl::StatusOr<std::vector<int64_t>> InputOrAttribute(NodeReader& n, const Import& into, int i, absl::string_view name);

// The axis of one image's share that an ONNX axis means, whose 0 is the batch: 1 is the share's 0, -1 its last. `rank`
// is the share's.
absl::StatusOr<int64_t> ImageAxis(int64_t axis, size_t rank);
// Several of them, ascending, each once.
absl::StatusOr<std::vector<int64_t>> ImageAxes(absl::Span<const int64_t> axes, size_t rank);

int64_t Product(absl::Span<const int64_t> dims);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_OPERATORS_IMPORTERS_H_
