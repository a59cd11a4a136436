// Folders follow the layout that model servers share: <name>/<version>/model.onnx.
#include "models/source.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/echo.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "models/embedded/embedded_model.h"

namespace resnetd {
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

// Lists a folder's entries, ordered by name; none, and an error, if it cannot be read.
std::vector<fs::path> List(const fs::path& folder, std::error_code& error) {
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(it->path());
  }
  absl::c_sort(entries);
  return entries;
}

std::string NotServed(const fs::path& folder, absl::string_view why) {
  return absl::StrCat(QuotedPath(folder.string()), " is not served: ", why);
}

// Nobody's model: a file, or a folder that tools keep for themselves, as Kubernetes' "..data" and "lost+found" are.
bool IsNoModel(const fs::path& entry) {
  const std::string name = entry.filename().string();
  std::error_code error;
  const fs::file_status status = fs::status(entry, error);
  const bool other = fs::exists(status) && !fs::is_directory(status);
  return other || absl::StartsWith(name, ".") || name == "lost+found";
}

// Whether `folder` holds a model, or what keeps one from looking.
absl::StatusOr<bool> HoldsModel(const fs::path& folder) {
  std::error_code error;
  // A link that leads nowhere is meant as a model too, and refused as one.
  const bool holds = fs::exists(fs::symlink_status(folder / kModelFile, error));
  const bool absent = error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
  if (!holds && error && !absent) return absl::UnavailableError(absl::StrCat("it cannot be read: ", error.message()));
  if (!holds && !fs::exists(folder, error)) return absl::UnavailableError("it is a link to nothing");
  return holds;
}

// The version folder with the highest number that holds a model; of equal numbers, "01" and "1", the last by name. Of
// the others that may be meant as versions `passed_over` says why they are not it.
std::optional<fs::path> HighestVersion(const fs::path& model_folder, std::vector<std::string>& passed_over) {
  std::optional<std::pair<uint64_t, fs::path>> best;
  std::error_code error;
  std::vector<fs::path> lower;
  for (const fs::path& folder : List(model_folder, error)) {
    const std::optional<uint64_t> version = ParseVersion(folder.filename().string());
    if (IsNoModel(folder)) continue;
    const absl::StatusOr<bool> holds = HoldsModel(folder);
    if (!holds.ok()) {
      passed_over.push_back(NotServed(folder, holds.status().message()));
    } else if (!version.has_value()) {
      passed_over.push_back(NotServed(folder, "expected a number as the version's name"));
    } else if (!*holds) {
      passed_over.push_back(NotServed(folder, absl::StrCat("there is no ", kModelFile, " in it")));
    } else if (best.has_value() && *version < best->first) {
      lower.push_back(folder);
    } else {
      if (best.has_value()) lower.push_back(best->second);
      best.emplace(*version, folder);
    }
  }
  if (error) passed_over.push_back(NotServed(model_folder, absl::StrCat("it cannot be read: ", error.message())));
  for (const fs::path& folder : lower) {
    passed_over.push_back(
        NotServed(folder, absl::StrCat("version ", Echo(best->second.filename().string()), " is the highest")));
  }
  if (!best.has_value()) return std::nullopt;
  return best->second;
}

// Everything of FileSource() but what is read.
ModelSource Named(const std::string& path) {
  std::error_code error;
  const fs::path full = fs::absolute(path, error);
  const fs::path named = full.lexically_normal().parent_path();
  ModelSource source;
  source.version = "1";
  source.onnx_file = full.filename().string();
  source.origin = path;
  if (source.onnx_file != kModelFile) {
    source.name = CleanName(std::string(absl::StripSuffix(source.onnx_file, ".onnx")));
  } else if (ParseVersion(named.filename().string()).has_value()) {
    source.name = CleanName(named.parent_path().filename().string());
    source.version = named.filename().string();
  } else {
    source.name = CleanName(named.filename().string());
  }
  return source;
}

// Reads the files of a source from its folder.
void ReadFrom(absl::StatusOr<Folder> folder, ModelSource& source) {
  if (folder.ok()) source.folder = *folder;
  source.read = [folder = std::move(folder)](absl::string_view file, size_t max_bytes) -> absl::StatusOr<std::string> {
    if (!folder.ok()) return folder.status();
    const std::string name = Quoted(file);
    RESNETD_ASSIGN_OR_RETURN(const OpenFile opened, folder->OpenRegular(file, name));
    return ReadWhole(opened, max_bytes, name);
  };
}

// The model of a folder below the one that was opened.
ModelSource SourceBelow(const Folder& opened, const fs::path& path, const fs::path& file) {
  ModelSource source = Named(file.string());
  const fs::path below = file.parent_path().lexically_relative(path);
  ReadFrom(below == "." ? opened : opened.Below(below.string()), source);
  return source;
}

