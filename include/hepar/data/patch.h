#pragma once
#include <hepar/core/geometry.h>
#include <cstdint>
#include <vector>

namespace hepar {

/// A training patch: image [C, z, y, x] float, labels [z, y, x] (−1 outside the case or ignored).
struct Patch {
  int channels = 1;
  SizeVox size;
  std::vector<float> image;
  std::vector<std::int16_t> labels;
};

}  // namespace hepar
