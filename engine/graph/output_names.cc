#include "engine/graph/output_names.h"

#include <array>
#include <string>

#include "absl/strings/ascii.h"

namespace resnetd::graph {

std::optional<OutputRole> RoleByName(absl::string_view name) {
  struct Word {
    absl::string_view text;
    bool whole;  // else a part of a longer one
    OutputRole role;
  };
  using enum OutputRole;
  static constexpr std::array kWords = std::to_array<Word>({
      {"embed", false, kEmbedding},
      {"emb", true, kEmbedding},
      {"feature", false, kEmbedding},
      {"feat", true, kEmbedding},
      {"feats", true, kEmbedding},
      {"descriptor", false, kEmbedding},
      {"representation", false, kEmbedding},
      {"pool", true, kEmbedding},
      {"pooled", true, kEmbedding},
      {"pooler", true, kEmbedding},
      {"latent", false, kEmbedding},
      {"fc1", true, kEmbedding},
      {"fc6", true, kEmbedding},
      {"fc7", true, kEmbedding},
      {"logit", false, kClassifier},
      {"prob", true, kClassifier},
      {"probs", true, kClassifier},
      {"probab", false, kClassifier},
      {"softmax", false, kClassifier},
      {"score", true, kClassifier},
      {"scores", true, kClassifier},
      {"class", true, kClassifier},
      {"classes", true, kClassifier},
      {"classif", false, kClassifier},
      {"cls", true, kClassifier},
      {"pred", true, kClassifier},
      {"preds", true, kClassifier},
      {"prediction", false, kClassifier},
  });
  const std::string lower = absl::AsciiStrToLower(name);
  std::optional<OutputRole> role;
  size_t role_at = 0;
  for (const Word& word : kWords) {
    for (size_t at = absl::string_view(lower).find(word.text); at != std::string::npos;
         at = absl::string_view(lower).find(word.text, at + 1)) {
      const auto letter = [&](size_t i) { return i < lower.size() && absl::ascii_isalnum(lower[i]); };
      if (word.whole && ((at > 0 && letter(at - 1)) || letter(at + word.text.size()))) continue;
      if (!role || at >= role_at) role = word.role, role_at = at;
    }
  }
  return role;
}

}  // namespace resnetd::graph