// Appends the model of a folder <name>, or why there is none.
void AppendModel(const Folder& opened, const fs::path& folder, FolderContents& contents) {
  const size_t told = contents.passed_over.size();
  const std::optional<fs::path> version = HighestVersion(folder, contents.passed_over);
  if (version.has_value()) {
    return contents.sources.push_back(SourceBelow(opened, folder.parent_path(), *version / kModelFile));
  }
  if (contents.passed_over.size() > told) return;
  const bool unversioned = HoldsModel(folder).value_or(false);
  contents.passed_over.push_back(
      NotServed(folder, unversioned ? absl::StrCat("expected <version>/", kModelFile, ", found ", kModelFile)
                                    : absl::StrCat("there is no <version>/", kModelFile, " in it")));
}

// Sorts the models by name, and looks whether they can be served together.
absl::Status CheckTogether(const std::string& folder, FolderContents& contents) {
  std::vector<ModelSource>& sources = contents.sources;
  if (sources.empty()) {
    const std::string first = contents.passed_over.empty() ? "" : absl::StrCat("; ", contents.passed_over.front());
    return absl::NotFoundError(absl::StrCat("--models: expected <name>/<version>/model.onnx or model.onnx in ",
                                            QuotedPath(folder), ", found neither", first));
  }
  if (sources.size() > static_cast<size_t>(kMaxModels)) {
    return absl::InvalidArgumentError(absl::StrCat("--models: expected at most ", kMaxModels, " models in ",
                                                   QuotedPath(folder), ", found ", sources.size()));
  }
  absl::c_sort(sources, [](const ModelSource& a, const ModelSource& b) { return a.name < b.name; });
  const auto same =
      absl::c_adjacent_find(sources, [](const ModelSource& a, const ModelSource& b) { return a.name == b.name; });
  if (same != sources.end()) {
    return absl::InvalidArgumentError(absl::StrCat("--models: expected one folder for each model name, got two for ",
                                                   Quoted(same->name), ": ", QuotedPath(same->origin), " and ",
                                                   QuotedPath(std::next(same)->origin)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status About(const ModelSource& source, const absl::Status& status) {
  const std::string model = absl::StrCat("model ", Quoted(source.name));
  absl::string_view message = status.message();
  absl::ConsumePrefix(&message, model + ": ");  // which the engine has said already
  return absl::Status(status.code(), absl::StrCat(model, " (", EchoPath(source.origin), "): ", message));
}

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
    return absl::NotFoundError(absl::StrCat("no file ", Quoted(file), " in the program"));
  };
  return source;
}

ModelSource FileSource(const std::string& path, const std::string& root) {
  ModelSource source = Named(path);
  ReadFrom(Folder::Open(fs::path(path).parent_path().string(), root), source);
  return source;
}

absl::StatusOr<ModelSource> FindSource(const std::string& path, const std::string& root) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (fs::exists(fs::symlink_status(path, error))) return FileSource(path, root);
    return absl::NotFoundError(absl::StrCat("expected an ONNX file or a model's folder, found no ", QuotedPath(path)));
  }
  RESNETD_ASSIGN_OR_RETURN(const Folder opened, Folder::Open(path, root));
  const fs::path file = fs::path(path) / kModelFile;
  if (fs::exists(fs::symlink_status(file, error))) return SourceBelow(opened, path, file);
  std::vector<std::string> passed_over;
  const std::optional<fs::path> version = HighestVersion(path, passed_over);
  if (version.has_value()) return SourceBelow(opened, path, *version / kModelFile);
  return absl::NotFoundError(
      absl::StrCat("expected model.onnx or <version>/model.onnx in ", QuotedPath(path), ", found neither"));
}

absl::StatusOr<FolderContents> FolderSources(const std::string& folder, const std::string& root) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return absl::NotFoundError(absl::StrCat("--models: expected a folder, got ", QuotedPath(folder)));
  }
  RESNETD_ASSIGN_OR_RETURN(const Folder opened, Folder::Open(folder, root));
  FolderContents contents;
  const fs::path file = fs::path(folder) / kModelFile;
  const bool flat = fs::exists(fs::symlink_status(file, error));
  if (flat) contents.sources.push_back(SourceBelow(opened, folder, file));
  FolderContents below;
  for (const fs::path& entry : List(folder, error)) {
    if (!IsNoModel(entry)) AppendModel(opened, entry, flat ? below : contents);
  }
  for (const ModelSource& source : below.sources) {
    contents.passed_over.push_back(
        NotServed(source.origin, absl::StrCat("the folder's own ", kModelFile, " is the one model")));
  }
  if (flat) return contents;
  if (error)
    return absl::NotFoundError(absl::StrCat("--models: cannot list ", QuotedPath(folder), ": ", error.message()));
  RESNETD_RETURN_IF_ERROR(CheckTogether(folder, contents));
  return contents;
}

}  // namespace resnetd
