// Writes the image fuzzers' seeds beside tests/golden/data/image: write_image_seeds FOLDER writes the small ones of
// tests/support/image_hostile.h into FOLDER/jpeg, /png, /webp and /other, a file each, and those of resize_seeds.h into
// FOLDER/resize.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "tests/fuzz/resize_seeds.h"
#include "tests/support/image_hostile.h"

namespace image = resnetd::image;

namespace {

bool Write(const std::filesystem::path& folder, const std::string& name, const std::string& bytes) {
  std::filesystem::create_directories(folder);
  std::ofstream out(folder / name, std::ios::binary);
  if (out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return true;
  std::cerr << "cannot write into " << folder << "\n";
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_image_seeds FOLDER\n";
    return 2;
  }
  constexpr size_t kMostBytes = 16'384;
  const std::filesystem::path root = argv[1];
  for (const image::HostileFile& file : image::AllHostileFiles()) {
    if (file.bytes.size() > kMostBytes) continue;
    const std::string format = file.name.substr(0, file.name.find('-'));
    const bool known = format == "jpeg" || format == "png" || format == "webp";
    if (!Write(root / (known ? format : "other"), file.name, file.bytes)) return 1;
  }
  for (const resnetd::fuzz::ResizeSeed& seed : resnetd::fuzz::ResizeSeeds()) {
    if (!Write(root / "resize", seed.name, seed.bytes)) return 1;
  }
}
