// cache/             the root's own folder, with the secret beside it
//   secret
//   root/
//     blobs/b        floats
//     model/         the model's folder
//       data, sub/data, hard      floats
//       relative, absolute, chain, folder, up, back, around    links that end below the root
//       out, etc, zero, stdin, self, dangling, pipe, circle    and those that end elsewhere, or nowhere
#include "tests/fuzz/hostile_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace resnetd::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFloats = 512;
constexpr absl::string_view kSecret = "SECRET!!";

void Write(const fs::path& path, absl::string_view bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string Floats() {
  std::string bytes;
  for (size_t i = 0; i < kFloats; ++i) {
    const float value = 0.01f * static_cast<float>(i % 7);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  return bytes;
}

std::string Secret() {
  std::string bytes;
  while (bytes.size() < kFloats * sizeof(float)) absl::StrAppend(&bytes, kSecret);
  return bytes;
}

// Removed at the end of the process.
class Layout {
 public:
  Layout() {
    std::string path = (fs::temp_directory_path() / "hostile-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) std::abort();
    cache_ = path;
    const fs::path root = cache_ / "root", model = root / "model";
    Write(cache_ / "secret", Secret());
    for (const fs::path& file : {root / "blobs/b", model / "data", model / "sub/data"}) Write(file, Floats());
    fs::create_hard_link(root / "blobs/b", model / "hard");
    mkfifo((model / "pipe").c_str(), 0600);
    const std::pair<const char*, fs::path> links[] = {
        {"relative", "../blobs/b"},
        {"absolute", root / "blobs/b"},
        {"chain", "relative"},
        {"folder", "sub"},
        {"up", ".."},
        {"back", "../../root/blobs"},
        {"around", model},
        {"out", "../../secret"},
        {"etc", "/etc"},
        {"zero", "/dev/zero"},
        {"stdin", "/proc/self/fd/0"},
        {"self", "/proc/self"},
        {"dangling", "none"},
        {"circle", "circle"},
    };
    for (const auto& [name, target] : links) fs::create_symlink(target, model / name);
    folder_ = Folder::Open(model.string(), root.string()).value();
  }
  ~Layout() {
    std::error_code ignored;
    fs::remove_all(cache_, ignored);
  }

  const Folder& folder() const { return folder_; }

 private:
  fs::path cache_;
  Folder folder_;
};

}  // namespace

const Folder& HostileFolder() {
  static const Layout layout;
  return layout.folder();
}

bool IsOutOfRoot(absl::string_view bytes) {
  return absl::StartsWith(bytes, kSecret) || absl::StartsWith(bytes, "root:");  // the latter is /etc/passwd
}

std::string SomeLocation(const std::function<int(int n)>& below) {
  static constexpr const char* kParts[] = {"data",   "sub",    "hard",   "relative", "absolute", "chain", "folder",
                                           "up",     "back",   "around", "out",      "etc",      "zero",  "self",
                                           "pipe",   "stdin",  "circle", "blobs",    "b",        "root",  "dangling",
                                           "secret", "passwd", "model",  "..",       "..",       "..",    ".",
                                           "",       "none",   "mem",    "maps",     "exe",      "fd",    "0"};
  std::string location;
  for (int parts = 1 + below(6); parts > 0; --parts) {
    absl::StrAppend(&location, kParts[below(std::size(kParts))], parts > 1 ? "/" : "");
  }
  return location;
}

}  // namespace resnetd::fuzz
