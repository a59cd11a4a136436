#ifndef RESNETD_ENGINE_GRAPH_OUTPUT_KINDS_H_
#define RESNETD_ENGINE_GRAPH_OUTPUT_KINDS_H_

#include <cstdint>
#include <string>
#include <vector>

// The kinds of a network's outputs, for the graph and for those who load one.
namespace resnetd {

// The function that makes probabilities of the scores of a head. kNone: they are what they are.
enum class HeadActivation : uint8_t { kNone, kSoftmax, kSigmoid };

enum class OutputRole : uint8_t {
  kLayer,       // a tensor and no more
  kEmbedding,   // the model's embedding, "pool"
  kClassifier,  // scores of classes
  kValue,       // one number that nothing says is a class: a regression, or the score of a yes or no
  kUndecided,   // classes or an embedding; nothing says which, so it is served as the embedding
};

// The kinds of what an output answers where none is named.
enum class OutputUse : uint8_t {
  kFurther,    // nothing
  kFirstHead,  // Classify
  kEmbedding,  // Embed
};

// Holds what is known of a file's outputs from beside the file. It comes before all evidence that the file holds.
struct OutputHints {
  std::string embedding = {};                 // the output, or else tensor, that is the embedding; empty: not said
  std::vector<std::string> classifiers = {};  // outputs that are classifiers, in the order in which clients see them
  bool classifies = false;                    // something is said of the first head, which is none of `classifiers`
  int labels = 0;                             // so many labels lie beside the file; 0: none
};

}  // namespace resnetd

#endif  // RESNETD_ENGINE_GRAPH_OUTPUT_KINDS_H_
