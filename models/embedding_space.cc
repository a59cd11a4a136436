// The key as text, every float exactly, hashed. A change of the text is a change of every id that clients have stored
// beside their vectors: it begins with the number of its version.
#include "models/embedding_space.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/sha256.h"

namespace resnetd {
namespace {

constexpr size_t kDigits = 16;

std::string Hash(const std::string& text) {
  Sha256 hash;
  hash.Add({reinterpret_cast<const std::byte*>(text.data()), text.size()});
  return hash.Hex().substr(0, kDigits);
}

}  // namespace

std::string EmbeddingSpace(const SpaceKey& key) {
  return Hash(absl::StrFormat(
      "embedding space 1\nweights %s\nrecipe %s\nlayer %s\nprecision %s\nnormalized %d\ndimensions %d\n",
      key.weights_sha256, image::CanonicalText(key.recipe), absl::CEscape(key.layer), key.precision,
      key.l2_normalized ? 1 : 0, key.dimensions));
}

std::string RecipeHash(const image::Recipe& recipe) {
  return Hash(absl::StrCat("recipe 1\n", image::CanonicalText(recipe), "\n"));
}

}  // namespace resnetd
