// Folders follow the layout that model servers share: <name>/<version>/model.onnx.
#include "server/model_source.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "models/embedded_model.h"
#include "server/file.h"
#include "server/metrics.h"

namespace resnetd::server {
namespace {

namespace fs = std::filesystem;

constexpr char kModelFile[] = "model.onnx";

std::string CleanName(std::string name) {
  for (char& c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && c != '-') c = '_';
  }
  return name.empty() ? "model" : name;
}

// A folder's name as a version: digits only.
std::optional<uint64_t> ParseVersion(const std::string& text) {
  uint64_t version = 0;
  const bool digits = absl::c_all_of(text, [](unsigned char c) { return absl::ascii_isdigit(c); });
  if (text.empty() || !digits || !absl::SimpleAtoi(text, &version)) return std::nullopt;
  return version;
}

// The version folder with the highest number that holds a model.
std::optional<fs::path> HighestVersion(const fs::path& model_folder) {
  std::optional<std::pair<uint64_t, fs::path>> best;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(model_folder, error)) {
    const std::optional<uint64_t> version = ParseVersion(entry.path().filename().string());
    if (!version.has_value() || !fs::exists(entry.path() / kModelFile, error)) continue;
    if (!best.has_value() || *version > best->first) best.emplace(*version, entry.path());
  }
  if (!best.has_value()) return std::nullopt;
  return best->second;
}

}  // namespace

ModelSource EmbeddedSource() {
  ModelSource source;
  source.name = models::kEmbeddedName;
  source.version = models::kEmbeddedVersion;
  source.onnx_file = kModelFile;
  source.origin = "embedded";
  source.read = [](absl::string_view file, size_t) -> absl::StatusOr<std::string> {
    for (const models::EmbeddedFile& embedded : models::EmbeddedFiles()) {
      if (embedded.name == file) return std::string(embedded.content);
    }
    return absl::NotFoundError(absl::StrCat("no file '", file, "' in the program"));
  };
  return source;
}

ModelSource FileSource(const std::string& path) {
  std::error_code error;
  const fs::path full = fs::absolute(path, error).lexically_normal();
  const fs::path folder = full.parent_path();
  ModelSource source;
  source.version = "1";
  source.onnx_file = full.filename().string();
  source.origin = path;
  if (source.onnx_file != kModelFile) {
    source.name = CleanName(full.stem().string());
  } else if (ParseVersion(folder.filename().string()).has_value()) {
    source.name = CleanName(folder.parent_path().filename().string());
    source.version = folder.filename().string();
  } else {
    source.name = CleanName(folder.filename().string());
  }
  source.read = [folder](absl::string_view file, size_t max_bytes) {
    return ReadFile((folder / std::string(file)).string(), max_bytes);
  };
  return source;
}

absl::StatusOr<std::vector<ModelSource>> FolderSources(const std::string& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return absl::NotFoundError(absl::StrCat("--models: expected a folder, got '", folder, "'"));
  }
  std::vector<ModelSource> sources;
  if (fs::exists(fs::path(folder) / kModelFile, error)) {
    sources.push_back(FileSource((fs::path(folder) / kModelFile).string()));
    return sources;
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::optional<fs::path> version = HighestVersion(entry.path());
    if (version.has_value()) sources.push_back(FileSource((*version / kModelFile).string()));
  }
  if (error) return absl::NotFoundError(absl::StrCat("--models: cannot list '", folder, "': ", error.message()));
  if (sources.empty()) {
    return absl::NotFoundError(
        absl::StrCat("--models: expected <name>/<version>/model.onnx or model.onnx in '", folder, "', found neither"));
  }
  if (sources.size() > static_cast<size_t>(kMaxModels)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--models: expected at most ", kMaxModels, " models in '", folder, "', found ", sources.size()));
  }
  absl::c_sort(sources, [](const ModelSource& a, const ModelSource& b) { return a.name < b.name; });
  const auto same = absl::c_adjacent_find(
      sources, [](const ModelSource& a, const ModelSource& b) { return a.name == b.name; });
  if (same != sources.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--models: two folders give the model name '", same->name, "' (", same->origin, ")"));
  }
  return sources;
}

}  // namespace resnetd::server
