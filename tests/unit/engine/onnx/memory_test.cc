// Measures the memory and time of reading a file: at most three times its size and a constant, whatever it holds, and
// seconds. Each file is read in a process of its own.
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/onnx/parse.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_file.h"
#include "tests/support/onnx_refusal.h"
#include "tests/support/sanitized.h"
#include "tests/support/temp_folder.h"

namespace resnetd::onnx {
namespace {

using ::testing::HasSubstr;

// Measures the largest number of small things that a file may hold.
constexpr int64_t kConstant = int64_t{96} << 20;
constexpr rlim_t kSeconds = 10;  // of the processor; most files take a tenth of one

constexpr bool kMeasures = !kSanitized;  // else the sanitizers' own memory would be measured

struct Reading {
  std::string message;  // "OK", or why the file was refused
  int64_t peak_bytes = 0;
};

int64_t Resident() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// In the child: reads the file, says what came of it on `out`, and how much memory it had at first.
[[noreturn]] void ReadAndExit(const std::string& path, rlim_t seconds, int out) {
  const rlimit limit = {seconds, seconds};
  setrlimit(RLIMIT_CPU, &limit);
  malloc_trim(0);  // what this test has freed would be used again and not be seen
  const int64_t before = Resident();
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const absl::Status status = ReadBytes(std::move(bytes)).status();
  const std::string said = absl::StrCat(before, " ", status.ok() ? "OK" : std::string(status.message()));
  _exit(write(out, said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
}

Reading Measure(const std::string& path, rlim_t seconds) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) ReadAndExit(path, seconds, ends[1]);
  close(ends[1]);
  std::string said;
  char part[4096];
  for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;) said.append(part, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  rusage usage{};
  EXPECT_EQ(wait4(child, &status, 0, &usage), child);
  EXPECT_EQ(status, 0) << (WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
  const size_t space = said.find(' ');
  if (space == std::string::npos) return {"(nothing said)", 0};
  return {said.substr(space + 1), usage.ru_maxrss * 1024 - std::stoll(said)};
}

// A file of these bytes and then as many zeros.
struct File {
  std::string bytes;
  size_t zeros = 0;
};

struct MemoryCase {
  const char* what;
  std::function<File()> build;
  const char* message;
  int copies = 3;  // of the file, at most
};

void CheckMemory(const std::vector<MemoryCase>& cases, rlim_t seconds = kSeconds) {
  const TempFolder folder;
  for (const MemoryCase& c : cases) {
    SCOPED_TRACE(c.what);
    int64_t size = 0;
    {
      const File file = c.build();
      folder.Write("model.onnx", file.bytes);
      size = static_cast<int64_t>(file.bytes.size() + file.zeros);
      std::filesystem::resize_file(folder / "model.onnx", static_cast<uintmax_t>(size));
    }
    const Reading reading = Measure(folder / "model.onnx", seconds);
    EXPECT_THAT(reading.message, HasSubstr(c.message));
    if (kMeasures) {
      EXPECT_LE(reading.peak_bytes, c.copies * size + kConstant);
    }
    std::cout << c.what << ": file " << size / 1024 << " KiB, at most " << reading.peak_bytes / 1024
              << " KiB: " << reading.message.substr(0, 150) << "\n";
  }
}

// The beginning of a field of wire type 2.
std::string Start(int number, size_t size) {
  std::string s;
  const auto varint = [&s](size_t v) {
    for (; v > 127; v >>= 7) s += static_cast<char>(v | 128);
    s += static_cast<char>(v);
  };
  varint(static_cast<size_t>(number) << 3 | 2);
  varint(size);
  return s;
}

std::string Field(int number, const std::string& content) {
  return Start(number, content.size()) + content;
}

std::string Good() {
  OnnxFile file;
  Network(file);
  return file.Bytes();
}

// A good model and then more of its graph: of two graphs in a file, protobuf makes one.
File With(const std::string& more) {
  return {Good() + Field(7, more)};
}

std::string Repeated(int count, const std::function<std::string(int)>& field) {
  std::string s;
  for (int i = 0; i < count; ++i) s += field(i);
  return s;
}

// A good model and one more initializer "big", of which all but the `zeros` bytes of field `field` are given.
File WithTensor(const TensorProto& tensor, int field, size_t zeros) {
  const std::string start = tensor.SerializeAsString() + Start(field, zeros);
  const std::string in_graph = Start(5, start.size() + zeros) + start;
  return {Good() + Start(7, in_graph.size() + zeros) + in_graph, zeros};
}

// The same as the value of a Constant node.
File WithConstant(const TensorProto& tensor, size_t zeros) {
  std::string start = tensor.SerializeAsString() + Start(9, zeros);
  const std::string type = "\xa0\x01\x04";  // field 20, TENSOR
  start = Field(1, "value") + type + Start(5, start.size() + zeros) + start;
  start = Field(2, "big") + Field(3, "constant") + Field(4, "Constant") + Start(5, start.size() + zeros) + start;
  start = Start(1, start.size() + zeros) + start;
  return {Good() + Start(7, start.size() + zeros) + start, zeros};
}

TensorProto Big(TensorProto::DataType type, size_t elements) {
  TensorProto tensor;
  tensor.set_name("big");
  tensor.set_data_type(type);
  tensor.add_dims(static_cast<int64_t>(elements));
  return tensor;
}

constexpr size_t kLarge = size_t{32} << 20;  // bytes: larger than the constant, once it is three times there

TEST(ReadOnnxMemory, OfManySmallThings) {
  const auto nodes = [](int count, const std::string& node) {
    return [=] { return With(Repeated(count, [&](int) { return Field(1, node); })); };
  };
  const auto node_of = [](int field, int count) {
    return [=] {
      return With(
          Field(1, Field(3, "many") + Field(4, "Relu") + Repeated(count, [&](int) { return Field(field, ""); })));
    };
  };
  CheckMemory({
      {"a million empty nodes", nodes(1'000'000, ""), "more than 20000 nodes at node number 20001"},
      {"a million nodes", nodes(1'000'000, Field(1, "c") + Field(2, "r") + Field(3, "relu") + Field(4, "Relu")),
       "more than 20000 nodes at node 'relu'"},
      {"as many nodes as may be", nodes(19'996, Field(1, "c") + Field(2, "r") + Field(3, "relu") + Field(4, "Relu")),
       "node 'relu' (Relu, opset 17): 'r' is defined twice"},
      {"as many good nodes as may be",
       [] {
         OnnxFile file;
         std::string map = "x";
         for (int i = 0; i < kMaxNodes - 2; ++i) {
           const std::string next = absl::StrCat("r", i);
           file.Node("Relu", {map.c_str()}, next);
           map = next;
         }
         file.Node("GlobalAveragePool", {map.c_str()}, "p");
         file.Node("Flatten", {"p"}, "y");
         return File{file.Bytes()};
       },
       "OK"},
      {"weights that each of many nodes would transpose",
       [] {
         OnnxFile file;
         file.Floats("first", {192, 512}), file.Floats("w", {512, 512});
         file.Node("Flatten", {"x"}, "v");
         file.Node("MatMul", {"v", "first"}, "m");
         std::string vector = "m";
         for (int i = 0; i < 5000; ++i) {
           const std::string next = absl::StrCat("m", i);
           file.Node("MatMul", {vector.c_str(), "w"}, next);
           vector = next;
         }
         return File{file.Bytes()};
       },
       "(MatMul, opset 17): constants computed at load"},
      {"as many operators that we lack", nodes(19'996, Field(3, std::string(200, 'n')) + Field(4, "Loop")),
       "operators that are not supported: Loop (19996 nodes)"},
      {"many inputs of a node", node_of(1, 249'000), "node 'many'"},
      {"many attributes of a node", node_of(5, 249'000), "node 'many'"},
      {"a million attributes", node_of(5, 1'000'000), "more than 250000 fields at node 'many'"},
      {"many initializers", [] { return With(Repeated(249'000, [](int) { return Field(5, ""); })); }, "tensor ''"},
      {"many inputs", [] { return With(Repeated(249'000, [](int) { return Field(11, ""); })); },
       "expected one input, got also ''"},
      {"many outputs", [] { return With(Repeated(249'000, [](int) { return Field(12, ""); })); }, "got 249001"},
      {"many descriptions", [] { return With(Repeated(249'000, [](int) { return Field(13, ""); })); }, "OK"},
      {"many fields that nobody knows",
       [] { return With(Repeated(249'000, [](int i) { return Field(100 + i % 1000, ""); })); }, "OK"},
      {"groups that nobody knows",
       [] { return With("\x0b" + Repeated(4'000'000, [](int) { return std::string("\x13\x14"); }) + "\x0c"); },
       "not an ONNX model"},
      {"100 loops in one another",
       [] {
         std::string body;
         for (int i = 0; i < 100; ++i) {
           body = Field(1, Field(3, absl::StrCat("loop", 99 - i)) + Field(4, "Loop") + Field(5, Field(6, body)));
         }
         return With(body);
       },
       "messages nested deeper than 20 at node 'loop0'"},
  });
}

TEST(ReadOnnxMemory, OfLargeThings) {
  CheckMemory({
      {"good weights", [] { return WithTensor(Big(TensorProto::FLOAT, kLarge / 4), 9, kLarge); }, "OK"},
      {"good weights of a Constant node", [] { return WithConstant(Big(TensorProto::FLOAT, kLarge / 4), kLarge); },
       "OK"},
      {"good weights as a list", [] { return WithTensor(Big(TensorProto::FLOAT, kLarge / 4), 4, kLarge); }, "OK"},
      {"weights of the wrong size", [] { return WithTensor(Big(TensorProto::FLOAT, kLarge / 4 + 1), 9, kLarge); },
       "tensor 'big': expected 33554436 bytes for its dims, got 33554432"},
      {"raw and typed",
       [] {
         TensorProto tensor = Big(TensorProto::FLOAT, kLarge / 4);
         tensor.set_raw_data("1234");
         return WithTensor(tensor, 4, kLarge);
       },
       "tensor 'big': holds its elements twice"},
      {"weights and then a wrong node",
       [] {
         File file = WithTensor(Big(TensorProto::FLOAT, kLarge / 4), 9, kLarge);
         file.bytes = Field(7, Field(1, Field(3, "wrong") + Field(4, "Relu") + Field(2, "r"))) + file.bytes;
         return file;
       },
       "node 'wrong'"},
      {"booleans", [] { return WithTensor(Big(TensorProto::BOOL, kLarge), 9, kLarge); },
       "tensor 'big': expected at most 256 integers, got 33554432"},
      {"integers", [] { return WithTensor(Big(TensorProto::INT32, kLarge / 4), 9, kLarge); },
       "tensor 'big': expected at most 256 integers"},
      {"packed integers", [] { return WithTensor(Big(TensorProto::INT64, kLarge), 7, kLarge); },
       "more than 1048576 bytes of integers"},
      {"dims", [] { return WithTensor(Big(TensorProto::INT64, kLarge), 1, kLarge); },
       "more than 1048576 bytes of integers"},
      {"a name", [] { return WithTensor(Big(TensorProto::FLOAT, 1), 8, kLarge); }, "a name or value of 33554432 bytes"},
      {"a text", [] { return WithTensor(Big(TensorProto::FLOAT, 0), 12, kLarge); }, "OK"},
      {"what nobody knows", [] { return WithTensor(Big(TensorProto::FLOAT, 0), 1000, kLarge); }, "OK"},
      {"only zeros",
       [] {
         return File{"", kLarge};
       },
       "not an ONNX model"},
  });
}

// This is a test of its own, one of those that are left out if in haste.
TEST(ReadOnnxMemory, OfTwoGiB) {
  if (!kMeasures) GTEST_SKIP() << "the sanitizers multiply 6 GiB";
  const size_t small = WithTensor(Big(TensorProto::FLOAT, 1), 9, 1).bytes.size() + 64;
  const size_t elements = ((size_t{1} << 31) - 1 - small) / 4;
  CheckMemory(
      {
          {"good weights", [=] { return WithTensor(Big(TensorProto::FLOAT, elements), 9, 4 * elements); }, "OK", 2},
          {"good weights as a list", [=] { return WithTensor(Big(TensorProto::FLOAT, elements), 4, 4 * elements); },
           "OK"},
          {"good weights of a Constant node",
           [=] { return WithConstant(Big(TensorProto::FLOAT, elements - 64), 4 * (elements - 64)); }, "OK"},
          {"weights of the wrong size",
           [=] { return WithTensor(Big(TensorProto::FLOAT, elements + 1), 9, 4 * elements); }, "tensor 'big': expected",
           1},
          {"just too large",
           [] {
             return File{Good(), (size_t{1} << 31) - Good().size()};
           },
           "the file has 2147483648 bytes, expected less than 2 GiB", 1},
          {"only zeros",
           [] {
             return File{"", (size_t{1} << 31) - 1};
           },
           "not an ONNX model", 1},
      },
      6 * kSeconds);
}

}  // namespace
}  // namespace resnetd::onnx
