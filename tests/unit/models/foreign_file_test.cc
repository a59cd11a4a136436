// Files of other formats, by the bytes that make them what they are.
#include "models/foreign_file.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/loader.h"
#include "models/source.h"
#include "tests/support/temp_folder.h"

namespace resnetd {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// The parts of a zip file that tell what it holds: an entry's head, and the table at the end.
std::string Zip(const std::vector<std::string>& names) {
  std::string file;
  for (const std::string& name : names) absl::StrAppend(&file, "PK\x03\x04", std::string(26, '\0'), name, "content");
  file.append(1 << 12, 'x');
  for (const std::string& name : names) absl::StrAppend(&file, "PK\x01\x02", std::string(42, '\0'), name);
  return absl::StrCat(file, "PK\x05\x06", std::string(18, '\0'));
}

std::string Safetensors(const std::string& json) {
  std::string file(8, '\0');
  file[0] = static_cast<char>(json.size());
  return absl::StrCat(file, json, "values");
}

TEST(ForeignFormatTest, EachIsKnown) {
  const struct {
    std::string name, content, is;
  } kCases[] = {
      {"resnet50.pth", Zip({"archive/data.pkl", "archive/byteorder", "archive/data/0"}), "a PyTorch checkpoint"},
      {"model.onnx", Zip({"m/data/0", "m/data.pkl"}), "a PyTorch checkpoint"},
      {"resnet50.pt", Zip({"net/data.pkl", "net/constants.pkl"}), "a TorchScript program"},
      {"resnet50.pt2", Zip({"serialized_exported_program.json"}), "a program of torch.export"},
      {"resnet50.pt2", Zip({"e/models/model.json", "e/data/sample_inputs/model.pt", "model/data.pkl"}),
       "a program of torch"},
      {"old.pth",
       "\x80\x02\x8a\x0al\xfc\x9c"
       "F\xf9 j\xa8P\x19.\x80\x02 and tensors",
       "a PyTorch checkpoint"},
      {"dict.pkl", "\x80\x04}q\x01.", "a PyTorch checkpoint"},
      {"model.safetensors", Safetensors("{\"fc.weight\":{}}"), "a safetensors file"},
      {"net.keras", Zip({"metadata.json", "model.weights.h5"}), "a Keras file"},
      {"net.h5", std::string("\x89HDF\r\n\x1a\n\0\0", 10), "a Keras file"},
      {"net.tflite", std::string("\x1c\0\0\0TFL3\x14\0", 10), "a TensorFlow Lite file"},
      {"net.ort", std::string("\x1c\0\0\0ORTM\x14\0", 10), "a file of ONNX Runtime's own format"},
      {"saved_model.pb", "\x08\x01", "a TensorFlow SavedModel"},
      {"model.plan", "ftrt", "a TensorRT engine"},
      {"config.pbtxt", "name: \"a\"", "Triton's configuration"},
      {"model.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"},
      {"model.onnx", "\n<!DOCTYPE html>\n<html>", "a web page"},
      {"net.xml", "<?xml version=\"1.0\"?>", "an OpenVINO network"},
      {"model.zip", Zip({"model.onnx"}), "an archive"},
      {"model.onnx.gz", "\x1f\x8b\x08", "an archive"},
  };
  for (const auto& [name, content, is] : kCases) {
    EXPECT_THAT(ForeignFormat(name, content), StartsWith(is)) << name;
  }
}

TEST(ForeignFormatTest, OthersAreNot) {
  EXPECT_EQ(ForeignFormat("model.onnx", EmbeddedSource().read("model.onnx", 1 << 26).value()), "");
  for (const char* content : {"", "P", "\x80", "\x80\x02", "no model", "{\"a\":1}", "12345678{"}) {
    EXPECT_EQ(ForeignFormat("model.onnx", content), "") << content;
  }
  // A length that is more than the file has.
  EXPECT_EQ(ForeignFormat("a", std::string("\xff\xff\xff\0\0\0\0\0{\"a\"", 12)), "");
}

TEST(ForeignFormatTest, TheLoaderSaysIt) {
  const TempFolder folder;
  folder.Write("resnet50.onnx", Zip({"archive/data.pkl"}));
  const absl::Status status = LoadModel(FileSource(folder / "resnet50.onnx"), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr(absl::StrCat("(", folder / "resnet50.onnx", "): expected an ONNX file, got a PyTorch checkpoint")));
}

TEST(ForeignFolderTest, IsKnownByItsFiles) {
  const struct {
    const char *file, *says;
  } kCases[] = {
      {"saved_model.pb", "a TensorFlow SavedModel"}, {"1/model.savedmodel/saved_model.pb", "a TensorFlow SavedModel"},
      {"1/model.pt", "a PyTorch checkpoint"},        {"1/model.plan", "a TensorRT engine"},
      {"pytorch_model.bin", "a PyTorch checkpoint"}, {"model.safetensors", "a safetensors file"},
      {"config.pbtxt", "a config.pbtxt of Triton's"}};
  for (const auto& [file, says] : kCases) {
    const TempFolder folder;
    folder.Write(file, "");
    EXPECT_THAT(ForeignFolder(folder.path()), HasSubstr(says)) << file;
  }
  const TempFolder folder;
  folder.Write("readme.txt", "");
  EXPECT_EQ(ForeignFolder(folder.path()), "");
  EXPECT_EQ(ForeignFolder("/nonexistent"), "");
}

}  // namespace
}  // namespace resnetd
