// Writes the image fuzzers' seeds beside tests/golden/data/image: write_image_seeds FOLDER writes the small ones of
// tests/support/image_hostile.h into FOLDER/jpeg, /png, /webp and /other, a file each.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/support/image_hostile.h"

namespace image = resnetd::image;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_image_seeds FOLDER\n";
    return 2;
  }
  constexpr size_t kMostBytes = 16'384;
  for (const image::HostileFile& file : image::AllHostileFiles()) {
    if (file.bytes.size() > kMostBytes) continue;
    const std::string format = file.name.substr(0, file.name.find('-'));
    const bool known = format == "jpeg" || format == "png" || format == "webp";
    const std::filesystem::path folder = std::filesystem::path(argv[1]) / (known ? format : "other");
    std::filesystem::create_directories(folder);
    std::ofstream out(folder / file.name, std::ios::binary);
    if (!out.write(file.bytes.data(), static_cast<std::streamsize>(file.bytes.size()))) {
      std::cerr << "cannot write into " << folder << "\n";
      return 1;
    }
  }
}
