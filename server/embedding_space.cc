// The key as text, every float exactly, hashed. A change of the text is a change of every id that clients have stored
// beside their vectors: it begins with the number of its version.
#include "server/embedding_space.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/sha256.h"

namespace resnetd::server {
namespace {

constexpr size_t kDigits = 16;

// Only what has an effect: without a resize, the interpolation has none.
std::string Canonical(const image::Recipe& recipe) {
  std::string text = absl::StrFormat("resize %d height %d width %d colour %d", static_cast<int>(recipe.resize),
                                     recipe.height, recipe.width, static_cast<int>(recipe.colour));
  if (recipe.resize != image::Resize::kNone) {
    absl::StrAppendFormat(&text, " interpolation %d", static_cast<int>(recipe.interpolation));
  }
  if (recipe.resize == image::Resize::kShorterSide) {
    absl::StrAppendFormat(&text, " side %d offset %d", recipe.resize_size, static_cast<int>(recipe.crop_offset));
  }
  for (int c = 0; c < recipe.channels(); ++c) {
    absl::StrAppendFormat(&text, " channel %a %a", recipe.mean[c], recipe.std[c]);
  }
  return text;
}

}  // namespace

std::string EmbeddingSpace(const SpaceKey& key) {
  const std::string text = absl::StrFormat(
      "embedding space 1\nweights %s\nrecipe %s\nlayer %s\nprecision %s\nnormalized %d\ndimensions %d\n",
      key.weights_sha256, Canonical(key.recipe), absl::CEscape(key.layer), key.precision, key.l2_normalized ? 1 : 0,
      key.dimensions);
  Sha256 hash;
  hash.Add({reinterpret_cast<const std::byte*>(text.data()), text.size()});
  return hash.Hex().substr(0, kDigits);
}

}  // namespace resnetd::server
