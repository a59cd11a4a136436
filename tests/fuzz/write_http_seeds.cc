// Writes the HTTP port's seeds into a folder, a file each: write_http_seeds FOLDER
#include <fstream>
#include <iostream>

#include "tests/fuzz/http_seeds.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_http_seeds FOLDER\n";
    return 2;
  }
  for (const resnetd::fuzz::HttpSeed& one : resnetd::fuzz::HttpSeeds()) {
    std::ofstream file(std::string(argv[1]) + "/" + one.seed.name, std::ios::binary);
    if (!file.write(one.seed.bytes.data(), static_cast<std::streamsize>(one.seed.bytes.size()))) {
      std::cerr << "cannot write into " << argv[1] << "\n";
      return 1;
    }
  }
}
