// resnetctl, the command line client of resnetd.
#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "cli/cli.h"

int main(int argc, char** argv) {
  return resnetd::cli::Run(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr,
                           isatty(STDERR_FILENO));
}
