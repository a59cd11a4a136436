// resnetctl preprocess: what a recipe makes of an image, for eyes (PNG) and for NumPy.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/inputs.h"
#include "cli/model_file.h"
#include "cli/preprocess/input_picture.h"
#include "cli/print/json.h"
#include "cli/print/npy.h"
#include "cli/print/table.h"
#include "engine/image/image.h"
#include "models/config.h"
#include "models/embedding_space.h"
#include "models/loader.h"
#include "nlohmann/json.hpp"

namespace resnetd::cli {
namespace {

struct Options {
  LocalModel model;
  std::string image, recipe, out;
};

struct Seen {
  image::Recipe recipe;
  image::Header header;       // of the file
  std::vector<float> values;  // NCHW
  std::string png, npy;       // the files written
};

// The statistics of one channel.
struct Statistics {
  double mean = 0, least = 0, largest = 0;
};

absl::StatusOr<image::Recipe> FindRecipe(const Options& options) {
  if (options.model.path.empty() && !options.recipe.empty()) {
    absl::StatusOr<image::Recipe> preset = image::FindPreset(options.recipe);
    if (preset.ok()) return preset;
    return absl::InvalidArgumentError(absl::StrCat("--recipe: ", preset.status().message()));
  }
  RESNETD_ASSIGN_OR_RETURN(const ModelFile model, OpenModel(options.model));
  RESNETD_ASSIGN_OR_RETURN(const v1::ModelConfig config, ReadModelConfig(model.source));
  // Compiles it, which is more than the input's size needs; nobody waits long.
  RESNETD_ASSIGN_OR_RETURN(const ReadOptions reading, ReadingOf(model, options.recipe));
  RESNETD_ASSIGN_OR_RETURN(const auto engine,
                           Engine::Load(model.bytes(), {.batch_sizes = {1}, .warm_up = false}, reading));
  RESNETD_ASSIGN_OR_RETURN(ChosenRecipe chosen, ChooseRecipe(config.preprocessing(), options.recipe, engine->info()));
  return chosen.recipe;
}

// "folder/photo.jpg" -> "photo-preprocessed", in the current folder.
std::string DefaultOut(const std::string& image) {
  if (image == kStandardInput) return "stdin-preprocessed";
  return absl::StrCat(std::filesystem::path(image).stem().string(), "-preprocessed");
}

absl::StatusOr<Seen> Preprocess(const Options& options) {
  Seen seen;
  RESNETD_ASSIGN_OR_RETURN(seen.recipe, FindRecipe(options));
  RESNETD_ASSIGN_OR_RETURN(const std::string file, ReadImageFile(options.image));
  const image::Recipe& recipe = seen.recipe;
  const ptrdiff_t plane = ptrdiff_t{recipe.height} * recipe.width;
  seen.values.resize(static_cast<size_t>(recipe.channels() * plane));
  const absl::Span<const std::byte> bytes(reinterpret_cast<const std::byte*>(file.data()), file.size());
  const image::TensorView dst = {.data = seen.values.data(),
                                 .height = recipe.height,
                                 .width = recipe.width,
                                 .channels = recipe.channels(),
                                 .row = recipe.width,
                                 .pixel = 1,
                                 .channel = plane};
  const absl::Status decoded = OutcomeOf(image::Preprocessor().FromFile(bytes, recipe, dst), file);
  if (!decoded.ok()) {
    return absl::Status(decoded.code(), absl::StrCat(EchoPath(options.image), ": ", decoded.message()));
  }
  RESNETD_ASSIGN_OR_RETURN(seen.header, image::Sniff(bytes, image::Limits()));
  const std::string out = options.out.empty() ? DefaultOut(options.image) : options.out;
  seen.png = absl::StrCat(out, ".png");
  seen.npy = absl::StrCat(out, ".npy");
  if (std::error_code ignored; std::filesystem::equivalent(seen.png, options.image, ignored)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--out: expected another file than the image, got ", EchoPath(seen.png)));
  }
  RESNETD_RETURN_IF_ERROR(
      WritePng(seen.png, PictureOfInput(seen.values, recipe), recipe.height, recipe.width, recipe.channels()));
  RESNETD_RETURN_IF_ERROR(WriteNpy(seen.npy, seen.values,
                                   {1, static_cast<size_t>(recipe.channels()), static_cast<size_t>(recipe.height),
                                    static_cast<size_t>(recipe.width)}));
  return seen;
}

std::vector<Statistics> StatisticsOf(const Seen& seen) {
  std::vector<Statistics> all;
  const size_t plane = seen.values.size() / static_cast<size_t>(seen.recipe.channels());
  for (auto at = seen.values.begin(); at != seen.values.end(); at += static_cast<ptrdiff_t>(plane)) {
    const auto end = at + static_cast<ptrdiff_t>(plane);
    Statistics& of = all.emplace_back();
    for (auto value = at; value != end; ++value) of.mean += *value;
    of.mean /= static_cast<double>(plane);
    of.least = *std::min_element(at, end);
    of.largest = *std::max_element(at, end);
  }
  return all;
}

void PrintJson(const Context& context, const Options& options, const Seen& seen) {
  using Json = nlohmann::ordered_json;
  const image::Recipe& recipe = seen.recipe;
  Json channels = Json::array();
  for (const Statistics& of : StatisticsOf(seen)) {
    channels.push_back({{"mean", of.mean}, {"min", of.least}, {"max", of.largest}});
  }
  const Json json = {{"image", options.image},
                     {"width", seen.header.width},
                     {"height", seen.header.height},
                     {"recipe", image::ToString(recipe)},
                     {"recipe_id", image::NameOf(recipe)},
                     {"recipe_hash", RecipeHash(recipe)},
                     {"shape", {1, recipe.channels(), recipe.height, recipe.width}},
                     {"channels", std::move(channels)},
                     {"png", seen.png},
                     {"npy", seen.npy}};
  *context.out << Dump(json) << '\n';
}

void Print(const Context& context, const Options& options, const Seen& seen) {
  const image::Recipe& recipe = seen.recipe;
  Table table({"image", absl::StrCat(EchoPath(options.image), ", ", seen.header.width, "x", seen.header.height)});
  table.AddRow(
      {"recipe", absl::StrCat(image::NameOf(recipe), " (", RecipeHash(recipe), "): ", image::ToString(recipe))});
  const std::vector<Statistics> all = StatisticsOf(seen);
  for (size_t c = 0; c < all.size(); ++c) {
    table.AddRow({absl::StrCat("channel ", c),
                  absl::StrFormat("mean %.4f, from %.4f to %.4f", all[c].mean, all[c].least, all[c].largest)});
  }
  table.AddRow({"picture", seen.png});
  table.AddRow({"tensor", absl::StrCat(seen.npy, ", 1x", recipe.channels(), "x", recipe.height, "x", recipe.width)});
  table.Print(*context.out);
}

int Run(const Context& context, const Options& options) {
  const absl::StatusOr<Seen> seen = Preprocess(options);
  if (!seen.ok()) {
    *context.err << OneLine(ErrorFrom(seen.status())) << '\n';
    return kFailed;
  }
  context.json ? PrintJson(context, options, *seen) : Print(context, options, *seen);
  return kOk;
}

}  // namespace

Command AddPreprocess(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("image", options->image, "A JPEG, PNG or WebP file; -: standard input")->required();
  app.add_option("--recipe", options->recipe, "A preset's name, in place of what the model's config says");
  app.add_option("--model", options->model.path,
                 "An ONNX file, or a model's folder, whose recipe it is; default: the model in the program, or the "
                 "preset alone");
  AddModelRoot(app, options->model.root);
  AddInputSize(app, options->model.input_size);
  app.add_option("--out", options->out,
                 "Where to write, without extension: .png and .npy; default: the image's name and \"-preprocessed\", "
                 "here");
  return [options](const Context& context) { return Run(context, *options); };
}

}  // namespace resnetd::cli
