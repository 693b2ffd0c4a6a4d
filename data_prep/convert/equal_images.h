#pragma once
#include <string>
#include <vector>

#include "sources/source.h"

namespace hepar {

/// One image's real voxel values, by their hash.
struct DecodedImage {
  std::string hash;
  std::string id, split;
  std::string file;
};

/// Equal images under different ids (and so possibly in different splits): they would put the same
/// patient on both sides of an evaluation. Both are named. Accepted when both ids are in
/// `allow_equal`.
std::vector<Problem> equal_images(std::vector<DecodedImage> images,
                                  const std::vector<std::string>& allow_equal);

}  // namespace hepar
