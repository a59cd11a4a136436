#ifndef RESNETD_MODELS_EMBEDDING_SPACE_H_
#define RESNETD_MODELS_EMBEDDING_SPACE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "engine/image/recipe.h"

namespace resnetd {

// The facts that decide whether two vectors can be compared. The machine, the batch and the plan are not among them:
// they change the last bits of a vector, not what it means.
struct SpaceKey {
  absl::string_view weights_sha256;  // of the model's files
  image::Recipe recipe;
  absl::string_view layer;
  absl::string_view precision;
  bool l2_normalized = false;
  int dimensions = 0;
};

// 16 hexadecimal digits, equal for equal keys on every machine and in every later version.
std::string EmbeddingSpace(const SpaceKey& key);

// Hashes all that a recipe says, likewise.
std::string RecipeHash(const image::Recipe& recipe);

}  // namespace resnetd

#endif  // RESNETD_MODELS_EMBEDDING_SPACE_H_
