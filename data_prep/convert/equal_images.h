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

/// Key of a sequence in manifest.json: the hash of its size and real values, equal for equal images
/// of any storage type.
inline constexpr const char* kValuesHash = "values_xxh64";

/// Cases and images of `images` that the cohort `other` holds too: two sources would claim one
/// case. Equal images whose ids are both in `allow_equal` pass. Throws DataError when `other`
/// cannot be read.
std::vector<Problem> shared_with(const fs::path& other, const std::vector<DecodedImage>& images,
                                 const std::vector<std::string>& allow_equal);

}  // namespace hepar
