// Measures how many photographs a second become a network's input, on one thread. Prints JSON lines: first what was
// loaded, then one for each step it reads from standard input. See engine_bench.cc about why.
//
//   image_bench --folder PHOTOS        reads "files", "resize", "crop" or "turn"
//
//   files     decode, resize, crop, normalise: from the file's bytes to float32, NCHW
//   resize    the resampler alone: from decoded RGB to the whole scaled image, which is what Pillow's resize() makes
//   crop      the same, but only of what the centre crop keeps
//   turn      upright from lying on a side, whole, from decoded RGB
//
// A round is each photograph once. --out FILE writes what "files" gives, and ends.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/types/span.h"
#include "engine/image/decode/decode.h"
#include "engine/image/decode/orientation.h"
#include "engine/image/image.h"
#include "engine/image/resize/axis.h"
#include "engine/image/resize/bilinear.h"
#include "engine/image/resize/resize.h"
#include "nlohmann/json.hpp"

namespace resnetd::image {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

struct Photo {
  std::string file;
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;

  absl::Span<const std::byte> bytes() const { return {reinterpret_cast<const std::byte*>(file.data()), file.size()}; }
};

void Check(const absl::Status& status, const std::string& what) {
  if (!status.ok()) throw std::runtime_error(what + ": " + std::string(status.message()));
}

Photo ReadPhoto(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  Photo photo;
  photo.file.assign(std::istreambuf_iterator<char>(in), {});
  const absl::StatusOr<Header> header = Sniff(photo.bytes(), Limits());
  Check(header.status(), path);
  photo.width = header->width;
  photo.height = header->height;
  const auto take = [&](const uint8_t* row) { photo.rgb.insert(photo.rgb.end(), row, row + 3 * photo.width); };
  const auto decode = header->format == Format::kJpeg  ? DecodeJpeg
                      : header->format == Format::kPng ? DecodePng
                                                       : DecodeWebp;
  Check(decode(photo.bytes(), *header, {.channels = 3}, take), path);
  return photo;
}

class Bench {
 public:
  Bench(const std::string& folder, const Recipe& recipe) : recipe_(recipe) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const std::filesystem::path& path : paths) photos_.push_back(ReadPhoto(path));
    if (photos_.empty()) throw std::runtime_error(folder + ": expected photographs, found no file");
    const ptrdiff_t plane = ptrdiff_t{recipe.height} * recipe.width;
    tensor_.resize(plane * recipe.channels());
    view_ = {tensor_.data(), recipe.height, recipe.width, recipe.channels(), recipe.width, 1, plane};
  }

  Json Describe() const {
    int64_t pixels = 0;
    for (const Photo& photo : photos_) pixels += int64_t{photo.width} * photo.height;
    return {{"photos", photos_.size()}, {"pixels", pixels}, {"recipe", ToString(recipe_)}};
  }

  Json Round(const std::string& step) {
    const Clock::time_point start = Clock::now();
    for (const Photo& photo : photos_) {
      if (step == "files") {
        Check(preprocessor_.FromFile(photo.bytes(), recipe_, view_), step);
      } else if (step == "resize" || step == "crop") {
        Resample(photo, step == "crop");
      } else if (step == "turn") {
        Turn(photo);
      } else {
        throw std::runtime_error("expected files, resize, crop or turn, got " + step);
      }
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return {{"step", step}, {"images_per_second", static_cast<double>(photos_.size()) / seconds}, {"seconds", seconds}};
  }

  void Write(const std::string& path) {
    std::ofstream out(path, std::ios::binary);
    for (const Photo& photo : photos_) {
      Check(preprocessor_.FromFile(photo.bytes(), recipe_, view_), path);
      out.write(reinterpret_cast<const char*>(tensor_.data()),
                static_cast<std::streamsize>(tensor_.size() * sizeof(float)));
    }
    if (!out.flush()) throw std::runtime_error(path + ": cannot be written");
  }

 private:
  void Resample(const Photo& photo, bool crop) {
    Placement placement = *Place(recipe_, photo.width, photo.height);
    for (Axis* axis : {&placement.x, &placement.y}) {
      if (!crop) *axis = {axis->from, axis->to, 0, static_cast<int>(axis->to)};
    }
    if (recipe_.interpolation == Interpolation::kBilinearCv2) {
      cv2_.Start(placement, 3);
      PushAll(photo, placement, cv2_, resized_);
    } else if (recipe_.interpolation == Interpolation::kBilinearTf2) {
      tf2_.Start(placement, 3);
      PushAll(photo, placement, tf2_, levels_);
    } else {
      resampler_.Start(placement, recipe_.interpolation, 3);
      PushAll(photo, placement, resampler_, resized_);
    }
  }

  template <typename OneOfThem, typename Value>
  void PushAll(const Photo& photo, const Placement& placement, OneOfThem& resampler, std::vector<Value>& resized) {
    const size_t row_values = size_t{3} * placement.x.count;
    resized.resize(row_values * placement.y.count);
    const auto take = [&](int y, const Value* row) { std::copy_n(row, row_values, resized.data() + y * row_values); };
    for (int y = 0; y < photo.height; ++y) {
      resampler.Push(photo.rgb.data() + size_t{3} * photo.width * y, take);
    }
  }

  // Turns the photograph as if the camera had been held upright.
  void Turn(const Photo& photo) {
    constexpr int kOnItsSide = 6;
    Turner turner(kOnItsSide, photo.width, photo.height, 3, scratch_);
    for (int y = 0; y < photo.height; ++y) {
      turner.Push(photo.rgb.data() + size_t{3} * photo.width * y, [](const uint8_t*) {});
    }
  }

  const Recipe recipe_;
  std::vector<Photo> photos_;
  Preprocessor preprocessor_;
  Resampler resampler_;
  Cv2Resampler cv2_;
  Tf2Resampler tf2_;
  Scratch scratch_;
  std::vector<float> tensor_;
  TensorView view_;
  std::vector<uint8_t> resized_;
  std::vector<float> levels_;
};

