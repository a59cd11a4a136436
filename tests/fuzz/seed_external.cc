// Networks whose weights lie in the files of HostileFolder(), by every kind of name that is a good one.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/seed_networks.h"

namespace resnetd::fuzz {
namespace {

using onnx::OnnxFile;
using onnx::TensorProto;

void Place(TensorProto& tensor, const std::string& location, int64_t offset) {
  const size_t length = tensor.raw_data().size();
  tensor.clear_raw_data();
  tensor.set_data_location(TensorProto::EXTERNAL);
  const std::pair<std::string, std::string> entries[] = {
      {"location", location}, {"offset", absl::StrCat(offset)}, {"length", absl::StrCat(length)}};
  for (const auto& [key, value] : entries) {
    auto* entry = tensor.add_external_data();
    entry->set_key(key), entry->set_value(value);
  }
}

Network Beside(const char* name, const std::string& first, const std::string& second) {
  return {name, 17, [=](OnnxFile& f) {
            Place(f.Floats("w", {3, 3, 3, 3}), first, 0);
            Place(f.Floats("b", {3}), second, 512);
            f.Node("Conv", {"x", "w", "b"}, "z");
            Classify(f, "z", 3);
          }};
}

}  // namespace

std::vector<Network> External() {
  return {
      Beside("external", "data", "data"),
      Beside("external-in-a-folder", "sub/data", "./sub/../data"),
      Beside("external-links", "relative", "absolute"),
      Beside("external-one-file-by-two-names", "chain", "hard"),
      Beside("external-in-linked-folders", "folder/data", "back/b"),
      Beside("external-above", "../blobs/b", "up/blobs/b"),
      Beside("external-round-and-round", "around/around/data", "around/up/model/sub/data"),
  };
}

}  // namespace resnetd::fuzz
