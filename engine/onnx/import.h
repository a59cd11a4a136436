#ifndef RESNETD_ENGINE_ONNX_IMPORT_H_
#define RESNETD_ENGINE_ONNX_IMPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "engine/graph/graph.h"
#include "engine/onnx/external_data.h"
#include "engine/onnx/node_reader.h"

namespace resnetd::onnx {

// Integers known at load: shapes, axes, slice bounds. Row-major.
struct Ints {
  // Stands for the batch size, which is not known, in a shape. A number that no file has reason to hold: sizes and
  // bounds are small or at the ends of the range.
  static constexpr int64_t kBatch = -0x6261746368;

  std::vector<int64_t> values;
  graph::Dims dims;  // empty: a scalar

  static Ints Scalar(int64_t value) { return {{value}, {}}; }
  static Ints List(std::vector<int64_t> values) {
    const int64_t size = static_cast<int64_t>(values.size());
    return {std::move(values), {size}};
  }
};

inline constexpr int64_t kMostPlaces = 1 << 16;    // of a tensor
inline constexpr int64_t kLargestPlace = 1 << 24;  // as float32 holds exactly

// Places of elements in a whole batch: stride * number of the image + one of `within`, which has these dims, the batch
// first and as 1 (operators/places.cc).
struct Places {
  int64_t stride = 0;
  std::vector<int64_t> within;
  graph::Dims dims;
};

// The meaning of an ONNX name: a value that flows, learnt or constant floats, or integers. Dims of constants are those
// of the file; those of a value are one image's share, without the batch axis.
using Operand = std::variant<graph::ValueId, graph::WeightsRef, Ints>;

// A graph while it is being read. A copy goes on by itself, but for the files with weights, which both read. One
// thread.
class Import {
 public:
  explicit Import(ExternalData files) : external_(std::make_shared<ExternalData>(std::move(files))) {}

  graph::Graph graph;
  int64_t file_batch = 0;  // the batch size fixed in the file, 0 if dynamic

  absl::Status Define(const std::string& name, Operand operand);
  // A tensor of the file; `raw_data`, of which floats are a view then, stands for its own, which is not looked at,
  // since ParseInitializer() leaves it out.
  absl::StatusOr<Operand> Read(const TensorProto& tensor, Bytes raw_data);
  absl::StatusOr<Operand> Read(const TensorProto& tensor) { return Read(tensor, tensor.raw_data()); }
  const ExternalData& external() const { return *external_; }
  // Types of the floats that have been read, each once, in the order in which the file has them first.
  const std::vector<int>& float_types() const { return float_types_; }
  // Whether a name has a meaning yet.
  bool Knows(const std::string& name) const { return operands_.contains(name); }
  // Takes back what a name was defined as.
  void Forget(const std::string& name) { operands_.erase(name); }
  // The constant of that name; null if there is none.
  const Operand* FindConstant(const std::string& name) const;

  // Input `i` of the node as what it must be; the message names the input and what it is instead.
  absl::StatusOr<graph::ValueId> Activation(const NodeReader& n, int i) const;
  absl::StatusOr<graph::WeightsRef> Floats(const NodeReader& n, int i) const;
  absl::StatusOr<Ints> Integers(const NodeReader& n, int i) const;  // a list or a scalar
  absl::StatusOr<Operand> Any(const NodeReader& n, int i) const;
  bool HasInput(const NodeReader& n, int i) const;
  bool IsActivation(const NodeReader& n, int i) const;
  const graph::Dims& dims(graph::ValueId id) const { return graph.value(id).dims; }

  // Appends a node that yields the ONNX node's output, the first unless told otherwise, and infers its dims.
  absl::Status Add(const NodeReader& n, graph::Op op, absl::InlinedVector<graph::ValueId, 2> inputs, int output = 0);
  // A further node of ours that the ONNX node needs; returns the value it yields.
  absl::StatusOr<graph::ValueId> AddInner(const NodeReader& n, graph::Op op,
                                          absl::InlinedVector<graph::ValueId, 2> inputs);
  // The ONNX node's first output is another name for what exists, or a constant computed here.
  absl::Status Alias(const NodeReader& n, Operand operand);
  // Called before floats are computed from the file's: all that is computed may be as much as the file holds and a
  // little more, so that a small file cannot become a large graph.
  absl::Status Spend(int64_t floats);

  // The ONNX node's outputs are places of largest values (ArgMax) or such values in order (TopK) of these scores. A
  // client has both from the scores, so nothing is computed; what only brings them into another form yields them too.
  absl::Status DefineRanking(const NodeReader& n, graph::ValueId scores);
  // Whether the node does no more than that to a ranking: its output is one too.
  bool FollowsRanking(const NodeReader& n) const;
  // The scores of a ranking; nullopt if the name means something else.
  std::optional<graph::ValueId> RankedScores(const std::string& name) const;

  // The node's output is such places.
  absl::Status DefinePlaces(const NodeReader& n, Places places);
  const Places* FindPlaces(const std::string& name) const;  // null: something else
  // The node's output is the elements of all images of a value, one after the other.
  absl::Status DefineFlat(const NodeReader& n, graph::ValueId value);
  std::optional<graph::ValueId> FindFlat(const std::string& name) const;

  // INVALID_ARGUMENT if something reads the node's output `first` or one behind it, which we do not compute.
  absl::Status ExpectUnread(const NodeReader& n, int first) const;

  void CountUses(const GraphProto& proto);
  // Nodes and graph outputs that read the name.
  int uses(const std::string& name) const;

 private:
  bool Means(const std::string& name) const;  // anything yet
  absl::StatusOr<const Operand*> Find(const NodeReader& n, int i) const;

  std::shared_ptr<ExternalData> external_;
  std::vector<int> float_types_;
  int64_t floats_left_ = 1 << 20;  // see Spend()
  absl::flat_hash_map<std::string, Operand> operands_;
  absl::flat_hash_map<std::string, graph::ValueId> rankings_, flats_;
  absl::flat_hash_map<std::string, Places> places_;
  absl::flat_hash_map<std::string, int> uses_;
};

// "batch,64,-1".
std::string ToString(absl::Span<const int64_t> values);

// A tensor's contents, their size checked against its dims: from `raw_data` in place of its own, a typed list, or from
// `external` if they lie outside the model's file. Floats in bytes are a view of them.
absl::StatusOr<Operand> ReadTensor(const TensorProto& tensor, Bytes raw_data, ExternalData& external);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_IMPORT_H_
