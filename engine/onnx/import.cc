#include "engine/onnx/import.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::onnx {
namespace {

absl::string_view KindOf(const Operand& operand) {
  const Ints* ints = std::get_if<Ints>(&operand);
  if (ints != nullptr && ints->dims == graph::Dims{0}) return "an empty constant";
  static constexpr std::array kKinds = {"an activation", "a float constant", "an integer constant"};
  static_assert(kKinds.size() == std::variant_size_v<Operand>);
  return kKinds[operand.index()];
}

template <typename T>
absl::StatusOr<T> As(const NodeReader& n, int i, const Operand& operand) {
  if (const T* found = std::get_if<T>(&operand)) return *found;
  return Expected(absl::StrCat("input ", i, " ", Quoted(n.node().input(i))), KindOf(Operand(std::in_place_type<T>)),
                  KindOf(operand));
}

}  // namespace

std::string ToString(absl::Span<const int64_t> values) {
  return absl::StrJoin(values, ",", [](std::string* out, int64_t v) {
    v == Ints::kBatch ? absl::StrAppend(out, "batch") : absl::StrAppend(out, v);
  });
}

absl::Status Import::Define(const std::string& name, Operand operand) {
  if (name.empty()) return absl::InvalidArgumentError("a tensor without a name");
  if (Means(name)) return absl::InvalidArgumentError(absl::StrCat(Quoted(name), " is defined twice"));
  operands_.emplace(name, std::move(operand));
  return absl::OkStatus();
}

absl::StatusOr<Operand> Import::Read(const TensorProto& tensor, Bytes raw_data) {
  RESNETD_ASSIGN_OR_RETURN(Operand operand, ReadTensor(tensor, std::move(raw_data), *external_));
  const auto* floats = std::get_if<graph::WeightsRef>(&operand);
  if (floats == nullptr) return operand;
  floats_left_ += static_cast<int64_t>((*floats)->data.size());
  if (std::find(float_types_.begin(), float_types_.end(), tensor.data_type()) == float_types_.end()) {
    float_types_.push_back(tensor.data_type());
  }
  return operand;
}

absl::Status Import::Spend(int64_t floats) {
  if (floats > floats_left_) {
    return absl::InvalidArgumentError("constants computed at load: expected fewer elements than the file holds");
  }
  floats_left_ -= floats;
  return absl::OkStatus();
}

const Operand* Import::FindConstant(const std::string& name) const {
  const auto it = operands_.find(name);
  return it == operands_.end() || std::holds_alternative<graph::ValueId>(it->second) ? nullptr : &it->second;
}

void Import::CountUses(const GraphProto& proto) {
  for (const NodeProto& node : proto.node()) {
    for (const std::string& name : node.input()) ++uses_[name];
  }
  for (const ValueInfoProto& info : proto.output()) ++uses_[info.name()];
}

int Import::uses(const std::string& name) const {
  const auto it = uses_.find(name);
  return it == uses_.end() ? 0 : it->second;
}

bool Import::HasInput(const NodeReader& n, int i) const {
  return i < n.node().input_size() && !n.node().input(i).empty();
}

absl::StatusOr<const Operand*> Import::Find(const NodeReader& n, int i) const {
  if (!HasInput(n, i)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected at least ", i + 1, " inputs, got ", n.node().input_size()));
  }
  const auto it = operands_.find(n.node().input(i));
  if (it != operands_.end()) return &it->second;
  if (RankedScores(n.node().input(i))) {
    return Expected(absl::StrCat("input ", i, " ", Quoted(n.node().input(i))), "a tensor that is computed here",
                    "what an ArgMax or a TopK yields (export the network without it)");
  }
  if (FindFlat(n.node().input(i)) || FindPlaces(n.node().input(i)) != nullptr) {
    return Expected(absl::StrCat("input ", i, " ", Quoted(n.node().input(i))),
                    "the batch and then each image's elements",
                    "all elements of a batch in a row, or places among them");
  }
  return absl::InvalidArgumentError(
      absl::StrCat("input ", i, " ", Quoted(n.node().input(i)), " is yielded by no earlier node"));
}

bool Import::IsActivation(const NodeReader& n, int i) const {
  const auto operand = Find(n, i);
  return operand.ok() && std::holds_alternative<graph::ValueId>(**operand);
}

absl::StatusOr<Operand> Import::Any(const NodeReader& n, int i) const {
  RESNETD_ASSIGN_OR_RETURN(const Operand* operand, Find(n, i));
  return *operand;
}

