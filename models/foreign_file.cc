#include "models/foreign_file.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"

namespace resnetd {
namespace {

namespace fs = std::filesystem;

constexpr char kTorchCheckpoint[] =
    "a PyTorch checkpoint, which holds weights and no network: tools/export.py makes a served folder of it, for "
    "architectures of timm and torchvision; for others torch.onnx.export() of the network with its weights loaded";
constexpr char kTorchScript[] =
    "a TorchScript program: torch.onnx.export() of the network that it was made of writes an ONNX file";
constexpr char kTorchProgram[] =
    "a program of torch.export: torch.onnx.export(torch.export.load(FILE), f=\"model.onnx\") writes an ONNX file";
constexpr char kSafetensors[] =
    "a safetensors file, which holds weights and no network: tools/export.py makes a served folder of it, for "
    "architectures of timm and torchvision";
constexpr char kSavedModel[] =
    "a TensorFlow SavedModel: python -m tf2onnx.convert --saved-model FOLDER --output model.onnx makes an ONNX file of "
    "it";
constexpr char kKeras[] =
    "a Keras file: model.export(FOLDER) in Keras, then python -m tf2onnx.convert --saved-model FOLDER --output "
    "model.onnx";
constexpr char kTfLite[] =
    "a TensorFlow Lite file: python -m tf2onnx.convert --tflite FILE --output model.onnx makes an ONNX file of it";
constexpr char kOrt[] = "a file of ONNX Runtime's own format: serve the .onnx file that it was made of";
constexpr char kOpenVino[] = "an OpenVINO network: serve the ONNX file that it was made of, or export one";
constexpr char kTensorRt[] =
    "a TensorRT engine, which runs on one kind of GPU: serve the ONNX file that it was made of";
constexpr char kTriton[] =
    "Triton's configuration and no network: name the folder with <version>/model.onnx in it; labels, preprocessing and "
    "batch sizes are said in config.textproto there";
constexpr char kTritonFile[] = "config.pbtxt";
constexpr char kLfsPointer[] = "a pointer of Git LFS in place of the file: git lfs pull fetches that";
constexpr char kWebPage[] = "a web page, perhaps an error in place of the download";
constexpr char kArchive[] = "an archive: unpack it first";

// A number that older versions of torch.save() begin with, pickled; tensors follow the pickles.
constexpr absl::string_view kOldTorch =
    "\x80\x02\x8a\x0al\xfc\x9c"
    "F\xf9 j\xa8P\x19";
// Parts of a zip file that are searched for names: its first entry's, and the table at its end.
constexpr size_t kZipHead = 512, kZipTail = size_t{1} << 20;

std::string OfZip(absl::string_view content) {
  const absl::string_view head = content.substr(0, kZipHead);
  const absl::string_view tail = content.substr(content.size() - std::min(content.size(), kZipTail));
  const auto holds = [&](absl::string_view name) {
    return absl::StrContains(head, name) || absl::StrContains(tail, name);
  };
  // Before the others: its sample inputs are a checkpoint in it.
  if (holds("serialized_exported_program.json") || holds("/models/model.json")) return kTorchProgram;
  if (holds("/constants.pkl")) return kTorchScript;
  if (holds("/data.pkl")) return kTorchCheckpoint;
  if (holds("model.weights.h5")) return kKeras;
  return kArchive;
}

// A length in eight bytes, little-endian, and so much JSON.
bool IsSafetensors(absl::string_view content) {
  uint64_t length = 0;
  if (content.size() < sizeof(length) + 2) return false;
  std::memcpy(&length, content.data(), sizeof(length));
  return length >= 2 && length <= content.size() - sizeof(length) && absl::StartsWith(content.substr(8), "{\"");
}

bool IsPickle(absl::string_view content) {
  if (absl::StartsWith(content, kOldTorch)) return true;
  return content.size() > 2 && content[0] == '\x80' && content[1] >= 2 && content[1] <= 5 && content.back() == '.';
}

// Known by what it is called.
std::string OfName(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  if (absl::EndsWith(lower, ".pbtxt")) return kTriton;
  if (lower == "saved_model.pb") return kSavedModel;
  if (absl::EndsWith(lower, ".plan") || absl::EndsWith(lower, ".engine")) return kTensorRt;
  return "";
}

// Known by what a folder's entry is called, whatever is in it.
std::string OfEntry(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  const std::string known = OfName(name);
  if (!known.empty() && known != kTriton) return known;
  if (lower == "model.savedmodel") return kSavedModel;
  const auto ends = [&](absl::string_view end) { return absl::EndsWith(lower, end); };
  if (ends(".pt") || ends(".pth") || ends(".ckpt") || lower == "pytorch_model.bin") return kTorchCheckpoint;
  if (ends(".safetensors")) return kSafetensors;
  if (ends(".h5") || ends(".keras")) return kKeras;
  if (ends(".tflite")) return kTfLite;
  return "";
}

bool IsVersion(const fs::path& entry) {
  const std::string name = entry.filename().string();
  return absl::c_all_of(name, [](unsigned char c) { return absl::ascii_isdigit(c); });
}

std::vector<fs::path> EntriesOf(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(it->path());
  }
  absl::c_sort(entries);
  return entries;
}

}  // namespace

std::string ForeignFormat(absl::string_view name, absl::string_view content) {
  const auto starts = [&](absl::string_view magic) { return absl::StartsWith(content, magic); };
  const absl::string_view fifth = content.size() > 8 ? content.substr(4, 4) : absl::string_view();
  if (starts("version https://git-lfs.github.com/")) return kLfsPointer;
  if (starts("PK\x03\x04")) return OfZip(content);
  if (starts("\x89HDF\r\n\x1a\n")) return kKeras;
  if (fifth == "TFL3") return kTfLite;
  if (fifth == "ORTM") return kOrt;
  if (IsSafetensors(content)) return kSafetensors;
  if (IsPickle(content)) return kTorchCheckpoint;
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(content.substr(0, 4096));
  if (absl::StartsWithIgnoreCase(text, "<!doctype html") || absl::StartsWithIgnoreCase(text, "<html")) return kWebPage;
  if (absl::StartsWith(text, "<?xml") || absl::StartsWith(text, "<net ")) return kOpenVino;
  if (starts("\x1f\x8b")) return kArchive;
  return OfName(name);
}

std::string ForeignFolder(const std::string& folder) {
  const std::vector<fs::path> own = EntriesOf(folder);
  std::vector<fs::path> entries = own;
  for (const fs::path& entry : own) {
    std::error_code ignored;
    if (!IsVersion(entry) || !fs::is_directory(entry, ignored)) continue;
    const std::vector<fs::path> below = EntriesOf(entry);
    entries.insert(entries.end(), below.begin(), below.end());
  }
  for (const fs::path& entry : entries) {
    const std::string known = OfEntry(entry.filename().string());
    if (!known.empty()) return absl::StrCat(QuotedPath(entry.string()), " is ", known);
  }
  std::error_code ignored;
  if (!fs::is_regular_file(fs::path(folder) / kTritonFile, ignored)) return "";
  return absl::StrCat("a config.pbtxt of Triton's is in ", QuotedPath(folder),
                      ", and no <version>/model.onnx, which is what is served");
}

bool HasTritonConfig(const std::string& folder) {
  std::error_code ignored;
  const fs::path here = folder;
  for (const fs::path& at : {here, fs::absolute(here, ignored).lexically_normal().parent_path()}) {
    if (fs::is_regular_file(at / kTritonFile, ignored)) return true;
  }
  return false;
}

}  // namespace resnetd
