#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

/// A sum of classes with a head of its own (segmentation.md §1.14): sigmoid outputs that may
/// overlap, unlike classes. "liver+lesion" is every voxel of either and is written as its first
/// class, liver.
struct Region {
  std::vector<std::int64_t> labels;
  std::int64_t writes = 0;
};

/// `texts` as sums of `classes` (background first). Throws ConfigError naming the text: an unknown
/// class, the background, nothing.
std::vector<Region> parse_regions(const std::vector<std::string>& texts,
                                  const std::vector<std::string>& classes);

/// labels [n, z, y, x] int64 -> [n, regions, z, y, x] in the type of `like`: 1 inside.
at::Tensor region_targets(const at::Tensor& labels, const std::vector<Region>& regions,
                          const at::Tensor& like);

/// logits [n, outputs, z, y, x] -> labels [n, z, y, x] int64: the class of the largest logit; with
/// regions each writes its class where its probability is above ½, later ones over earlier.
at::Tensor decode_labels(const at::Tensor& logits, const std::vector<Region>& regions);

}  // namespace hepar
