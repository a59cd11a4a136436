// hostile_dump: the files of tests/support/image_hostile.h on standard output, for make_hostile_golden.py. Each as a
// line with its name and size, and then its bytes; those with flipped bits under the name of the whole one, seed by
// seed.
#include <iostream>

#include "absl/strings/match.h"
#include "tests/support/image_golden.h"
#include "tests/support/image_hostile.h"

namespace image = resnetd::image;

namespace {

void Write(const std::string& name, const std::string& bytes) {
  std::cout << name << " " << bytes.size() << "\n";
  std::cout.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

int main() {
  for (const image::HostileFile& file : image::AllHostileFiles()) Write(file.name, file.bytes);
  for (std::istringstream& line : image::ReadGoldenTable("decode.txt")) {
    std::string name;
    line >> name;
    if (absl::StartsWith(name, "exif")) continue;  // most of their bits are no pixels
    const std::string file = image::ReadGoldenFile(name);
    for (uint32_t seed = 0; seed < image::kFlippingSeeds; ++seed) Write(name, image::WithFlippedBits(file, seed));
  }
  return std::cout.good() ? 0 : 1;
}
