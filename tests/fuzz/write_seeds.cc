// Writes the seeds into a folder, a file each: write_seeds FOLDER
#include <fstream>
#include <iostream>

#include "tests/fuzz/seeds.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_seeds FOLDER\n";
    return 2;
  }
  for (const resnetd::fuzz::Seed& seed : resnetd::fuzz::Seeds()) {
    std::ofstream file(std::string(argv[1]) + "/" + seed.name + ".onnx", std::ios::binary);
    if (!file.write(seed.bytes.data(), static_cast<std::streamsize>(seed.bytes.size()))) {
      std::cerr << "cannot write into " << argv[1] << "\n";
      return 1;
    }
  }
}
