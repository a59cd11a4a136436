// Tensors in files beside the model: what is read, and what is refused without being read.
#include "engine/onnx/external_data.h"

#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/folder.h"
#include "engine/onnx/import.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace resnetd::onnx {
namespace {

using ::testing::HasSubstr;
using Entries = std::vector<std::pair<std::string, std::string>>;

// A tensor "w" of `count` floats that lie where `entries` say.
TensorProto Tensor(int64_t count, const Entries& entries) {
  TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(TensorProto::FLOAT);
  tensor.add_dims(count);
  tensor.set_data_location(TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto* entry = tensor.add_external_data();
    entry->set_key(key), entry->set_value(value);
  }
  return tensor;
}

std::string FloatBytes(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

absl::StatusOr<Operand> Read(const TensorProto& tensor, ExternalData& external) {
  return ReadTensor(tensor, tensor.raw_data(), external);
}

Folder Open(const TempFolder& folder) {
  return Folder::Open(folder.path()).value_or(Folder());
}

std::vector<float> Values(const absl::StatusOr<Operand>& operand) {
  if (!operand.ok()) return {};
  return std::get<graph::WeightsRef>(*operand)->data.Copy();
}

TEST(ExternalData, ReadsEachFileOnce) {
  const TempFolder folder;
  folder.Write("model.onnx.data", FloatBytes({1, 2, 3, 4, 5, 6}));
  folder.Write("more data", FloatBytes({7}));
  ExternalData external(Open(folder));
  struct Case {
    Entries entries;
    std::vector<float> expected;
  };
  const std::vector<Case> cases = {
      {{{"location", "model.onnx.data"}, {"offset", "0"}, {"length", "8"}}, {1, 2}},
      {{{"location", "model.onnx.data"}, {"offset", "20"}}, {6}},
      {{{"length", "12"}, {"offset", "8"}, {"location", "model.onnx.data"}, {"checksum", "any"}}, {3, 4, 5}},
      {{{"location", "more data"}}, {7}},
  };
  for (const Case& c : cases) {
    const auto read = Read(Tensor(static_cast<int64_t>(c.expected.size()), c.entries), external);
    EXPECT_EQ(Values(read), c.expected) << read.status();
    std::filesystem::remove(folder / "model.onnx.data");  // it was read whole
  }
  std::vector<size_t> files;
  for (const Bytes& file : external.files()) files.push_back(file.size());
  EXPECT_EQ(files, (std::vector<size_t>{24, 4}));
}

TEST(ExternalData, ReadsIntegersAndFloatsBetweenOtherBytes) {
  const TempFolder folder;
  folder.Write("data", absl::StrCat("x", FloatBytes({1.5f, -2}), std::string("\x05\0\0\0", 4), "y"));
  ExternalData external(Open(folder));
  EXPECT_EQ(Values(Read(Tensor(2, {{"location", "data"}, {"offset", "1"}, {"length", "8"}}), external)),
            (std::vector<float>{1.5f, -2}));
  TensorProto integer = Tensor(1, {{"location", "data"}, {"offset", "9"}, {"length", "4"}});
  integer.set_data_type(TensorProto::INT32);
  const auto read = Read(integer, external);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(std::get<Ints>(*read).values, std::vector<int64_t>{5});
}

// The message without "tensor 'w': external data ".
void ExpectRefused(const TempFolder& folder, const TensorProto& tensor, const std::string& message) {
  ExternalData external(Open(folder));
  EXPECT_EQ(Read(tensor, external).status(),
            absl::InvalidArgumentError(absl::StrCat("tensor 'w': external data", message)));
}

// folder_test.cc tells how it is opened.
TEST(ExternalData, ReadsWhatLiesBelowTheRoot) {
  const TempFolder folder;
  folder.Write("root/blobs/b", FloatBytes({1}));
  folder.Write("root/net/sub/data", FloatBytes({2}));
  folder.Write("root/net/two names", FloatBytes({3}));
  folder.Write("root/common.data", FloatBytes({4}));
  std::filesystem::create_symlink("../blobs/b", folder / "root/net/relative");
  std::filesystem::create_symlink(folder / "root/blobs/b", folder / "root/net/absolute");
  std::filesystem::create_hard_link(folder / "root/net/two names", folder / "hard");
  for (const auto& [location, value] : std::vector<std::pair<std::string, float>>{{"relative", 1.f},
                                                                                  {"absolute", 1.f},
                                                                                  {"sub/data", 2.f},
                                                                                  {"./sub/data", 2.f},
                                                                                  {"sub/../sub//data", 2.f},
                                                                                  {"two names", 3.f},
                                                                                  {"../common.data", 4.f}}) {
    ExternalData external(Folder::Open(folder / "root/net", folder / "root").value());
    const auto read = Read(Tensor(1, {{"location", location}}), external);
    EXPECT_EQ(Values(read), std::vector<float>{value}) << read.status();
  }
}

// A file's names cannot make more of it than it has bytes, in memory or in tensors.
TEST(ExternalData, ReadsAFileOnceByWhateverName) {
  const TempFolder folder;
  folder.Write("data", FloatBytes({1, 2}));
  folder.Write("sub/file");
  std::filesystem::create_symlink("data", folder / "link");
  std::filesystem::create_hard_link(folder / "data", folder / "hard");
  ExternalData external(Open(folder));
  const auto part = [](const std::string& location, int64_t count) {
    return Tensor(count, {{"location", location}, {"length", absl::StrCat(4 * count)}});
  };
  EXPECT_TRUE(Read(part("data", 1), external).ok());
  std::string far = "data";
  for (int i = 0; i < 100; ++i) far = absl::StrCat("sub/../", far);
  for (const std::string& name : {std::string("link"), std::string("hard"), std::string("./data"), far}) {
    EXPECT_EQ(
        Read(part(name, 2), external).status(),
        absl::InvalidArgumentError(absl::StrCat("tensor 'w': external data ", Quoted(name),
                                                ": expected tensors that don't overlap, got more bytes in tensors "
                                                "than the 8 of the file")));
  }
  EXPECT_TRUE(Read(part("link", 1), external).ok());
  EXPECT_EQ(external.files().size(), 1u);
}

TEST(ExternalData, RefusesAllElse) {
  const TempFolder folder;
  folder.Write("secret", FloatBytes({1}));
  folder.Write("model/data", FloatBytes({1}));
  ASSERT_EQ(mkdir((folder / "model/folder").c_str(), 0700), 0);
  ASSERT_EQ(mkfifo((folder / "model/pipe").c_str(), 0600), 0);  // nobody writes to it: opening it must not wait
  std::filesystem::create_symlink("/dev/zero", folder / "model/zero");
  std::filesystem::create_symlink("../secret", folder / "model/out");
  std::filesystem::create_symlink("circle", folder / "model/circle");
  std::filesystem::create_symlink("nowhere", folder / "model/dangling");
  const std::string out =
      "expected a file below the models' root folder, got a path or a link that leads out of it; --model-root names a "
      "wider one";
  const std::string no_path = "expected a file's path from the model's folder, got ";
  const std::string nul("data\0.bin", 9);
  for (const auto& [location, message] : std::vector<std::pair<std::string, std::string>>{
           {"zero", out},
           {"out", out},
           {"../secret", out},
           {"../../../../../../../../../../../../../etc/passwd", out},
           {"circle", "expected a file, got links in a circle, or too many of them"},
           {"dangling", "expected a file, got a link to nothing"},
           {"pipe", "expected a regular file, got a pipe"},
           {"folder", "expected a regular file, got a folder"},
           {".", "expected a regular file, got a folder"},
           {"missing", "there is no such file beside the model"},
           {"data/", "there is no such file beside the model"},
           {"data/data", "there is no such file beside the model"},
           {std::string(300, 'n'), "expected the path of a file, got one that is longer than any"},
           {"", no_path + "''"},
           {"//", no_path + "'//'"},
           {folder / "model/data", no_path + Quoted(folder / "model/data")},
           {nul, no_path + Quoted(nul)},
       }) {
    ExternalData external(Folder::Open(folder / "model").value());
    EXPECT_EQ(Read(Tensor(1, {{"location", location}}), external).status(),
              absl::InvalidArgumentError(absl::StrCat("tensor 'w': external data ", Quoted(location), ": ", message)));
  }
  ExpectRefused(folder, Tensor(1, {{"offset", "0"}}), absl::StrCat(" '': ", no_path, "''"));
  ExternalData nowhere((Folder()));
  EXPECT_EQ(
      Read(Tensor(1, {{"location", "secret"}}), nowhere).status(),
      absl::InvalidArgumentError("tensor 'w': external data 'secret': expected the data inside this model's file: "
                                 "it has no folder"));
}

TEST(ExternalData, RefusesWhatDoesNotFit) {
  const TempFolder folder;
  folder.Write("data", FloatBytes({1, 2, 3}));
  folder.Write("empty");
  const auto at = [](int64_t count, const std::string& offset, const std::string& length) {
    Entries entries = {{"location", "data"}};
    if (!offset.empty()) entries.emplace_back("offset", offset);
    if (!length.empty()) entries.emplace_back("length", length);
    return Tensor(count, entries);
  };
  const std::string within = " 'data': expected offset and length within the file's 12 bytes, got offset ";
  ExpectRefused(folder, at(3, "4", "12"), within + "4 and length 12");
  ExpectRefused(folder, at(1, "13", ""), within + "13 and length 0");
  ExpectRefused(folder, at(1, "12", "4"), within + "12 and length 4");
  ExpectRefused(folder, at(1, "0", "13"), within + "0 and length 13");
  ExpectRefused(folder, at(1, "18446744073709551612", "8"), within + "18446744073709551612 and length 8");
  ExpectRefused(folder, at(1, "4", "18446744073709551612"), within + "4 and length 18446744073709551612");
  ExpectRefused(folder, at(3, "", "8"), " 'data': expected 12 bytes for the tensor's dims, got 8");
  ExpectRefused(folder, at(2, "", ""), " 'data': expected 8 bytes for the tensor's dims, got 12");
  ExpectRefused(folder, at(1, "12", ""), " 'data': expected 4 bytes for the tensor's dims, got 0");
  ExpectRefused(folder, Tensor(1, {{"location", "empty"}}), " 'empty': expected 4 bytes for the tensor's dims, got 0");
  for (const std::string number : {"-4", "four", "18446744073709551616", "0x4", ""}) {
    const std::string message = absl::StrCat(": expected a number of bytes, got '", number, "'");
    ExpectRefused(folder, Tensor(1, {{"location", "data"}, {"offset", number}}), ": offset" + message);
    ExpectRefused(folder, Tensor(1, {{"location", "data"}, {"length", number}}), ": length" + message);
  }
  ExpectRefused(folder, Tensor(1, {{"location", "data"}, {"location", "data"}}), ": key 'location' comes twice");
  ExpectRefused(folder, Tensor(1, {{"location", "data"}, {"basepath", "/etc"}}),
                ": expected location, offset, length and checksum, got key 'basepath'");
}

// A file of 12 bytes cannot become more than 12 bytes of tensors.
TEST(ExternalData, RefusesTensorsThatOverlap) {
  const TempFolder folder;
  folder.Write("data", FloatBytes({1, 2, 3}));
  ExternalData external(Open(folder));
  const auto first = Tensor(2, {{"location", "data"}, {"length", "8"}});
  EXPECT_TRUE(Read(first, external).ok());
  EXPECT_EQ(
      Read(first, external).status(),
      absl::InvalidArgumentError("tensor 'w': external data 'data': expected tensors that don't overlap, got more "
                                 "bytes in tensors than the 12 of the file"));
  EXPECT_TRUE(Read(Tensor(1, {{"location", "data"}, {"offset", "8"}}), external).ok());
}

TEST(ExternalData, RefusesFilesThatAreTooLarge) {
  const TempFolder folder;
  folder.Write("small", FloatBytes({1}));
  folder.Write("most");
  std::filesystem::resize_file(folder / "most", kMaxExternalBytes);  // no block of it is on the disk
  folder.Write("large");
  std::filesystem::resize_file(folder / "large", kMaxExternalBytes + 1);
  const std::string message = ": expected at most 2147483647 bytes in all files beside the model, got ";
  ExpectRefused(folder, Tensor(1, {{"location", "large"}}), absl::StrCat(" 'large'", message, "0 and 2147483648"));
  ExternalData external(Open(folder));
  EXPECT_TRUE(Read(Tensor(1, {{"location", "small"}}), external).ok());
  EXPECT_EQ(Read(Tensor(1, {{"location", "most"}}), external).status(),
            absl::InvalidArgumentError(absl::StrCat("tensor 'w': external data 'most'", message, "4 and 2147483647")));
}

TEST(ReadTensor, RefusesElementsInTwoPlaces) {
  const TempFolder folder;
  folder.Write("data", FloatBytes({1}));
  ExternalData external(Open(folder));
  const TensorProto good = Tensor(1, {{"location", "data"}});
  struct Case {
    const char* what;
    void (*spoil)(TensorProto&);
    const char* message;
  };
  const Case cases[] = {
      {"raw data too", [](TensorProto& t) { t.set_raw_data("1234"); }, "holds its elements twice"},
      {"floats too", [](TensorProto& t) { t.add_float_data(1); }, "holds its elements twice"},
      {"integers too", [](TensorProto& t) { t.add_int64_data(1); }, "holds its elements twice"},
      {"said to be inside", [](TensorProto& t) { t.set_data_location(TensorProto::DEFAULT); },
       "names external data, but data_location is not EXTERNAL"},
      {"nothing said", [](TensorProto& t) { t.clear_data_location(); },
       "names external data, but data_location is not EXTERNAL"},
      {"a segment", [](TensorProto& t) { t.mutable_segment()->set_begin(0); }, "is a segment of a tensor"},
  };
  for (const Case& c : cases) {
    TensorProto tensor = good;
    c.spoil(tensor);
    EXPECT_THAT(std::string(Read(tensor, external).status().message()), HasSubstr(c.message)) << c.what;
  }
  EXPECT_TRUE(Read(good, external).ok()) << "the file was not used up by those";
}

}  // namespace
}  // namespace resnetd::onnx
