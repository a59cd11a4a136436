// Measures the most that this machine's cores can do (engine/inspect/fma_peak.h), and prints JSON lines.
//
//   fma_peak --threads 2 --driven      a line about itself, then one for each line on standard input
#include "engine/inspect/fma_peak.h"

#include <iostream>
#include <string>

#include "CLI/CLI.hpp"
#include "nlohmann/json.hpp"

int main(int argc, char** argv) {
  int threads = 1, rounds = 5;
  double seconds = 0.1;
  bool driven = false;
  CLI::App app{"Measures the peak of float32 multiply-adds", "fma_peak"};
  app.add_option("--threads", threads)->capture_default_str()->check(CLI::Range(1, 1024));
  app.add_option("--seconds", seconds, "Least time of a round")->capture_default_str();
  auto* rounds_option = app.add_option("--rounds", rounds)->capture_default_str();
  app.add_flag("--driven", driven, "A round for each line on standard input")->excludes(rounds_option);
  CLI11_PARSE(app, argc, argv);
  const std::string isa = resnetd::FmaIsa();
  if (isa.empty()) {
    std::cerr << "fma_peak: this machine has no AVX2 with FMA\n";
    return 1;
  }
  const auto round = [&] {
    const nlohmann::ordered_json line = {{"gflops", resnetd::MeasureFmaPeak(threads, seconds)}};
    std::cout << line.dump() << std::endl;
  };
  const nlohmann::ordered_json description = {{"threads", threads}, {"isa", isa}};
  std::cout << description.dump() << std::endl;
  if (driven) {
    for (std::string line; std::getline(std::cin, line);) round();
  } else {
    for (int i = 0; i < rounds; ++i) round();
  }
  return 0;
}