absl::StatusOr<graph::ValueId> Import::Activation(const NodeReader& n, int i) const {
  RESNETD_ASSIGN_OR_RETURN(const Operand* operand, Find(n, i));
  return As<graph::ValueId>(n, i, *operand);
}

absl::StatusOr<graph::WeightsRef> Import::Floats(const NodeReader& n, int i) const {
  RESNETD_ASSIGN_OR_RETURN(const Operand* operand, Find(n, i));
  return As<graph::WeightsRef>(n, i, *operand);
}

absl::StatusOr<Ints> Import::Integers(const NodeReader& n, int i) const {
  RESNETD_ASSIGN_OR_RETURN(const Operand* operand, Find(n, i));
  RESNETD_ASSIGN_OR_RETURN(Ints ints, As<Ints>(n, i, *operand));
  if (ints.dims.size() <= 1) return ints;
  return Expected(absl::StrCat("input ", i, " ", Quoted(n.node().input(i))), "a list of integers",
                  absl::StrCat(ints.dims.size(), " axes"));
}

absl::Status Import::Add(const NodeReader& n, graph::Op op, absl::InlinedVector<graph::ValueId, 2> inputs, int output) {
  const graph::ValueId value = graph.AddValue(n.node().output(output));
  RESNETD_RETURN_IF_ERROR(Define(n.node().output(output), value));
  graph.nodes.push_back({n.name(), std::move(op), std::move(inputs), value});
  return graph::InferShape(graph, graph.nodes.back());
}

absl::StatusOr<graph::ValueId> Import::AddInner(const NodeReader& n, graph::Op op,
                                                absl::InlinedVector<graph::ValueId, 2> inputs) {
  const graph::ValueId value = graph.AddValue(absl::StrCat(n.node().output(0), "/", OpName(op)));
  graph.nodes.push_back({n.name(), std::move(op), std::move(inputs), value});
  RESNETD_RETURN_IF_ERROR(graph::InferShape(graph, graph.nodes.back()));
  return value;
}

absl::Status Import::DefineRanking(const NodeReader& n, graph::ValueId scores) {
  for (const std::string& name : n.node().output()) {
    if (name.empty()) continue;
    if (Means(name)) return absl::InvalidArgumentError(absl::StrCat(Quoted(name), " is defined twice"));
    rankings_.emplace(name, scores);
  }
  return absl::OkStatus();
}

bool Import::FollowsRanking(const NodeReader& n) const {
  static constexpr std::array kForms = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"};
  return n.node().input_size() > 0 && RankedScores(n.node().input(0)) &&
         std::find(kForms.begin(), kForms.end(), n.node().op_type()) != kForms.end();
}

std::optional<graph::ValueId> Import::RankedScores(const std::string& name) const {
  const auto it = rankings_.find(name);
  return it == rankings_.end() ? std::nullopt : std::optional(it->second);
}

absl::Status Import::DefinePlaces(const NodeReader& n, Places places) {
  const std::string& name = n.node().output(0);
  if (Means(name)) return absl::InvalidArgumentError(absl::StrCat(Quoted(name), " is defined twice"));
  places_.emplace(name, std::move(places));
  return absl::OkStatus();
}

const Places* Import::FindPlaces(const std::string& name) const {
  const auto it = places_.find(name);
  return it == places_.end() ? nullptr : &it->second;
}

absl::Status Import::DefineFlat(const NodeReader& n, graph::ValueId value) {
  const std::string& name = n.node().output(0);
  if (Means(name)) return absl::InvalidArgumentError(absl::StrCat(Quoted(name), " is defined twice"));
  flats_.emplace(name, value);
  return absl::OkStatus();
}

std::optional<graph::ValueId> Import::FindFlat(const std::string& name) const {
  const auto it = flats_.find(name);
  return it == flats_.end() ? std::nullopt : std::optional(it->second);
}

bool Import::Means(const std::string& name) const {
  return operands_.contains(name) || rankings_.contains(name) || flats_.contains(name) || places_.contains(name);
}

absl::Status Import::ExpectUnread(const NodeReader& n, int first) const {
  for (int i = first; i < n.node().output_size(); ++i) {
    const std::string& name = n.node().output(i);
    if (name.empty() || uses(name) == 0) continue;
    return Expected(absl::StrCat("output ", i, " ", Quoted(name)), "an output that nothing reads", "one that is read");
  }
  return absl::OkStatus();
}

absl::Status Import::Alias(const NodeReader& n, Operand operand) {
  return Define(n.node().output(0), std::move(operand));
}

}  // namespace resnetd::onnx