const std::map<std::string, Interpolation> kInterpolations = {{"nearest", Interpolation::kNearest},
                                                              {"bilinear", Interpolation::kBilinear},
                                                              {"bicubic", Interpolation::kBicubic},
                                                              {"bilinear_cv2", Interpolation::kBilinearCv2},
                                                              {"bilinear_tf2", Interpolation::kBilinearTf2}};

void Run(const std::string& folder, const Recipe& recipe, const std::string& out) {
  Bench bench(folder, recipe);
  if (!out.empty()) return bench.Write(out);
  std::cout << bench.Describe().dump() << std::endl;
  for (std::string step; std::cin >> step;) std::cout << bench.Round(step).dump() << std::endl;
}

}  // namespace
}  // namespace resnetd::image

int main(int argc, char** argv) {
  std::string folder, preset = "torchvision-v1", interpolation, out;
  bool dct_scaling = false, upright = false, exact = false;
  CLI::App app{"Measures the preprocessing of images", "image_bench"};
  app.add_option("--folder", folder, "JPEG, PNG or WebP files, and no others")
      ->required()
      ->check(CLI::ExistingDirectory);
  app.add_option("--preset", preset, "Recipe, of RGB")->capture_default_str();
  app.add_option("--interpolation", interpolation, "In place of the preset's")
      ->check(CLI::IsMember(&resnetd::image::kInterpolations));
  app.add_flag("--exact", exact, "Let the recipe scale to exactly the input, and cut nothing");
  app.add_flag("--dct-scaling", dct_scaling, "Let the recipe scale while decoding");
  app.add_flag("--upright", upright, "Let the recipe apply EXIF's orientation");
  app.add_option("--out", out, "Write the inputs of all photographs, sorted by name, float32 NCHW, and end");
  CLI11_PARSE(app, argc, argv);
  try {
    absl::StatusOr<resnetd::image::Recipe> recipe = resnetd::image::FindPreset(preset);
    resnetd::image::Check(recipe.status(), "--preset");
    if (!interpolation.empty()) recipe->interpolation = resnetd::image::kInterpolations.at(interpolation);
    if (exact) recipe->resize = resnetd::image::Resize::kExact;
    if (upright) recipe->orientation = resnetd::image::Orientation::kApply;
    recipe->dct_scaling = dct_scaling;
    resnetd::image::Check(resnetd::image::Validate(*recipe), "recipe");
    resnetd::image::Run(folder, *recipe, out);
  } catch (const std::exception& error) {
    std::cerr << "image_bench: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
