#include "engine/onnx/node_reader.h"

#include "absl/strings/str_cat.h"
#include "base/echo.h"

namespace resnetd::onnx {
namespace {

std::string TypeName(AttributeProto::AttributeType type) {
  return AttributeProto::AttributeType_Name(type);
}

}  // namespace

std::string NodeReader::name() const {
  if (!node_.name().empty()) return node_.name();
  return node_.output_size() > 0 ? node_.output(0) : std::string();
}

const AttributeProto* NodeReader::Find(absl::string_view attribute, AttributeProto::AttributeType type) {
  asked_.emplace(attribute);
  for (const AttributeProto& a : node_.attribute()) {
    if (a.name() != attribute) continue;
    if (a.type() == type) return &a;
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat("attribute ", Quoted(attribute), ": expected ", TypeName(type), ", got ", TypeName(a.type())));
    }
  }
  return nullptr;
}

bool NodeReader::Has(absl::string_view attribute) const {
  for (const AttributeProto& a : node_.attribute()) {
    if (a.name() == attribute) return true;
  }
  return false;
}

int64_t NodeReader::Int(absl::string_view attribute, int64_t fallback) {
  const AttributeProto* a = Find(attribute, AttributeProto::INT);
  return a != nullptr ? a->i() : fallback;
}

float NodeReader::Float(absl::string_view attribute, float fallback) {
  const AttributeProto* a = Find(attribute, AttributeProto::FLOAT);
  return a != nullptr ? a->f() : fallback;
}

std::string NodeReader::String(absl::string_view attribute, absl::string_view fallback) {
  const AttributeProto* a = Find(attribute, AttributeProto::STRING);
  return a != nullptr ? a->s() : std::string(fallback);
}

std::vector<int64_t> NodeReader::Ints(absl::string_view attribute, std::vector<int64_t> fallback) {
  const AttributeProto* a = Find(attribute, AttributeProto::INTS);
  return a != nullptr ? std::vector<int64_t>(a->ints().begin(), a->ints().end()) : fallback;
}

std::vector<float> NodeReader::Floats(absl::string_view attribute) {
  const AttributeProto* a = Find(attribute, AttributeProto::FLOATS);
  return a != nullptr ? std::vector<float>(a->floats().begin(), a->floats().end()) : std::vector<float>();
}

const TensorProto* NodeReader::Tensor(absl::string_view attribute) {
  const AttributeProto* a = Find(attribute, AttributeProto::TENSOR);
  return a != nullptr ? &a->t() : nullptr;
}

absl::Status NodeReader::Finish(absl::Status imported) const {
  if (!status_.ok()) return status_;  // what the importer met afterwards may follow from it
  if (!imported.ok()) return imported;
  absl::flat_hash_set<absl::string_view> seen;
  for (const AttributeProto& a : node_.attribute()) {
    if (!asked_.contains(a.name())) {
      return absl::InvalidArgumentError(absl::StrCat("attribute ", Quoted(a.name()), " is not supported"));
    }
    if (!seen.insert(a.name()).second) {
      return absl::InvalidArgumentError(absl::StrCat("attribute ", Quoted(a.name()), " comes twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace resnetd::onnx
