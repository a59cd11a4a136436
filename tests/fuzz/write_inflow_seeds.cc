// Writes the seeds of connections' budgets into a folder, a file each: write_inflow_seeds FOLDER
#include <fstream>
#include <iostream>

#include "tests/fuzz/inflow_seeds.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_inflow_seeds FOLDER\n";
    return 2;
  }
  for (const resnetd::fuzz::InflowSeed& one : resnetd::fuzz::InflowSeeds()) {
    std::ofstream file(std::string(argv[1]) + "/" + one.seed.name, std::ios::binary);
    if (!file.write(one.seed.bytes.data(), static_cast<std::streamsize>(one.seed.bytes.size()))) {
      std::cerr << "cannot write into " << argv[1] << "\n";
      return 1;
    }
  }
}
