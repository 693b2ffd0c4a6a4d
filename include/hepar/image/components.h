#pragma once
#include <hepar/core/geometry.h>
#include <cstdint>
#include <span>
#include <vector>

namespace hepar {

enum class Connectivity { kFaces6, kFull26 };

struct Components {
  std::vector<std::uint32_t> labels;  ///< 0 background, 1…n components
  std::vector<std::int64_t> sizes;    ///< sizes[i] = voxels of component i+1
};

/// Connected components of a binary mask (ITK).
Components connected_components(std::span<const std::uint8_t> mask, SizeVox size,
                                Connectivity connectivity);

/// Keeps the largest component, 26-connected; equal-sized largest ones are all kept (nnU-Net).
void keep_largest_component(std::span<std::uint8_t> mask, SizeVox size);

}  // namespace hepar
