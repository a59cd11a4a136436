// image_dump PRESET FILE...: the network's inputs for images, float32 NCHW one after the other, on standard output. For
// check_images.py.
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "engine/image/image.h"

namespace image = resnetd::image;

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: image_dump PRESET FILE...\n";
    return 2;
  }
  const absl::StatusOr<image::Recipe> recipe = image::FindPreset(argv[1]);
  if (!recipe.ok()) {
    std::cerr << recipe.status() << "\n";
    return 2;
  }
  const ptrdiff_t row = recipe->width, plane = row * recipe->height;
  std::vector<float> tensor(plane * recipe->channels());
  const image::TensorView view{tensor.data(), recipe->height, recipe->width, recipe->channels(), row, 1, plane};
  image::Preprocessor preprocessor;
  for (int i = 2; i < argc; ++i) {
    std::ifstream in(argv[i], std::ios::binary);
    const std::string file((std::istreambuf_iterator<char>(in)), {});
    const absl::Status status =
        preprocessor.FromFile({reinterpret_cast<const std::byte*>(file.data()), file.size()}, *recipe, view);
    if (!status.ok()) {
      std::cerr << argv[i] << ": " << status << "\n";
      return 1;
    }
    std::cout.write(reinterpret_cast<const char*>(tensor.data()), static_cast<std::streamsize>(tensor.size() * 4));
  }
  return std::cout.good() ? 0 : 1;
}
