#ifndef RESNETD_ENGINE_GRAPH_INPUT_KINDS_H_
#define RESNETD_ENGINE_GRAPH_INPUT_KINDS_H_

#include <string>
#include <vector>

// The input of a network, for the graph and for those who load one.
namespace resnetd {

// The size of images for files that leave it free.
struct InputSize {
  int height = 0, width = 0;  // 0: not said
  std::string from = {};      // who says it, for messages: "--input-size"
  // Taken where nobody says one and the file's own layers fix none.
  int usual_height = 0, usual_width = 0;
  std::string usual_from = {};

  bool is_given() const { return height > 0; }
};

// Holds what a file says of the numbers it takes.
struct InputValues {
  // Pixels, 0 to 255: the file has bytes, or floats that it brings to another range itself. Otherwise nothing is known.
  bool are_pixels = false;
  bool are_bytes = false;  // the file's type is uint8
  // One of each for every channel where the file's own normalisation was taken out of the network, whose input is
  // factor * pixel + shift since. Factors are above 0.
  std::vector<double> factors = {}, shifts = {};
};

}  // namespace resnetd

#endif  // RESNETD_ENGINE_GRAPH_INPUT_KINDS_H_
