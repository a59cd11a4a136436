#ifndef RESNETD_ENGINE_ONNX_NODE_READER_H_
#define RESNETD_ENGINE_ONNX_NODE_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "engine/onnx/parse.h"

namespace resnetd::onnx {

// An importer's view of one node's attributes. The first attribute of a wrong type is remembered and reported by
// Finish(), as is one that nobody asked for: an attribute we ignored could mean that we compute something else. One
// thread.
class NodeReader {
 public:
  NodeReader(const NodeProto& node, int opset) : node_(node), opset_(opset) {}

  const NodeProto& node() const { return node_; }
  int opset() const { return opset_; }
  std::string name() const;  // the node's, or that of its first output where it has none

  int64_t Int(absl::string_view attribute, int64_t fallback);
  float Float(absl::string_view attribute, float fallback);
  std::string String(absl::string_view attribute, absl::string_view fallback);
  std::vector<int64_t> Ints(absl::string_view attribute, std::vector<int64_t> fallback);
  std::vector<float> Floats(absl::string_view attribute);  // none where it is missing
  const TensorProto* Tensor(absl::string_view attribute);
  bool Has(absl::string_view attribute) const;

  // The importer's own status unless an attribute is at fault.
  absl::Status Finish(absl::Status imported) const;

 private:
  const AttributeProto* Find(absl::string_view attribute, AttributeProto::AttributeType type);

  const NodeProto& node_;
  const int opset_;
  absl::flat_hash_set<std::string> asked_;
  absl::Status status_;
};

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_NODE_READER_H_
