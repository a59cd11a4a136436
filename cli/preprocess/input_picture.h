#ifndef RESNETD_CLI_PREPROCESS_INPUT_PICTURE_H_
#define RESNETD_CLI_PREPROCESS_INPUT_PICTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/image/recipe.h"

namespace resnetd::cli {

// The pixels that a recipe made a network's input of: NCHW of one image in, rows of interleaved bytes out, grey or RGB
// whatever order of colours the recipe has.
std::vector<uint8_t> PictureOfInput(absl::Span<const float> nchw, const image::Recipe& recipe);

// Writes grey (1 channel) or RGB (3) pixels as a PNG file. Errors name the path and why.
absl::Status WritePng(const std::string& path, absl::Span<const uint8_t> pixels, int height, int width, int channels);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_PREPROCESS_INPUT_PICTURE_H_
